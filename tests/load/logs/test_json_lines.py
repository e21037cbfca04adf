"""JSON lines: each line a dictionary; what rows of another kind count is not mixed up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kashika.errors import LoadError
from kashika.load.logs import json_history
from kashika.load.logs.json_lines import read, recognises
from kashika.load.logs.logged import Logged
from kashika.texts import speaking

RUNS = Path(__file__).parents[4] / "shared" / "runs"


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with speaking("en"):
        yield


def written(directory: Path, content: str, *, name: str = "log.jsonl") -> Path:
    (path := directory / name).write_bytes(content.encode())
    return path


def lines(*rows: dict[str, object]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def said(logged: Logged) -> list[str]:
    return [str(note).partition(": ")[2] for note in logged.notes]


def test_rows_need_not_have_the_same_keys(tmp_path: Path) -> None:
    content = lines(
        {"step": 10, "loss": 0.9}, {"step": 20, "loss": 0.8}, {"step": 20, "val_loss": 0.7},
        {"step": 30, "loss": None, "lr": 0.1},
    )  # fmt: skip
    series = read(written(tmp_path, content)).series
    assert (series["loss"].x.tolist(), series["loss"].y.tolist()) == ([10, 20], [0.9, 0.8])
    assert (series["val_loss"].x.tolist(), series["val_loss"].y.tolist()) == ([20], [0.7])
    assert series["loss"].unit == "step"


def test_lists_in_a_row_become_series_of_their_own(tmp_path: Path) -> None:
    content = lines(
        {"epoch": 0, "test_coco_eval_bbox": [0.1, 0.2], "n": {"a": 1.5}},
        {"epoch": 1, "test_coco_eval_bbox": [0.3, 0.4], "n": {"a": 2.5}},
    )
    series = read(written(tmp_path, content)).series
    assert {name: one.y.tolist() for name, one in series.items()} == {
        "test_coco_eval_bbox/0": [0.1, 0.3], "test_coco_eval_bbox/1": [0.2, 0.4], "n/a": [1.5, 2.5],
    }  # fmt: skip


def test_the_iterations_of_a_validation_are_no_place_in_training(tmp_path: Path) -> None:  # C066
    rows: list[dict[str, object]] = [{"env_info": "sys.platform: linux", "seed": 0}]
    for epoch in (1, 2, 3):
        rows += [
            {"mode": "train", "epoch": epoch, "iter": i, "lr": 0.1, "loss": 1 / (i + epoch)}
            for i in (100, 200, 300)
        ]
        rows.append(
            {"mode": "val", "epoch": epoch, "iter": 1334, "lr": 0.1, "bbox_mAP": 0.1 * epoch}
        )
    path = written(tmp_path, lines(*rows), name="20240101_000000.log.json")
    logged = read(path)
    train, valid = logged.series["train/loss"], logged.series["val/bbox_mAP"]
    assert (train.unit, train.x.tolist()) == ("step", [*range(100, 901, 100)])
    assert (valid.unit, valid.x.tolist()) == ("epoch", [1, 2, 3])
    assert recognises(path, path.read_bytes())
    assert not json_history.recognises(path, path.read_bytes())
    assert any("env_info, seed" in one for one in said(logged))


def test_the_step_of_a_validation_that_is_an_epoch_is_called_so(tmp_path: Path) -> None:  # C066
    rows: list[dict[str, object]] = []
    for epoch in (1, 2, 3):
        rows += [
            {"epoch": epoch, "iter": i, "step": 300 * (epoch - 1) + i, "loss": 0.5, "memory": 9}
            for i in (150, 300)
        ]
        rows.append({"coco/bbox_mAP": 0.1 * epoch, "data_time": 0.1, "time": 0.2, "step": epoch})
    series = read(written(tmp_path, lines(*rows), name="scalars.json")).series
    assert (series["loss"].unit, series["loss"].x.tolist()) == ("step", [*range(150, 901, 150)])
    valid = series["val/coco/bbox_mAP"]
    assert (valid.unit, valid.x.tolist()) == ("epoch", [1, 2, 3])


def test_a_phase_in_the_row_names_the_split(tmp_path: Path) -> None:
    content = lines(
        {"epoch": 1, "phase": "train", "loss": 0.5}, {"epoch": 1, "phase": "val", "loss": 0.6},
        {"epoch": 2, "phase": "train", "loss": 0.4}, {"epoch": 2, "phase": "val", "loss": 0.7},
    )  # fmt: skip
    series = read(written(tmp_path, content)).series
    assert {name: one.y.tolist() for name, one in series.items()} == {
        "train/loss": [0.5, 0.4], "val/loss": [0.6, 0.7],
    }  # fmt: skip


def test_dictionaries_that_python_printed_are_read_too(tmp_path: Path) -> None:
    content = "{'loss': 0.5, 'epoch': 1.0}\n{'loss': nan, 'epoch': 2.0, 'x': tensor(3.)}\n"
    path = written(tmp_path, content, name="out.log")
    series = read(path).series
    np.testing.assert_array_equal(series["loss"].y, [0.5, np.nan])
    assert (series["x"].x.tolist(), series["x"].y.tolist()) == ([2], [3])
    assert recognises(path, content.encode())


def test_a_last_line_that_is_half_written_is_left_out_and_said(tmp_path: Path) -> None:
    logged = read(written(tmp_path, lines({"loss": 0.5}, {"loss": 0.4}) + '{"loss": 0.'))
    assert logged.series["loss"].y.tolist() == [0.5, 0.4]
    assert said(logged) == [
        "the file breaks off in line 3; all that is complete before that was read"
    ]


def test_lines_in_between_that_are_none_are_counted(tmp_path: Path) -> None:
    content = '{"loss": 0.5}\nepoch done\n\n{"loss": 0.4}\nINFO {"loss": 0.3}\n{"lo\n'
    logged = read(written(tmp_path, content))
    assert logged.series["loss"].y.tolist() == [0.5, 0.4, 0.3]
    assert said(logged) == [
        ("2 lines are no dictionaries and were passed over, the first of them line 2: 'epoch done'")
    ]


@pytest.mark.parametrize("content", ["", "hello\n", '{"a": 1\n' * 3, "1\n2\n"])
def test_what_has_no_dictionaries_is_refused(tmp_path: Path, content: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(LoadError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: expected a dictionary on each line, found ")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("dataset.jsonl", '{"text": "hello", "label": 1}\n{"text": "bye", "label": 0}\n'),
        ("predictions.jsonl", '{"id": 1, "box": [1, 2, 3, 4]}\n{"id": 2, "box": [1, 2, 3, 4]}\n'),
        ("history.json", '{"loss": [0.5, 0.4]}'),
        ("code.py", "{'loss': 1}\n{'loss': 2}\n"),
    ],
)
def test_other_lines_of_a_project_are_no_log(name: str, content: str) -> None:
    assert not recognises(Path(name), content.encode())


@pytest.mark.skipif(not RUNS.is_dir(), reason="the real runs are not here")
def test_a_real_detr_log_has_347_rows_in_eleven_pieces() -> None:  # C036
    path = RUNS / "detr_log.txt"
    with path.open("rb") as file:
        assert recognises(path, file.read(65_536))
    series = read(path).series
    loss = series["train_loss"]
    assert (loss.y.size, loss.unit) == (347, "epoch")
    assert loss.starts == (0, 39, 41, 46, 68, 105, 120, 122, 172, 228, 285)
    first = json.loads(path.read_text().partition("\n")[0])
    assert loss.y[0] == first["train_loss"]
    boxes = [series[f"test_coco_eval_bbox/{i}"].y[0] for i in range(12)]
    assert boxes == first["test_coco_eval_bbox"]
