"""The Network for PyTorch: one pass over the data, and nothing left behind."""

from __future__ import annotations

import random
import sys
from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TypeGuard

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from kashika.distribution import Array, Distribution, FloatArray, IntArray
from kashika.errors import MismatchError, one_line
from kashika.observation import Layer, Observation
from kashika.parameters import Parameter, initials
from kashika.run import Samples
from kashika.task import Task, infer_task
from kashika.torch_capture import Captures, as_numpy, first_tensor
from kashika.torch_loss import Loss, known_name, loss_of, shown_name, targets_of

ROWS = 2_000
"""So many samples of a split are kept with their inputs and features."""

_INPUT = 1_024  # numbers in one input, up to which inputs are kept


class TorchNetwork:
    """A trained `nn.Module`, asked in evaluation mode and given back as it was.

    Parameters
    ----------
    module : the network; wrappers of `torch.compile` and `DataParallel` are taken off
    loss : name as in `torch.nn.functional`, or a function; found from the outputs if None
    layers : modules whose features are wanted besides those that contain no others
    batch_size : samples that go through the network at once
    seed : of the choice of rows, where a split has more than `ROWS` samples
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        loss: str | Loss | None = None,
        layers: Collection[str] = (),
        batch_size: int = 1024,
        seed: int = 0,
    ) -> None:
        self.module = _unwrapped(module)
        self.batch_size = batch_size
        self._loss = loss
        self._layers = layers
        self._seed = seed

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
                values = Distribution.of(as_numpy(one))
                initial = known.get(name.rpartition(".")[2])
                yield Parameter(name, kind, values, initial, one.requires_grad)

    def predict(self, inputs: Array) -> FloatArray:
        """Return the (n, outputs) outputs for (n, …) inputs, in evaluation mode."""
        # Without a gradient to keep, many small inputs go through at once.
        size = max(self.batch_size, 2**15 // max(1, int(np.prod(inputs.shape[1:]))))
        with untouched(self.module), torch.no_grad():
            parts = [
                as_numpy(_main(self.module(self._tensor(inputs[start : start + size]))))
                for start in range(0, len(inputs), size)
            ]
        return np.concatenate(parts)

    def observe(self, samples: Samples, *, split: str, task: Task | None = None) -> Observation:
        """Run once over the samples, forward and backward.

        Raises
        ------
        MismatchError
            If the network cannot take the first batch, or the targets do not fit the outputs.
        """
        chosen = _chosen(len(samples), self._seed)
        parameters = dict(self.module.named_parameters())
        # What was made in inference mode can be run, and never be differentiated.
        differentiable = not any(one.is_inference() for one in parameters.values())
        trainable = {n: p for n, p in parameters.items() if p.requires_grad and differentiable}
        total: dict[str, Tensor | None] = dict.fromkeys(trainable)
        own = None if isinstance(self._loss, str) else self._loss
        captures, batches, start = Captures(), _Batches(), 0
        with (
            untouched(self.module),
            torch.inference_mode(False),
            torch.set_grad_enabled(differentiable),
        ):
            for x, y in samples.batches(self.batch_size):
                kept = chosen[(chosen >= start) & (chosen < start + len(x))] - start
                with captures.of(self.module, kept, self._layers, samples=len(x)):
                    outputs = self._forward(x, split=split, first=not start)
                task = task or self._task(outputs, y, last=captures.last)
                labels = targets_of(task, outputs, y, split=split)
                mean, each = loss_of(own, task, outputs, labels, y, split=split)
                _accumulate(total, trainable, mean * len(x))
                batches.add(x[kept], outputs, labels, each, mean)
                start += len(x)
        assert task is not None
        gradients = _in_call_order(total, captures.order, start)
        return batches.observation(task, chosen, captures.layers(), gradients)

    def _task(self, outputs: Tensor, targets: Array, *, last: str) -> Task:
        task = infer_task(as_numpy(outputs), targets, loss=known_name(self._loss), last=last)
        return task if self._loss is None else replace(task, loss=shown_name(self._loss))

    def _tensor(self, inputs: Array) -> Tensor:
        """Copy inputs to the network's device, and floats to its type; token ids stay whole."""
        like = next((p for p in self.module.parameters() if p.is_floating_point()), torch.zeros(()))
        whole = inputs.dtype.kind in "iu" and any(
            isinstance(m, nn.Embedding | nn.EmbeddingBag) for m in self.module.modules()
        )
        inputs = np.ascontiguousarray(inputs)  # no view with steps back, which torch refuses
        return torch.tensor(inputs, device=like.device, dtype=torch.long if whole else like.dtype)

    def _forward(self, x: Array, *, split: str, first: bool) -> Tensor:
        try:
            outputs = _main(self.module(self._tensor(x)))
        except Exception as error:
            if not first:
                raise
            raise MismatchError(
                "errors.forward", split=split, shape=x.shape, error=one_line(error)
            ) from error
        if len(outputs) != len(x):
            raise MismatchError(
                "errors.outputs_length", split=split, samples=len(x), shape=tuple(outputs.shape)
            )  # fmt: skip
        return outputs


