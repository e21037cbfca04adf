"""A network that is looked at and given back as it was."""

from __future__ import annotations

import random
import sys
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
import torch
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
    with torch.random.fork_rng(devices), _uncompiled():
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
            with torch.no_grad():
                for buffer, values in buffers:
                    if not torch.equal(buffer, values):
                        buffer.copy_(values)
            random.setstate(python)
            np.random.set_state(numpy)


def _uncompiled() -> AbstractContextManager[object]:
    """Let compiled parts run as they were written: what was compiled calls no hooks."""
    # Who has not compiled anything need not wait for the compiler to be imported.
    compiled = "torch._dynamo" in sys.modules and hasattr(torch.compiler, "set_stance")
    return torch.compiler.set_stance("force_eager") if compiled else nullcontext()
