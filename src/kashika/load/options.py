"""What the user says about a run: options of the command line, and `kashika.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from kashika.errors import LoadError
from kashika.load.code.named import beside
from kashika.view import Setting

CONFIG = "kashika.toml"


@dataclass(frozen=True, slots=True)
class Options:
    """What the user says about a run; each but `trust` may stand in `kashika.toml`.

    Attributes
    ----------
    log : logs to read, files or directories, in their order; found if empty
    rename : {name in a log: "{split}_{metric}"}
    model : "FILE.py:NAME(arguments)" that builds the untrained network
    data : "FILE.py:NAME", a file, a folder or a set of scikit-learn's with the samples
    target : column of a table of data that holds the targets
    loss : name as in torch.nn.functional, or "FILE.py:NAME"
    checkpoint : file with the weights
    weights : which set of weights in that file, where it has several
    trust : run the code that a checkpoint asks for
    layer : name or pattern of the layers whose features are looked at
    position : of a sequence or map whose features are taken; their mean if None
    device : where the network is run, as torch calls it: "cpu", "cuda", "mps"
    batch_size : samples that go through the network at once
    max_samples : so many samples of a split are looked at
    through : three rows, through whose plane the boundary is shown
    features : two columns over which the boundary is shown, by number or by name
    at : row at which the other columns are held
    projection : in which the boundary is shown among all samples: "pca" or "tsne"
    lang : language of the texts, "en" or "ja"
    view : names of views, or "FILE.py:NAME"; all of them if empty
    frozen : patterns of the parameters that were not to be trained
    rules : {id of a rule: what the user says of it}
    """

    log: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    model: str | None = None
    data: str | None = None
    target: str | None = None
    loss: str | None = None
    checkpoint: str | None = None
    weights: str | None = None
    trust: bool = False
    layer: str | None = None
    position: int | None = None
    device: str | None = None
    batch_size: int | None = None
    max_samples: int | None = None
    through: tuple[int, ...] = ()
    features: tuple[int | str, ...] = ()
    at: int | None = None
    projection: Literal["pca", "tsne"] | None = None
    lang: str | None = None
    view: tuple[str, ...] = ()
    frozen: tuple[str, ...] = ()
    rules: Mapping[str, Setting] = field(default_factory=lambda: MappingProxyType({}))


_SEVERAL = ("log", "view", "frozen")
_NUMBERS = ("position", "batch_size", "max_samples", "at")


def configured(directory: Path, options: Options) -> Options:
    """Fill in what `kashika.toml` says where an option is not given; its paths become absolute.

    Raises
    ------
    LoadError
        If the file cannot be read or has an unknown key.
    """
    path = directory / CONFIG
    if not path.is_file():
        return options
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise LoadError("errors.config", path=path, error=error) from None
    # A file that lies in somebody's directory must not be able to trust a checkpoint.
    known = set(Options.__dataclass_fields__) - {"trust"}
    for key, value in content.items():
        if key not in known:
            raise LoadError(
                "errors.config_key", path=path, found=key, keys=", ".join(sorted(known))
            )
        if not _is_right(key, value):
            raise LoadError("errors.config_value", path=path, name=key, found=_shown(value))
    said = {key: _absolute(key, value, directory) for key, value in content.items()}
    if "rules" in content:
        rules = {rule: _setting(rule, one, path) for rule, one in content["rules"].items()}
        said["rules"] = rules | dict(options.rules)
    given = {
        key: value
        for key in Options.__dataclass_fields__
        if key != "rules" and _given(value := getattr(options, key))
    }
    return Options(**({"rules": options.rules} | said | given))


def within(directory: Path, options: Options) -> Options:
    """Let code and data be named as they are called in the run, where they are not found here."""
    words = {key: getattr(options, key) for key in ("model", "data", "loss")}
    inside: dict[str, Any] = {
        key: str(directory / word)
        for key, word in words.items()
        if word and not _exists(_file(word)) and _exists(directory / _file(word))
    }
    return replace(options, **inside)


def _file(word: str) -> Path:
    """Return the file in "FILE.py:NAME(arguments)"."""
    for end in (".py:", ".ipynb:"):
        if end in word:
            return Path(word.partition(end)[0] + end[:-1])
    return Path(word)


def renaming(words: Sequence[str]) -> dict[str, str]:
    """Read "NAME=SPLIT_METRIC" for each series that shall be called otherwise.

    Raises
    ------
    LoadError
        If a word has another form.
    """
    pairs = [word.rpartition("=") for word in words]
    for word, (name, _, new) in zip(words, pairs, strict=True):
        if not name.strip() or not new.strip():
            raise LoadError("errors.finding.rename", found=word)
    return {name.strip(): new.strip() for name, _, new in pairs}


def rows(word: str | None) -> tuple[int, ...]:
    """Read "3,14,15" for the rows of samples.

    Raises
    ------
    LoadError
        If they are no whole numbers.
    """
    parts = _between_commas(word)
    if not all(part.isdecimal() for part in parts):
        raise LoadError("errors.boundary.rows", option="through", example="3,14,15", found=word)
    return tuple(map(int, parts))


def columns(word: str | None) -> tuple[int | str, ...]:
    """Read "0,2" or "width,height" for columns of the data."""
    return tuple(int(part) if part.isdecimal() else part for part in _between_commas(word))


def _between_commas(word: str | None) -> list[str]:
    return [] if word is None else [part.strip() for part in word.split(",")]


def _given(value: Any) -> bool:
    return (isinstance(value, int) and value is not False) or bool(value)


def ignoring(words: Sequence[str]) -> dict[str, Setting]:
    """Mute the rules that the command line names."""
    return {word: Setting("--ignore", muted=True) for word in words}


def _setting(rule: str, table: Any, path: Path) -> Setting:
    """Read what `kashika.toml` says of a rule: why, and `mute = true` or numbers as limits."""
    content = dict(table) if isinstance(table, dict) else {}
    reason, muted = content.pop("reason", ""), content.pop("mute", False)
    numbers = all(isinstance(one, int | float) for one in content.values())
    if not isinstance(reason, str) or not reason or not isinstance(muted, bool) or not numbers:
        raise LoadError("errors.config_rule", path=path, rule=rule, found=_shown(table))
    return Setting(reason, content, muted=muted)


def _is_right(key: str, value: Any) -> bool:
    if key in _NUMBERS:
        return _is_number(key, value)
    if key == "through":
        return isinstance(value, list) and all(_is_number("at", one) for one in value)
    if key == "features":
        known = isinstance(value, list)
        return known and all(isinstance(one, str) or _is_number("at", one) for one in value)
    if key == "rules":
        return isinstance(value, dict)
    return all(isinstance(word, str) for word in _words(key, value))


def _is_number(key: str, value: Any) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return whole and (key == "position" or value > 0 or (key == "at" and value == 0))


def _words(key: str, value: Any) -> list[Any]:
    """Return what has to be text in a value; [None] where the value has another form."""
    if key in _SEVERAL:
        return value if isinstance(value, list) else [None]
    if key == "rename":
        return list(value.values()) if isinstance(value, dict) else [None]
    return [value]


def _absolute(key: str, value: Any, directory: Path) -> Any:
    """Turn paths in `kashika.toml`, which are relative to it, into absolute ones."""
    match key:
        case "log":
            return tuple(str(directory / one) for one in value)
        case "frozen" | "through" | "features":
            return tuple(value)
        case "view":
            return tuple(beside(one, directory) for one in value)
        case "checkpoint":
            return str(directory / value)
        case "data" if _exists(directory / value):
            return str(directory / value)
        case "model" | "data" | "loss":
            return beside(value, directory)
        case _:
            return value


def _shown(value: Any) -> str:
    try:
        return repr(value)[:80]
    except ValueError:  # Python prints no whole number of thousands of digits
        return type(value).__name__


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that is longer than names of files can be
        return False
