"""Look: how closely a network is looked at."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from kashika.progress import Progress

ROWS = 5_000
"""So many answers of a split are kept with their outputs and features, if no more are asked for."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What is wanted of one pass over the data, and what it may cost.

    Attributes
    ----------
    loss : name as in `torch.nn.functional`, or a function (outputs, targets); found from the
        outputs if None
    layers : names or patterns of modules whose features are wanted for all kept rows
    position : of a sequence or map whose features are taken; their mean if None
    gradients : whether to look at gradients as well, which takes twice as long again
    batch_size : samples that go through the network at once, halved where memory runs out; chosen
        by the size of the network's layers if None
    max_samples : so many of a split are looked at; all if None
    progress : called after every batch
    rows : at most so many answers of a split are kept with their outputs and features
    seed : of the choice of rows, and of what draws numbers in data set or network
    """

    loss: str | Callable[..., Any] | None = None
    layers: Collection[str] = ()
    position: int | None = None
    gradients: bool = True
    batch_size: int | None = None
    max_samples: int | None = None
    progress: Progress | None = None
    rows: int = ROWS
    seed: int = 0
