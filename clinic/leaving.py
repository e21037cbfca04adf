"""A finished training -> a folder, as a user's own."""

from __future__ import annotations

import csv
import inspect
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from clinic import networks
from clinic.data import Splits
from clinic.recipe import Left, Recipe
from clinic.training import State, Trained

Series = Mapping[str, Sequence[float]]

_LOAD = '''"""The data of this training."""

from pathlib import Path
from typing import Any

import numpy as np


def load():
    """Return the three splits as (inputs, targets)."""
    arrays = np.load(Path(__file__).with_name("arrays.npz"))
    return {split: (arrays["X_" + split], arrays["y_" + split]) for split in SPLITS}


SPLITS = ("train", "valid", "test")
'''

_LOSS = '''"""The loss of this training."""

import torch
import torch.nn.functional as F


def loss(outputs, targets):
    """Return the loss of a batch."""
    return F.cross_entropy(outputs, targets.long(), weight=torch.tensor({weights}),
                           label_smoothing={smoothing})
'''


def leave(recipe: Recipe, trained: Trained, given: Splits, directory: Path) -> None:
    """Write logs, checkpoint, code, data and `kashika.toml`."""
    left = recipe.left
    directory.mkdir(parents=True, exist_ok=True)
    _write_log(trained, left, directory)
    if left.only_logs:
        return
    arrays: dict[str, Any] = {
        f"{letter}_{split}": values
        for split, pair in given.items()
        for letter, values in zip("Xy", pair, strict=True)
    }
    data = "data.npz" if left.data == "npz" else "data.py:load"
    np.savez(directory / ("data.npz" if left.data == "npz" else "arrays.npz"), **arrays)
    if left.data == "py":
        (directory / "data.py").write_text(_LOAD, encoding="utf-8")
    (directory / "model.py").write_text(inspect.getsource(networks), encoding="utf-8")
    _save(_chosen(trained, recipe), left, directory / "model.pth", epoch=_epoch(trained, recipe))
    if left.initial:
        torch.save(trained.states[0], directory / "initial.pth")
    lines = [f"model = {json.dumps(f'model.py:{recipe.network}')}", f'data = "{data}"']
    lines.append('checkpoint = "model.pth"')
    if left.names_loss:
        lines.append(f'loss = "{_named_loss(recipe, given, directory)}"')
    if left.frozen:
        lines.append(f"frozen = {json.dumps(list(left.frozen))}")
    (directory / "kashika.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _named_loss(recipe: Recipe, given: Splits, directory: Path) -> str:
    """Return what `kashika.toml` says of the loss; one with weights is a function of the user's."""
    training = recipe.training
    if not training.weighted and not training.label_smoothing:
        return training.loss
    counts = np.bincount(given["train"][1])
    weights = counts.sum() / (len(counts) * counts) if training.weighted else np.ones(len(counts))
    source = _LOSS.format(weights=weights.round(6).tolist(), smoothing=training.label_smoothing)
    (directory / "loss.py").write_text(source, encoding="utf-8")
    return "loss.py:loss"


def _epoch(trained: Trained, recipe: Recipe) -> int:
    return trained.best if recipe.left.which == "best" else len(trained.epochs["train_loss"])


def _chosen(trained: Trained, recipe: Recipe) -> State:
    """Return the weights that were saved, with what happened to them."""
    left = recipe.left
    if left.stale < 1:
        state = trained.states[round(left.stale * recipe.training.epochs)]
    elif left.which == "best" and -1 in trained.states:
        state = trained.states[-1]
    else:
        state = {name: value.clone() for name, value in trained.network.state_dict().items()}
    if left.nonfinite:
        first = next(value for value in state.values() if value.ndim > 1)
        first.view(-1)[: math.ceil(left.nonfinite * first.numel())] = math.nan
    for name, value in state.items():
        if left.zeroed and name.startswith(left.zeroed):
            value.zero_()
    return state


def _save(state: State, left: Left, path: Path, *, epoch: int) -> None:
    if left.weights == "bare":
        torch.save(state, path)
    else:
        torch.save({"model": state, "epoch": epoch, "optimizer": {"state": {}}}, path)


# --- logs ----------------------------------------------------------------------------------------


def _write_log(trained: Trained, left: Left, directory: Path) -> None:
    series = {name: list(values) for name, values in trained.epochs.items()}
    if left.duplicate:
        series |= {
            name.replace("train", "valid"): list(values)
            for name, values in series.items()
            if name.startswith("train")
        }
    if left.cut:
        bad = [i for s in series.values() for i, value in enumerate(s) if not math.isfinite(value)]
        end = max(1, min(bad, default=len(series["train_loss"])))
        series = {name: values[:end] for name, values in series.items()}
    match left.log:
        case "savetxt":
            (directory / "output").mkdir(exist_ok=True)
            for name, values in series.items():
                np.savetxt(directory / "output" / f"{name}.txt", values)
        case "csv":
            _csv(directory / "log.csv", series, {name: name for name in series})
        case "keras":
            _csv(directory / "history.csv", series, _KERAS)
        case "percent":
            scaled = {
                name: [100 * value for value in values] if "acc" in name else values
                for name, values in series.items()
            }
            _csv(directory / "logs" / "metrics.csv", scaled, {name: name for name in series})
        case "jsonl":
            _jsonl(directory / "log.jsonl", series)
        case "trainer":
            _trainer(directory / "trainer_state.json", series, trained)
        case "console":
            _console(directory / "train.log", series)
        case "steps":
            _steps(directory / "logs", series, trained)
        case _:
            raise ValueError(f"expected a format of the clinic, found {left.log!r}")


_KERAS = {
    "train_loss": "loss", "train_acc": "accuracy", "valid_loss": "val_loss",
    "valid_acc": "val_accuracy",
}  # fmt: skip


def _csv(path: Path, series: Series, names: Mapping[str, str]) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", *(names[name] for name in series)])
        rows = zip(*series.values(), strict=True)
        writer.writerows([i, *row] for i, row in enumerate(rows, start=1))


def _jsonl(path: Path, series: Series) -> None:
    with path.open("w", encoding="utf-8") as file:
        for i in range(len(series["train_loss"])):
            row = {"epoch": i, **{name: values[i] for name, values in series.items()}}
            file.write(json.dumps(row) + "\n")


def _trainer(path: Path, series: Series, trained: Trained) -> None:
    """Write what Hugging Face's Trainer writes."""
    each = max(1, len(trained.steps) // max(1, len(trained.epochs["train_loss"])))
    history: list[dict[str, float]] = []
    for i in range(len(series["train_loss"])):
        place = {"epoch": float(i + 1), "step": (i + 1) * each}
        history.append({"loss": series["train_loss"][i], **place})
        evaluated = {"eval_loss": series["valid_loss"][i]}
        if "valid_acc" in series:
            evaluated["eval_accuracy"] = series["valid_acc"][i]
        history.append({**evaluated, **place})
    path.write_text(json.dumps({"log_history": history}, indent=1), encoding="utf-8")


def _console(path: Path, series: Series) -> None:
    epochs = len(series["train_loss"])
    lines = []
    for i in range(epochs):
        words = [f"{_KERAS[name]}: {values[i]:.6g}" for name, values in series.items()]
        lines.append(f"Epoch {i + 1}/{epochs} - " + " - ".join(words))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _steps(directory: Path, series: Series, trained: Trained) -> None:
    """Write the training loss of every step, and the validation once an epoch."""
    directory.mkdir(exist_ok=True)
    epochs = len(trained.epochs["train_loss"])
    each = len(trained.steps) // epochs
    ends = range(len(series["train_loss"]))
    with (directory / "train.csv").open("w", encoding="utf-8") as file:
        file.write("step,loss\n")
        for step, value in enumerate(trained.steps[: len(ends) * each], start=1):
            file.write(f"{step},{value!r}\n")
    valid = [name for name in series if name.startswith("valid")]
    with (directory / "valid.csv").open("w", encoding="utf-8") as file:
        file.write(",".join(["step", *(name.removeprefix("valid_") for name in valid)]) + "\n")
        for i in ends:
            file.write(",".join([str((i + 1) * each), *(repr(series[n][i]) for n in valid)]) + "\n")
