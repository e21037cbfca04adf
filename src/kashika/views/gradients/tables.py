"""How the gradients are listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kashika.texts import text
from kashika.view import Row

if TYPE_CHECKING:
    from kashika.views.gradients import Gradients


def parameters(gradients: Gradients) -> list[Row]:
    """Return one row for each parameter that the loss depends on."""
    return [
        {
            "parameter": g.parameter,
            "rms": g.values.rms,
            "relative": g.relative,
            "max_abs": max(abs(g.values.least), abs(g.values.greatest)),
            "zero_share": g.values.zero_share,
            "nonfinite": g.values.nan + g.values.infinite,
        }
        for g in gradients.gradients
    ]


def signal(gradients: Gradients) -> list[Row]:
    """Return one row for each layer, and one for all: signal and noise of the samples."""
    return [
        {
            "layer": one.layer or text("words.all_layers"),
            "typical": one.typical,
            "signal": _or_none(one.signal),
            "noise": _or_none(one.noise),
            "signal_over_noise": _or_none(one.ratio),
            "critical_batch": _or_none(one.critical_batch),
            "agreement": None if one.layer else _or_none(gradients.agreement),
        }
        for one in gradients.signals
    ]


def hardest(gradients: Gradients) -> list[Row]:
    """Return one row for each of the samples that pull hardest."""
    pulls = gradients.pulls
    if pulls is None:
        return []
    name = "true_class" if gradients.classifies else "true"
    return [
        {
            "index": int(index),
            name: None if np.isnan(target) else int(target) if gradients.classifies else target,
            "loss": _or_none(loss),
            "norm": _or_none(float(pulls.norms[index])),
            "share_of_norms": _or_none(share),
        }
        for index, target, loss, share in zip(
            pulls.index, pulls.target.tolist(), pulls.loss.tolist(), pulls.shares.tolist(),
            strict=True,
        )
    ]  # fmt: skip


def without(gradients: Gradients) -> list[Row]:
    """Return one row for each parameter without a gradient, and why it has none."""
    rows: list[Row] = [
        {"parameter": name, "why": text("words.unused")} for name in gradients.unused
    ]
    return rows + [{"parameter": name, "why": text("words.frozen")} for name in gradients.frozen]


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
