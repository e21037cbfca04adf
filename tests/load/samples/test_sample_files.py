"""Arrays in files are read back exactly, and a damaged or hostile file ends in one sentence."""

from __future__ import annotations

import contextlib
import gzip
import io
import pickle
import struct
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from torch.utils.data import Subset, TensorDataset

from kashika.distribution import Array
from kashika.errors import KashikaError, LoadError
from kashika.load.samples import Content, samples_from
from kashika.load.samples.files import idx, npy
from kashika.run import Samples
from kashika.texts import speaking

RUNS = Path(__file__).parents[4] / "shared" / "runs"
X = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
Y = np.array([0, 1, 2, 0, 1, 2])


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with speaking("en"):
        yield


def whole(samples: Samples) -> tuple[Array, Array]:
    return next(samples.batches(len(samples)))


def read(word: object) -> Content:
    return samples_from(str(word), target=None)


def notes(word: object) -> list[str]:
    return [str(one).replace(str(word), "IT") for one in read(word)[1]]


def refused(word: object) -> str:
    with pytest.raises(LoadError) as caught:
        read(word)
    return str(caught.value).replace(str(word), "IT")


def holds(content: Content, split: str, x: Array, y: object) -> None:
    inputs, targets = whole(content[0][split])  # type: ignore[index]
    np.testing.assert_array_equal(inputs, x)
    np.testing.assert_array_equal(targets, np.asarray(y))


# --- .npz -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        ("X_train y_train X_test y_test", ["train", "test"]),
        ("x_train y_train x_val y_val x_test y_test", ["train", "valid", "test"]),
        ("train_images train_labels val_images val_labels", ["train", "valid"]),
        ("trainX trainY testX testY", ["train", "test"]),
        ("xtrain ytrain xtest ytest", ["train", "test"]),
        ("Xtrain Ytrain Xvalidation Yvalidation", ["train", "valid"]),
        ("inputs_test targets_test", ["test"]),
        ("test_data test_target", ["test"]),
        ("X y", ["test"]),
        ("images labels", ["test"]),
        ("features target", ["test"]),
        ("入力_訓練 ラベル_訓練 入力_テスト ラベル_テスト", ["train", "test"]),
        ("X_holdout y_holdout", ["test"]),
    ],
)
def test_inputs_and_targets_are_found_by_their_names(
    tmp_path: Path, names: str, splits: list[str]
) -> None:
    values = {name: X + k if k % 2 == 0 else Y for k, name in enumerate(names.split())}
    np.savez(tmp_path / "data.npz", **values)  # type: ignore[arg-type]
    content = read(tmp_path / "data.npz")
    assert list(content[0]) == splits
    for k, split in enumerate(splits):
        holds(content, split, X + 2 * k, Y)
    assert len(content[1]) == (len(names.split()) == 2 and "_" not in names)


def test_what_is_not_used_and_what_was_supposed_is_said(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X=X, y=Y, mean=X.mean(0))
    assert notes(tmp_path / "a.npz") == [
        "IT: no split is named, so X and y are taken as test data", "IT: not used: mean"
    ]  # fmt: skip
    np.savez(tmp_path / "valid.npz", X=X, y=Y)
    assert list(read(tmp_path / "valid.npz")[0]) == ["valid"]
    np.savez(tmp_path / "b.npz", X_test=(255 * X).astype(np.uint8), y_test=Y)
    (note,) = notes(tmp_path / "b.npz")
    assert note.startswith("test: the inputs are whole numbers from 0 to 255 of shape (6, 3)")


def test_arrays_without_names_are_told_apart_by_their_shapes(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X, X[:2], Y, Y[:2])
    content = read(tmp_path / "a.npz")
    holds(content, "train", X, Y)
    holds(content, "test", X[:2], Y[:2])
    assert notes(tmp_path / "a.npz") == [
        "IT: the parts are taken, by their order, as X_train, X_test, y_train, y_test"
    ]


