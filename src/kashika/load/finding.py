"""Find the parts of a run in a directory: its logs and its checkpoints."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kashika.errors import LoadError
from kashika.load.checkpoints import is_checkpoint
from kashika.load.logs import is_log
from kashika.naming import ends_in_split, names_only_split
from kashika.texts import Sentence

DEPTH = 4
"""So many levels of directories below the one that was named are looked into."""

_FILES = 20_000
_JUNK = {"__MACOSX", ".ipynb_checkpoints"}
_NO_RUNS = {"__pycache__", "node_modules", "site-packages", "venv", "env", "dist", "build"}
_WEIGHTS = (".pth", ".pt", ".pt2", ".ckpt", ".safetensors")
_SHARED = (".bin", ".tar")
"""Endings that other files have as well."""
_MODEL = re.compile(r"(?i)(pytorch_|adapter_)?model.*\.bin")
_OTHER_STATES = re.compile(
    r"optim|sched|scaler|rng_state|random_states|training_args", re.IGNORECASE
)
_SHARD = re.compile(r"-\d+-of-\d+$")


@dataclass(frozen=True, slots=True)
class Found:
    """What lies in a directory and below.

    Attributes
    ----------
    files : all that was seen, in order
    logs : those of one run
    checkpoints : the one to read first
    notes : what was chosen, and what was passed over
    """

    files: tuple[Path, ...]
    logs: tuple[Path, ...]
    checkpoints: tuple[Path, ...]
    notes: tuple[Sentence, ...]


def find(directory: Path) -> Found:
    """Look for the logs and the checkpoints of a run.

    The logs are those in the directory itself; if it has none, those of one directory below, and
    of several the newest. The checkpoints are those beside these logs, else all of them; the best
    comes first, else the newest.
    """
    files, junk = _walk(directory)
    notes = [Sentence("notes.finding.junk", count=junk)] if junk else []
    runs: dict[Path, list[Path]] = {}
    for path in files:
        if is_log(path):
            runs.setdefault(_run_of(path, directory), []).append(path)
    newest = max(runs, key=lambda run: _age(runs[run]), default=directory)
    chosen = directory if directory in runs else newest
    if len(runs) > 1:
        others = _listed((run for run in runs if run != chosen), directory)
        notes.append(Sentence("notes.finding.runs", chosen=chosen, others=others))
    logs = tuple(runs.get(chosen, ()))
    every = _checkpoints([path for path in files if path not in logs])
    beside = [path for path in every if path.is_relative_to(chosen)]
    checkpoints = tuple(sorted(beside or every, key=_rank, reverse=True))
    if len(checkpoints) > 1:
        others = _listed(checkpoints[1:], directory)
        notes.append(Sentence("notes.finding.checkpoints", chosen=checkpoints[0], others=others))
    return Found(tuple(files), logs, checkpoints, tuple(notes))


def _walk(directory: Path) -> tuple[list[Path], int]:
    """Return the files down to `DEPTH`, in order, and how many were passed over as junk."""
    files: list[Path] = []
    junk = 0
    for place, directories, names in os.walk(directory):
        here = Path(place)
        junk += sum(name.startswith("._") for name in names)
        junk += sum(name in _JUNK for name in directories)
        deep = len(here.relative_to(directory).parts) >= DEPTH or len(files) > _FILES
        directories[:] = [] if deep else sorted(filter(_may_hold_a_run, directories), key=_natural)
        files += [
            here / name
            for name in sorted(names, key=_natural)
            if not name.startswith(".") or name == ".metadata"
        ]
    return files[:_FILES], junk


def _may_hold_a_run(name: str) -> bool:
    return not (
        name.startswith((".", "_")) or name in _NO_RUNS | _JUNK or name.endswith(".egg-info")
    )


def _run_of(log: Path, directory: Path) -> Path:
    """Return the directory of the run that a log belongs to.

    One for each split, as `logs/train` and `logs/validation`, or for each curve of TensorBoard's
    `add_scalars`, as `Loss_train`, is a part of the run above it.
    """
    place = log.parent
    inner = names_only_split(place.name) or (".tfevents" in log.name and ends_in_split(place.name))
    return place.parent if place != directory and inner else place


def _checkpoints(files: Sequence[Path]) -> list[Path]:
    """Return the files with weights; a set of shards is named by its index or its directory."""
    found: dict[Path, None] = {}
    for path in files:
        if path.name == ".metadata":
            found[path.parent] = None
        elif path.name.endswith((".safetensors.index.json", ".bin.index.json")):
            found[path] = None
        elif _SHARD.search(path.stem) or _OTHER_STATES.search(path.name):
            continue
        elif names_weights(path):
            found[path] = None
    return list(found)


def refuse_code(path: Path) -> None:
    """Raise for a file that holds code or prose, which may look like a log.

    Raises
    ------
    LoadError
        If it is one.
    """
    if path.suffix.lower() in _CODE and path.is_file():
        raise LoadError("errors.finding.not_a_run", path=path, found=path.suffix)


_CODE = (".py", ".ipynb", ".md", ".toml", ".yaml", ".yml", ".html")


def names_weights(path: Path) -> bool:
    """Tell whether a file is called as checkpoints are; it may be damaged, or something else."""
    ending = path.suffix.lower()
    named = ending in _WEIGHTS or _MODEL.fullmatch(path.name) is not None
    return named or (ending in _SHARED and is_checkpoint(path))


def _rank(path: Path) -> tuple[bool, float, list[tuple[bool, int, str]]]:
    return "best" in path.name.lower(), path.stat().st_mtime, _natural(str(path))


def _age(logs: Sequence[Path]) -> tuple[float, list[tuple[bool, int, str]]]:
    return max(path.stat().st_mtime for path in logs), _natural(str(logs[-1]))


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """Sort `epoch=10` behind `epoch=9`."""
    parts = re.findall(r"\d+|\D+", name)
    return [(one.isdecimal(), int(one) if one.isdecimal() else 0, one) for one in parts]


def _listed(paths: Iterable[Path], directory: Path, *, most: int = 5) -> str:
    names = [str(path.relative_to(directory)) for path in paths]
    return ", ".join(names if len(names) <= most else [*names[:most], f"… ({len(names)})"])
