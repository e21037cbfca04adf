"""TorchScript archives: weights that are described, and a program that torch can run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from kashika.load.checkpoints.content import Content
from kashika.load.checkpoints.entry import Entry
from kashika.load.checkpoints.torch_files import Archive
from kashika.load.pickles import Thing

if TYPE_CHECKING:
    from torch import nn


_WRITES = re.compile(rb"\b(from_file|save)\s*\(")  # all that TorchScript can do to files


def opened(found: Archive, value: object) -> Content:
    """Describe the network in an archive that TorchScript wrote."""
    from kashika.load.checkpoints.programs import scripted

    def program() -> nn.Module:
        for name in found.records:
            if name.endswith(".py") and _WRITES.search(bytes(found.read(name))):
                raise ValueError(f"{name} would write to a file")
        return scripted(found.path)

    return Content(
        found.path,
        "TorchScript",
        dict(_tensors(value, "", set())),
        broken=partial(_broken, found),
        program=program,
    )


def _tensors(value: object, prefix: str, seen: set[int]) -> Iterator[tuple[str, Entry]]:
    """Give the parameters and buffers, then those of the modules inside."""
    own = value.attributes if isinstance(value, Thing) and id(value) not in seen else {}
    seen.add(id(value))
    yield from ((f"{prefix}{name}", one) for name, one in own.items() if isinstance(one, Entry))
    for name, part in own.items():
        if isinstance(part, Thing):
            yield from _tensors(part, f"{prefix}{name}.", seen)


def _broken(found: Archive) -> list[str]:
    """Compare every checksum: the program is read by code that trusts it."""
    for name in found.records:
        found.read(name)
    return found.broken
