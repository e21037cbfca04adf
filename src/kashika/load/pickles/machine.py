"""The stack machine that a pickle is a program for; it calls nothing but what it is given."""

from __future__ import annotations

import pickle
import pickletools
from collections.abc import Callable, Iterator, Mapping

from kashika.load.pickles.plain import fill
from kashika.load.pickles.things import Global, Thing

Makers = Mapping[str, Callable[..., object]]

_MARK = object()
_KEY_DEPTH, _KEY_WIDTH = 2, 100  # of tuples that are keys: to hash others takes for ever
_RECALLED = 1 << 23  # parts of values that are remembered and used again: they could be copied


class Machine:
    """Carries out a pickle.

    Parameters
    ----------
    makers : {name: function} that make values; every other name becomes a `Thing`
    persistent : turns a persistent id into the value that it stands for

    Attributes
    ----------
    latin1 : whether text of Python 2 was seen that is not ASCII
    """

    def __init__(self, makers: Makers, persistent: Callable[[object], object]) -> None:
        self._makers = makers
        self._persistent = persistent
        self._stack: list[object] = []
        self._memo: dict[int, object] = {}
        self.latin1 = False
        self._recalled = 0

    def run(
        self, operations: Iterator[tuple[pickletools.OpcodeInfo, object, int | None]]
    ) -> object:
        """Carry out the operations up to the end, and return what they make.

        Raises
        ------
        Exception
            Of many types, if the pickle is damaged.
        """
        stack = self._stack
        for operation, argument, _ in operations:
            name = operation.name
            if name in _VALUES:
                stack.append(argument)
            elif name in _STRINGS:
                assert isinstance(argument, str)
                self.latin1 |= not argument.isascii()
                stack.append(argument)
            elif name in _CONSTANTS:
                stack.append(_CONSTANTS[name]())
            elif name == "STOP":
                break
            else:
                self._step(name, argument)
        return stack[-1]

    def _step(self, name: str, argument: object) -> None:
        stack, memo = self._stack, self._memo
        match name:
            case "MARK":
                stack.append(_MARK)
            case "POP":
                stack.pop()
            case "POP_MARK":
                self._since_mark()
            case "DUP":
                self._recall(stack[-1])
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                memo[argument] = stack[-1]  # type: ignore[index]
            case "MEMOIZE":
                memo[len(memo)] = stack[-1]
            case "GET" | "BINGET" | "LONG_BINGET":
                self._recall(memo[argument])  # type: ignore[index]
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                count = int(name[-1])
                stack[-count:] = [tuple(stack[-count:])]
            case "TUPLE" | "LIST" | "DICT" | "FROZENSET":
                stack.append(_collected(name, self._since_mark()))
            case "APPEND" | "APPENDS" | "ADDITEMS" | "SETITEM" | "SETITEMS":
                self._fill(name)
            case "PERSID" | "BINPERSID":
                stack.append(self._persistent(argument if name == "PERSID" else stack.pop()))
            case "PROTO" | "FRAME":
                pass
            case _:
                self._make(name, argument)

    def _make(self, name: str, argument: object) -> None:
        """Do what would import, or call, or set attributes."""
        stack = self._stack
        match name:
            case "GLOBAL":
                stack.append(_named(*str(argument).split(" ", 1)))
            case "STACK_GLOBAL":
                module, qualified = stack[-2:]
                if not isinstance(module, str) or not isinstance(qualified, str):
                    raise pickle.UnpicklingError("a name is no text")
                stack[-2:] = [_named(module, qualified)]
            case "REDUCE" | "NEWOBJ":
                made, arguments = stack[-2:]
                stack[-2:] = [self._call(made, arguments)]
            case "NEWOBJ_EX":
                made, arguments, _ = stack[-3:]
                stack[-3:] = [self._call(made, arguments)]
            case "INST":
                made = _named(*str(argument).split(" ", 1))
                stack.append(self._call(made, tuple(self._since_mark())))
            case "OBJ":
                made, *rest = self._since_mark()
                stack.append(self._call(made, tuple(rest)))
            case "BUILD":
                state = stack.pop()
                if isinstance(stack[-1], Thing):
                    stack[-1].state = state
                else:
                    fill(stack[-1], state)
            case _:  # EXT1, NEXT_BUFFER, …: they need more than the file
                raise pickle.UnpicklingError(f"the operation {name} needs more than the file")

    def _recall(self, value: object) -> None:
        if isinstance(value, _COPIED) and len(value) > _KEY_WIDTH:
            self._recalled += len(value)
            if self._recalled > _RECALLED:
                raise pickle.UnpicklingError("one value is used over and over")
        self._stack.append(value)

    def _call(self, made: object, arguments: object) -> object:
        if not isinstance(arguments, tuple):
            raise pickle.UnpicklingError("the arguments of a call are no tuple")
        name = made.name if isinstance(made, Global) else ""
        if name in _CONSTRUCTORS and arguments:
            return self._constructed(*arguments)
        if name in self._makers:
            try:
                return self._makers[name](*arguments)
            except pickle.UnpicklingError:
                raise
            except Exception:  # noqa: BLE001  it is not what it says it is
                return Thing(name, arguments)
        return Thing(name or "?", arguments)

    def _constructed(self, made: object, base: object = None, state: object = None, /) -> object:
        """Make an object as `copyreg` does; `state` is what the base class would hold."""
        new = self._call(made, ())
        if isinstance(new, Thing) and isinstance(base, Global):
            match state:
                case dict():
                    new.entries.update(state)
                case list() | tuple():
                    new.items.extend(state)
        return new

    def _fill(self, name: str) -> None:
        one = name in ("APPEND", "SETITEM")
        width = 2 if name.startswith("SET") else 1
        if one:
            values = self._stack[-width:]
            del self._stack[-width:]
        else:
            values = self._since_mark()
        target = self._stack[-1]
        if width == 2:
            entries = target.entries if isinstance(target, Thing) else target
            if not isinstance(entries, dict):
                raise pickle.UnpicklingError("an entry was set in what is no dictionary")
            entries.update(zip(map(_key, values[::2]), values[1::2], strict=True))
        elif isinstance(target, set):
            target.update(map(_key, values))
        else:
            items = target.items if isinstance(target, Thing) else target
            if not isinstance(items, list):
                raise pickle.UnpicklingError("a value was appended to what is no list")
            items.extend(values)

    def _since_mark(self) -> list[object]:
        stack = self._stack
        place = len(stack) - 1
        while stack[place] is not _MARK:
            place -= 1
            if place < 0:
                raise pickle.UnpicklingError("a mark is missing")
        values = stack[place + 1 :]
        del stack[place:]
        return values


