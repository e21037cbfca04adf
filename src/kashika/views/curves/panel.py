"""One metric of all splits on one axis: all that was logged of it, and what is judged."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from kashika.distribution import FloatArray
from kashika.history import History, Series, on_one_axis
from kashika.naming import Split


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One metric of all splits, on one axis.

    Attributes
    ----------
    metric : "loss"
    logged : {split: series} all that was logged, earlier runs in the same log among it
    series : {split: series} the last run during training, one value for each x, shares of one
    """

    metric: str
    logged: Mapping[Split, Series]
    series: Mapping[Split, Series]

    @property
    def best(self) -> float | None:
        """The x of the best valid value, else of the best train value; None if not known."""
        judged = next((self.series[s].finite for s in ("valid", "train") if s in self.series), None)
        place = None if judged is None else best_place(self.metric, judged.y)
        return None if judged is None or place is None else plain_place(judged.x[place])

    @property
    def drawable(self) -> bool:
        """Whether anything finite was logged."""
        return any(np.isfinite(one.y).any() for one in self.logged.values())


def panel_of(history: History, metric: str) -> Panel:
    """Gather the series of a metric; where its train series has another name, under that one."""
    named = history.metric(metric)
    if "train" not in named:
        others = (
            f"{metric}_epoch",
            f"{metric}_step",
            *(["loss"] if metric.endswith("loss") else []),
        )
        train = next(
            (history.metric(m)["train"] for m in others if "train" in history.metric(m)), None
        )
        named = named if train is None else {"train": train, **named}
    logged = {split: one.fraction for split, one in on_one_axis(named).items()}
    return Panel(metric, logged, {split: one.during for split, one in logged.items()})


def main_loss(panels: Mapping[str, Panel]) -> Panel:
    """Return the panel that the rules judge: "loss", unless only another one has a valid loss."""
    losses = [one for name, one in panels.items() if name.endswith("loss")]
    losses.sort(key=lambda one: one.metric != "loss")
    whole = [one for one in losses if {"train", "valid"} <= set(one.series)]
    return next(iter([*whole, *losses]), Panel("loss", {}, {}))


def competes(metrics: Iterable[str]) -> bool:
    """Tell whether a log is of networks that train against each other, or for a reward.

    Their losses need not fall while they learn.
    """
    words = [set(re.split(r"[\W_]+", metric.lower())) for metric in metrics]
    losses = set[str]().union(*(one for one in words if "loss" in one))
    every = set[str]().union(*words)
    return bool(losses & _FORGING and losses & _JUDGING) or bool(every & _REWARDED)


def best_place(metric: str, y: FloatArray) -> int | None:
    """Return the place of the best value; None where it is not known which way is better."""
    if y.size and any(word in metric for word in _FALLING):
        return int(np.argmin(y))
    return int(np.argmax(y)) if y.size and any(word in metric for word in _RISING) else None


_FALLING = ("loss", "err", "mae", "mape", "mse", "perplexity", "ppl", "wer", "cer")
_RISING = ("acc", "f1", "auc", "precision", "recall", "iou", "map", "r2", "dice")


_FORGING = {"g", "gen", "generator"}
_JUDGING = {"d", "disc", "discriminator", "critic"}
_REWARDED = {"reward", "rew", "policy", "actor", "return"}


def plain_place(x: float) -> float:
    """Return an epoch or step as a whole number, where it is one."""
    return int(x) if x == int(x) else float(x)
