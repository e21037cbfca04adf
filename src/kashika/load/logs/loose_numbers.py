"""What programs put into logs for one number: a float, a tensor of one value, "0.5", None."""

from __future__ import annotations

import re
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np

MISSING = {"", "-", "--", "na", "n/a", "none", "null"}
"""What stands for no value at all; NaN is a value."""

_MOST = 5_000_000  # numbers of one array: what is larger is data, not a log
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?%?|[+-]?(?i:nan|inf|infinity)")
_PRINTED = re.compile(r"(?:tensor|array|(?:np|numpy)\.float\d+)\(\[?([^,\])]+)[\],)].*", re.DOTALL)


def number(value: object) -> float | None:
    """Return the number that a value stands for; None if it stands for no value.

    Raises
    ------
    ValueError
        If it is no number.
    """
    if type(value) is float:  # nearly all of them are, and the patterns below take their time
        return value
    match value:
        case None:
            return None
        case str():
            return _word(value.strip())
        case bool() | np.bool_():
            pass
        case [float() | int() as one] if not isinstance(one, bool):
            return _float(one)
        case Real():
            return _float(value)
        case _ if is_array(value) and _size(value) == 1:
            (one,) = value.reshape(-1).tolist()  # type: ignore[attr-defined]
            return number(one)
    raise ValueError("not a number")


def is_number(value: object) -> bool:
    """Tell whether a value stands for a number."""
    try:
        return number(value) is not None
    except ValueError:
        return False


def are_numbers(values: Sequence[object]) -> bool:
    """Tell whether a list is one of numbers: at least half of what is in it, where it is there."""
    found = sum(map(is_number, values))
    return found > 0 and 2 * found >= sum(value is not None for value in values)


def listed(value: object) -> Sequence[object] | None:
    """Return a list, a tuple, an array or a tensor as a sequence; None for all else."""
    if isinstance(value, list | tuple):
        return value
    if not is_array(value) or not value.ndim or not 0 < _size(value) <= _MOST:  # type: ignore[attr-defined]
        return None
    found: list[object] = value.tolist()  # type: ignore[attr-defined]
    return found


def is_array(value: object) -> bool:
    """Tell an array or a tensor that holds numbers; torch need not be imported for that."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "fiu"
    if type(value).__module__ != "torch":
        return False
    kind = f"{getattr(value, 'layout', '')} {getattr(value, 'device', '')}"
    return kind == "torch.strided cpu" and not getattr(value, "is_quantized", True)


def _size(value: Any) -> int:
    return value.size if isinstance(value, np.ndarray) else int(value.numel())


def _word(word: str) -> float | None:
    if word.lower() in MISSING:
        return None
    if printed := _PRINTED.fullmatch(word):
        word = printed[1].strip()
    if _NUMBER.fullmatch(word):
        return float(word.removesuffix("%"))
    raise ValueError("not a number")


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number of hundreds of digits
        return float("inf") if value > 0 else float("-inf")
