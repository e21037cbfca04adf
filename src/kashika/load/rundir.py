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
from kashika.load.logs import is_log, read_directory
from kashika.load.named import Named, parse
from kashika.run import Arrays, History, Observations, Run, Samples, Split, split_of

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
    if not directory.is_dir():
        raise LoadError("errors.no_such_directory", path=directory)
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
        if not isinstance(value, list if several else str):
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
    history = None if logs is None else read_directory(logs)
    checkpoint = _checkpoint_path(directory, logs, options.checkpoint)
    if history is None and checkpoint is None and options.model is None:
        raise LoadError("errors.nothing_to_read", path=directory)
    if checkpoint is None and options.model is not None:
        raise LoadError("errors.model_without_checkpoint", path=directory)
    run = Run(directory.resolve().name, history=history, layer=options.layer)
    read = [path for path in sorted(logs.iterdir()) if is_log(path)] if logs else []
    if checkpoint is not None:
        run = _with_network(run, checkpoint, options)
        read.append(checkpoint)
    named = filter(None, (options.model, options.data, options.loss))
    sources = (Path(parse(word, option="").source) for word in named if ":" in word)
    read += [path for path in sources if path.is_file()]
    return replace(run, provenance=[*_versions(), *_hashes(read, directory), ("seed", "0")])


def load_history(directory: Path) -> History:
    """Read the logs of a run, and nothing else.

    Raises
    ------
    LoadError
        If there are none, or one of them cannot be read.
    """
    if not directory.is_dir():
        raise LoadError("errors.no_such_directory", path=directory)
    logs = _one_directory(directory)
    history = None if logs is None else read_directory(logs)
    if history is None:
        raise LoadError("errors.no_logs", path=directory)
    return history


def _with_network(run: Run, path: Path, options: Options) -> Run:
    from kashika.load import checkpoints

    state = checkpoints.read_state(path)
    run = replace(run, checkpoint=checkpoints.checkpoint_of(path, state))
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
    if hasattr(value, "__getitem__") or hasattr(value, "dataset"):
        from kashika.torch_samples import TorchSamples

        return TorchSamples.of(value, split=split)  # type: ignore[arg-type]
    raise MismatchError("errors.samples", split=split, found=type(value).__name__)


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


def _checkpoint_path(directory: Path, logs: Path | None, given: str | None) -> Path | None:
    """Return the checkpoint: the one that is given, else the only one beside the logs."""
    if given is not None:
        return Path(given)
    endings = (".pth", ".pt", ".ckpt", ".bin")
    found = sorted(p for p in (logs or directory).iterdir() if p.suffix.lower() in endings)
    if len(found) > 1:
        raise LoadError(
            "errors.several_checkpoints", path=directory, found=", ".join(p.name for p in found)
        )  # fmt: skip
    return found[0] if found else None


def _versions() -> list[tuple[str, str]]:
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
