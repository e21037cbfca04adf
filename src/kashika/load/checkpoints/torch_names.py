"""The names that torch puts into its pickles, and what is described by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from kashika.load.checkpoints.entry import ITEM_SIZE, Entry, Shape, dense, of_array, whole
from kashika.load.pickles import Global

if TYPE_CHECKING:
    from torch import Tensor


def _quantised(
    storage: object, offset: object, size: object, stride: object, how: object, *_: object
) -> Entry:
    """Describe a quantised tensor; it is read as the real numbers that it stands for."""
    codes = dense(storage, offset, size, stride)
    _, scale, zero, *axis = how if isinstance(how, tuple) else ()

    def read() -> Tensor:
        import torch

        def along(one: object) -> Tensor:
            values = one.read() if isinstance(one, Entry) else torch.tensor(one)
            if not axis:
                return values.double()
            return values.double().reshape(
                [-1 if k == axis[0] else 1 for k in range(len(codes.shape))]
            )

        return ((codes.read().double() - along(zero)) * along(scale)).float()

    return Entry(codes.shape, codes.dtype, read, codes.locations)


def _sparse(layout: object, data: tuple[object, ...]) -> Entry:
    """Describe a sparse tensor; it is read sparse, if its places lie inside."""
    kind = str(layout)
    *parts, size = [one for one in data if not isinstance(one, bool | None)]
    shape = whole(size)
    inner = [one for one in parts if isinstance(one, Entry)]
    values = inner[-1]
    if prod(shape) > 1 << 27:
        raise TypeError("a sparse tensor that is too large to look at")

    def read() -> Tensor:
        import torch

        read = [one.read() for one in inner]
        if kind == "torch.sparse_coo":
            places, numbers = read
            return torch.sparse_coo_tensor(places, numbers, shape, check_invariants=True)
        rows, columns, numbers = read
        made = getattr(torch, kind.removeprefix("torch."))
        return torch.sparse_compressed_tensor(
            rows, columns, numbers, shape, layout=made, check_invariants=True
        )

    return Entry(shape, values.dtype, read, values.locations)


def _without_data(dtype: object, size: object, *_: object) -> Entry:
    shape = whole(size)

    def read() -> Tensor:
        import torch

        return torch.empty(shape, dtype=getattr(torch, dtype_name(dtype)), device="meta")

    return Entry(shape, dtype_name(dtype), read, ("meta",))


def dtype_name(kind: object) -> str:
    """Return "float32" for `torch.float32` as for `torch.FloatStorage`.

    Raises
    ------
    TypeError
        If it is no type of numbers.
    """
    last = kind.name.rpartition(".")[2] if isinstance(kind, Global) else ""
    name = _STORAGES.get(last.removesuffix("Storage"), last)
    if name not in ITEM_SIZE:
        raise TypeError(f"{last or type(kind).__name__} is no type of numbers")
    return name


def _dense(storage: object, offset: object, size: object, stride: object, *_: object) -> Entry:
    return dense(storage, offset, size, stride)


def _retyped(storage: object, offset: object, size: object, stride: object, *rest: object) -> Entry:
    _requires_gradient, _hooks, dtype, *_ = rest
    return dense(storage, offset, size, stride, dtype=dtype_name(dtype))


def _first(value: object, *_: object) -> object:
    return value


def _typed(function: object, _kind: object, arguments: object, *_: object) -> object:
    """Make a tensor of a subclass as a plain one."""
    name = function.name if isinstance(function, Global) else ""
    if not isinstance(arguments, tuple):
        raise TypeError("the arguments of a tensor are no tuple")
    return TORCH[name](*arguments)


def _of_numpy(array: object, *_: object) -> Entry:
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiubc":
        raise TypeError("a tensor of what is no array of numbers")
    return of_array(array)


def _size(sizes: object = ()) -> Shape:
    return whole(sizes)


def _device(kind: object, index: object = None) -> str:
    if not isinstance(kind, str) or not isinstance(index, int | None):
        raise TypeError("it is no device")
    return kind if index is None else f"{kind}:{index}"


def _layout(name: object) -> Global:
    if not isinstance(name, str):
        raise TypeError("it is no layout")
    return Global(name)


TORCH: Mapping[str, Callable[..., object]] = {
    "torch._utils._rebuild_tensor": _dense,
    "torch._utils._rebuild_tensor_v2": _dense,
    "torch._utils._rebuild_tensor_v3": _retyped,
    "torch._utils._rebuild_qtensor": _quantised,
    "torch._utils._rebuild_sparse_tensor": _sparse,
    "torch._utils._rebuild_meta_tensor_no_storage": _without_data,
    "torch._utils._rebuild_parameter": _first,
    "torch._utils._rebuild_parameter_with_state": _first,
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": _first,
    "torch._utils._rebuild_device_tensor_from_numpy": _of_numpy,
    "torch._utils._rebuild_xla_tensor": _of_numpy,
    "torch._tensor._rebuild_from_type_v2": _typed,
    "torch._tensor._rebuild_from_type": _typed,
    "torch.nn.parameter.Parameter": _first,
    "torch.nn.parameter.Buffer": _first,
    "torch.jit._pickle.restore_type_tag": _first,
    "torch.jit._pickle.build_intlist": _first,
    "torch.jit._pickle.build_doublelist": _first,
    "torch.jit._pickle.build_boollist": _first,
    "torch.jit._pickle.build_tensorlist": _first,
    "torch.serialization._get_layout": _layout,
    "torch.device": _device,
    "torch.Size": _size,
}
"""{name: what describes the value}, for what torch writes."""

_STORAGES = {
    "Double": "float64", "Float": "float32", "Half": "float16", "BFloat16": "bfloat16",
    "Long": "int64", "Int": "int32", "Short": "int16", "Char": "int8", "Byte": "uint8",
    "Bool": "bool", "ComplexDouble": "complex128", "ComplexFloat": "complex64",
    "QInt8": "qint8", "QUInt8": "quint8", "QInt32": "qint32", "Untyped": "uint8",
    "double": "float64", "float": "float32", "half": "float16", "long": "int64", "int": "int32",
    "cfloat": "complex64", "cdouble": "complex128",
}  # fmt: skip
