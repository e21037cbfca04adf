"""The logs of a run are read together; what cannot be read takes no other along."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from kashika.errors import LoadError
from kashika.load.logs import is_log, read, read_all
from kashika.texts import speaking


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with speaking("en"):
        yield


def write(directory: Path, **logs: Sequence[float]) -> list[Path]:
    """Write logs as the seed's training does."""
    for name, values in logs.items():
        np.savetxt(directory / f"{name}.txt", values)
    return [directory / f"{name}.txt" for name in logs]


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_the_seeds_four_files_are_what_the_notebook_reads(tmp_path: Path) -> None:
    draws = np.random.default_rng(0).random((4, 100))
    names = ["train_loss", "valid_loss", "train_acc", "valid_acc"]
    found = read_all(write(tmp_path, **dict(zip(names, draws, strict=True))), rename={})
    history = found.history
    assert history is not None
    assert (list(history.series), found.notes, found.unread) == (names, (), ())
    for name in names:
        series = history.series[name]
        np.testing.assert_array_equal(series.y, np.loadtxt(tmp_path / f"{name}.txt"))
        np.testing.assert_array_equal(series.x, np.arange(1, 101))
        assert series.unit == "epoch"


@pytest.mark.parametrize(
    ("file", "log"),
    [
        ("train_loss.txt", True), ("val_loss.txt", True), ("validation_accuracy.txt", True),
        ("Test_Acc.TXT", True), ("loss.txt", True), ("loss_train.txt", True),
        ("notes.txt", False), ("requirements.txt", False), ("X_test.txt", False),
    ],
)  # fmt: skip
def test_numbers_in_a_file_are_a_log_where_its_name_says_so(
    tmp_path: Path, file: str, *, log: bool
) -> None:
    assert is_log(written(tmp_path / file, "0.5\n0.25\n")) == log


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("README.txt", "Train with python train.py\n"),
        ("requirements.txt", "torch==2.6\nnumpy>=1.26\n"),
        ("train_list.txt", "cat.png 0\ndog.png 1\n"),
        ("labels.txt", "cat\ndog\n"),
        ("data.csv", "sepal_length,sepal_width,species\n5.1,3.5,setosa\n"),
        ("package.json", '{"name": "x", "version": "1.0"}'),
        ("config.json", '{"lr": 0.1, "epochs": 10, "loss": "mse"}'),
        ("train.py", "loss = 0.5\n"),
        ("train.ipynb", '{"cells": [], "metadata": {}}'),
    ],
)
def test_what_is_no_log_is_passed_over(tmp_path: Path, file: str, content: str) -> None:
    assert not is_log(written(tmp_path / file, content))


def test_a_folder_called_like_a_log_is_none(tmp_path: Path) -> None:
    (tmp_path / "valid_loss.txt").mkdir()
    assert not is_log(tmp_path / "valid_loss.txt")
    with pytest.raises(LoadError) as caught:
        read(tmp_path / "valid_loss.txt")
    assert str(caught.value) == (
        f"{tmp_path}/valid_loss.txt: expected a log file, found a directory; "
        "name a file in it, or the directory as RUN"
    )


def test_a_log_that_cannot_be_read_is_noted_beside_others_and_an_error_alone(
    tmp_path: Path,
) -> None:
    good, bad = (
        written(tmp_path / "train_loss.txt", "0.5\n"),
        written(tmp_path / "val_loss.txt", ""),
    )
    found = read_all([good, bad], rename={})
    assert found.history is not None
    assert list(found.history.series) == ["train_loss"]
    (error,) = map(str, found.unread)
    assert error.startswith(f"{bad}: expected ")
    with pytest.raises(LoadError):
        read_all([bad], rename={})
