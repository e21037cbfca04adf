"""Text that Python printed, {'loss': [0.5, tensor(0.25)]}, as values; none of it is run."""

from __future__ import annotations

import ast
import warnings

_MOST = 20_000_000  # characters; a syntax tree takes a hundred times as much
_WORDS: dict[str, object] = {
    "nan": float("nan"), "NaN": float("nan"), "inf": float("inf"), "Infinity": float("inf"),
    "true": True, "false": False, "null": None, "None": None,
}  # fmt: skip


def literal(text: str) -> object:
    """Return the value that is written; of a call such as `tensor(0.5, device='cpu')` its argument.

    Raises
    ------
    ValueError
        If it is something else.
    """
    if len(text) > _MOST:
        raise ValueError("too long")
    try:
        with warnings.catch_warnings(action="ignore"):
            return _value(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, MemoryError, RecursionError, TypeError) as error:
        raise ValueError(str(error)) from error


def _value(node: ast.expr) -> object:
    match node:
        case ast.Constant(value):
            return value
        case ast.Name(name) if name in _WORDS:
            return _WORDS[name]
        case ast.List(items) | ast.Tuple(items) | ast.Set(items):
            return [_value(item) for item in items]
        case ast.Dict(keys, values):
            pairs = zip(keys, values, strict=True)
            return {_value(key): _value(value) for key, value in pairs if key is not None}
        case ast.UnaryOp(ast.USub(), operand):
            return -_number(operand)
        case ast.UnaryOp(ast.UAdd(), operand):
            return _number(operand)
        case ast.Call(_, [*_, argument]):  # defaultdict(<class 'list'>, {…}) is no syntax anyway
            return _value(argument)
        case _:
            raise ValueError(f"{type(node).__name__} is no literal")


def _number(node: ast.expr) -> float:
    value = _value(node)
    if not isinstance(value, int | float):
        raise ValueError("a sign before what is no number")
    return value