def test_words_in_an_array_become_classes(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X_test=X, y_test=np.array(["b", "a"] * 3))
    holds(read(tmp_path / "a.npz"), "test", X, [1, 0] * 3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"X": X}, "expected inputs and targets such as X_test and y_test, found X; rename them"),
        ({"X": X, "y_test": Y}, "such as X_test and y_test, found X, y_test; rename them"),
        ({"X": X, "x": X, "y": Y}, "expected one name for each part, found X and x for the same"),
        ({"X": X, "y": np.array([None] * 6)}, "whose loading may run code, in: y; save them again"),
    ],
)  # fmt: skip
def test_an_npz_without_a_pair_is_told(tmp_path: Path, values: Any, message: str) -> None:
    np.savez(tmp_path / "a.npz", **values)
    assert message in refused(tmp_path / "a.npz")


class Bad:
    def __reduce__(self) -> Any:
        return (open, ("ran", "w"))


def test_python_objects_are_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("a.npz", X=X, y=np.array([Bad()] * 6, dtype=object))
    np.save("X_test.npy", X)
    np.save("y_test.npy", np.array([Bad()] * 6, dtype=object))
    torch.save({"X": X, "y": Bad()}, "a.pt")
    for name in ("a.npz", "X_test.npy", "a.pt"):
        with pytest.raises(LoadError):
            read(name)
    assert not Path("ran").exists()


# --- .npy -----------------------------------------------------------------------------------------


def test_a_pair_of_npy_is_named_by_either_by_both_or_by_their_folder(tmp_path: Path) -> None:
    np.save(tmp_path / "X_test.npy", X)
    np.save(tmp_path / "y_test.npy", Y)
    both = f"{tmp_path}/X_test.npy,{tmp_path}/y_test.npy"
    for word in (tmp_path / "X_test.npy", tmp_path / "y_test.npy", both, tmp_path):
        holds(read(word), "test", X, Y)
        assert notes(word) == []
    np.save(tmp_path / "X_train.npy", X + 1)
    np.save(tmp_path / "y_train.npy", Y)
    np.save(tmp_path / "embedding.npy", X)
    holds(read(tmp_path), "train", X + 1, Y)
    holds(read(tmp_path / "X_test.npy"), "test", X, Y)


