"""How the weights are listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kashika.view import Row

if TYPE_CHECKING:
    from kashika.views.weights import Weights


def parameters(weights: Weights) -> list[Row]:
    """Return one row for each parameter."""
    return [
        {
            "parameter": one.name,
            "kind": one.kind or "",
            "shape": "\u00a0×\u00a0".join(map(str, one.values.shape)) or "1",
            "mean": one.values.mean,
            "sd": one.values.sd,
            "initial_sd": None if one.initial is None else one.initial.sd,
            "rms": one.values.rms,
            "min": one.values.least,
            "max": one.values.greatest,
            "zero_share": one.values.zero_share,
            "nonfinite_share": one.values.nonfinite_share,
        }
        for one in weights.parameters
    ]
