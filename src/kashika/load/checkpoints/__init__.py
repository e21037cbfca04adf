"""Weights out of a file or directory, whatever wrote it, and without running code in it.

Importing this imports no torch: `contents` does without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kashika.load.checkpoints.opening import is_checkpoint
from kashika.load.checkpoints.reading import Contents, Weights, contents, read
from kashika.texts import Sentence

if TYPE_CHECKING:
    from torch import nn

    from kashika.run import Checkpoint

__all__ = ["Contents", "Weights", "checkpoint_of", "contents", "is_checkpoint", "put_into", "read"]


def checkpoint_of(weights: Weights) -> Checkpoint:
    """Look at the weights in a file; layer types are guessed from names and shapes."""
    from kashika.load.checkpoints import looking

    return looking.checkpoint_of(weights)


def put_into(module: nn.Module, weights: Weights, *, model: str) -> tuple[Sentence, ...]:
    """Give the weights of a file to a network, if all of its parameters are there and fit.

    Parameters
    ----------
    model : what the user calls the network

    Returns
    -------
    What was cut off the names, mapped, and left over

    Raises
    ------
    MismatchError
        If parameters are missing, or shapes differ; the network is then as it was.
    """
    from kashika.load.checkpoints import fitting

    return fitting.put_into(module, weights, model=model)
