"""Logs are read as they were written: every value, in order, or a message with its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kashika.errors import LoadError
from kashika.load.logs import is_log, read_directory
from kashika.load.logs.text import read
from kashika.naming import series_name
from kashika.texts import speaking


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with speaking("en"):
        yield


def write(directory: Path, **logs: Sequence[float]) -> None:
    """Write logs as the seed's training does."""
    for name, values in logs.items():
        np.savetxt(directory / f"{name}.txt", values)


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# --- one file ------------------------------------------------------------------------------------


@given(st.lists(st.floats(), min_size=1, max_size=30))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_savetxt_wrote_is_read_to_the_last_bit(tmp_path: Path, values: list[float]) -> None:
    np.savetxt(tmp_path / "log.txt", values)
    series = read(tmp_path / "log.txt")
    np.testing.assert_array_equal(series.y, values)
    assert series.x.tolist() == [*range(1, len(values) + 1)]
    assert (series.unit, series.y.dtype) == ("epoch", np.dtype(np.float64))


@pytest.mark.parametrize(
    "content",
    [
        "0.5\n0.25\nnan\n",
        "0.5\r\n0.25\r\nnan",
        "\ufeff0.5\n0.25\nNaN\n",
        "# loss\n\n  0.5  # first\n0.25\n\n-nan\n\n",
        "5e-1\n+.25\nnan\n",
    ],
)
def test_blank_lines_comments_and_the_end_of_lines_do_not_matter(
    tmp_path: Path, content: str
) -> None:
    series = read(written(tmp_path / "log.txt", content))
    np.testing.assert_array_equal(series.y, [0.5, 0.25, np.nan])
    assert series.x.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("content", "row", "found"),
    [
        ("0.5\nnul\n", 2, "nul"),
        ("# epoch\n\n0.5\n0.4 0.9\n", 4, "0.4 0.9"),
        ("0,5\n", 1, "0,5"),
        ("loss\n0.5\n", 1, "loss"),
        ("0.5\n精度\n", 2, "精度"),
        ("0.5\ntensor(0.4)\n", 2, "tensor(0.4)"),
    ],
)
def test_a_line_that_is_not_a_number_is_told_with_its_place(
    tmp_path: Path, content: str, row: int, found: str
) -> None:
    file = written(tmp_path / "train_loss.txt", content)
    with pytest.raises(LoadError) as caught:
        read(file)
    assert str(caught.value) == (
        f"{file}, row {row}: expected a number, found {found!r}; correct or remove the line"
    )
    with speaking("ja"):
        assert str(caught.value) == (
            f"{file} の {row} 行目: 数値のはずですが、{found!r} でした。"
            "その行を直すか、取り除いてください。"
        )


@pytest.mark.parametrize("content", ["", "\n\n", "# nothing yet\n"])
def test_a_log_without_a_number_is_told(tmp_path: Path, content: str) -> None:
    file = written(tmp_path / "train_loss.txt", content)
    with pytest.raises(LoadError) as caught:
        read(file)
    assert str(caught.value) == (
        f"{file}: expected one number on each line, found none; check what was written to it"
    )


@pytest.mark.parametrize("content", ["損失".encode("cp932"), "0.5\n".encode("utf-16")])
def test_a_file_in_another_encoding_is_told(tmp_path: Path, content: bytes) -> None:
    file = written(tmp_path / "train_loss.txt", content)
    with pytest.raises(LoadError) as caught:
        read(file)
    before, after = str(caught.value).split("'utf-8' codec can't decode byte ")
    assert before == f"{file}: expected text in UTF-8, found something else ("
    assert after.endswith("); save it as UTF-8")


# --- a directory ---------------------------------------------------------------------------------


def test_the_seeds_four_files_are_what_the_notebook_reads(tmp_path: Path) -> None:
    draws = np.random.default_rng(0).random((4, 100))
    names = ["train_loss", "train_acc", "valid_loss", "valid_acc"]
    write(tmp_path, **dict(zip(names, draws, strict=True)))
    (tmp_path / "model.pth").write_bytes(b"weights")
    history = read_directory(tmp_path)[0]
    assert history is not None
    assert list(history.series) == ["train_acc", "valid_acc", "train_loss", "valid_loss"]
    for name in names:
        series = history.series[name]
        np.testing.assert_array_equal(series.y, np.loadtxt(tmp_path / f"{name}.txt"))
        np.testing.assert_array_equal(series.x, np.arange(1, 101))


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("train_loss.txt", "train_loss"),
        ("val_loss.txt", "valid_loss"),
        ("validation_accuracy.txt", "valid_acc"),
        ("Test_Acc.TXT", "test_acc"),
        ("train_top_5.txt", "train_top_5"),
        ("train_loss.csv", "train_loss"),
        ("loss.txt", None),
        ("train.txt", None),
        ("train_.txt", None),
        ("loss_train.txt", None),
        ("notes.txt", None),
    ],
)
def test_the_name_of_a_file_says_what_was_logged(
    tmp_path: Path, file: str, name: str | None
) -> None:
    path = written(tmp_path / file, "0.5\n")
    assert series_name(path.stem) == name
    assert is_log(path) == (name is not None and not file.endswith(".csv"))


def test_what_is_no_log_is_passed_over(tmp_path: Path) -> None:
    written(tmp_path / "notes.txt", "not a number")
    written(tmp_path / "train_loss.csv", "not a number")
    (tmp_path / "valid_loss.txt").mkdir()
    assert read_directory(tmp_path)[0] is None
    write(tmp_path, test_loss=[0.5])
    history = read_directory(tmp_path)[0]
    assert history is not None
    assert list(history.series) == ["test_loss"]


def test_two_files_for_the_same_series_are_told(tmp_path: Path) -> None:
    write(tmp_path, train_loss=[1.0], train_acc=[0.5], train_accuracy=[0.5])
    with pytest.raises(LoadError) as caught:
        read_directory(tmp_path)
    first, second = tmp_path / "train_acc.txt", tmp_path / "train_accuracy.txt"
    assert str(caught.value) == (
        f"{first} and {second}: expected one file for train_acc, found two; move one away"
    )


def test_a_list_that_is_named_like_a_log_is_noted_and_passed_over(tmp_path: Path) -> None:
    write(tmp_path, train_loss=[0.5])
    listed = written(tmp_path / "train_list.txt", "cat.png 0\ndog.png 1\n")
    history, notes = read_directory(tmp_path)
    assert history is not None
    assert list(history.series) == ["train_loss"]
    (note,) = map(str, notes)
    assert note == (
        f"Not read as a log: {listed}, row 1: expected a number, found 'cat.png 0'; "
        "correct or remove the line"
    )


@pytest.mark.parametrize("name", ["train_loss", "val_acc", "test_accuracy"])
def test_a_loss_or_an_accuracy_that_cannot_be_read_is_an_error(tmp_path: Path, name: str) -> None:
    written(tmp_path / f"{name}.txt", "nul")
    with pytest.raises(LoadError):
        read_directory(tmp_path)
