"""JSON documents: whatever a program nested, each series comes out with its own x."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kashika.errors import LoadError
from kashika.load.logs import json_lines
from kashika.load.logs.json_history import read, recognises
from kashika.load.logs.logged import Logged
from kashika.texts import speaking

RUNS = Path(__file__).parents[4] / "shared" / "runs"
real = pytest.mark.skipif(not RUNS.is_dir(), reason="the real runs are not here")

Expected = dict[str, tuple[str, list[float], list[float]]]


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with speaking("en"):
        yield


def written(directory: Path, content: str, *, name: str = "history.json") -> Path:
    (path := directory / name).write_bytes(content.encode())
    return path


def found(logged: Logged) -> Expected:
    return {name: (one.unit, one.x.tolist(), one.y.tolist()) for name, one in logged.series.items()}


def said(logged: Logged) -> list[str]:
    return [str(note).partition(": ")[2] for note in logged.notes]


# --- shapes --------------------------------------------------------------------------------------

TWO: Expected = {"loss": ("row", [1, 2], [0.5, 0.4]), "val_loss": ("row", [1, 2], [0.6, 0.7])}
BY_EPOCH: Expected = {name: ("epoch", x, y) for name, (_, x, y) in TWO.items()}
BY_STEP: Expected = {"loss": ("step", [100, 200], [0.5, 0.4])}


@pytest.mark.parametrize(
    ("content", "series"),
    [
        ('{"loss": [0.5, 0.4], "val_loss": [0.6, 0.7]}', TWO),  # C060: history.history
        ('{"history": {"loss": [0.5, 0.4], "val_loss": [0.6, 0.7]}, "params": {"n": 3}}', TWO),
        ('{"loss": {"0": 0.5, "1": 0.4}, "val_loss": {"0": 0.6, "1": 0.7}}', TWO),  # pandas
        ('[{"loss": 0.5, "val_loss": 0.6}, {"loss": 0.4, "val_loss": 0.7}]', TWO),  # "records"
        ('{"0": {"loss": 0.5, "val_loss": 0.6}, "1": {"loss": 0.4, "val_loss": 0.7}}', TWO),
        ('{"columns": ["loss", "val_loss"], "index": [0, 1], "data": [[0.5, 0.6], [0.4, 0.7]]}',
         TWO),
        ('{"loss": ["0.5", "0.4"], "val_loss": ["tensor(0.6)", "0.7 "]}', TWO),
        ('{"epoch": [1, 2], "loss": [0.5, 0.4], "val_loss": [0.6, 0.7]}', BY_EPOCH),
        (json.dumps({"log": [{"epoch": 1, "loss": 0.5, "val_loss": 0.6},
                             {"epoch": 2, "loss": 0.4, "val_loss": 0.7}]}), BY_EPOCH),
        ('{"1": {"loss": 0.5, "val_loss": 0.6}, "2": {"loss": 0.4, "val_loss": 0.7}}', BY_EPOCH),
        ('{"epoch_1": {"loss": 0.5, "val_loss": 0.6}, "epoch_2": {"loss": 0.4, "val_loss": 0.7}}',
         BY_EPOCH),
        ('{"loss": {"steps": [100, 200], "values": [0.5, 0.4], "timestamps": [8, 9]}}', BY_STEP),
        ('{"loss": {"100": 0.5, "200": 0.4}}', BY_STEP),
        ('{"loss": [[100, 0.5], [200, 0.4], [300, 0.3]]}',
         {"loss": ("step", [100, 200, 300], [0.5, 0.4, 0.3])}),
        (json.dumps({"metrics": [{"key": "loss", "value": 0.5, "step": 100, "timestamp": 17},
                                 {"key": "loss", "value": 0.4, "step": 200, "timestamp": 18}]}),
         BY_STEP),
        ('[[1700000000.1, 100, 0.5], [1700000009.2, 200, 0.4]]', {"": BY_STEP["loss"]}),
        ("[0.5, 0.4]", {"": TWO["loss"]}),
        ('{"acc": [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]}',
         {"acc/0": ("row", [1, 2, 3], [0.1, 0.2, 0.3]),
          "acc/1": ("row", [1, 2, 3], [0.4, 0.5, 0.6])}),
        ("{'loss': [0.5, 0.4], 'val_loss': [np.float64(0.6), tensor(0.7, device='cuda:0')]}", TWO),
    ],
)  # fmt: skip
def test_every_shape_of_the_same_series_is_read(
    tmp_path: Path, content: str, series: Expected
) -> None:
    path = written(tmp_path, content, name="loss.json")
    assert found(read(path)) == series
    assert recognises(path, content.encode())


def test_what_is_nested_is_named_after_its_place(tmp_path: Path) -> None:
    rows = [{"epoch": 3, "acc": 0.1, "pr": {"macro": 0.2}}, {"epoch": 4, "acc": 0.3, "pr": {}}]
    content = {"train": {"loss": [3, 2, 1]}, "val": rows, "classes": ["cat", "dog"], "seed": 1}
    logged = read(written(tmp_path, json.dumps(content)))
    assert found(logged) == {
        "train/loss": ("row", [1, 2, 3], [3, 2, 1]),
        "val/acc": ("epoch", [3, 4], [0.1, 0.3]),
        "val/pr/macro": ("epoch", [3], [0.2]),
    }
    assert said(logged) == [
        "1 entry is no series of numbers and was not read: classes",
        "1 entry beside the series was not read: seed",
    ]


def test_lists_of_different_lengths_keep_their_own_x(tmp_path: Path) -> None:
    content = {
        "epoch": [1, 2],
        "val_loss": [0.6, 0.5],
        "train_loss": [0.9, 0.8, 0.7, 0.6, 0.5, 0.4],
    }
    series = read(written(tmp_path, json.dumps(content))).series
    assert (series["val_loss"].unit, series["val_loss"].x.tolist()) == ("epoch", [1, 2])
    assert (series["train_loss"].unit, series["train_loss"].x.tolist()) == ("row", [*range(1, 7)])


def test_nan_and_infinity_are_values_and_null_is_none(tmp_path: Path) -> None:  # C059, C145
    content = '{"loss": [NaN, 0.5, null, Infinity, "nan", "-inf", "", "None", 0.25]}'
    (series,) = read(written(tmp_path, content)).series.values()
    assert series.x.tolist() == [1, 2, 4, 5, 6, 9]
    np.testing.assert_array_equal(series.y, [np.nan, 0.5, np.inf, np.nan, -np.inf, 0.25])


def test_what_is_no_number_is_passed_over_and_counted(tmp_path: Path) -> None:
    logged = read(written(tmp_path, '{"loss": [0.5, "oops", true, 0.25, 0.125]}'))
    assert found(logged) == {"loss": ("row", [1, 4, 5], [0.5, 0.25, 0.125])}
    (note,) = said(logged)
    assert note.startswith("loss has 2 values that are no numbers, which were passed over, ")
    assert note.endswith("the first of them number 2: 'oops'")


def test_a_whole_number_beyond_all_floats_is_infinite(tmp_path: Path) -> None:
    (series,) = read(written(tmp_path, f'{{"loss": [1, {10**400}, {-(10**400)}]}}')).series.values()
    assert series.y.tolist() == [1, np.inf, -np.inf]


@given(
    st.dictionaries(
        st.sampled_from(["loss", "val_loss", "acc", "検証損失"]),
        st.lists(st.floats(), min_size=1, max_size=20),
        min_size=1,
    )
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_json_dump_wrote_is_read_to_the_last_bit(
    tmp_path: Path, history: dict[str, list[float]]
) -> None:
    series = read(written(tmp_path, json.dumps(history))).series
    assert set(series) == set(history)
    for name, values in history.items():
        np.testing.assert_array_equal(series[name].y, values)


def test_one_row_of_results_is_read_where_it_is_named_but_is_no_log(tmp_path: Path) -> None:
    path = written(tmp_path, '{"eval_loss": 0.5, "eval_accuracy": 0.9, "epoch": 3.0}')
    assert found(read(path)) == {
        "eval_loss": ("epoch", [3], [0.5]),
        "eval_accuracy": ("epoch", [3], [0.9]),
    }
    assert not recognises(path, path.read_bytes())


# --- trainer_state.json -------------------------------------------------------------------------


def test_the_summary_of_a_run_is_no_point_of_its_curve(tmp_path: Path) -> None:  # C057
    history = [
        {"epoch": 0.5, "grad_norm": 3.0, "learning_rate": 1e-4, "loss": 0.9, "step": 20},
        {"epoch": 1.0, "grad_norm": 2.0, "learning_rate": 5e-5, "loss": 0.8, "step": 40},
        {"epoch": 1.0, "eval_loss": 0.7, "eval_runtime": 3.2, "step": 40},
        {"epoch": 1.0, "step": 40, "total_flos": 1e15, "train_loss": 0.85, "train_runtime": 77.0},
    ]
    content = json.dumps({"best_metric": 0.7, "log_history": history, "max_steps": 40})
    logged = read(written(tmp_path, content, name="trainer_state.json"))
    series = found(logged)
    assert "train_loss" not in series
    assert {name: series[name] for name in ("loss", "grad_norm", "eval_loss")} == {
        "loss": ("step", [20, 40], [0.9, 0.8]),
        "grad_norm": ("step", [20, 40], [3, 2]),
        "eval_loss": ("step", [40], [0.7]),
    }
    assert any(
        one == "1 row sums up a whole run and is no point of a curve: "
        "total_flos, train_loss, train_runtime"
        for one in said(logged)
    )


@real
def test_a_real_whisper_has_200_train_and_5_eval_points() -> None:  # C057
    series = read(RUNS / "hf_whisper_ja_trainer_state.json").series
    assert (series["loss"].y.size, series["loss"].x[-1], series["loss"].y[-1]) == (200, 5000, 2e-4)
    assert series["eval_loss"].x.tolist() == [1000, 2000, 3000, 4000, 5000]
    np.testing.assert_allclose(
        series["eval_loss"].y, [0.3210, 0.3585, 0.3937, 0.4123, 0.4200], atol=5e-5
    )
    np.testing.assert_allclose(
        series["eval_wer"].y, [0.7888, 0.7478, 0.7432, 0.7443, 0.7449], atol=6e-5
    )
    assert "train_loss" not in series
    assert "grad_norm" not in series


@real
def test_a_real_run_may_train_and_evaluate_at_the_same_steps() -> None:  # C057
    series = read(RUNS / "hf_takemeter_trainer_state.json").series
    for name in ("loss", "grad_norm", "eval_loss", "eval_accuracy"):
        assert (series[name].x.tolist(), series[name].unit) == ([10, 20, 30], "step")


@real
def test_a_real_run_with_six_eval_sets_has_six_curves() -> None:  # C058
    series = read(RUNS / "hf_multi_eval_trainer_state.json").series
    sets = [series[f"eval_g{i}_loss"] for i in range(6)]
    assert [one.y.size for one in sets] == [31] * 6
    assert series["loss"].y.size == 30
    assert "eval_loss" not in series
    first, least, last = sets[0].y[0], sets[0].y.min(), sets[0].y[-1]
    assert (first, least, last) == pytest.approx((5.742, 1.114, 2.749), abs=5e-4)
    assert (int(sets[0].y.argmin()), sets[0].x[0]) == (1, 0)


@real
def test_a_real_keras_history_of_one_epoch() -> None:  # C060
    path = RUNS / "keras_history_one_epoch.json"
    series = read(path).series
    assert {name: one.y.size for name, one in series.items()} == {
        "loss": 1, "acc": 1, "val_loss": 1, "val_acc": 1,
    }  # fmt: skip
    assert recognises(path, path.read_bytes())


# --- cut, damaged, no log -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "series"),
    [
        ('{"loss": [0.5, 0.4, 0.3], "val_loss": [0.6, 0.7, 0.1',
         {"loss": ("row", [1, 2, 3], [0.5, 0.4, 0.3]), "val_loss": TWO["val_loss"]}),
        ('[{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.4}, {"epoch": 3, "lo',
         {"loss": BY_EPOCH["loss"]}),
        ('[{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.4}', {"loss": BY_EPOCH["loss"]}),
        ('{"loss": [0.5, 0.4], "note": "a, b, [', {"loss": TWO["loss"]}),
    ],
)  # fmt: skip
def test_of_a_document_that_breaks_off_all_that_is_whole_is_read(
    tmp_path: Path, content: str, series: Expected
) -> None:
    logged = read(written(tmp_path, content))
    assert found(logged) == series
    assert said(logged)[0] == (
        "the file breaks off in line 1; all that is complete before that was read"
    )


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ('{\n"loss": [0.5 0.4]}', "expected JSON, found an error in line 2, column 14, at '0.4]}'"),
        (
            "<!DOCTYPE html>",
            "expected JSON, found an error in line 1, column 1, at '<!DOCTYPE html>'",
        ),
        ("", "expected JSON, found an error in line 1, column 1, at ''"),
        ("[" * 100_000, "expected JSON, found something else"),
        ('{"name": "kashika", "files": ["a"]}', "expected lists of numbers or rows with names"),
        ("{}", "expected lists of numbers or rows with names, found none"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(tmp_path: Path, content: str, why: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(LoadError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: {why}")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("package.json", '{"name": "x", "version": "1.0.0", "files": ["dist"]}'),
        ("config.json", '{"hidden_sizes": [64, 32], "lr": [0.1, 0.01], "model": {"loss": [1, 2]}}'),
        ("tsconfig.json", '{"compilerOptions": {"lib": ["es6"]}}'),
        ("instances_val.json", '{"images": [{"id": 1}], "annotations": [{"area": 2}]}'),
        ("tokenizer.json", '{"model": {"vocab": {"loss": 0, "acc": 1}}}'),
        ("labels.json", '{"0": "cat", "1": "dog"}'),
        ("class_indices.json", '{"cat": 0, "dog": 1}'),
        ("ids.json", "[1, 2, 3]"),
        ("notebook.ipynb", '{"cells": [], "loss": [1, 2]}'),
        ("requirements.txt", "numpy\n"),
        ("train.txt", "[0.5, 0.4]"),  # for the reader of texts
        ("rows.json", '{"loss": 0.5}\n{"loss": 0.4}\n'),  # for the reader of JSON lines
    ],
)  # fmt: skip
def test_other_json_of_a_project_is_no_log(name: str, content: str) -> None:
    assert not recognises(Path(name), content.encode())


def test_a_long_document_is_known_by_its_beginning(tmp_path: Path) -> None:
    rows = [{"loss": 1 / (1 + i), "step": i} for i in range(5_000)]
    path = written(tmp_path, json.dumps({"log_history": rows}), name="trainer_state.json")
    head = path.read_bytes()[:65_536]
    assert recognises(path, head)
    assert not json_lines.recognises(path, head)
    assert read(path).series["loss"].y.size == 5_000


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp932"])
def test_the_encoding_does_not_matter(tmp_path: Path, encoding: str) -> None:
    content = '{"検証損失": [0.5, 0.4]}'.encode(encoding)
    (path := tmp_path / "history.json").write_bytes(content)
    assert recognises(path, content)
    assert found(read(path)) == {"検証損失": ("row", [1, 2], [0.5, 0.4])}
