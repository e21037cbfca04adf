"""A network that is looked at and given back as it was."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
import torch.utils.checkpoint
from torch import nn


@contextmanager
def untouched(module: nn.Module, *, seed: int | None = None) -> Generator[None]:
    """Put `module` in evaluation mode; give modes, buffers and every random state back.

    Parameters
    ----------
    seed : of everything that draws numbers in between; as it stands if None
    """
    # Not module.train(module.training) at the end: that would also wake parts which the user
    # froze one by one, such as the batch norms of a fine-tuned backbone.
    modes = {part: part.training for part in module.modules()}
    # Parts of a scripted module hand out their buffers one by one, and nothing can be put there.
    owned = [
        (part._buffers, dict(part._buffers))
        for part in module.modules()
        if not isinstance(part, torch.jit.ScriptModule)
    ]
    buffers = [(buffer, buffer.detach().clone()) for buffer in module.buffers()]
    python, numpy = random.getstate(), np.random.get_state()
    devices = sorted({p.device.index or 0 for p in module.parameters() if p.device.type == "cuda"})
    with torch.random.fork_rng(devices), _uncompiled(), _kept():
        if seed is not None:
            random.seed(seed)
            np.random.seed(seed)
            torch.manual_seed(seed)
        for part in modes:  # not module.eval(), which a module may have made to do more
            part.training = False
        try:
            yield
        finally:
            for part, mode in modes.items():
                part.training = mode
            for own, before in owned:  # a forward may put another tensor in the place of a buffer
                own.clear()
                own.update(before)
            for buffer, values in buffers:
                # What was made in inference mode can be written to in inference mode only.
                with torch.no_grad(), torch.inference_mode(buffer.is_inference()):
                    if not torch.equal(buffer, values):
                        buffer.copy_(values)
            random.setstate(python)
            np.random.set_state(numpy)


@contextmanager
def _kept() -> Generator[None]:
    """Let checkpointed parts keep what they compute, in the way that PyTorch calls reentrant.

    What they compute anew on the way back stands in no graph: their parameters would seem to get
    no gradient, and nothing before them could be asked for its own.
    """
    module: Any = torch.utils.checkpoint
    was = module.CheckpointFunction
    module.CheckpointFunction = _Direct
    try:
        yield
    finally:
        module.CheckpointFunction = was


class _Direct:
    """What stands in the place of torch's `CheckpointFunction`."""

    @staticmethod
    def apply(function: Callable[..., object], _preserve: object, *args: object) -> object:
        return function(*args)


def _uncompiled() -> AbstractContextManager[object]:
    """Let compiled parts run as they were written: what was compiled calls no hooks."""
    # Who has not compiled anything need not wait for the compiler to be imported.
    compiled = "torch._dynamo" in sys.modules and hasattr(torch.compiler, "set_stance")
    return torch.compiler.set_stance("force_eager") if compiled else nullcontext()