def is_module(value: object) -> TypeGuard[nn.Module]:
    """Tell whether something is a network of PyTorch, for those who must not import it."""
    return isinstance(value, nn.Module)


@contextmanager
def untouched(module: nn.Module) -> Generator[None]:
    """Put `module` in evaluation mode; give modes, buffers and every random state back."""
    # Not module.train(module.training) at the end: that would also wake parts which the user
    # froze one by one, such as the batch norms of a fine-tuned backbone.
    modes = {part: part.training for part in module.modules()}
    owned = [(part._buffers, dict(part._buffers)) for part in module.modules()]
    buffers = [(buffer, buffer.detach().clone()) for buffer in module.buffers()]
    python, numpy = random.getstate(), np.random.get_state()
    devices = sorted({p.device.index or 0 for p in module.parameters() if p.device.type == "cuda"})
    with torch.random.fork_rng(devices), _uncompiled():
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


# --- one pass ------------------------------------------------------------------------------------


@dataclass
class _Batches:
    """What has been seen so far, batch by batch."""

    inputs: list[Array] = field(default_factory=list)
    outputs: list[FloatArray] = field(default_factory=list)
    targets: list[Array] = field(default_factory=list)
    loss: list[FloatArray] = field(default_factory=list)
    means: list[float] = field(default_factory=list)

    def add(
        self, inputs: Array, outputs: Tensor, targets: Array, loss: FloatArray, mean: Tensor
    ) -> None:
        # Large inputs, such as images, are not kept: no view reads them.
        small = int(np.prod(inputs.shape[1:])) <= _INPUT
        self.inputs.append(np.array(inputs if small else inputs[:0]))
        self.outputs.append(as_numpy(outputs).reshape(len(outputs), -1))
        self.targets.append(targets)
        self.loss.append(loss)
        self.means.append(float(mean.detach()))

    def observation(
        self,
        task: Task,
        rows: IntArray,
        layers: tuple[Layer, ...],
        gradients: Mapping[str, Distribution | None],
    ) -> Observation:
        sizes = [len(outputs) for outputs in self.outputs]
        return Observation(
            task=task,
            outputs=np.concatenate(self.outputs),
            targets=np.concatenate(self.targets),
            loss=np.concatenate(self.loss),
            rows=rows,
            inputs=np.concatenate(self.inputs),
            layers=layers,
            gradients=gradients,
            batch_loss=float(np.average(self.means, weights=sizes)),
        )


def _accumulate(
    total: dict[str, Tensor | None], trainable: Mapping[str, Tensor], loss: Tensor
) -> None:
    """Add the gradient of the summed loss of one batch; `.grad` stays as it is."""
    if not trainable or not loss.requires_grad:
        return
    gradients = torch.autograd.grad(loss, list(trainable.values()), allow_unused=True)
    for name, gradient in zip(trainable, gradients, strict=True):
        if gradient is not None:
            gradient = gradient.coalesce().to_dense() if gradient.is_sparse else gradient
            before = total[name]
            wide = gradient.to(torch.float64 if gradient.device.type != "mps" else torch.float32)
            total[name] = wide if before is None else before + wide


def _in_call_order(
    total: Mapping[str, Tensor | None], order: Collection[str], samples: int
) -> dict[str, Distribution | None]:
    """Divide the summed gradients by the samples, input side first."""
    place = {name: index for index, name in enumerate(order)}
    names = sorted(total, key=lambda name: place.get(name.rpartition(".")[0], len(place)))
    return {
        name: None if (g := total[name]) is None else Distribution.of(as_numpy(g / samples))
        for name in names
    }


def _unwrapped(module: nn.Module) -> nn.Module:
    while True:
        inner = getattr(module, "_orig_mod", None)
        if inner is None and isinstance(module, nn.DataParallel):
            inner = module.module
        if not isinstance(inner, nn.Module):
            return module
        module = inner


def _kinds(module: nn.Module) -> Iterator[str]:
    """Give the names of torch's classes that a module is or extends, the nearest first."""
    # A class of the user's that is called Linear starts as he wrote it.
    return (k.__name__ for k in type(module).__mro__ if k.__module__.startswith("torch."))


def _main(output: object) -> Tensor:
    """Pick the outputs among what a forward returns: `logits`, else the first tensor of floats."""
    logits = (
        output.get("logits") if isinstance(output, Mapping) else getattr(output, "logits", None)
    )
    tensor = logits if isinstance(logits, Tensor) else first_tensor(output)
    if tensor is None or not tensor.ndim:
        raise TypeError(f"expected the forward to return a tensor, found {type(output).__name__}")
    return tensor


def _chosen(samples: int, seed: int) -> IntArray:
    if samples <= ROWS:
        return np.arange(samples)
    return np.sort(np.random.default_rng(seed).choice(samples, ROWS, replace=False))