def test_two_npy_of_any_names_are_inputs_and_targets(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", X)
    np.save(tmp_path / "b.npy", Y)
    holds(read(f"{tmp_path}/a.npy,{tmp_path}/b.npy"), "test", X, Y)
    assert "found beside it b.npy" in refused(tmp_path / "a.npy")


def test_folders_of_splits_hold_npy(tmp_path: Path) -> None:
    for k, split in enumerate(("train", "test")):
        (tmp_path / split).mkdir()
        np.save(tmp_path / split / "X.npy", X + k)
        np.save(tmp_path / split / "y.npy", Y)
    content = read(tmp_path)
    holds(content, "train", X, Y)
    holds(content, "test", X + 1, Y)


numbers = arrays(
    st.sampled_from([np.float32, np.float64, np.int64, np.uint8, np.bool_]),
    array_shapes(min_dims=1, max_dims=4, max_side=4),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(inputs=numbers)
def test_any_array_of_numbers_comes_back(tmp_path: Path, inputs: Array) -> None:
    targets = np.arange(len(inputs))
    np.savez(tmp_path / "a.npz", X_test=inputs, y_test=targets)
    np.save(tmp_path / "X_test.npy", inputs)
    np.save(tmp_path / "y_test.npy", targets)
    torch.save({"X_test": torch.tensor(inputs), "y_test": targets}, tmp_path / "a.pt")
    for name in ("a.npz", "X_test.npy", "a.pt"):
        holds(read(tmp_path / name), "test", inputs, targets)
    if inputs.dtype == np.uint8:
        head = struct.pack(">HBB", 0, 8, inputs.ndim) + struct.pack(
            f">{inputs.ndim}I", *inputs.shape
        )
        (tmp_path / "x").write_bytes(head + inputs.tobytes())
        np.testing.assert_array_equal(idx(tmp_path / "x"), inputs)


# --- MNIST ----------------------------------------------------------------------------------------


def idx_file(path: Path, values: Array) -> Path:
    head = struct.pack(">HBB", 0, 8, values.ndim) + struct.pack(f">{values.ndim}I", *values.shape)
    content = head + values.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


IMAGES = np.random.default_rng(0).integers(0, 256, (4, 5, 6)).astype(np.uint8)


@pytest.mark.parametrize(
    "end", ["-images-idx3-ubyte", "-images.idx3-ubyte", "-images-idx3-ubyte.gz"]
)
def test_images_of_mnist_are_scaled_and_have_a_channel(tmp_path: Path, end: str) -> None:
    for name, shift in (("train", 0), ("t10k", 1)):
        idx_file(tmp_path / f"{name}{end}", IMAGES)
        labels = f"{name}{end}".replace("images", "labels").replace("idx3", "idx1")
        idx_file(tmp_path / labels, Y[:4] + shift)
    content = read(tmp_path)
    assert set(content[0]) == {"train", "test"}
    holds(content, "train", (IMAGES.astype(np.float32) / np.float32(255))[:, None], Y[:4])
    (note,) = notes(tmp_path / f"t10k{end}")
    assert note == "IT: divided by 255, as float32 of shape (4, 1, 5, 6)"


def test_images_without_labels_and_cut_images_are_told(tmp_path: Path) -> None:
    path = idx_file(tmp_path / "train-images-idx3-ubyte", IMAGES)
    assert "expected inputs and targets side by side" in refused(path)
    idx_file(tmp_path / "train-labels-idx1-ubyte", Y[:4])
    content = path.read_bytes()
    path.write_bytes(content[:-7])
    assert refused(path) == (
        "IT: expected 120 bytes of numbers as its header says, found 113; save or copy it again"
    )
    path.write_bytes(b"\x00\x00\x08\x03" + b"\xff" * 12)
    assert "unpack to" in refused(path)
    path.write_bytes(b"<html>")
    assert "expected an idx file" in refused(path)


@pytest.mark.skipif(not RUNS.is_dir(), reason=f"{RUNS} is not here")
def test_the_test_data_of_mnist() -> None:
    content = read(RUNS / "mnist_t10k-images-idx3-ubyte.gz")
    inputs, targets = whole(content[0]["test"])
    assert (inputs.shape, inputs.max()) == ((10_000, 1, 28, 28), 1)
    assert inputs.dtype == np.float32
    assert np.bincount(targets).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


# --- torch.save -----------------------------------------------------------------------------------

T, L = torch.tensor(X), torch.tensor(Y)


@pytest.mark.parametrize(
    ("content", "splits"),
    [
        ((T, L), ["test"]),
        ({"X_train": T, "y_train": L, "X_test": T, "y_test": L}, ["train", "test"]),
        ({"train": (T, L), "val": (T, L)}, ["train", "valid"]),
        ({"train": {"images": T, "labels": L}}, ["train"]),
        (TensorDataset(T, L), ["test"]),
        (Subset(TensorDataset(torch.cat([T, T]), torch.cat([L, L])), range(6)), ["test"]),
        ({"test": TensorDataset(T, L)}, ["test"]),
        ((X, Y), ["test"]),
        (((T, L), (T, L)), ["train", "test"]),
    ],
    ids=["pair", "names", "splits", "nested", "dataset", "subset", "split of a dataset", "numpy",
         "two pairs"],
)  # fmt: skip
def test_what_torch_saved_is_read(tmp_path: Path, content: object, splits: list[str]) -> None:
    torch.save(content, tmp_path / "a.pt")
    found = read(tmp_path / "a.pt")
    assert list(found[0]) == splits
    holds(found, splits[0], X, Y)


def test_a_checkpoint_is_no_data(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "model.pt")
    assert "expected splits called train, valid or test, found weight, bias" in refused(
        tmp_path / "model.pt"
    )
    (tmp_path / "text.pt").write_bytes(b"<!DOCTYPE html>")
    assert "expected tensors or a TensorDataset" in refused(tmp_path / "text.pt")


# --- bundled sets, words --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "shape", "classes"),
    [
        ("iris", (150, 4), 3), ("sklearn:digits", (1797, 64), 10), ("wine", (178, 13), 3),
        ("Breast_Cancer", (569, 30), 2), ("load_diabetes()", (442, 10), 0),
        ("linnerud", (20, 3), 0),
    ],
)  # fmt: skip
def test_the_sets_of_scikit_learn(word: str, shape: tuple[int, int], classes: int) -> None:
    samples, said = read(word)
    one = samples["test"]
    assert whole(one)[0].shape == shape
    assert len(getattr(one, "class_names", ())) == classes
    assert "no split is known" in str(said[0])


def test_a_word_that_names_nothing_is_told() -> None:
    assert refused("irsi") == (
        "--data: expected a file, a folder, FILE.py:NAME, or one of scikit-learn's sets iris, "
        "digits, wine, breast_cancer, diabetes, linnerud, found 'IT'; check the path or the name"
    )
    assert "expected a file, a folder" in refused("a" * 5000)
    assert "expected a file, a folder" in refused("data.npz\0")
    assert "--data: expected a file, found nothing at no.npy" in refused("no.npy,y.npy")


@pytest.mark.parametrize("name", ["a.pkl", "a.h5", "a.mat", "a.xlsx", "a"])
def test_a_file_of_another_kind_is_told_and_not_opened(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(pickle.dumps(Bad()))
    assert "expected data as .npz" in refused(tmp_path / name)
    assert not Path("ran").exists()


def test_an_empty_file_and_an_empty_folder_are_told(tmp_path: Path) -> None:
    assert "expected a folder with tables" in refused(tmp_path)
    (tmp_path / "a.npz").touch()
    assert refused(tmp_path / "a.npz") == (
        "IT: expected samples, found an empty file; save or copy it again"
    )


def test_a_target_has_no_effect_on_what_is_no_table() -> None:
    assert [str(one) for one in samples_from("iris", target="x")[1]][1:] == [
        "--target x had no effect, since the data are no table"
    ]


# --- hostile files --------------------------------------------------------------------------------


def test_what_unpacks_to_far_more_than_it_is_is_refused(tmp_path: Path) -> None:
    zeros = io.BytesIO()
    np.save(zeros, np.zeros(2**26, dtype=np.float32))
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("X_test.npy", zeros.getvalue())
    (tmp_path / "a.csv").write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 2**26, 1))
    for name in ("a.npz", "a.csv"):
        start = time.monotonic()
        assert "unpack to" in refused(tmp_path / name)
        assert time.monotonic() - start < 5


