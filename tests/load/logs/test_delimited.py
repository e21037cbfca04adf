"""Tables of loggers: each column of numbers is a series, at its own epochs or steps."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kashika.errors import LoadError
from kashika.load.logs import delimited, is_log, read_all
from kashika.texts import speaking

Values = dict[str, tuple[str, list[float], list[float]]]
"""{name: (unit, x, y)}"""


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with speaking("en"):
        yield


def found(path: Path, content: str | bytes) -> tuple[Values, list[str]]:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    assert is_log(path)
    read = read_all([path], rename={})
    assert read.history is not None
    values: Values = {
        name: (str(one.unit), one.x.tolist(), one.y.tolist())
        for name, one in read.history.series.items()
    }
    return values, [str(note).replace(f"{path}: ", "") for note in read.notes]


def test_the_rows_of_lightning_have_their_steps(tmp_path: Path) -> None:
    values, _ = found(
        tmp_path / "metrics.csv",
        "epoch,step,train_loss_step,train_loss_epoch,val_loss\n"
        "0,49,0.5,,\n0,99,0.4,,\n0,99,,,0.45\n0,99,,0.46,\n1,149,0.3,,\n",
    )
    assert values == {
        "train_loss_step": ("step", [49, 99, 149], [0.5, 0.4, 0.3]),
        "train_loss_epoch": ("step", [99], [0.46]),
        "valid_loss": ("step", [99], [0.45]),
    }


def test_one_series_a_row_is_told_by_the_name_in_it(tmp_path: Path) -> None:
    values, _ = found(
        tmp_path / "metrics.csv",
        "key,value,step,timestamp\ntrain_loss,0.5,1,17\nval_loss,0.6,1,17\ntrain_loss,0.4,2,18\n",
    )
    assert values == {
        "train_loss": ("step", [1, 2], [0.5, 0.4]),
        "valid_loss": ("step", [1], [0.6]),
    }


def test_a_metric_of_mlflow_is_called_after_its_place(tmp_path: Path) -> None:
    path = tmp_path / "mlruns" / "0" / "abc" / "metrics" / "val" / "loss"
    values, _ = found(path, "1700000000000 0.5 1\n1700000001000 0.4 2\n")
    assert values == {"valid_loss": ("step", [1, 2], [0.5, 0.4])}


def test_a_header_that_comes_again_begins_a_new_run(tmp_path: Path) -> None:
    content = "epoch,loss\n0,0.5\n1,0.4\nepoch,loss\n0,0.45\n1,0.3\n"
    values, notes = found(tmp_path / "log.csv", content)
    assert values == {"train_loss": ("epoch", [0, 1, 0, 1], [0.5, 0.4, 0.45, 0.3])}
    assert notes[0].startswith("its header stands 1 more time between")


def test_rows_that_do_not_fit_are_counted_with_the_first_of_them(tmp_path: Path) -> None:
    content = "epoch,loss\n0,1.5\n1,1.2,0.9\n2,1.1\n"  # C049
    values, notes = found(tmp_path / "log.csv", content)
    assert values == {"train_loss": ("epoch", [0, 2], [1.5, 1.1])}
    assert notes == ["1 row was left out that has not 2 values, the first in line 3 with 3"]


def test_a_row_that_was_cut_is_left_out(tmp_path: Path) -> None:
    values, notes = found(tmp_path / "log.csv", "epoch,loss,acc\n0,1.5,0.5\n1,1.2,0.6\n2,1")
    assert values["train_loss"][2] == [1.5, 1.2]
    assert notes == ["line 4 was cut while it was written ('2,1') and was left out"]


@pytest.mark.parametrize(
    ("content", "values"),
    [
        ("epoch,acc\n1,91.5%\n2,93.0%\n", {"train_acc": ("epoch", [1, 2], [91.5, 93.0])}),
        ("epoch;loss\n1;0,5\n2;0,25\n", {"train_loss": ("epoch", [1, 2], [0.5, 0.25])}),
        ("Epoch,train loss\n0/99,0.5\n1/99,0.4\n", {"train_loss": ("epoch", [0, 1], [0.5, 0.4])}),
        ("step\tloss\n10\t0.5\n20\t0.4\n", {"train_loss": ("step", [10, 20], [0.5, 0.4])}),
        ("epoch,loss,\n1,0.5,\n2,0.4,\n", {"train_loss": ("epoch", [1, 2], [0.5, 0.4])}),
        (",loss\n0,0.5\n1,0.4\n", {"train_loss": ("epoch", [1, 2], [0.5, 0.4])}),
        ("loss,loss\n0.5,0.6\n", {"train_loss": ("epoch", [1], [0.5]),
                                  "train_loss_2": ("epoch", [1], [0.6])}),
        ("epoch,val_loss\n1,NA\n2,0.4\n3,\n4,None\n5,--\n",
         {"valid_loss": ("epoch", [2], [0.4])}),
        ("epoch,loss\n35,0.5\n36,0.4\n", {"train_loss": ("epoch", [35, 36], [0.5, 0.4])}),
        ("エポック,学習損失\n1,0.5\n2,0.4\n".encode("cp932"),
         {"train_loss": ("epoch", [1, 2], [0.5, 0.4])}),
        ("epoch,loss\n1,0.5\n2,0.4\n".encode("utf-16"),
         {"train_loss": ("epoch", [1, 2], [0.5, 0.4])}),
    ],
)  # fmt: skip
def test_cells_are_read_as_their_program_meant_them(
    tmp_path: Path, content: str | bytes, values: Values
) -> None:
    assert found(tmp_path / "log.csv", content)[0] == values


def test_several_runs_of_an_export_are_kept_apart(tmp_path: Path) -> None:
    content = '"Step","a - loss","a - loss__MIN","b - loss","b - loss__MIN"\n1,0.5,0.5,0.6,0.6\n'
    values, notes = found(tmp_path / "wandb.csv", content)
    assert [one[2] for one in values.values()] == [[0.5], [0.6]]
    assert notes == ["2 columns with the least and the greatest value (__MIN, __MAX) were left out"]


@given(
    st.lists(
        st.tuples(st.floats(allow_nan=False), st.floats(allow_nan=False)), min_size=1, max_size=20
    ),
    st.sampled_from(["excel", "excel-tab", "unix"]),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_csv_wrote_is_read_to_the_last_bit(
    tmp_path: Path, rows: list[tuple[float, float]], dialect: str
) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, dialect=dialect)
    writer.writerow(["epoch", "loss", "val_loss"])
    writer.writerows([i, *map(repr, row)] for i, row in enumerate(rows))
    values, _ = found(tmp_path / "log.csv", out.getvalue().encode())
    x, (first, second) = [*range(len(rows))], zip(*rows, strict=True)
    assert values["train_loss"] == ("epoch", x, list(first))
    assert values["valid_loss"] == ("epoch", x, list(second))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("0.5,0.4\n0.3,0.2\n", "expected a table with a header line, found '0.5,0.4'"),
        ("loss,acc\na,b\n", "expected a column of numbers, found none under loss, acc"),
    ],
)
def test_a_table_that_is_none_is_told(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(LoadError) as caught:
        delimited.read(path)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "content",
    ["sepal_length,sepal_width,species\n5.1,3.5,setosa\n", "x,y\n1,2\n", "a,b,c\n", ""],
)
def test_a_table_of_data_is_no_log(tmp_path: Path, content: str) -> None:
    path = tmp_path / "data.csv"
    path.write_text(content, encoding="utf-8")
    assert not is_log(path)
