"""The Network for PyTorch: one pass over the data, and nothing left behind."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from types import MethodType
from typing import TypeGuard

import numpy as np
import torch
from torch import nn
from torch.nn.parameter import is_lazy

from kashika.distribution import Array, Distribution, FloatArray
from kashika.errors import LoadError, one_line
from kashika.look import Look
from kashika.observation import Observation
from kashika.parameters import STATISTICS, Parameter, copied_share, initials
from kashika.run import Inputs, Samples
from kashika.task import Task
from kashika.torch_network.batch import answer, by_sample, count, part, placed
from kashika.torch_network.capture import as_numpy, viewed
from kashika.torch_network.loss import out_of_memory
from kashika.torch_network.observing import observed
from kashika.torch_network.peek import BATCH, INPUTS
from kashika.torch_network.untouched import untouched


class TorchNetwork:
    """A trained `nn.Module`, asked in evaluation mode and given back as it was.

    Parameters
    ----------
    module : the network; wrappers of `torch.compile` and `DataParallel` are taken off
    look : how closely it is looked at
    device : where to run a copy of the network; where it is if None
    """

    def __init__(
        self, module: nn.Module, look: Look | None = None, *, device: str | None = None
    ) -> None:
        self.module = _unwrapped(module)
        if device is not None and _elsewhere(self.module, device):
            self.module = copy.deepcopy(self.module).to(device)
        self._look = Look() if look is None else look

    def parameters(self) -> Iterator[Parameter]:
        """Give every parameter, in the order of the state_dict; shared ones once."""
        seen: set[int] = set()
        for prefix, module in self.module.named_modules():
            own = dict(module.named_parameters(prefix, recurse=False))
            short = {name.rpartition(".")[2]: tuple(one.shape) for name, one in own.items()}
            kind = type(module).__name__
            known = (
                next(filter(None, (initials(k, short) for k in _kinds(module))), {}) if own else {}
            )
            for name, one in own.items():
                if id(one) in seen or is_lazy(one):  # a lazy one has no values before a first batch
                    continue
                seen.add(id(one))
                values = viewed(one)
                initial = known.get(name.rpartition(".")[2])
                yield Parameter(
                    name, kind, Distribution.of(values), initial, one.requires_grad,
                    copied_share(values),
                )  # fmt: skip
            yield from _packed(prefix, module)

    def statistics(self) -> Iterator[tuple[str, Distribution]]:
        """Give the running statistics of the batch norms, each with its name in the state_dict."""
        for name, one in self.module.named_buffers():
            if name.rpartition(".")[2] in STATISTICS and not is_lazy(one):
                yield name, Distribution.of(viewed(one))

    def predict(self, inputs: Inputs) -> FloatArray:
        """Return the (n, outputs) outputs for (n, …) inputs, in evaluation mode."""
        # Without a gradient to keep, many small inputs go through at once.
        samples = count(inputs)
        numbers = max(1, sum(one.size for one in by_sample(inputs)) // max(1, samples))
        size = max(self._look.batch_size or min(BATCH, INPUTS // numbers), 2**15 // numbers, 1)
        parts = []
        with untouched(self.module), torch.no_grad():
            start = 0
            while start < samples:
                try:
                    here = placed(part(inputs, start, start + size), self.module)
                    parts.append(as_numpy(answer(self.module, here)))
                    start += size
                except Exception as error:
                    if not out_of_memory(error) or size == 1:
                        raise
                    size //= 2
        return np.concatenate(parts)

    def slopes(self, inputs: Array, task: Task) -> FloatArray:
        """Return (n, …) how the lead of the predicted class over the next one changes."""
        if not task.classifies or task.positional:
            return np.zeros(inputs.shape)
        found = []
        size = self._look.batch_size or min(BATCH, max(INPUTS // max(1, inputs[0].size), 1))
        with untouched(self.module), torch.inference_mode(False), torch.enable_grad():
            for start in range(0, len(inputs), size):
                x = placed(inputs[start : start + size], self.module).requires_grad_()
                scores = answer(self.module, x).reshape(len(x), -1)
                if scores.shape[1] == 1:
                    middle = 0.5 if task.outputs == "probability" else 0.0
                    lead = (scores[:, 0] - middle).abs()
                else:
                    best = scores.topk(2, dim=1).values
                    lead = best[:, 0] - best[:, 1]
                (slope,) = torch.autograd.grad(lead.sum(), x)
                found.append(as_numpy(slope))
        return np.concatenate(found)

    def observe(self, samples: Samples, *, split: str, task: Task | None = None) -> Observation:
        """Run once over the samples, forward and backward.

        What is interrupted, or fails after the first batch, leaves what has been seen, and a note.

        Raises
        ------
        MismatchError
            If the network cannot take the first batch, or the targets do not fit the outputs.
        """
        # What was made in inference mode can be run, and never be differentiated.
        differentiable = not any(one.is_inference() for one in self.module.parameters())
        with (
            untouched(self.module, seed=self._look.seed),
            torch.inference_mode(False),
            torch.set_grad_enabled(differentiable and self._look.gradients),
        ):
            return observed(self.module, samples, split=split, task=task, look=self._look)


def nearest_device() -> str:
    """Return the fastest device that this machine has."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def is_module(value: object) -> TypeGuard[nn.Module]:
    """Tell whether something is a network of PyTorch, for those who must not import it."""
    return isinstance(value, nn.Module)


def _elsewhere(module: nn.Module, device: str) -> bool:
    try:
        there = torch.device(device)
        torch.empty(0, device=there)
    except (RuntimeError, AssertionError) as error:  # a build of torch without that device
        raise LoadError("errors.device", found=device, error=one_line(error)) from error
    return any(
        one.device.type != there.type or one.device.index != (there.index or one.device.index)
        for one in module.parameters()
    )


def _unwrapped(module: nn.Module) -> nn.Module:
    while True:
        inner = getattr(module, "_orig_mod", None)
        if inner is None and isinstance(module, nn.DataParallel):
            inner = module.module
        if not isinstance(inner, nn.Module):
            return module
        module = inner


def _packed(prefix: str, module: nn.Module) -> Iterator[Parameter]:
    """Give the weights of a quantised layer, which are no parameters and come by a call."""
    for name in ("weight", "bias"):
        made = getattr(module, name, None)
        if not isinstance(made, MethodType):
            continue
        tensor = made()
        if isinstance(tensor, torch.Tensor):
            values = Distribution.of(viewed(tensor))
            whole = f"{prefix}.{name}".lstrip(".")
            yield Parameter(whole, type(module).__name__, values, None, trainable=False)


def _kinds(module: nn.Module) -> Iterator[str]:
    """Give the names of torch's classes that a module is or extends, the nearest first."""
    # A class of the user's that is called Linear starts as he wrote it.
    return (k.__name__ for k in type(module).__mro__ if k.__module__.startswith("torch."))
