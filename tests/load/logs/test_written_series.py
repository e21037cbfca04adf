"""Whatever series are written, in whatever format of dictionaries, are read back exactly."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kashika.load.logs import read_all

Values = list[tuple[float, float]]

ROWS = st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1)), min_size=2, max_size=20)


def columns(rows: Values) -> dict[str, list[float]]:
    return {"loss": [one for one, _ in rows], "val_loss": [other for _, other in rows]}


def records(rows: Values) -> list[dict[str, float]]:
    return [
        {"epoch": i, "loss": one, "val_loss": other} for i, (one, other) in enumerate(rows, start=1)
    ]


def trainer(rows: Values) -> dict[str, object]:
    history: list[dict[str, float]] = []
    for i, (one, other) in enumerate(rows, start=1):
        history += [{"step": i, "loss": one}, {"step": i, "eval_loss": other}]
    return {"log_history": history, "global_step": len(rows)}


FORMATS: dict[str, tuple[str, Callable[[Values], bytes]]] = {
    "JSON columns": ("history.json", lambda rows: json.dumps(columns(rows)).encode()),
    "JSON rows": ("history.json", lambda rows: json.dumps(records(rows)).encode()),
    "Hugging Face": ("trainer_state.json", lambda rows: json.dumps(trainer(rows)).encode()),
    "JSON lines": (
        "log.jsonl", lambda rows: "".join(json.dumps(one) + "\n" for one in records(rows)).encode()
    ),
    "Python lines": ("log.txt", lambda rows: "\n".join(map(repr, records(rows))).encode() + b"\n"),
    "pickle": ("history.pkl", lambda rows: pickle.dumps(columns(rows))),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
@given(rows=ROWS)
@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_series_come_back_exactly(tmp_path: Path, name: str, rows: Values) -> None:
    file, write = FORMATS[name]
    (tmp_path / file).write_bytes(write(rows))
    history = read_all([tmp_path / file], rename={}).history
    assert history is not None
    assert history.series["train_loss"].y.tolist() == [one for one, _ in rows]
    assert history.series["valid_loss"].y.tolist() == [other for _, other in rows]


def test_what_torch_saved_comes_back_exactly(tmp_path: Path) -> None:
    rows = [(0.1 * i, 0.3 * i) for i in range(9)]
    torch.save(columns(rows), tmp_path / "history.pt")
    history = read_all([tmp_path / "history.pt"], rename={}).history
    assert history is not None
    assert history.series["valid_loss"].y.tolist() == [other for _, other in rows]
