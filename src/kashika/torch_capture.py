"""What the layers of a network put out while it runs, by hooks that are always removed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from kashika.distribution import Array, Distribution, FloatArray, IntArray
from kashika.observation import Layer


@dataclass
class _Captured:
    kind: str
    values: Distribution
    active: IntArray
    features: list[FloatArray]


@dataclass
class Captures:
    """What has been collected so far, batch by batch.

    Attributes
    ----------
    order : names of the modules, as they were first called
    last : type of the module or function that ran last, of those that change the range of values
    """

    order: dict[str, None] = field(default_factory=dict)
    last: str = ""
    _captured: dict[str, _Captured] = field(default_factory=dict)
    _batches: int = 0

    @contextmanager
    def of(
        self, module: nn.Module, kept: IntArray, wanted: Collection[str], *, samples: int
    ) -> Generator[None]:
        """Collect what `module` puts out for one batch, inside the block.

        Looked at are all modules without children, those `wanted`, and ReLU as a function.

        Parameters
        ----------
        kept : rows of the batch whose features are kept
        samples : size of the batch
        """
        watch = _Watch(self, kept, samples)
        self._batches += 1
        with ExitStack() as stack:
            for name, part in module.named_modules():
                leaf = next(part.children(), None) is None
                for handle in watch.hook(name, part, leaf=leaf, shown=leaf or name in wanted):
                    stack.callback(handle.remove)
            stack.enter_context(_Functions(watch))
            yield

    def layers(self) -> tuple[Layer, ...]:
        """Return the layers that were seen in every batch, in the order of their calls."""
        return tuple(
            Layer(name, one.kind, one.values, one.active, np.concatenate(one.features))
            for name, one in self._captured.items()
            if len(one.features) == self._batches
        )

    def add(
        self, name: str, kind: str, output: Tensor, kept: IntArray, *, units_first: bool
    ) -> None:
        """Keep what the views need of one layer's output for one batch."""
        values = as_numpy(output)
        flat = values.reshape(*values.shape[:2], -1) if values.ndim > 1 else values[:, None, None]
        if values.ndim == 3 and not units_first:  # a sequence: (batch, positions, units)
            flat = flat.swapaxes(1, 2)
        active = (flat > 0).any(axis=2).sum(axis=0)
        features = flat[kept].mean(axis=2)
        here = Distribution.of(values)
        before = self._captured.get(name)
        if before is None:
            self._captured[name] = _Captured(kind, here, active, [features])
        elif before.active.shape == active.shape:
            before.values += here
            before.active = before.active + active
            before.features.append(features)


class _Watch:
    """One batch on its way through the network."""

    def __init__(self, captures: Captures, kept: IntArray, samples: int) -> None:
        self._captures, self._kept, self._samples = captures, kept, samples
        self._calls: Counter[str] = Counter()
        self._inside: list[str] = []  # the modules without children that are running
        self._latest = ""  # the one that ran last
        self._units_first = False  # whether three dimensions are (batch, units, positions)

    def hook(
        self, name: str, part: nn.Module, *, leaf: bool, shown: bool
    ) -> Generator[torch.utils.hooks.RemovableHandle]:
        """Look at one module when it is called; the hooks return nothing, so nothing changes."""

        def enter(_part: nn.Module, _args: object) -> None:
            self._captures.order.setdefault(name)
            if leaf:
                self._inside.append(name)

        def leave(_part: nn.Module, _args: object, output: object) -> None:
            kind = type(part).__name__
            if leaf:
                self._latest = self._inside.pop()
                self._passed(kind)
            if shown:
                self._capture(name, kind, output)

        yield part.register_forward_pre_hook(enter)
        yield part.register_forward_hook(leave)

    def function(self, function: object, output: object) -> None:
        """Look at a function that was applied outside of any module without children."""
        if self._inside:
            return
        if function in _BOUNDED:
            self._passed("Sigmoid")
        if function in _RELU:
            self._passed("ReLU")
            self._capture(f"relu({self._latest})", "ReLU", output)

    def _passed(self, kind: str) -> None:
        if kind not in _TRANSPARENT:
            self._captures.last = kind
        if kind.startswith(_UNITS_FIRST):
            self._units_first = True
        elif kind in _UNITS_LAST:
            self._units_first = False

    def _capture(self, name: str, kind: str, output: object) -> None:
        self._calls[name] += 1
        tensor = first_tensor(output)
        # Where the first dimension is time, as in a GRU without batch_first, no row is a sample.
        if tensor is not None and tensor.ndim and len(tensor) == self._samples:
            calls = self._calls[name]
            numbered = name if calls == 1 else f"{name}#{calls}"
            self._captures.add(numbered, kind, tensor, self._kept, units_first=self._units_first)


class _Functions(TorchFunctionMode):
    """See what is applied as a function."""

    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self._watch = watch

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: Collection[type],
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        output = func(*args, **(kwargs or {}))
        self._watch.function(func, output)
        return output


_RELU = {
    F.relu, F.relu_, F.relu6, torch.relu, torch.relu_, torch.Tensor.relu, torch.Tensor.relu_,
}  # fmt: skip
_BOUNDED = {
    F.sigmoid, torch.sigmoid, torch.sigmoid_, torch.Tensor.sigmoid, torch.Tensor.sigmoid_,
    F.softmax, torch.softmax, torch.Tensor.softmax,
}  # fmt: skip
_TRANSPARENT = ("Identity", "Flatten", "Unflatten", "Dropout")
_UNITS_FIRST = (
    "Conv", "BatchNorm", "InstanceNorm", "GroupNorm", "MaxPool", "AvgPool", "AdaptiveAvgPool",
    "AdaptiveMaxPool",
)  # fmt: skip
_UNITS_LAST = ("Linear", "Embedding", "LayerNorm", "MultiheadAttention", "RNN", "GRU", "LSTM")


def first_tensor(output: object) -> Tensor | None:
    """Return the first tensor of floats in what a module returns, or None."""
    if isinstance(output, Tensor):
        return output
    parts = list(output.values()) if isinstance(output, Mapping) else output
    if not isinstance(parts, tuple | list):
        return None
    tensors = (part for part in parts if isinstance(part, Tensor) and part.is_floating_point())
    return next(tensors, None)


def as_numpy(tensor: Tensor) -> Array:
    """Copy a tensor into an array; types that NumPy lacks become float32."""
    tensor = tensor.detach()
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    if tensor.is_sparse:
        tensor = tensor.to_dense()
    if tensor.is_floating_point() and tensor.dtype not in (torch.float64, torch.float32):
        tensor = tensor.float()
    return np.array(tensor.cpu().numpy())
