"""The questions that are asked of a run, one file each."""

from typing import Any

from kashika.view import View
from kashika.views import boundary, curves, features, gradients, predictions, weights

BUILTIN: tuple[View[Any], ...] = (
    curves.VIEW,
    predictions.VIEW,
    boundary.VIEW,
    features.VIEW,
    weights.VIEW,
    gradients.VIEW,
)