def _collected(name: str, values: list[object]) -> object:
    match name:
        case "TUPLE":
            return tuple(values)
        case "DICT":
            return dict(zip(map(_key, values[::2]), values[1::2], strict=True))
        case "FROZENSET":
            return frozenset(map(_key, values))
        case _:
            return values


def _key(value: object, depth: int = 0) -> object:
    """Return a value that is to be hashed, if that can be done at once."""
    if isinstance(value, tuple | frozenset):
        if depth > _KEY_DEPTH or len(value) > _KEY_WIDTH:
            raise pickle.UnpicklingError("a key is nested too deeply")
        for one in value:
            _key(one, depth + 1)
    return value


def _named(module: str, name: str) -> Global:
    return Global(f"{_RENAMED.get(module, module)}.{name}")


_COPIED = (str, bytes, bytearray, tuple, list, dict, set, frozenset)
_VALUES = {
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8",
    "SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8",
}  # fmt: skip
_STRINGS = {"STRING", "BINSTRING", "SHORT_BINSTRING"}  # of Python 2
_CONSTANTS: dict[str, Callable[[], object]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_SET": set,
}
_CONSTRUCTORS = {"copyreg._reconstructor", "copyreg.__newobj__"}
_RENAMED = {"__builtin__": "builtins", "copy_reg": "copyreg", "UserDict": "collections"}
