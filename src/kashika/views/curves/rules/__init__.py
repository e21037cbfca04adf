"""What can be wrong with the curves: one rule for each disease."""

from kashika.views.curves.rules.generalising import (
    best_passed,
    overconfident,
    overfitting,
    valid_below_train,
)
from kashika.views.curves.rules.learning import not_learning, slow, still_improving
from kashika.views.curves.rules.log import duplicate, nonfinite
from kashika.views.curves.rules.swings import diverging, unstable

__all__ = [
    "best_passed",
    "diverging",
    "duplicate",
    "nonfinite",
    "not_learning",
    "overconfident",
    "overfitting",
    "slow",
    "still_improving",
    "unstable",
    "valid_below_train",
]
