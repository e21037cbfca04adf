"""A table gives the same samples, however it is written."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kashika.distribution import Array
from kashika.errors import LoadError
from kashika.load.samples import samples_from
from kashika.run import Arrays, Samples
from kashika.texts import speaking


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with speaking("en"):
        yield


def whole(samples: Samples) -> tuple[Array, Array]:
    return next(samples.batches(len(samples)))


def written(directory: Path, content: str | bytes, *, name: str = "a.csv") -> Path:
    path = directory / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def table(path: Path, *, target: str | None = "y") -> dict[str, tuple[Any, Any]]:
    samples, _ = samples_from(str(path), target=target)
    return {
        split: (x.tolist(), y.tolist())
        for split, one in samples.items()
        for x, y in [whole(one)]
    }  # fmt: skip


def said(path: Path, *, target: str | None = "y") -> list[str]:
    notes = samples_from(str(path), target=target)[1]
    return [str(one).replace(str(path), "IT") for one in notes]


def refused(path: Path, *, target: str | None = "y") -> str:
    with pytest.raises(LoadError) as caught:
        samples_from(str(path), target=target)
    return str(caught.value).replace(str(path), "IT")


ALL_ROWS = "IT: no split is named, so all 2 rows are taken as test data"
WORDS = "Words as labels became classes in the order of the alphabet: 0 = 犬, 1 = 猫"
PETS = {"test": ([[1.5, 2.0], [3.0, -4.0]], [1, 0])}


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("a,b,y\n1.5,2,猫\n3,-4,犬\n", "a.csv"),
        ("y,a,b\n猫,1.5,2\n犬,3,-4", "a.csv"),
        ("a\tb\ty\r\n1.5\t2\t猫\r\n3\t-4\t犬\r\n", "a.tsv"),
        ("a;b;y\n1,5;2;猫\n3;-4;犬\n", "a.csv"),
        ("a, b, y\n 1.5, 2, 猫\n 3, -4, 犬\n\n", "a.csv"),
        ("a|b|y\n1.5|2|猫\n3|-4|犬\n", "a.csv"),
        ("a b y\n1.5  2  猫\n3 -4 犬\n", "a.data"),
        ("\ufeffa,b,y\n1.5,2,猫\n3,-4,犬\n", "a.csv"),
        ("a,b,y\n1.5,2,猫\n3,-4,犬\n".encode("utf-16"), "a.csv"),
        ("a,b,y\n1.5,2,猫\n3,-4,犬\n".encode("cp932"), "a.csv"),
        ('"a","b","y"\n"1.5","2","猫"\n"3","-4","犬"\n', "a.csv"),
        ("a,b,y\n1.5e0,2.0,猫\n３,-4,犬\n", "a.csv"),
        (gzip.compress("a,b,y\n1.5,2,猫\n3,-4,犬\n".encode()), "a.csv.gz"),
        ("a,b,y,\n1.5,2,猫,\n3,-4,犬,\n", "a.csv"),
        ("a,b,y\n1.5,2,猫,\n3,-4,犬,\n", "a.csv"),
    ],
    ids=["csv", "target first", "tsv", "decimal comma", "blanks", "bars", "blanks between", "BOM",
         "UTF-16", "Shift_JIS", "quoted", "full width", "gzip", "comma at each end",
         "comma at the end of rows"],
)  # fmt: skip
def test_every_way_to_write_a_table_is_the_same(
    tmp_path: Path, content: str | bytes, name: str
) -> None:
    path = written(tmp_path, content, name=name)
    assert table(path) == PETS
    assert said(path) == [ALL_ROWS, WORDS]


def test_columns_that_only_number_the_rows_are_left_out(tmp_path: Path) -> None:
    for header in ("", "Unnamed: 0", "id", "Index"):
        path = written(tmp_path, f"{header},a,b,y\n7,1.5,2,猫\n9,3,-4,犬\n")
        assert table(path) == PETS
        assert f"IT: columns that only number the rows were left out: '{header}'" in said(path)
    path = written(tmp_path, "a,b,y\nr1,1.5,2,猫\nr2,3,-4,犬\n")  # as R writes it
    assert table(path) == PETS
    path = written(tmp_path, "id,a,y\n1,1.5,0\n1,3,1\n")  # not a number of the row
    assert table(path) == {"test": ([[1, 1.5], [1, 3]], [0, 1])}


def test_rows_with_missing_cells_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = ["1.5,2,猫", ",2,猫", "1,NA,猫", "1,?,犬", "1,2,", "3,-4,犬"]
    path = written(tmp_path, "a,b,y\n" + "\n".join(rows))
    assert table(path) == PETS
    assert "IT: 4 of 6 rows have missing cells and were left out" in said(path)
    assert "expected rows without missing cells, found none among 1" in refused(
        written(tmp_path, "a,y\n,1\n")
    )


def test_a_column_tells_the_splits(tmp_path: Path) -> None:
    path = written(tmp_path, "a,split,y\n1,train,0\n2,test,1\n3,Train,1\n4,val,0\n")
    assert table(path) == {
        "train": ([[1], [3]], [0, 1]), "valid": ([[4]], [0]), "test": ([[2]], [1])
    }  # fmt: skip
    assert said(path) == []
    path = written(tmp_path, "a,set,y\n1,ood,0\n2,test,1\n")
    assert refused(path) == (
        "IT: expected splits called train, valid or test, found 'ood'; rename them, "
        "or leave out those that are none"
    )
    path = written(tmp_path, "a,fold,y\n1,0,0\n2,1,1\n")
    assert table(path) == {"test": ([[1], [2]], [0, 1])}
    assert said(path)[0] == (
        "IT: the column fold numbers folds, which are no splits, and was left out"
    )


def test_the_name_of_a_file_tells_the_split(tmp_path: Path) -> None:
    for name, split in (("iris_train.csv", "train"), ("val.csv", "valid"), ("X-test.csv", "test")):
        path = written(tmp_path, "a,y\n1,0\n", name=name)
        assert list(table(path)) == [split]
        assert said(path) == []
    written(tmp_path, "a\n1\n", name="X-test.csv")
    assert list(table(tmp_path)) == ["train", "valid"]
    assert said(tmp_path) == ["IT: not used: X-test.csv"]
    written(tmp_path, "a\n1\n", name="other_val.csv")
    assert "expected one file of data, or one for each split" in refused(tmp_path)


def test_classes_are_numbered_together_in_all_tables(tmp_path: Path) -> None:
    written(tmp_path, "a,y\n1,x\n2,y\n3,z\n", name="train.csv")
    written(tmp_path, "a,y\n1,z\n", name="test.csv")
    samples, _ = samples_from(str(tmp_path), target="y")
    assert whole(samples["test"])[1].tolist() == [2]
    assert isinstance(samples["test"], Arrays)
    assert samples["test"].class_names == ("x", "y", "z")


def test_the_target_is_found_by_its_name_or_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, "a,Label\n1,0\n2,1\n")
    assert table(path, target=None) == {"test": ([[1], [2]], [0, 1])}
    assert said(path, target=None)[0] == (
        "IT: the column Label was taken as the targets; choose with --target"
    )
    assert table(path, target="label") == {"test": ([[1], [2]], [0, 1])}
    path = written(tmp_path, "a,b\n1,0\n")
    assert refused(path, target=None) == (
        "IT: expected --target COLUMN, found none and no column that is called so; give one of a, b"
    )
    assert refused(path, target="c") == (
        "IT: expected a column 'c' for the targets, found a, b; correct --target"
    )


def test_a_table_without_a_header_has_numbers_as_names(tmp_path: Path) -> None:
    path = written(tmp_path, "5.1,3.5,setosa\n4.9,3.0,virginica\n", name="iris.data")
    for target in ("2", "-1"):
        assert table(path, target=target) == {"test": ([[5.1, 3.5], [4.9, 3.0]], [0, 1])}


def test_words_in_inputs_are_told_with_their_columns(tmp_path: Path) -> None:
    assert refused(written(tmp_path, "a,city,size,y\n1,京都,L,0\n")) == (
        "IT: expected numbers in the columns of inputs, found words in city ('京都'), size ('L'); "
        "encode these columns as in the training, or leave them out"
    )
    assert "found id, which only number the rows" in refused(written(tmp_path, "id,y\n1,0\n"))


def test_true_and_false_are_one_and_zero(tmp_path: Path) -> None:
    path = written(tmp_path, "a,y\nTrue,False\nfalse,true\n")
    assert table(path) == {"test": ([[1], [0]], [0, 1])}


def test_values_of_a_regression_keep_their_fractions(tmp_path: Path) -> None:
    assert table(written(tmp_path, "a,y\n1,0.5\n2,2\n")) == {"test": ([[1], [2]], [0.5, 2])}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b,y\n1,2,0\n1,2,3,4\n", "IT, row 3: expected 3 cells, found 4; correct this row"),
        ("a,b,y\n1,2,0\n1\n", "IT, row 3: expected 3 cells, found 1; correct this row"),
        ("a,y\n", "IT: expected samples, found an empty file; save or copy it again"),
        ("\n\n", "IT: expected samples, found an empty file; save or copy it again"),
        (b"\x89PNG\0\0\0\x01" * 9, "expected text"),
        ('a,y\n"' + "x" * 200_000 + '",1\n', "field larger than field limit"),
    ],
)
def test_a_table_that_cannot_be_read_is_told(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    assert message in refused(written(tmp_path, content))


FRAME = pd.DataFrame({"a": [1.5, 3.0, None], "b": [2, -4, 5], "y": ["猫", "犬", "犬"]})


def test_parquet_and_a_data_frame_are_tables(tmp_path: Path) -> None:
    FRAME.to_parquet(tmp_path / "a.parquet")
    code = "import pandas\ndef load(): return pandas.read_parquet(__file__[:-4] + '.parquet')"
    written(tmp_path, code.replace("[:-4]", "[:-3]"), name="a.py")
    for word in (str(tmp_path / "a.parquet"), f"{tmp_path}/a.py:load"):
        samples, notes = samples_from(word, target="y")
        x, y = whole(samples["test"])
        assert (x.tolist(), y.tolist()) == PETS["test"]
        assert "1 of 3 rows has missing cells" in str(notes[1])
    written(tmp_path, b"PAR1" + b"\0" * 50 + b"PAR1", name="b.parquet")
    assert "expected a file of data as its name says" in refused(tmp_path / "b.parquet")


def test_a_table_that_pandas_wrote_with_its_index_is_read(tmp_path: Path) -> None:
    FRAME.dropna().to_csv(tmp_path / "a.csv")
    assert table(tmp_path / "a.csv") == PETS


floats = st.floats(allow_nan=False, allow_infinity=False)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.tuples(floats, floats, st.integers(-5, 5)), min_size=1, max_size=8),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp932"]),
)
def test_numbers_come_back_to_the_last_digit(
    tmp_path: Path, rows: list[tuple[float, float, int]], delimiter: str, encoding: str
) -> None:
    lines = [delimiter.join(["a", "列", "y"]), *(delimiter.join(map(repr, row)) for row in rows)]
    path = written(tmp_path, "\n".join(lines).encode(encoding))
    x, y = whole(samples_from(str(path), target="y")[0]["test"])
    np.testing.assert_array_equal(x, [row[:2] for row in rows])
    np.testing.assert_array_equal(y, [row[2] for row in rows])
