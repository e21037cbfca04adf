"""What a function returns is understood in every form in which people hand data on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, Dataset, TensorDataset

from kashika.errors import LoadError
from kashika.load.samples import samples_from, samples_of_content
from kashika.load.samples.forms import shape_of
from kashika.load.samples.roles import role_of, split_called
from kashika.run import Arrays, Samples
from kashika.texts import speaking

X = np.random.default_rng(0).normal(size=(10, 3))
Y = np.arange(10) % 3
DATA = TensorDataset(torch.tensor(X), torch.tensor(Y))


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with speaking("en"):
        yield


def lengths(content: object) -> dict[str, int]:
    return {str(s): len(one) for s, one in samples_of_content(content, name="load")[0].items()}


def said(content: object) -> list[str]:
    return list(map(str, samples_of_content(content, name="load")[1]))


def refused(content: object) -> str:
    with pytest.raises(LoadError) as caught:
        samples_of_content(content, name="load")
    return str(caught.value)


def inputs(samples: Samples) -> Any:
    return next(samples.batches(1000))[0]


SPLIT = train_test_split(X, Y, test_size=0.3, random_state=0)
HALVES = train_test_split(X, Y, test_size=0.5, random_state=0)
IN_ORDER = "load: the parts are taken, by their order, as"


@pytest.mark.parametrize(
    ("content", "expected", "notes"),
    [
        ({"train": (X, Y), "val": (X[:2], Y[:2])}, {"train": 10, "valid": 2}, []),
        ({"test": DATA, "training": DataLoader(DATA)}, {"train": 10, "test": 10}, []),
        ({"holdout": [X, Y]}, {"test": 10}, []),
        ({"訓練": (X, Y), "テスト": (X, Y)}, {"train": 10, "test": 10}, []),
        ({"X_train": X, "y_train": Y, "X_test": X, "y_test": Y}, {"train": 10, "test": 10}, []),
        ({"train": {"images": X, "labels": Y}}, {"train": 10}, []),
        ((X, Y), {"test": 10}, ["load: no split is named, so all of it is taken as test data"]),
        ([X.tolist(), Y.tolist()], {"test": 10},
         ["load: no split is named, so all of it is taken as test data"]),
        (DATA, {"test": 10}, ["load: no split is named, so all of it is taken as test data"]),
        (((X, Y), (X[:2], Y[:2])), {"train": 10, "test": 2}, [f"{IN_ORDER} train, test"]),
        (((X, Y), (X[:1], Y[:1]), (X[:2], Y[:2])), {"train": 10, "valid": 1, "test": 2},
         [f"{IN_ORDER} train, valid, test"]),
        ((DataLoader(DATA), DATA), {"train": 10, "test": 10}, [f"{IN_ORDER} train, test"]),
        (SPLIT, {"train": 7, "test": 3}, [f"{IN_ORDER} X_train, X_test, y_train, y_test"]),
        (HALVES, {"train": 5, "test": 5}, [f"{IN_ORDER} X_train, X_test, y_train, y_test"]),
        ((X, Y, X[:2], Y[:2]), {"train": 10, "test": 2},
         [f"{IN_ORDER} X_train, y_train, X_test, y_test"]),
        ((X, Y, X[:1], Y[:1], X[:2], Y[:2]), {"train": 10, "valid": 1, "test": 2},
         [f"{IN_ORDER} X_train, y_train, X_valid, y_valid, X_test, y_test"]),
        ((X, X[:1], X[:2], Y, Y[:1], Y[:2]), {"train": 10, "valid": 1, "test": 2},
         [f"{IN_ORDER} X_train, X_valid, X_test, y_train, y_valid, y_test"]),
        ({"input_ids": X, "attention_mask": X, "labels": Y}, {"test": 10},
         ["load: no split is named, so all of it is taken as test data"]),
        ({"train": {"input_ids": X, "labels": Y}, "val": ((X, X), Y)}, {"train": 10, "valid": 10},
         []),
        (((X, X), Y), {"test": 10},
         ["load: no split is named, so all of it is taken as test data"]),
    ],
    ids=["mapping", "loaders", "holdout", "Japanese", "names", "nested", "pair", "lists", "dataset",
         "keras", "three pairs", "two loaders", "train_test_split", "halves", "flat", "six flat",
         "six by roles", "arguments", "several inputs", "several inputs alone"],
)  # fmt: skip
def test_every_form_is_understood_and_said(
    content: object, expected: dict[str, int], notes: list[str]
) -> None:
    assert lengths(content) == expected
    assert said(content) == notes


@pytest.mark.parametrize(
    "content", [[(X, Y)] * 4, [{"ids": X, "labels": Y}] * 2, iter([(X, Y)] * 2)],
    ids=["four pairs", "two mappings", "iterator"],
)  # fmt: skip
def test_batches_are_test_data(content: object) -> None:
    samples, notes = samples_of_content(content, name="load")
    assert list(samples) == ["test"]
    assert all(len(y) == 10 for _, y in samples["test"].batches(1000))
    assert [note.key for note in notes] == ["notes.dataset.whole"]


def test_the_bunch_of_scikit_learn_is_a_pair() -> None:
    samples, notes = samples_of_content(load_iris(), name="load")
    np.testing.assert_array_equal(inputs(samples["test"]), load_iris().data)
    assert (
        str(notes[0]) == "--data load: no split is named, so data and target are taken as test data"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (3, "expected load to return a mapping from train, valid, test to (X, y), found int"),
        ({}, "found dict; correct the function"),
        ((X, Y, X), "found 3 parts; correct the function"),
        ({"fold1": (X, Y), "ood": (X, Y), "train": (X, Y)},
         "--data load: expected splits called train, valid or test, found fold1, ood; rename them"),
        ({"val": (X, Y), "validation": (X, Y)},
         "--data load: expected one name for each part, found val and validation for the same"),
        ((X, X, X, X), "shapes (10, 3), (10, 3), (10, 3), (10, 3), which fit neither or both"),
        ((Y, Y, Y, Y), "which fit neither or both"),
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_told(content: object, message: str) -> None:
    assert message in refused(content)


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("X", ("inputs", None)), ("y_test", ("targets", "test")), ("trainX", ("inputs", "train")),
        ("validation labels", ("targets", "valid")), ("XTrain", ("inputs", "train")),
        ("ytest", ("targets", "test")), ("x-val", ("inputs", "valid")),
        ("特徴量", ("inputs", None)),
        ("Test_Images", ("inputs", "test")), ("feature_names", None), ("DESCR", None), ("", None),
        ("train", None), ("X_train_y", None), ("box", None), ("yellow", None), ("matrix", None),
    ],
)  # fmt: skip
def test_a_name_says_what_it_holds(name: str, role: object) -> None:
    assert role_of(name) == role


@pytest.mark.parametrize("name", ["fold1", "ood", "", "extra", "X", "data"])
def test_a_name_that_is_no_split_is_none(name: str) -> None:
    assert split_called(name) is None


def test_a_function_a_value_and_a_notebook_give_data(tmp_path: Path) -> None:
    source = (
        "import numpy as np\nX = np.eye(3)\ny = ['b', 'a', 'b']\ndef pair():\n    return X, y\n"
        "def some(n):\n    return {'val': (X[:n], y[:n])}\nvalue = (X, y)"
    )
    (tmp_path / "d.py").write_text(source, encoding="utf-8")
    cells = [{"cell_type": "code", "source": one} for one in (source, "raise SystemExit", "def (")]
    (tmp_path / "d.ipynb").write_text(json.dumps({"cells": cells}), encoding="utf-8")
    for file in ("d.py", "d.ipynb"):
        for name in ("pair", "pair()", "value"):
            samples, notes = samples_from(f"{tmp_path}/{file}:{name}", target=None)
            one = samples["test"]
            assert isinstance(one, Arrays)
            assert (one.targets.tolist(), one.class_names) == ([1, 0, 1], ("a", "b"))
            assert ("no Python" in str(notes[0])) == (file == "d.ipynb")
        samples, _ = samples_from(f"{tmp_path}/{file}:some(2)", target=None)
        assert {split: len(one) for split, one in samples.items()} == {"valid": 2}


def test_a_data_set_is_not_read_to_find_out_what_it_is() -> None:
    class Costly(Dataset[Any]):
        def __len__(self) -> int:
            return 3

        def __getitem__(self, index: int) -> Any:
            raise AssertionError("was read")

    one = Costly()
    for content in (one, {"train": one, "test": one}, {"train": one}, (one, one)):
        samples, _ = samples_of_content(content, name="load")
        assert all(len(part) == 3 for part in samples.values())
    assert shape_of([one, one]) == ()
