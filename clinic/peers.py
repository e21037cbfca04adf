"""The same trainings, looked at by the published tools that say what is wrong with one.

gradsnitch, losslint and model-clinic (the extra `peers`) are kept out of kashika's own environment:
they run in the Python that `python -m clinic.publish --python` names. Each is given the
run in its own best form: the curves that kashika read, as the table of epochs with the column names
that it expects, and the bare weights.
"""

from __future__ import annotations

import csv
import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from clinic.caching import directory
from clinic.conditions import Condition
from clinic.judging import judged, share

TOOLS = ("gradsnitch", "losslint", "model-clinic")

# What runs in the tools' own environment: a list of (table, weights) comes in, and for each the
# number of warnings and errors of each tool goes out, None where it has nothing to look at.
ASK = """
import contextlib, io, json, sys
import gradsnitch, torch
from losslint.cli import main as losslint
from model_clinic import diagnose

def quietly(function):
    said, apart = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(apart):
        found = function()
    return found, said.getvalue()

def of_gradsnitch(table, weights):
    return len(gradsnitch.lint_csv(table)) if table else None

def of_losslint(table, weights):
    if not table:
        return None
    _, said = quietly(lambda: losslint(["check", table, "--format", "json"]))
    return sum(one["severity"] in ("warning", "error") for one in json.loads(said)["findings"])

def of_model_clinic(table, weights):
    if not weights:
        return None
    state = torch.load(weights, map_location="cpu", weights_only=True)
    found, _ = quietly(lambda: diagnose(state))
    return sum(one.severity in ("WARN", "ERROR") for one in found)

def count(ask, table, weights):
    try:
        return ask(table, weights)
    except Exception:
        return None

ASKED = (of_gradsnitch, of_losslint, of_model_clinic)
for table, weights in json.load(sys.stdin):
    print(json.dumps([count(ask, table, weights) for ask in ASKED]))
"""


def said(chosen: Sequence[Condition], *, at: Path, python: str) -> list[Mapping[str, int | None]]:
    """Return, for each condition, the number of alarms of each tool, None where it cannot look."""
    with tempfile.TemporaryDirectory() as folder:
        asked = [
            _given(directory(one, at=at), Path(folder) / f"{number}.csv")
            for number, one in enumerate(chosen)
        ]
        answered = subprocess.run(
            [python, "-c", ASK], input=json.dumps(asked), capture_output=True, text=True, check=True
        )
    lines = [line for line in answered.stdout.splitlines() if line.startswith("[")]
    return [dict(zip(TOOLS, json.loads(line), strict=True)) for line in lines]


def _given(run: Path, file: Path) -> tuple[str | None, str | None]:
    """Write the table of a run's curves; return it and the weights, as far as there are any."""
    import torch

    from kashika.errors import KashikaError
    from kashika.load.checkpoints import read
    from kashika.load.finding import find
    from kashika.load.rundir import load_history

    found = find(run)
    curves, weights = None, None
    try:
        series = load_history(run).series
        x = sorted({float(one) for s in series.values() for one in s.averaged.x})
        values = {
            name: dict(zip(s.averaged.x.tolist(), s.averaged.y.tolist(), strict=True))
            for name, s in series.items()
        }
        with file.open("w", encoding="utf-8", newline="") as handle:
            writer = csv.writer(handle)
            writer.writerow(["step", *(name.replace("valid_", "val_") for name in values)])
            writer.writerows([one, *(v.get(one, "") for v in values.values())] for one in x)
        curves = str(file)
    except KashikaError:
        pass
    if found.checkpoints:
        state = read(found.checkpoints[0]).state
        bare = file.with_suffix(".pt")
        torch.save(dict(state), bare)
        weights = str(bare)
    return curves, weights


def table(
    chosen: Sequence[Condition], counts: Sequence[Mapping[str, int | None]], *, at: Path
) -> str:
    """Return how often each tool says anything at all, kashika beside them."""
    own = {one.condition.name: one for one in judged(chosen, at=at)}
    rows = [
        "| tool | says anything on a faulty run | and on a healthy one |",
        "|---|---|---|",
    ]
    for tool in TOOLS:
        spoke = [
            (one.healthy, bool(count[tool]))
            for one, count in zip(chosen, counts, strict=True)
            if count[tool] is not None
        ]
        rows.append(_row(tool, spoke))
    spoke = [(one.healthy, bool(own[one.name].alarms)) for one in chosen if one.name in own]
    return "\n".join([*rows, _row("kashika", spoke)])


def _row(tool: str, spoke: Sequence[tuple[bool, bool]]) -> str:
    faulty = share([alarm for healthy, alarm in spoke if not healthy])
    healthy = share([alarm for healthy, alarm in spoke if healthy])
    return f"| {tool} | {faulty} | {healthy} |"
