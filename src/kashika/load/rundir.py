"""Find the parts of a run in a directory, and put them together."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kashika.errors import LoadError, MismatchError
from kashika.history import History
from kashika.load.logs import is_log, read_directory
from kashika.load.named import Named, parse
from kashika.naming import Split, split_of
from kashika.run import Arrays, Observations, Run, Samples
from kashika.texts import Sentence

CONFIG = "kashika.toml"


@dataclass(frozen=True, slots=True)
class Options:
    """What the user says about a run; each may stand in `kashika.toml`, and options win.

    Attributes
    ----------
    model : "FILE.py:NAME(arguments)" that builds the untrained network
    data : "FILE.py:NAME" that returns {split: (X, y), Dataset or DataLoader}
    loss : name as in torch.nn.functional, or "FILE.py:NAME"
    checkpoint : file with the weights
    layer : layer whose features are looked at
    lang : language of the texts, "en" or "ja"
    view : names of views, or "FILE.py:NAME"; all of them if empty
    """

    model: str | None = None
    data: str | None = None
    loss: str | None = None
    checkpoint: str | None = None
    layer: str | None = None
    lang: str | None = None
    view: tuple[str, ...] = ()


def configured(directory: Path, options: Options) -> Options:
    """Fill in what `kashika.toml` says where an option is not given; its paths become absolute.

    Raises
    ------
    LoadError
        If the directory does not exist, or the file cannot be read or has an unknown key.
    """
    _check_directory(directory)
    path = directory / CONFIG
    if not path.is_file():
        return options
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LoadError("errors.config", path=path, error=error) from None
    known = set(Options.__dataclass_fields__)
    for key, value in content.items():
        if key not in known:
            raise LoadError(
                "errors.config_key", path=path, found=key, keys=", ".join(sorted(known))
            )
        several = key == "view"
        words = value if several and isinstance(value, list) else [None] if several else [value]
        if not all(isinstance(word, str) for word in words):
            raise LoadError("errors.config_value", path=path, name=key, found=value)
    said = {key: _absolute(key, value, directory) for key, value in content.items()}
    given = {key: value for key in known if (value := getattr(options, key))}
    return Options(**(said | given))


def load(directory: Path, options: Options) -> Run:
    """Read a run: its logs, and as far as they are given its checkpoint, network and data.

    Parameters
    ----------
    options : as `configured` returns them

    Raises
    ------
    LoadError
        If there is nothing to read, or something cannot be read.
    MismatchError
        If network, checkpoint and data do not fit each other.
    """
    logs = _one_directory(directory)
    history, notes = (None, []) if logs is None else read_directory(logs)
    found = _checkpoints(directory, logs, options.checkpoint)
    if history is None and not found and options.model is None:
        raise LoadError("errors.nothing_to_read", path=directory)
    if len(found) != 1 and options.model is not None:
        key = "errors.several_checkpoints" if found else "errors.model_without_checkpoint"
        raise LoadError(key, path=directory, found=", ".join(path.name for path in found))
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        notes = [*notes, Sentence("notes.several_checkpoints", found=names)]
    unused = [f"--{name}" for name in ("data", "loss", "layer") if getattr(options, name)]
    if options.model is None and unused:
        notes = [*notes, Sentence("notes.unused", options=", ".join(unused))]
    run = Run(directory.resolve().name, history=history, layer=options.layer, notes=notes)
    read = [path for path in sorted(logs.iterdir()) if is_log(path)] if logs else []
    if len(found) == 1:
        run = _with_network(run, found[0], options)
        read += found
    named = filter(None, (options.model, options.data, options.loss))
    sources = (Path(parse(word, option="").source) for word in named if ":" in word)
    read += [path for path in sources if path.is_file()]
    return replace(run, provenance=[*versions(), *_hashes(read, directory), ("seed", "0")])


def load_history(directory: Path) -> History:
    """Read the logs of a run, and nothing else.

    Raises
    ------
    LoadError
        If there are none, or one of them cannot be read.
    """
    _check_directory(directory)
    logs = _one_directory(directory)
    history = None if logs is None else read_directory(logs)[0]
    if history is None:
        raise LoadError("errors.no_logs", path=directory)
    return history


def _with_network(run: Run, path: Path, options: Options) -> Run:
    from kashika.load import checkpoints

    state = checkpoints.read_state(path)
    notes = list(run.notes)
    if skipped := checkpoints.left_out(state):
        notes.append(Sentence("notes.skipped", path=path, names=", ".join(skipped)))
    run = replace(run, checkpoint=checkpoints.checkpoint_of(path, state), notes=notes)
    if options.model is None:
        return run
    from kashika.torch_network import TorchNetwork, is_module

    named = parse(options.model, option="--model")
    built = named.load()
    module = built if is_module(built) else named.call(built)
    if not is_module(module):
        raise LoadError("errors.not_a_module", found=type(module).__name__, word=options.model)
    checkpoints.put_into(module, state, path=path, model=f"{named.source}:{named.name}")
    layers = () if options.layer is None else (options.layer,)
    network = TorchNetwork(module, loss=_loss(options.loss), layers=layers)
    samples = {} if options.data is None else _samples(parse(options.data, option="--data"))
    return replace(run, network=network, observations=Observations(network, samples))


def _samples(named: Named) -> dict[Split, Samples]:
    """Call the user's function for the data and take what it returns."""
    found = named.load()
    content = named.call(found) if callable(found) else found
    if not isinstance(content, Mapping) or not content:
        raise LoadError("errors.data", name=named.name, found=type(content).__name__)
    samples: dict[Split, Samples] = {}
    for key, value in content.items():
        split = split_of(str(key))
        if split is None:
            raise LoadError("errors.data_split", name=named.name, found=key)
        samples[split] = samples_of(value, split=split)
    return samples


