"""What stands in a checkpoint, in whatever format: a tree of values with tensors as its leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kashika.texts import Sentence

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """What stands in a file or directory.

    Attributes
    ----------
    path : of it
    format : "PyTorch zip", "PyTorch legacy", "safetensors", "TorchScript", "torch.export", "DCP",
        "pickle" or "NumPy"
    value : dictionaries, lists, numbers, text; `Entry` for each tensor, `Thing` for what is unknown
    notes : what was chosen or mended on the way
    broken : names the records that were read so far and fail their checksum
    program : reads the network that the file is, if it is one
    """

    path: Path
    format: str
    value: object
    notes: tuple[Sentence, ...] = ()
    broken: Callable[[], Sequence[str]] = tuple
    program: Callable[[], nn.Module] | None = None
