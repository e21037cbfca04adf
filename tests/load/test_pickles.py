"""A pickle is read as what it describes: plain values of every protocol, and never any code."""

from __future__ import annotations

import argparse
import builtins
import collections
import contextlib
import datetime as dt
import io
import os
import pathlib
import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kashika.load.pickles import Thing, load, unpickle

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.datetimes(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text() | st.integers(), inner)
        | st.tuples(inner, inner)
        | st.sets(st.integers())
    ),
)


class Derived(dict[str, int]):
    """As the configurations of many frameworks are."""


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self) -> None:
        self.a, self.b = 1, [2]


class Evil:
    """Calls what it is told to, when someone unpickles it who is not careful."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.how = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.how


@given(PLAIN, st.sampled_from(PROTOCOLS))
def test_plain_values_come_back_as_they_were(value: object, protocol: int) -> None:
    assert load(pickle.dumps(value, protocol=protocol)) == value


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("value", "found"),
    [
        (np.float64(0.9), 0.9),  # C010
        (np.float32(0.5), 0.5),
        (np.int64(-3), -3),
        (np.True_, True),
        (collections.OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        (collections.defaultdict(list, {"loss": [1.0]}), {"loss": [1.0]}),
        (collections.Counter("aab"), {"a": 2, "b": 1}),
        (collections.deque([1, 2], 5), [1, 2]),
        (pathlib.PurePosixPath("/d/e"), pathlib.PurePosixPath("/d/e")),  # C012
        (pathlib.PureWindowsPath("C:\\d"), pathlib.PureWindowsPath("C:\\d")),
        (pathlib.Path("runs"), pathlib.PurePath("runs")),
        (dt.timedelta(days=1, seconds=2), dt.timedelta(days=1, seconds=2)),
        (bytearray(b"ab"), b"ab"),
        (2 - 1j, 2 - 1j),
        (10**40, 10**40),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_stands_beside_weights_is_read(value: object, found: object, protocol: int) -> None:
    assert load(pickle.dumps([value, value], protocol=protocol)) == [found, found]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.arange(6).reshape(2, 3).T,
        np.array([1, 256], dtype=">i4"),
        np.array(["ab", "c"]),
        np.array([True, False]),
        np.array(3.5),
        np.empty((0, 4), np.float32),
        np.array([{"a": 1}, None], dtype=object),
    ],
    ids=lambda array: f"{array.dtype.str}{array.shape}",
)
def test_an_array_is_read_whatever_its_type_and_order(array: np.ndarray, protocol: int) -> None:
    found = load(pickle.dumps(array, protocol=protocol))
    np.testing.assert_array_equal(found, array)
    assert isinstance(found, np.ndarray)
    assert (found.shape, found.dtype.kind) == (array.shape, array.dtype.kind)


def test_the_old_names_of_numpy_are_known() -> None:
    written = pickle.dumps([np.float64(0.9), np.arange(3.0)], protocol=2)
    old = written.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert old != written
    scalar, array = cast("list[Any]", load(old))
    assert scalar == 0.9
    assert array.tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_of_an_object_its_attributes_are_known_and_nothing_else(protocol: int) -> None:
    values = [argparse.Namespace(lr=0.1), Derived(q=1)]
    values += [Slotted()] if protocol >= 2 else []
    found = load(pickle.dumps(values, protocol=protocol))
    settings, derived, *rest = cast("list[Thing]", found)
    assert str(settings) == "<argparse.Namespace>"
    assert settings.attributes == {"lr": 0.1}
    assert derived.entries == {"q": 1}
    for slotted in rest:
        assert slotted.attributes == {"a": 1, "b": [2]}


ATTACKS: dict[str, tuple[Callable[..., object], tuple[object, ...]]] = {
    "a shell": (os.system, ("touch {}",)),
    "an expression": (builtins.eval, ("open({!r}, 'w').close()",)),
    "statements": (builtins.exec, ("open({!r}, 'w').close()",)),
    "a directory": (os.mkdir, ("{}",)),
    "a path": (pathlib.Path.touch, (pathlib.Path("{}"),)),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("wrap", [lambda evil: evil, lambda evil: {"a": [(evil,)]}])
def test_nothing_that_a_pickle_asks_for_is_done(
    tmp_path: Path, name: str, wrap: Callable[[Evil], object], protocol: int
) -> None:
    touched = tmp_path / "touched"
    function, arguments = ATTACKS[name]
    filled = [
        type(one)(str(one).format(str(touched))) if isinstance(one, str | pathlib.Path) else one
        for one in arguments
    ]
    content = pickle.dumps(wrap(Evil(function, *filled)), protocol=protocol)
    load(content)
    assert not touched.exists()
    pickle.loads(content)  # seen to be evil
    assert touched.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x04",
        b"no pickle",
        b"\x80\x02K\x01t.",  # a tuple from a mark that is not there
        b"\x80\x02h\x05.",  # what was never remembered
        b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x93)",  # no end
        b"\x80\x02}K\x01K\x02K\x03e.",
        b"\x80\x05\x97.",  # a buffer outside the file
        b"\x80\x02\x82\x01.",  # an extension of this process
        b"I12three\n.",
        b"\x80\x02Q.",  # something outside the file
    ],
)
def test_what_is_no_whole_pickle_is_refused_in_one_way(content: bytes) -> None:
    with pytest.raises(pickle.UnpicklingError):
        load(content)


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02r\xff\xff\xff\x7f.",  # a place in the memory far away
        b"\x80\x02Nr\xff\xff\xff\x7f.",
        b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x7f.",  # so many bytes follow
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\x00\x00\x00.",
        b"\x80\x02c__builtin__\nbytearray\nJ\xff\xff\xff\x7f\x85R.",
        b"\x80\x02)" + b"\x85" * 200_000 + b"}h\x00.",
        b"\x80\x02})" + b"\x85" * 200_000 + b"Ns.",  # a key that is too deep to be hashed
        b"\x80\x02})" + b"2\x86" * 100 + b"Ns.",  # a key of 2 ** 100 parts
        b"\x80\x04]" + b"(222e" * 60 + b"h\x00\x93.",
        b"\x80\x02]" + b"".join(b"(2" + b"2" * 3 + b"l" for _ in range(60)) + b"2\x93.",
        # A list of a million parts, of which a million copies are asked for.
        b"\x80\x04]("
        + b"N" * 1_000_000
        + b"e\x94"
        + b"(h\x00\x85" * 9
        + b"c__builtin__\nlist\n\x94"
        + b"h\x01h\x00\x85R" * 20_000
        + b".",
    ],
)
def test_a_pickle_that_asks_for_the_whole_machine_does_not_get_it(content: bytes) -> None:
    start = time.perf_counter()
    with contextlib.suppress(pickle.UnpicklingError):
        load(content)
    assert time.perf_counter() - start < 5


def test_an_array_is_as_long_as_its_bytes() -> None:
    good = pickle.dumps(np.arange(4, dtype=np.uint8), protocol=2)
    bad = good.replace(b"K\x04\x85", b"K\x05\x85")
    assert bad != good
    with pytest.raises(pickle.UnpicklingError, match="holds 4 numbers"):
        load(bad)


def test_text_of_python_2_is_read_as_latin_1_and_that_is_told() -> None:
    found = unpickle(io.BytesIO(b"\x80\x02U\x04caf\xe9."))  # C024
    assert (found.value, found.latin1) == ("café", True)
    assert not unpickle(io.BytesIO(b"\x80\x02U\x04cafe.")).latin1


def test_several_pickles_in_one_file_are_read_one_after_the_other() -> None:
    stream = io.BytesIO(pickle.dumps(1) + pickle.dumps([2]))
    assert [load(stream), load(stream)] == [1, [2]]


def test_what_is_unknown_keeps_what_was_said_about_it() -> None:
    thing = load(pickle.dumps(Evil(os.getenv, "HOME"), protocol=4))
    assert isinstance(thing, Thing)
    assert (thing.name, thing.arguments) == ("os.getenv", ("HOME",))
