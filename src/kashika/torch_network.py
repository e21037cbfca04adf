"""The Network for PyTorch: one pass over the data, and nothing left behind."""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TypeGuard

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from kashika.distribution import Array, Distribution, FloatArray, IntArray
from kashika.errors import LoadError, MismatchError, one_line
from kashika.observation import Layer, Observation
from kashika.parameters import Parameter, initials
from kashika.run import Samples
from kashika.task import Task, as_labels, infer_task

Loss = Callable[[Tensor, Tensor], Tensor]
"""(outputs, targets) -> the mean loss, or the loss of every sample."""

ROWS = 5_000
"""So many samples of a split are kept with their inputs and features."""


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
                if id(one) in seen:
                    continue
                seen.add(id(one))
                values = Distribution.of(_numpy(one))
                initial = known.get(name.rpartition(".")[2])
                yield Parameter(name, kind, values, initial, one.requires_grad)

    def predict(self, inputs: Array) -> FloatArray:
        """Return the (n, outputs) outputs for (n, …) inputs, in evaluation mode."""
        # Without a gradient to keep, many small inputs go through at once.
        size = max(self.batch_size, 2**15 // max(1, int(np.prod(inputs.shape[1:]))))
        with untouched(self.module), torch.no_grad():
            parts = [
                _numpy(_main(self.module(self._tensor(inputs[start : start + size]))))
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
        trainable = {n: p for n, p in self.module.named_parameters() if p.requires_grad}
        total: dict[str, Tensor | None] = dict.fromkeys(trainable)
        seen = _Seen()
        start = 0
        with untouched(self.module), torch.inference_mode(False), torch.enable_grad():
            for x, y in samples.batches(self.batch_size):
                kept = chosen[(chosen >= start) & (chosen < start + len(x))] - start
                with _capturing(self.module, seen, kept, self._layers, samples=len(x)):
                    outputs = self._forward(x, split=split, first=not start)
                if task is None:
                    name = self._loss if isinstance(self._loss, str) or self._loss is None else None
                    task = infer_task(_numpy(outputs), y, loss=name)
                    if callable(self._loss):
                        label = getattr(self._loss, "__name__", "loss")
                        task = Task(task.outputs, task.classes, label)
                targets = _targets(task, outputs, y, split=split)
                loss = self._per_sample(task, outputs, targets, split=split)
                seen.add(x[kept], outputs, targets, loss)
                _accumulate(total, trainable, loss)
                start += len(x)
        assert task is not None
        return Observation(
            task=task,
            outputs=np.concatenate(seen.outputs),
            targets=np.concatenate(seen.targets),
            loss=np.concatenate(seen.loss),
            rows=chosen,
            inputs=np.concatenate(seen.inputs),
            layers=seen.layers(),
            gradients=self._in_call_order(total, seen.order, start),
        )

    def _tensor(self, inputs: Array) -> Tensor:
        """Copy inputs to the network's device, and floats to its type; token ids stay whole."""
        like = next((p for p in self.module.parameters() if p.is_floating_point()), torch.zeros(()))
        whole = inputs.dtype.kind in "iu" and any(
            isinstance(m, nn.Embedding | nn.EmbeddingBag) for m in self.module.modules()
        )
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

    def _per_sample(self, task: Task, outputs: Tensor, targets: Tensor, *, split: str) -> Tensor:
        """Return the loss of every sample, with its graph."""
        loss = self._loss if callable(self._loss) else _named(task)
        try:
            if loss is not self._loss:
                return loss(outputs, targets).reshape(len(outputs), -1).mean(dim=1)
            whole = loss(outputs, targets)
            if whole.ndim:
                return whole.reshape(len(outputs), -1).mean(dim=1)
            one_by_one = zip(torch.split(outputs, 1), torch.split(targets, 1), strict=True)
            return torch.stack([loss(output, target) for output, target in one_by_one])
        except (RuntimeError, TypeError, ValueError, IndexError) as error:
            raise MismatchError(
                "errors.loss",
                split=split, loss=task.loss, outputs=tuple(outputs.shape),
                targets=tuple(targets.shape), error=one_line(error),
            ) from error  # fmt: skip

    def _in_call_order(
        self, total: Mapping[str, Tensor | None], order: Collection[str], samples: int
    ) -> dict[str, Distribution | None]:
        place = {name: index for index, name in enumerate(order)}
        names = sorted(total, key=lambda name: place.get(name.rpartition(".")[0], len(place)))
        return {
            name: None if (g := total[name]) is None else Distribution.of(_numpy(g / samples))
            for name in names
        }


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
        module.eval()
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


# --- what a pass collects ------------------------------------------------------------------------


@dataclass
class _Captured:
    kind: str
    values: Distribution
    active: IntArray
    features: list[FloatArray]


@dataclass
class _Seen:
    """What has been collected so far, batch by batch."""

    inputs: list[Array] = field(default_factory=list)
    outputs: list[FloatArray] = field(default_factory=list)
    targets: list[Array] = field(default_factory=list)
    loss: list[FloatArray] = field(default_factory=list)
    captured: dict[str, _Captured] = field(default_factory=dict)
    order: dict[str, None] = field(default_factory=dict)  # modules, as they were first called

    def add(self, inputs: Array, outputs: Tensor, targets: Tensor, loss: Tensor) -> None:
        """Keep what the views need of one batch."""
        self.inputs.append(np.array(inputs))
        self.outputs.append(_numpy(outputs).reshape(len(outputs), -1))
        self.targets.append(_numpy(targets))
        self.loss.append(_numpy(loss).astype(np.float64))

    def capture(self, name: str, kind: str, output: Tensor, kept: IntArray) -> None:
        """Keep what the views need of one layer's output for one batch."""
        values = _numpy(output)
        flat = values.reshape(*values.shape[:2], -1) if values.ndim > 1 else values[:, None, None]
        # Sequences are (batch, positions, units); maps are (batch, units, height, width).
        flat = flat.swapaxes(1, 2) if values.ndim == 3 else flat
        active = (flat > 0).any(axis=2).sum(axis=0)
        features = flat[kept].mean(axis=2)
        here = Distribution.of(values)
        if name not in self.captured:
            self.captured[name] = _Captured(kind, here, active, [features])
        elif self.captured[name].active.shape == active.shape:
            before = self.captured[name]
            before.values += here
            before.active = before.active + active
            before.features.append(features)

    def layers(self) -> tuple[Layer, ...]:
        """Return the layers that were seen in every batch, in the order of their calls."""
        batches = len(self.outputs)
        return tuple(
            Layer(name, one.kind, one.values, one.active, np.concatenate(one.features))
            for name, one in self.captured.items()
            if len(one.features) == batches
        )


@contextmanager
def _capturing(
    module: nn.Module, seen: _Seen, kept: IntArray, wanted: Collection[str], *, samples: int
) -> Generator[None]:
    """Collect the outputs of all modules without children, of those wanted, and of F.relu."""
    calls: Counter[str] = Counter()
    inside: list[str] = []  # the modules without children that are running
    last = ""  # the one that ran last

    def capture(name: str, kind: str, output: object) -> None:
        calls[name] += 1
        tensor = _first_tensor(output)
        # Where the first dimension is time, as in a GRU without batch_first, no row is a sample.
        if tensor is not None and tensor.ndim and len(tensor) == samples:
            numbered = name if calls[name] == 1 else f"{name}#{calls[name]}"
            seen.capture(numbered, kind, tensor, kept)

    class Functions(TorchFunctionMode):
        """See the activations that are applied as functions, outside any module."""

        def __torch_function__(
            self,
            func: Callable[..., object],
            types: Collection[type],
            args: tuple[object, ...] = (),
            kwargs: dict[str, object] | None = None,
        ) -> object:
            output = func(*args, **(kwargs or {}))
            if func in _RELU and not inside:
                capture(f"relu({last})", "ReLU", output)
            return output

    def hooks(name: str, part: nn.Module) -> Generator[RemovableHandle]:
        leaf = next(part.children(), None) is None

        def enter(_part: nn.Module, _args: object) -> None:
            seen.order.setdefault(name)
            if leaf:
                inside.append(name)

        def leave(_part: nn.Module, _args: object, output: object) -> None:
            nonlocal last
            if leaf:
                last = inside.pop()
            if leaf or name in wanted:
                capture(name, type(part).__name__, output)

        yield part.register_forward_pre_hook(enter)
        yield part.register_forward_hook(leave)

    with ExitStack() as stack:
        for name, part in module.named_modules():
            for handle in hooks(name, part):
                stack.callback(handle.remove)
        stack.enter_context(Functions())
        yield


_RELU = {
    F.relu, F.relu_, F.relu6, torch.relu, torch.relu_, torch.Tensor.relu, torch.Tensor.relu_,
}  # fmt: skip


def _accumulate(
    total: dict[str, Tensor | None], trainable: Mapping[str, Tensor], loss: Tensor
) -> None:
    """Add the gradient of the summed loss of one batch; `.grad` stays as it is."""
    if not trainable or not loss.requires_grad:
        return
    gradients = torch.autograd.grad(loss.sum(), list(trainable.values()), allow_unused=True)
    for name, gradient in zip(trainable, gradients, strict=True):
        if gradient is not None:
            gradient = gradient.coalesce().to_dense() if gradient.is_sparse else gradient
            before = total[name]
            wide = gradient.to(torch.float64 if gradient.device.type != "mps" else torch.float32)
            total[name] = wide if before is None else before + wide


# --- outputs, targets, losses --------------------------------------------------------------------


def _targets(task: Task, outputs: Tensor, targets: Array, *, split: str) -> Tensor:
    """Return the targets in the type and shape that the loss of the task takes."""
    if task.outputs in ("logits", "log_probabilities", "probabilities"):
        return torch.tensor(
            as_labels(targets, classes=task.classes, split=split), device=outputs.device
        )
    if task.classifies:
        labels = as_labels(targets, classes=2, split=split)
        return torch.tensor(labels, device=outputs.device)
    values = torch.tensor(np.array(targets), device=outputs.device, dtype=outputs.dtype)
    if values.numel() != outputs.numel():
        raise MismatchError(
            "errors.targets_shape", split=split, targets=targets.shape, outputs=tuple(outputs.shape)
        )  # fmt: skip
    return values.reshape(outputs.shape)


def _named(task: Task) -> Loss:
    """Return the loss of a task as a function that gives one value for each sample."""
    function = getattr(F, task.loss, None)
    if function is None or not callable(function):
        raise LoadError("errors.no_such_loss", found=task.loss)

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        if task.outputs == "probabilities":  # of a network that ends in a softmax
            outputs = outputs.clamp_min(torch.finfo(outputs.dtype).tiny).log()
        if task.outputs in ("logit", "probability"):
            targets = targets.to(outputs.dtype).reshape(outputs.shape)
        result: Tensor = function(outputs, targets, reduction="none")
        return result

    return loss


def _unwrapped(module: nn.Module) -> nn.Module:
    while True:
        inner = getattr(module, "_orig_mod", None)
        if inner is None and isinstance(module, nn.DataParallel):
            inner = module.module
        if not isinstance(inner, nn.Module):
            return module
        module = inner


def _kinds(module: nn.Module) -> Iterator[str]:
    """Give the names of a module's class and of the classes that it extends."""
    return (kind.__name__ for kind in type(module).__mro__)


def _main(output: object) -> Tensor:
    """Pick the outputs among what a forward returns: `logits`, else the first tensor of floats."""
    logits = (
        output.get("logits") if isinstance(output, Mapping) else getattr(output, "logits", None)
    )
    tensor = logits if isinstance(logits, Tensor) else _first_tensor(output)
    if tensor is None or not tensor.ndim:
        raise TypeError(f"expected the forward to return a tensor, found {type(output).__name__}")
    return tensor


def _first_tensor(output: object) -> Tensor | None:
    if isinstance(output, Tensor):
        return output
    parts = list(output.values()) if isinstance(output, Mapping) else output
    if not isinstance(parts, tuple | list):
        return None
    tensors = (part for part in parts if isinstance(part, Tensor) and part.is_floating_point())
    return next(tensors, None)


def _chosen(samples: int, seed: int) -> IntArray:
    if samples <= ROWS:
        return np.arange(samples)
    return np.sort(np.random.default_rng(seed).choice(samples, ROWS, replace=False))


def _numpy(tensor: Tensor) -> Array:
    """Copy a tensor into an array; types that NumPy lacks become float32."""
    tensor = tensor.detach()
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    if tensor.is_sparse:
        tensor = tensor.to_dense()
    if tensor.is_floating_point() and tensor.dtype not in (torch.float64, torch.float32):
        tensor = tensor.float()
    return np.array(tensor.cpu().numpy())
