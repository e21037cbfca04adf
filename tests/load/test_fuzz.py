"""Damaged files of every format: each ends in an answer or in an error of kashika's own.

A seed of each format is made here, then bytes of it are flipped, cut off, put elsewhere, or blown
up where a length may stand. No reader may raise anything else, take 5 s, or a gigabyte.
"""

from __future__ import annotations

import json
import pickle
import random
import signal
import struct
import sys
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, ModuleType

import numpy as np
import pytest
import torch
from safetensors.torch import save
from torch.utils.tensorboard import SummaryWriter

from kashika.errors import KashikaError
from kashika.load import candidates, checkpoints
from kashika.load.code import cells
from kashika.load.logs import (
    arrays,
    console,
    delimited,
    events,
    json_history,
    json_lines,
    pickled,
    text,
)
from kashika.load.options import Options, configured
from kashika.load.samples import samples_from

Make = Callable[[Path], bytes]
Read = Callable[[Path], object]

SECONDS, MEMORY = 5.0, 1 << 30
FEW, MANY = 100, 500  # damaged files of each format, in a plain run and in a full one

ROWS = [
    {"epoch": i, "train_loss": 1 / (1 + i), "val_acc": i / 20, "pr": [0.5, i]} for i in range(20)
]
LISTS = {name: [float(row[name]) for row in ROWS] for name in ("train_loss", "val_acc")}  # type: ignore[arg-type]


# --- the formats: each a file that is sound, and what reads it ------------------------------------


def event_file(directory: Path) -> bytes:
    with SummaryWriter(str(directory / "run")) as writer:
        for step in range(20):
            writer.add_scalar("Loss/train", 1 / (1 + step), step)
            writer.add_scalar("new", step, step, new_style=True)
        writer.add_histogram("h", np.arange(9.0), 1)
        writer.add_text("words", "hello", 1)
    (path,) = (directory / "run").iterdir()
    return path.read_bytes()


def saved_by_torch(content: object, *, old: bool = False) -> Make:
    def make(directory: Path) -> bytes:
        path = directory / "seed.pt"
        torch.save(content, path, _use_new_zipfile_serialization=not old)
        return path.read_bytes()

    return make


def saved_by_numpy(write: Callable[..., object], **content: object) -> Make:
    def make(directory: Path) -> bytes:
        path = directory / ("seed.npz" if len(content) > 1 else "seed.npy")
        write(path, *content.values()) if len(content) == 1 else write(path, **content)
        return path.read_bytes()

    return make


def as_is(content: str | bytes) -> Make:
    return lambda _: content.encode() if isinstance(content, str) else content


def of_log(reader: ModuleType) -> Read:
    """Return what asks a reader whether a file is its own, and reads it in any case."""

    def read(path: Path) -> object:
        reader.recognises(path, path.read_bytes()[:65_536])
        return reader.read(path)

    return read


def of_notebook(path: Path) -> object:
    """Take a class out of a notebook; none of its code is run."""
    candidates.models([path], path.parent)
    return cells.program(path, "Net", option="--model")


def of_data(path: Path) -> object:
    return samples_from(str(path), target="y" if path.suffix == ".csv" else None)


def of_configuration(path: Path) -> object:
    return configured(path.parent, Options())


def of_weights(path: Path) -> object:
    """Look into a checkpoint, then read it and take a look at every tensor."""
    checkpoints.is_checkpoint(path)
    checkpoints.contents(path)
    weights = checkpoints.read(path)
    return checkpoints.checkpoint_of(weights)


NETWORK = {"layer.weight": torch.arange(12.0).reshape(3, 4), "layer.bias": torch.zeros(3)}
TRAINING = {"model": NETWORK, "epoch": 3, "train_losses": [0.5, 0.4], "optimizer": {"state": {}}}