def samples_of(value: object, *, split: Split) -> Samples:
    """Take (X, y), a `Dataset` or a `DataLoader` as the samples of a split.

    Raises
    ------
    MismatchError
        If it is none of them, or its parts do not fit.
    """
    if isinstance(value, tuple | list) and len(value) == 2:
        return Arrays.of(value[0], value[1], split=split)
    if _is_dataset(value):
        from kashika.torch_samples import TorchSamples

        return TorchSamples.of(value, split=split)  # type: ignore[arg-type]
    raise MismatchError("errors.samples", split=split, found=type(value).__name__)


def _is_dataset(value: object) -> bool:
    """Tell a `Dataset` or `DataLoader` from an array, a data frame, a mapping or a text."""
    if isinstance(value, Mapping | str | bytes | tuple | list) or hasattr(value, "__array__"):
        return False
    return hasattr(value, "__getitem__") or hasattr(value, "dataset")


def _loss(word: str | None) -> str | Callable[..., Any] | None:
    if word is None or ":" not in word:
        return word
    loss: Callable[..., Any] = parse(word, option="--loss").load()
    return loss


def _absolute(key: str, value: Any, directory: Path) -> Any:
    """Turn paths in `kashika.toml`, which are relative to it, into absolute ones."""
    if key == "view":
        return tuple(_absolute("", one, directory) for one in value)
    if key == "checkpoint" or ".py:" in value:
        return str(directory / value)
    return value


def _one_directory(directory: Path) -> Path | None:
    """Return the directory with the logs: this one, else the only one below it that has any."""
    if any(is_log(path) for path in directory.iterdir()):
        return directory
    below = sorted(
        path for path in directory.iterdir() if path.is_dir() and path.name[0] not in "._"
    )
    found = [path for path in below if any(is_log(one) for one in path.iterdir())]
    if len(found) > 1:
        raise LoadError(
            "errors.several_directories", path=directory, found=", ".join(p.name for p in found)
        )  # fmt: skip
    return found[0] if found else None


def _checkpoints(directory: Path, logs: Path | None, given: str | None) -> list[Path]:
    """Return the checkpoint that is given, else all in the directory and beside the logs."""
    if given is not None:
        return [Path(given)]
    places = dict.fromkeys([directory, logs or directory])
    return sorted(
        path for place in places for path in place.iterdir() if path.suffix.lower() in _CHECKPOINTS
    )


_CHECKPOINTS = (".pth", ".pt", ".ckpt", ".bin")


def _check_directory(path: Path) -> None:
    if not path.is_dir():
        key = "errors.not_a_directory" if path.exists() else "errors.no_such_directory"
        raise LoadError(key, path=path)


def versions() -> list[tuple[str, str]]:
    """Return (package, version) of what the numbers and pictures are computed with."""
    return [(name, version(name)) for name in ("kashika", "torch", "numpy", "matplotlib")]


def _hashes(paths: Sequence[Path], directory: Path) -> list[tuple[str, str]]:
    """Return (path, SHA-256) of every file that was read, relative to the run where possible."""
    result = []
    for path in paths:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        inside = path.resolve().is_relative_to(directory.resolve())
        name = path.resolve().relative_to(directory.resolve()) if inside else path
        result.append((str(name.as_posix()), f"sha256 {digest}"))
    return result