def test_a_header_that_says_more_than_there_is_allocates_nothing(tmp_path: Path) -> None:
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        content, {"descr": "<f8", "fortran_order": False, "shape": (10**12, 10**4)}
    )
    (tmp_path / "X_test.npy").write_bytes(content.getvalue() + b"\0" * 64)
    np.save(tmp_path / "y_test.npy", Y)
    assert "expected 80000000000000000 bytes of numbers" in refused(
        tmp_path / "X_test.npy"
    ).replace(str(tmp_path), "")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("X_test.npy", content.getvalue())
    assert "bytes of numbers" in refused(tmp_path / "a.npz")


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=5000, max_examples=150
)
@given(
    st.sampled_from(["a.npz", "X_test.npy", "a.pt", "t10k-images-idx3-ubyte.gz", "a.csv",
                     "t10k-images-idx3-ubyte", "a.parquet"]),
    st.data(),
)  # fmt: skip
def test_a_damaged_file_is_read_or_told(tmp_path: Path, name: str, data: st.DataObject) -> None:
    path = sound(tmp_path, name)
    content = bytearray(path.read_bytes())
    start = data.draw(st.integers(0, len(content) - 1))
    match data.draw(st.sampled_from(["flip", "cut", "splice"])):
        case "flip":
            content[start] ^= data.draw(st.integers(1, 255))
        case "cut":
            del content[start:]
        case "splice":
            content[start:start] = content[: data.draw(st.integers(0, len(content)))]
    path.write_bytes(content)
    with contextlib.suppress(KashikaError):
        for one in read(path)[0].values():
            whole(one)


def sound(directory: Path, name: str) -> Path:
    """Write a file of the kind, and what belongs to it."""
    path = directory / name
    match name:
        case "a.npz":
            np.savez(path, X_test=X, y_test=Y)
        case "X_test.npy":
            np.save(path, X)
            np.save(directory / "y_test.npy", Y)
        case "a.pt":
            torch.save(TensorDataset(T, L), path)
        case "a.csv":
            path.write_text("a,b,target\n1,2,x\n3,4,y\n", encoding="utf-8")
        case "a.parquet":
            import pandas as pd

            pd.DataFrame({"a": X[:, 0], "target": Y}).to_parquet(path)
        case _:
            idx_file(path, IMAGES)
            labels = name.replace("images", "labels").replace("idx3", "idx1")
            idx_file(directory / labels, Y[:4])
    return path


def test_an_array_on_the_disk_is_not_read_into_memory(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", X)
    assert isinstance(npy(tmp_path / "a.npy"), np.memmap)