NOTEBOOK = {
    "cells": [
        {"cell_type": "code", "source": ["import torch\n", "%matplotlib inline\n"]},
        {"cell_type": "code", "source": "class Net(torch.nn.Module):\n    size = 3\n"},
        {"cell_type": "code", "source": ["for epoch in range(3):\n", "    print(Net)\n"]},
    ],
    "nbformat": 4,
}
CONFIGURATION = 'model = "net.py:Net"\ndata = "data.py:load"\nlog = ["train_loss.txt", "b.txt"]\n'
CONSOLE = "".join(
    f"2024-01-02 10:00:{i:02} INFO Epoch [{i}/20] loss: {1 / i:.4f} val_acc: {5 * i}%\n"
    for i in range(1, 21)
)
TABLE = "epoch,train_loss,検証損失\n" + "".join(f"{i},{1 / (1 + i)},\n" for i in range(20))


def by_safetensors(directory: Path) -> bytes:  # noqa: ARG001
    return save(NETWORK)


def by_script(directory: Path) -> bytes:
    with warnings.catch_warnings(action="ignore"):  # deprecated, and in use for years to come
        network = torch.jit.script(torch.nn.Linear(3, 2))
        torch.jit.save(network, directory / "seed.pt")
    return (directory / "seed.pt").read_bytes()


FORMATS: dict[str, tuple[str, Make, Read]] = {
    "text": ("train_loss.txt", as_is("".join(f"{1 / (1 + i)}\n" for i in range(40))), of_log(text)),
    "columns": (
        "loss.txt",
        as_is("".join(f"{i},{1 / (1 + i)}\n" for i in range(40))),
        of_log(text),
    ),
    "list": ("train_loss.txt", as_is(repr(LISTS["train_loss"])), of_log(text)),
    "console": ("train.log", as_is(CONSOLE), of_log(console)),
    "CSV": ("metrics.csv", as_is(TABLE), of_log(delimited)),
    "events": ("events.out.tfevents.1", event_file, of_log(events)),
    "JSON": ("history.json", as_is(json.dumps(LISTS)), of_log(json_history)),
    "JSON rows": (
        "trainer_state.json",
        as_is(json.dumps({"log_history": ROWS})),
        of_log(json_history),
    ),
    "printed": ("history.json", as_is(repr(LISTS)), of_log(json_history)),
    "JSON lines": (
        "log.jsonl",
        as_is("".join(json.dumps(r) + "\n" for r in ROWS)),
        of_log(json_lines),
    ),
    "pickle 0": ("history.pkl", as_is(pickle.dumps(LISTS, 0)), of_log(pickled)),
    "pickle 4": ("history.pkl", as_is(pickle.dumps(ROWS, 4)), of_log(pickled)),
    "pickled arrays": (
        "log.pkl",
        as_is(pickle.dumps({"loss": np.arange(9.0)}, 5)),
        of_log(pickled),
    ),
    "torch lists": ("history.pth", saved_by_torch({"loss": torch.arange(5.0)}), of_log(pickled)),
    "npy": ("train_loss.npy", saved_by_numpy(np.save, a=np.arange(9.0)), of_log(arrays)),
    "npy of objects": ("history.npy", saved_by_numpy(np.save, a=LISTS), of_log(arrays)),
    "npz": ("log.npz", saved_by_numpy(np.savez_compressed, **LISTS), of_log(arrays)),
    "weights": ("model.pth", saved_by_torch(NETWORK), of_weights),
    "training": ("last.ckpt", saved_by_torch(TRAINING), of_weights),
    "old weights": ("model.pt", saved_by_torch(TRAINING, old=True), of_weights),
    "safetensors": ("model.safetensors", by_safetensors, of_weights),
    "TorchScript": ("model.pt", by_script, of_weights),
    "data in npz": (
        "data.npz",
        saved_by_numpy(np.savez, X=np.arange(12.0).reshape(6, 2), y=np.arange(6) % 2),
        of_data,
    ),
    "data in csv": ("data.csv", as_is("a,b,y\n" + "0.5,1,cat\n1.5,2,dog\n" * 5), of_data),
    "notebook": ("net.ipynb", as_is(json.dumps(NOTEBOOK)), of_notebook),
    "configuration": ("kashika.toml", as_is(CONFIGURATION), of_configuration),
}
"""{format: (the name of its file, what makes a sound one, what reads it)}."""


