"""What the layers of a network put out for one batch, by hooks that are always removed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from fnmatch import fnmatchcase

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from kashika.distribution import Array, Distribution, FloatArray, IntArray
from kashika.observation import RELU_LIKE

_VALUES = 1 << 17
"""So many values of a layer are looked at in a batch: of more, those of a choice of samples."""

_NONE: IntArray = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Which answers of a batch are kept with their features, and where they stand.

    Attributes
    ----------
    sample : (kept,) int, sample in the batch
    position : (kept,) int, position of the answer in it; 0 where a sample has one answer
    grid : dimensions of the positions that have an answer each; () where a sample has one
    chosen : the position whose output is taken in every sequence or map; their mean if None
    mask : (samples, positions) bool, which positions hold words and not padding, if that is known
    order : (samples,) int, in which samples are looked at where there is not time for all of them
    """

    sample: IntArray
    position: IntArray
    grid: tuple[int, ...] = ()
    chosen: int | None = None
    mask: Tensor | None = None
    order: IntArray | None = None

    def values(self, output: Tensor, *, finite: Tensor | None = None) -> Distribution:
        """Look at all values of an output, or at those of some samples where they are too many.

        Parameters
        ----------
        finite : sums of all values, which are finite where these are; added up if None
        """
        most = max(1, _VALUES * len(output) // max(output.numel(), 1))
        if self.order is None or most >= len(output):
            return Distribution.of(viewed(output))
        # What is not finite must not be missed: the sum tells it at the speed of the memory.
        if (output if finite is None else finite).sum().isfinite():
            some = torch.as_tensor(np.sort(self.order[:most]), device=output.device)
            output = output.index_select(0, some)
        return Distribution.of(viewed(output))

    def features(self, values: Tensor) -> tuple[Tensor, int, str, Tensor | None]:
        """Take (kept, units) features out of (samples, units, …) values.

        Returns
        -------
        The features, how many positions there are, which of them were taken, and the means over
        the positions of every sample, where these were needed.
        """
        rows = torch.as_tensor(self.sample, device=values.device)
        if values.ndim == 2:
            return values[rows], 1, "mean", None
        sizes, flat = tuple(values.shape[2:]), values.flatten(2)
        positions = flat.shape[2]
        if len(sizes) == len(self.grid):
            at = np.unravel_index(self.position, self.grid)
            scaled = [i * size // g for i, size, g in zip(at, sizes, self.grid, strict=True)]
            place = torch.as_tensor(np.ravel_multi_index(scaled, sizes), device=values.device)
            return flat[rows, :, place], positions, "own", None
        if self.chosen is not None and -positions <= self.chosen < positions:
            return flat[:, :, self.chosen][rows], positions, str(self.chosen), None
        if self.mask is not None and self.mask.shape[1] == positions:
            here = self.mask.to(values.device)[rows].to(flat.dtype)
            weights = here / here.sum(dim=1, keepdim=True).clamp_min(1)
            return torch.einsum("nup,np->nu", flat[rows], weights), positions, "mean", None
        # In float32 a sum of many halves would lose its small terms.
        wide = flat.float() if flat.dtype in (torch.float16, torch.bfloat16) else flat
        # Of all samples, since every value is read in any case to see whether it is finite.
        means = wide.mean(dim=2)
        return means[rows], positions, "mean", means


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """What one layer put out for one batch; the fields are those of `Layer`."""

    kind: str
    values: Distribution
    active: IntArray
    features: FloatArray
    positions: int
    pooled: str


@dataclass
class Captures:
    """What the layers put out for one batch.

    Attributes
    ----------
    order : names of the modules, as they were first called
    last : type of the module or function that ran last, of those that change the range of values
    outputs : {layer: what it put out}, in the order of the calls
    refused : layers whose outputs have no row for each sample
    """

    order: dict[str, None] = field(default_factory=dict)
    last: str = ""
    outputs: dict[str, Output] = field(default_factory=dict)
    refused: dict[str, None] = field(default_factory=dict)


@contextmanager
def captured(
    module: nn.Module,
    *,
    samples: int,
    wanted: Collection[str] = (),
    some: Places,
    more: Places,
    refused: Collection[str] = (),
) -> Generator[Captures]:
    """Collect what `module` puts out for one batch, inside the block.

    Looked at are all modules without children or with parameters of their own, those `wanted`,
    and ReLU as a function.

    Parameters
    ----------
    samples : size of the batch
    wanted : names or patterns of modules, "layer*.conv2"
    some : whose features are kept
    more : whose features are kept of the wanted ones
    refused : layers whose outputs are known to have no row for each sample, even where their first
        dimension is as long
    """
    captures = Captures(refused=dict.fromkeys(refused))
    watch = _Watch(captures, samples, some, more)
    with ExitStack() as stack:
        for name, part in module.named_modules():
            leaf = next(part.children(), None) is None
            chosen = any(fnmatchcase(name, pattern) for pattern in wanted)
            # An attention, whose parts are not called one by one, is looked at as a whole.
            whole = bool(name) and next(part.parameters(recurse=False), None) is not None
            shown = leaf or chosen or whole
            if isinstance(part, torch.jit.ScriptModule):  # its parts call no hooks
                if leaf:
                    captures.refused.setdefault(name or type(part).__name__)
                continue
            for handle in watch.hook(name, part, leaf=leaf, shown=shown, chosen=chosen):
                stack.callback(handle.remove)
        stack.enter_context(_Functions(watch))
        yield captures


class _Watch:
    """One batch on its way through the network."""

    def __init__(self, captures: Captures, samples: int, some: Places, more: Places) -> None:
        self._captures, self._samples = captures, samples
        self._some, self._more = some, more
        self._calls: Counter[str] = Counter()
        self._inside: list[str] = []  # the modules without children that are running
        self._latest = ""  # the one that ran last
        # Whether the outputs of that one are (batch, units, positions); None before it is known.
        self._units_first: bool | None = None

    def hook(
        self, name: str, part: nn.Module, *, leaf: bool, shown: bool, chosen: bool
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
                self._capture(name, kind, output, chosen=chosen)

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

    def _capture(self, name: str, kind: str, output: object, *, chosen: bool = False) -> None:
        with torch._C.DisableTorchFunction():  # else `_Functions` would see what is done here
            self._take(name, kind, output, chosen=chosen)

    def _take(self, name: str, kind: str, output: object, *, chosen: bool) -> None:
        self._calls[name] += 1
        tensor = first_tensor(output)
        if tensor is None or not tensor.is_floating_point():
            return
        calls = self._calls[name]
        numbered = name if calls == 1 else f"{name}#{calls}"
        # Where the first dimension is time, as in a GRU without batch_first, no row is a sample.
        apart = not tensor.ndim or len(tensor) != self._samples
        if apart or numbered in self._captures.refused:
            self._captures.refused.setdefault(numbered)
            return
        units_first = self._units_first
        if units_first is None:
            units_first = tensor.ndim != 3  # a map rather than a sequence, as far as one can tell
        tensor = tensor.detach()
        values = tensor[:, None] if tensor.ndim == 1 else tensor
        if not units_first and tensor.ndim > 2:
            values = values.movedim(-1, 1)
        features, positions, pooled, means = (self._more if chosen else self._some).features(values)
        self._captures.outputs[numbered] = Output(
            kind, self._some.values(tensor, finite=means), _active(kind, values),
            viewed(features), positions, pooled,
        )  # fmt: skip


def _active(kind: str, values: Tensor) -> IntArray:
    """Count in how many samples each unit was above zero, at any position."""
    if kind not in RELU_LIKE:
        return _NONE
    greatest = values.flatten(2).amax(dim=2) if values.ndim > 2 else values
    return np.asarray((greatest > 0).sum(dim=0).cpu().numpy())


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
    parts: object = output
    if isinstance(output, Mapping):
        parts = [*output.values()]
    elif is_dataclass(output):
        parts = [getattr(output, one.name) for one in fields(output)]
    if not isinstance(parts, tuple | list):
        return None
    tensors = (part for part in parts if isinstance(part, Tensor) and part.is_floating_point())
    return next(tensors, None)


def as_numpy(tensor: Tensor) -> Array:
    """Copy a tensor into an array; types that NumPy lacks become float32."""
    return np.array(viewed(tensor))


def viewed(tensor: Tensor) -> Array:
    """Return a tensor as an array, without a copy where that can be."""
    tensor = tensor.detach()
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    if tensor.layout is not torch.strided:
        tensor = tensor.to_dense()
    if tensor.is_floating_point() and tensor.dtype not in (torch.float64, torch.float32):
        tensor = tensor.float()
    array: Array = tensor.cpu().numpy()
    return array
