"""Arrays of NumPy: one series each, never unpickled by NumPy."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from kashika.errors import LoadError
from kashika.load.logs.arrays import read, recognises
from kashika.texts import speaking


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with speaking("en"):
        yield


def saved(path: Path, array: object) -> Path:
    np.save(path, array)  # type: ignore[arg-type]
    return path


@given(
    st.sampled_from(["<f8", ">f4", "<f2", "<i4", ">u2"]).flatmap(
        lambda dtype: arrays.arrays(np.dtype(dtype), st.integers(1, 30))
    )
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_saved_array_is_read_to_the_last_bit(tmp_path: Path, array: np.ndarray) -> None:
    series = read(saved(tmp_path / "train_loss.npy", array)).series[""]
    np.testing.assert_array_equal(series.y, array.astype(np.float64))
    assert (series.x.tolist(), series.unit) == ([*range(1, array.size + 1)], "row")


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_matrix_gives_its_columns_or_its_few_long_rows(tmp_path: Path, order: str) -> None:
    tall = np.asarray([[0.5, 9], [0.4, 8], [0.3, 7]], order=order)  # type: ignore[call-overload]
    for matrix in (tall, tall.T):
        series = read(saved(tmp_path / "losses.npy", matrix)).series
        assert {name: one.y.tolist() for name, one in series.items()} == {
            "0": [0.5, 0.4, 0.3], "1": [9, 8, 7],
        }  # fmt: skip


def test_pairs_of_step_and_value_keep_their_steps(tmp_path: Path) -> None:
    pairs = np.array([[10, 0.5], [20, 0.4], [40, 0.3]])
    series = read(saved(tmp_path / "loss.npy", pairs)).series[""]
    assert (series.x.tolist(), series.y.tolist(), series.unit) == (
        [10, 20, 40],
        [0.5, 0.4, 0.3],
        "step",
    )


def test_the_arrays_of_a_npz_are_read_by_name(tmp_path: Path) -> None:
    for save in (np.savez, np.savez_compressed):
        path = tmp_path / "log.npz"
        save(path, epoch=[1, 2], train_loss=[0.5, 0.4], val_loss=[0.6, 0.7], note="x")
        logged = read(path)
        assert {name: one.y.tolist() for name, one in logged.series.items()} == {
            "train_loss": [0.5, 0.4], "val_loss": [0.6, 0.7],
        }  # fmt: skip
        assert recognises(path, path.read_bytes())
        assert [str(note).partition(": ")[2] for note in logged.notes] == [
            "1 entry beside the series was not read: note"
        ]


def test_a_dictionary_that_was_saved_as_an_array_is_read_without_running_code(
    tmp_path: Path,
) -> None:
    path = saved(tmp_path / "history.npy", {"loss": [0.5, 0.4], "evil": Evil(tmp_path / "trace")})
    assert read(path).series["loss"].y.tolist() == [0.5, 0.4]
    assert recognises(path, path.read_bytes())
    assert not (tmp_path / "trace").exists()


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.write_text, (self.path, "run"))


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("X_train.npy", np.zeros((5, 3))),
        ("y_test.npy", np.zeros(5)),
        ("embeddings.npy", np.zeros((5, 3))),
    ],
)
def test_arrays_of_data_are_no_logs(tmp_path: Path, name: str, array: np.ndarray) -> None:
    path = saved(tmp_path / name, array)
    assert not recognises(path, path.read_bytes())
    np.savez(path := tmp_path / "data.npz", x=array, y=array)
    assert not recognises(path, path.read_bytes())


def huge() -> bytes:
    """Return the head of an array of a terabyte, and a few bytes of it."""
    file = BytesIO()
    head = {"descr": "<f8", "fortran_order": False, "shape": (1 << 37,)}
    np.lib.format.write_array_header_1_0(file, head)
    return file.getvalue() + bytes(64)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        (
            "a.npy",
            huge(),
            "a damaged or different file (ValueError: an array of shape (137438953472,)",
        ),
        ("a.npy", b"\x93NUMPY\x01\x00", "a damaged or different file (ValueError: "),
        ("a.npy", b"\x93NUMPY\x09\x00\x00", "a damaged or different file (KeyError: "),
        ("a.npz", b"PK\x03\x04", "a damaged or different file (BadZipFile: "),
        ("a.npy", b"", "a damaged or different file (BadZipFile: "),
    ],
)
def test_a_damaged_file_is_an_error(tmp_path: Path, name: str, content: bytes, why: str) -> None:
    (path := tmp_path / name).write_bytes(content)
    with pytest.raises(LoadError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: expected arrays of NumPy, found {why}")


def test_an_array_without_series_is_told(tmp_path: Path) -> None:
    path = saved(tmp_path / "loss.npy", np.zeros((2, 2, 2, 2)))
    with pytest.raises(LoadError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: expected arrays of at most two dimensions")
