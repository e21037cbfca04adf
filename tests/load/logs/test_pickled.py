"""Pickles and files of torch.save: the lists in them are read, and none of their code is run."""

from __future__ import annotations

import pickle
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from kashika.errors import LoadError
from kashika.load.logs.pickled import read, recognises
from kashika.texts import speaking


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with speaking("en"):
        yield


class History:
    """As Keras's callback of that name."""

    def __init__(self) -> None:
        self.history = {"loss": [0.5, 0.25]}
        self.params = {"epochs": 2}


def grown() -> defaultdict[str, list[float]]:
    history: defaultdict[str, list[float]] = defaultdict(list)
    history["loss"] += [0.5, 0.25]
    return history


def pickled(content: object, path: Path, protocol: int) -> None:
    path.write_bytes(pickle.dumps(content, protocol))


def by_torch(content: object, path: Path) -> None:
    torch.save(content, path)


def by_old_torch(content: object, path: Path) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


CONTENTS: dict[str, Callable[[], object]] = {
    "dict of lists": lambda: {"loss": [0.5, 0.25]},
    "list of dicts": lambda: [{"loss": 0.5}, {"loss": 0.25}],
    "OrderedDict": lambda: OrderedDict(loss=[0.5, 0.25]),
    "defaultdict": grown,
    "NumPy's floats": lambda: {"loss": [np.float32(0.5), np.float64(0.25)]},
    "array": lambda: {"loss": np.array([0.5, 0.25], dtype=np.float32)},
    "tensors": lambda: {"loss": [torch.tensor(0.5), torch.tensor([0.25])]},
    "tensor": lambda: {"loss": torch.tensor([0.5, 0.25]).double()},
    "half": lambda: {"loss": torch.tensor([0.5, 0.25]).bfloat16()},
}


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol_says_the_same(tmp_path: Path, content: str, protocol: int) -> None:
    path = tmp_path / "history.pkl"
    pickled(CONTENTS[content](), path, protocol)
    (series,) = (logged := read(path)).series.values()
    assert (series.x.tolist(), series.y.tolist()) == ([1, 2], [0.5, 0.25])
    assert (list(logged.series), logged.notes) == (["loss"], ())
    assert recognises(path, path.read_bytes())


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("save", [by_torch, by_old_torch])
def test_what_torch_saved_is_read(
    tmp_path: Path, content: str, save: Callable[[object, Path], None]
) -> None:
    path = tmp_path / "history.pth"
    save(CONTENTS[content](), path)
    assert read(path).series["loss"].y.tolist() == [0.5, 0.25]
    assert recognises(path, path.read_bytes())


def test_an_object_is_read_by_its_attributes(tmp_path: Path) -> None:
    path = tmp_path / "history.pkl"
    pickled(History(), path, 4)
    logged = read(path)
    assert logged.series["loss"].y.tolist() == [0.5, 0.25]
    assert [str(note).partition(": ")[2] for note in logged.notes] == [
        "1 entry beside the series was not read: params",
        "test_pickled.History",
    ]


def test_a_list_alone_has_no_name(tmp_path: Path) -> None:
    pickled([0.5, 0.25], path := tmp_path / "train_loss.pkl", 4)
    assert read(path).series[""].y.tolist() == [0.5, 0.25]
    assert recognises(path, path.read_bytes())
    pickled([0.5, 0.25], path := tmp_path / "weights_of_classes.pkl", 4)
    assert not recognises(path, path.read_bytes())


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.write_text, (self.path, "run"))


@pytest.mark.parametrize("save", [lambda c, p: pickled(c, p, 4), by_torch, by_old_torch])
def test_no_code_of_a_pickle_runs(tmp_path: Path, save: Callable[[object, Path], None]) -> None:
    path = tmp_path / "history.pkl"
    save(
        {"loss": [0.5, 0.25], "evil": Evil(tmp_path / "trace"), "deep": [{"a": Evil(tmp_path)}]},
        path,
    )
    assert recognises(path, path.read_bytes())
    assert read(path).series["loss"].y.tolist() == [0.5, 0.25]
    assert not (tmp_path / "trace").exists()


def test_a_checkpoint_and_a_data_set_are_no_logs(tmp_path: Path) -> None:
    weights = {"model": {"w": torch.zeros(3, 3)}, "train_losses": [0.5], "epoch": 1}
    torch.save(weights, path := tmp_path / "last.pth")
    assert not recognises(path, path.read_bytes())
    torch.save(torch.nn.Linear(2, 3).state_dict(), path := tmp_path / "linear.pt")
    assert not recognises(path, path.read_bytes())
    pickled({"X": np.zeros((5, 3)), "y": np.zeros(5)}, path := tmp_path / "data.pkl", 4)
    assert not recognises(path, path.read_bytes())
    (path := tmp_path / "notes.p").write_text("loss")
    assert not recognises(path, path.read_bytes())


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (
            pd.DataFrame({"loss": [0.5]}),
            "found pandas.DataFrame, which only pandas itself can read",
        ),
        ({"a": "b"}, "found dict; save the lists themselves"),
        (print, "found Global; save the lists themselves"),
    ],
)
def test_what_is_no_series_is_told(tmp_path: Path, content: object, why: str) -> None:
    pickled(content, path := tmp_path / "history.pkl", 4)
    with pytest.raises(LoadError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: expected ")
    assert why in str(caught.value)


@pytest.mark.parametrize("size", [0, 1, 10, 30])
def test_a_cut_pickle_is_an_error(tmp_path: Path, size: int) -> None:
    pickled({"loss": [0.5, 0.25]}, path := tmp_path / "history.pkl", 4)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(LoadError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: expected ")
