"""The untrained network that the user names, with the arguments that he left out."""

from __future__ import annotations

import functools
import random
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from kashika.errors import LoadError
from kashika.load.code.inference import infer_arguments
from kashika.load.code.named import Named
from kashika.load.code.shapes import Shapes
from kashika.texts import Sentence


def build(named: Named, *, shapes: Shapes) -> tuple[nn.Module, list[Sentence]]:
    """Build the network that the user named; every random state stays as it was.

    Where no parentheses were given, integers that the constructor needs are read off the shapes
    of the checkpoint, as far as they leave one choice.

    Parameters
    ----------
    shapes : {name: shape} of the tensors in the checkpoint, prefixes of wrappers included

    Raises
    ------
    LoadError
        If it builds no network, or if none or several choices of arguments fit the shapes.
    """
    notes = named.notes()
    word = f"{named.source}:{named.name}"
    with _same_chances():
        module = named.load()
        if not isinstance(module, nn.Module) and named.arguments is None and shapes:
            module, inferred = infer_arguments(_calling(named, module), shapes, model=word)
            if inferred:
                said = ", ".join(f"{name}={value}" for name, value in inferred.items())
                notes.append(Sentence("notes.code.inferred", model=word, arguments=said))
        elif not isinstance(module, nn.Module) and named.arguments is None:
            module = named.call(module)
    if not isinstance(module, nn.Module):
        raise LoadError("errors.not_a_module", found=type(module).__name__, word=word)
    return module, notes


def _calling(named: Named, function: Any) -> Any:
    """Return a function that calls the user's as `named` does, with its signature."""
    if not callable(function):
        return named.call(function)  # raises

    @functools.wraps(function)
    def builder(**given: object) -> object:
        return named.call(functools.partial(function, **given))

    return builder


@contextmanager
def _same_chances() -> Generator[None]:
    """Give every random state back, whatever the user's code draws or seeds."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002  the user's may be used
    devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    with torch.random.fork_rng(list(devices)):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002
