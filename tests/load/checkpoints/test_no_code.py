"""No code out of a checkpoint runs: whatever it asks for, only its weights are read."""

from __future__ import annotations

import builtins
import os
import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from kashika.errors import LoadError
from kashika.load.checkpoints import checkpoint_of, contents, is_checkpoint, read


class Evil:
    """Calls what it is told to, when someone unpickles it who is not careful."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.how = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.how


class Named(nn.Module):
    """A network whose code would run when it is unpickled."""

    def __init__(self, evil: Evil) -> None:
        super().__init__()
        self.fc = nn.Linear(2, 3)
        self.evil = evil


def evils(touched: Path) -> dict[str, Evil]:
    return {
        "a shell": Evil(os.system, f"touch '{touched}'"),
        "an expression": Evil(builtins.eval, f"open({str(touched)!r}, 'w').close()"),
        "statements": Evil(builtins.exec, f"open({str(touched)!r}, 'w').close()"),
        "a directory": Evil(os.mkdir, str(touched)),
    }


KINDS = ["a shell", "an expression", "statements", "a directory"]
STATE = {"weight": torch.ones(3, 2)}
WRAPS: dict[str, Callable[[Evil], object]] = {
    "alone": lambda evil: evil,
    "among the weights": lambda evil: {**STATE, "bias": evil},
    "beside the weights": lambda evil: {"state_dict": STATE, "hyper_parameters": {"a": [(evil,)]}},
    "as a key": lambda evil: {"state_dict": STATE, "more": {evil: 1}},
    "in a network": Named,
}
WRITERS: dict[str, Callable[[object, Path], object]] = {
    "zip": torch.save,
    "zip, protocol 4": lambda content, path: torch.save(content, path, pickle_protocol=4),
    "legacy": lambda content, path: torch.save(content, path, _use_new_zipfile_serialization=False),
    "pickle": lambda content, path: path.write_bytes(pickle.dumps(content)),
    "pickle, protocol 2": lambda content, path: path.write_bytes(pickle.dumps(content, protocol=2)),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("writer", WRITERS)
def test_nothing_happens_and_the_weights_are_read(
    tmp_path: Path, kind: str, wrap: str, writer: str
) -> None:
    touched, path = tmp_path / "touched", tmp_path / "c.pth"
    evil = evils(touched)[kind]
    if "legacy" in writer and wrap == "in a network":
        with warnings.catch_warnings(action="ignore"):  # that its source cannot be found
            WRITERS[writer](WRAPS[wrap](evil), path)
    else:
        WRITERS[writer](WRAPS[wrap](evil), path)
    is_checkpoint(path)
    if wrap == "alone":
        for look in (read, contents):
            with pytest.raises(LoadError):
                look(path)
    else:
        found = read(path)
        assert "weight" in found.state or "fc.weight" in found.state
        contents(path)
        checkpoint_of(found)
        str(found.notes)
        str(found.other)
    assert not touched.exists()


def test_the_attacks_are_seen_to_work_where_someone_is_not_careful(tmp_path: Path) -> None:
    for kind in KINDS:
        touched = tmp_path / kind
        pickle.loads(pickle.dumps(evils(touched)[kind]))
        assert touched.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_of_a_distributed_checkpoint_runs_nothing(tmp_path: Path, kind: str) -> None:
    from torch.distributed.checkpoint.state_dict_saver import save

    directory, touched = tmp_path / "c", tmp_path / "touched"
    with warnings.catch_warnings(action="ignore"):
        save({"model": STATE, "epoch": 3}, checkpoint_id=directory)
    table = directory / ".metadata"
    good = table.read_bytes()
    table.write_bytes(pickle.dumps(evils(touched)[kind]))
    with pytest.raises(LoadError):
        read(directory)
    with table.open("wb") as file:
        known = pickle.loads(good)
        known.planner_data = {"model.weight": ("model", "weight"), "epoch": evils(touched)[kind]}
        pickle.dump(known, file)
    assert list(read(directory).state) == ["weight"]
    assert not touched.exists()


def test_an_evil_value_in_a_distributed_checkpoint_is_not_made(tmp_path: Path) -> None:
    from torch.distributed.checkpoint.state_dict_saver import save

    directory, touched = tmp_path / "c", tmp_path / "touched"
    with warnings.catch_warnings(action="ignore"):
        save(
            {"model": STATE, "evil": evils(touched)["a shell"]},
            checkpoint_id=directory,
        )
    touched.unlink(missing_ok=True)
    found = read(directory)
    assert list(found.state) == ["weight"]
    assert str(found.other["evil"]).startswith(f"{os.name}.system(touch '")
    assert not touched.exists()


def test_a_whole_network_with_evil_in_it_is_run_only_with_trust(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    torch.save(Named(evils(touched)["a shell"]), tmp_path / "c.pt")
    assert list(read(tmp_path / "c.pt").state) == ["fc.weight", "fc.bias"]
    assert not touched.exists()
    read(tmp_path / "c.pt", trust=True)
    assert touched.exists()


def test_arrays_of_objects_in_an_archive_of_numpy_are_refused(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    evil = np.array([evils(touched)["a shell"]], dtype=object)
    np.savez(tmp_path / "c.npz", weight=evil)
    with pytest.raises(LoadError):
        read(tmp_path / "c.npz")
    assert not touched.exists()


def test_code_in_an_archive_stays_text(tmp_path: Path) -> None:
    touched, path = tmp_path / "touched", tmp_path / "c.pt"
    torch.save(STATE, path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("c/code/__torch__.py", f"open({str(touched)!r}, 'w')")
        archive.writestr("c/constants.pkl", pickle.dumps(evils(touched)["a shell"]))
    found = read(path)
    assert list(found.state) == ["weight"] or found.state == {}
    assert not touched.exists()
