"""A network that was saved as an object, made anew where all of its parts are PyTorch's own."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from kashika.load.checkpoints.entry import Entry
from kashika.load.pickles import Thing


def rebuilt(thing: Thing, state: Mapping[str, Tensor]) -> nn.Module:
    """Make a network out of its description, with the tensors that were read.

    Only classes of `torch.nn.modules` are made, and only by filling in their attributes, so
    nothing out of the file is run.

    Parameters
    ----------
    thing : that `is_of_torch`
    state : {name: tensor}

    Raises
    ------
    TypeError
        If it names what is no layer.
    """
    return _module(thing, state, "", {})


def _module(
    thing: Thing, state: Mapping[str, Tensor], prefix: str, known: dict[int, nn.Module]
) -> nn.Module:
    if id(thing) in known:  # one layer in several places
        return known[id(thing)]
    module, _, name = thing.name.rpartition(".")
    kind = getattr(sys.modules.get(module), name, None)
    if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
        raise TypeError(f"{thing.name} is no layer")
    attributes: dict[str, Any] = {str(key): one for key, one in thing.attributes.items()}
    for part in ("_parameters", "_buffers"):
        attributes[part] = {
            key: None if one is None else _tensor(one, state.get(f"{prefix}{key}"), part)
            for key, one in attributes[part].items()
        }
    attributes["_modules"] = {
        key: _module(one, state, f"{prefix}{key}.", known)
        for key, one in attributes["_modules"].items()
    }
    made = kind.__new__(kind)
    nn.Module.__init__(made)
    made.__setstate__(attributes)  # type: ignore[no-untyped-call]
    known[id(thing)] = made
    return made


def _tensor(entry: Entry, read: Tensor | None, part: str) -> Tensor:
    tensor = (entry.read() if read is None else read).clone()
    return nn.Parameter(tensor) if part == "_parameters" else tensor
