"""What logs alone tell of chance: the loss and the accuracy of a choice by lot."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kashika.views.curves import Curves


def ends_by_lot(curves: Curves) -> bool:
    """Tell from a log whether it ends with the loss and accuracy of a choice by lot."""
    courses = ((curves.train, curves.right.get("train")), (curves.valid, curves.right.get("valid")))
    return any(
        loss is not None and right is not None and is_by_lot(loss.end, right.end)
        for loss, right in courses
    )


def is_by_lot(loss: float, accuracy: float) -> bool:
    """Tell whether these are the loss and the accuracy of a choice among K classes by lot."""
    if not 0.5 < loss < 10:
        return False
    classes = round(math.exp(loss))
    return abs(loss / math.log(classes) - 1) <= 0.03 and 0 <= accuracy <= 1.2 / classes