# --- the damage ----------------------------------------------------------------------------------


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Return the content with one to three damages."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        content = rng.choice(DAMAGES)(bytearray(content), rng)
    return content


def flipped(content: bytearray, rng: random.Random) -> bytes:
    for _ in range(rng.choice((1, 2, 8, 64))):
        if content:
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    return bytes(content)


def cut(content: bytearray, rng: random.Random) -> bytes:
    return bytes(content[: rng.randrange(len(content) + 1)])


def spliced(content: bytearray, rng: random.Random) -> bytes:
    """Take out, double or move a stretch."""
    first, second = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    stretch, place = content[first:second], rng.randrange(len(content) + 1)
    rest = content[:first] + content[second:]
    return bytes(rng.choice((rest, content[:place] + stretch + content[place:], rest + stretch)))


def blown_up(content: bytearray, rng: random.Random) -> bytes:
    """Write a large number where a length may stand, as bytes or as digits."""
    place = rng.randrange(len(content) + 1)
    big = rng.choice((0x7F, 0xFF, 0x7FFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 40, (1 << 63) - 1))
    form, fits = rng.choice((("<B", 0xFF), ("<H", 0xFFFF), ("<I", 0xFFFFFFFF), ("<Q", 1 << 64)))
    number = rng.choice((struct.pack(form, min(big, fits)), b"9" * rng.choice((3, 20, 400, 5_000))))
    end = place + rng.choice((0, len(number)))
    return bytes(content[:place] + number + content[end:])


def nested(content: bytearray, rng: random.Random) -> bytes:
    """Put in many opening brackets or marks."""
    place = rng.randrange(len(content) + 1)
    many = rng.choice((b"[", b"{", b"(", b'{"a":', b"\x85", b"]", b"\n")) * rng.choice((50, 5_000))
    return bytes(content[:place] + many + content[place:])


DAMAGES = (flipped, flipped, cut, spliced, blown_up, nested)


# --- the limits ----------------------------------------------------------------------------------


class Hanging(BaseException):
    """Reading took too long; no `except Exception` of a reader can swallow it."""


@contextmanager
def limited() -> Iterator[None]:
    """Stop what goes on for `SECONDS`, where the system has such an alarm."""

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        raise Hanging

    if not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def bounded() -> Iterator[None]:
    """Let this process take `MEMORY` more than it has, where the system keeps such a limit."""
    if sys.platform != "linux":
        yield
        return
    import resource

    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * resource.getpagesize() + MEMORY
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def read_or_refused(read: Read, path: Path) -> str:
    """Return the message of the error that is kashika's own, "" if there is none."""
    try:
        read(path)
    except KashikaError as error:
        return str(error)
    return ""


def attack(form: str, directory: Path, *, count: int, seed: int = 0) -> None:
    """Read `count` damaged files of a format."""
    name, make, read = FORMATS[form]
    sound = make(directory)
    path = directory / name
    path.write_bytes(sound)
    read(path)
    rng = random.Random(zlib.crc32(form.encode()) + seed)
    for i in range(count):
        # A new file each time: to write into one that is mapped would change what was read.
        path = directory / str(i) / name
        path.parent.mkdir()
        path.write_bytes(damaged(sound, rng))
        try:
            with limited():
                said = read_or_refused(read, path)
        except (Exception, Hanging) as error:
            raise AssertionError(f"{form}, damaged file {i}: {error!r}; it is {path}") from error
        assert "\n" not in said, f"{form}, damaged file {i}"


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize("form", FORMATS)
def test_a_damaged_file_is_read_or_refused(form: str, tmp_path: Path) -> None:
    attack(form, tmp_path, count=FEW)


@pytest.mark.slow
@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize("form", FORMATS)
def test_many_damaged_files_are_read_or_refused(form: str, tmp_path: Path) -> None:
    attack(form, tmp_path, count=MANY, seed=1)
