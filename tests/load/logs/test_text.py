"""Numbers in a text are read however they were written; what is none is counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kashika.errors import LoadError
from kashika.history import Series
from kashika.load.logs import text
from kashika.texts import speaking


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with speaking("en"):
        yield


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def only(path: Path, content: str | bytes) -> Series:
    (one,) = text.read(written(path, content)).series.values()
    return one


FLOATS = st.lists(st.floats(), min_size=1, max_size=30)


@given(FLOATS)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_savetxt_wrote_is_read_to_the_last_bit(tmp_path: Path, values: list[float]) -> None:
    np.savetxt(tmp_path / "log.txt", values)
    (series,) = text.read(tmp_path / "log.txt").series.values()
    np.testing.assert_array_equal(series.y, values)
    assert series.x.tolist() == [*range(1, len(values) + 1)]
    assert (series.unit, series.y.dtype) == ("row", np.dtype(np.float64))


@given(FLOATS)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_print_wrote_of_a_list_is_read_to_the_last_bit(
    tmp_path: Path, values: list[float]
) -> None:
    np.testing.assert_array_equal(only(tmp_path / "loss.txt", str(values)).y, values)
    many = text.read(written(tmp_path / "loss.txt", "\n".join(map(repr, values)) + "\n"))
    np.testing.assert_array_equal(next(iter(many.series.values())).y, values)


@pytest.mark.parametrize(
    ("content", "x", "y"),
    [
        ("1,0.5\n2,0.25\n", [1, 2], [0.5, 0.25]),
        ("10 0.5\n20 0.25\n", [10, 20], [0.5, 0.25]),
        ("step loss\n10 0.5\n20 0.25\n", [10, 20], [0.5, 0.25]),
        ("# step loss\n10 0.5\n20 0.25\n", [10, 20], [0.5, 0.25]),
        ("1\t0.5\n2\t0.25\n1\t0.4\n", [1, 2, 1], [0.5, 0.25, 0.4]),
        ("1、０．５\n2、０．２５\n", [1, 2], [0.5, 0.25]),
        ("5,0.5\n", [5], [0.5]),
    ],
)
def test_a_column_that_counts_says_where_the_values_stand(
    tmp_path: Path, content: str, x: list[int], y: list[float]
) -> None:
    series = only(tmp_path / "loss.txt", content)
    assert (series.unit, series.x.tolist(), series.y.tolist()) == ("step", x, y)


@pytest.mark.parametrize(
    ("content", "y"),
    [
        ("0,5\n0,25\n0,125\n", [0.5, 0.25, 0.125]),  # decimal commas
        ("[0.5,\n 0.25,\n 0.125]\n", [0.5, 0.25, 0.125]),
        ("[tensor(0.5), tensor(0.25, requires_grad=True)]", [0.5, 0.25]),
        ("tensor([0.5, 0.25], device='cuda:0')", [0.5, 0.25]),
        ("tensor([0.5000, 0.2500,\n        0.1250], device='cuda:0')\n", [0.5, 0.25, 0.125]),
        ("[tensor(0.5, device='cuda:0', grad_fn=<NllLossBackward0>), tensor(0.25)]", [0.5, 0.25]),
        ("[0.5  0.25 -0.125\n 0.0625]\n", [0.5, 0.25, -0.125, 0.0625]),
        ("0.5  # first\n% comment\n// comment\n0.25\n\n", [0.5, 0.25]),
        ("50%\n75%\n", [50.0, 75.0]),
        ("0.123456\n0.234567\n0.34", [0.123456, 0.234567]),  # cut within the last number
        ("0.5\n0.25\n0.2e-", [0.5, 0.25]),
        ("1.5\n2\n0.25", [1.5, 2.0, 0.25]),  # complete, though without an end of line
    ],
)
def test_every_way_to_write_numbers_is_understood(
    tmp_path: Path, content: str, y: list[float]
) -> None:
    assert only(tmp_path / "loss.txt", content).y.tolist() == y


def test_columns_without_names_are_numbered(tmp_path: Path) -> None:
    found = text.read(written(tmp_path / "log.txt", "9.5 8.5 1.5\n7.5 6.5 2.5\n")).series
    assert {name: one.y.tolist() for name, one in found.items()} == {
        "col0": [9.5, 7.5], "col1": [8.5, 6.5], "col2": [1.5, 2.5]
    }  # fmt: skip


def test_what_was_passed_over_is_said_with_its_count_and_place(tmp_path: Path) -> None:
    path = written(tmp_path / "loss.txt", "0.5\nout of memory\n0.25\nkilled\n0.1\n1 2\n0.2\n")
    assert list(map(str, text.read(path).notes)) == [
        f"{path}: 1 row was left out that has not 1 value, the first in line 6 with 2",
        (
            f"{path}: 2 lines that are no numbers were passed over, the first of them line 2: "
            "'out of memory'"
        ),
    ]


def test_decimal_commas_and_a_header_that_does_not_fit_are_said(tmp_path: Path) -> None:
    path = written(tmp_path / "loss.txt", "0,5\n0,25\n")
    assert list(map(str, text.read(path).notes)) == [
        f"{path}: 2 lines write decimal commas, and were read so"
    ]
    path = written(tmp_path / "log.txt", "epoch loss acc\n1 0.5\n2 0.25\n")
    assert list(map(str, text.read(path).notes)) == [
        f"{path}: the names epoch, loss, acc were not used, since most lines have 2 values"
    ]


def test_numbers_under_another_header_are_not_taken_for_those_of_the_first(tmp_path: Path) -> None:
    path = written(
        tmp_path / "train.txt",
        "Epoch  Mem  box_loss  Size\n1/2  2.3G  1.25  640\n"
        "Class  Images  Box(P  R\nall  128  0.5  0.25\n2/2  2.3G  1.0  640\n",
    )
    (loss,) = (one for name, one in text.read(path).series.items() if name == "box_loss")
    assert (loss.x.tolist(), loss.y.tolist()) == ([1, 2], [1.25, 1.0])


def test_missing_values_are_no_values_and_nan_is_one(tmp_path: Path) -> None:
    series = only(tmp_path / "loss.txt", "0.5\nNone\nnan\n--\n-inf\n")
    np.testing.assert_array_equal(series.y, [0.5, np.nan, -np.inf])
    assert series.x.tolist() == [1, 3, 5]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "expected numbers, found an empty file"),
        ("nul\n", "expected numbers of a training, found 'nul'"),
        (b"\x00\x01\x02\x03\x04\x05" * 50, "expected text, found other bytes"),
        ("version https://git-lfs.github.com/spec/v1\n", "found a Git LFS pointer"),
    ],
)
def test_what_holds_no_numbers_is_told(tmp_path: Path, content: str | bytes, words: str) -> None:
    path = written(tmp_path / "loss.txt", content)
    with pytest.raises(LoadError) as caught:
        text.read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert words in str(caught.value)


LONG = np.random.default_rng(0).normal(size=6_000)


@pytest.mark.parametrize("form", ["%.18e", "%r", "%d", "%.3f"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_long_file_gives_what_reading_it_line_by_line_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, end: str
) -> None:
    content = "".join(f"{form % value}{end}" for value in 1e6 * LONG).encode()
    path = written(tmp_path / "loss.txt", content)
    quick = only(path, content)
    monkeypatch.setattr(text, "column", lambda _: None)
    careful = only(path, content)
    np.testing.assert_array_equal(quick.y, careful.y)
    np.testing.assert_array_equal(quick.x, careful.x)


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s + "0.", lambda s: s.replace("\n", "\n\n", 1), lambda s: s + "stopped\n",
        lambda s: s.replace("\n", " # first\n", 1), lambda s: s.replace("\n", " ", 1),
        lambda s: "loss\n" + s, lambda s: s + "nan\n", lambda s: s + "--\n",
        lambda s: s + "1e400\n",
        lambda s: s + "1_000\n", lambda s: s + "0x10\n", lambda s: s.replace("\n", ",", 1),
        lambda s: s + "inf\nInfinity\n", lambda s: s[:50_000] + "\0" * 9 + s[50_000:],
    ],
)  # fmt: skip
def test_a_surprise_in_a_long_file_is_read_with_care(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: object
) -> None:
    assert callable(change)
    content = change("".join(f"{value!r}\n" for value in LONG.tolist()))
    path = written(tmp_path / "loss.txt", content)

    def read() -> object:
        try:
            found = text.read(path)
        except LoadError as error:
            return str(error)
        return (
            {name: (one.x.tolist(), one.y.tobytes()) for name, one in found.series.items()},
            list(map(str, found.notes)),
        )

    quick = read()
    monkeypatch.setattr(text, "column", lambda _: None)
    assert quick == read()


@pytest.mark.parametrize("name", ["X_train.txt", "labels.txt", "train_ids.txt", "numbers.txt"])
def test_numbers_that_are_called_like_data_are_no_log(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / name, "1.5\n2.5\n")
    assert not text.recognises(path, path.read_bytes())
