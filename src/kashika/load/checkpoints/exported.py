"""`.pt2` archives of torch.export: weights, and a graph that is checked before it is believed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import partial

from kashika.errors import LoadError, one_line
from kashika.load.checkpoints import torch_files
from kashika.load.checkpoints.content import Content
from kashika.load.checkpoints.entry import ITEM_SIZE, Entry, Storage, dense
from kashika.load.checkpoints.torch_files import Archive

_GRAPH = re.compile(r"([^/]+/)?(models/[^/]+\.json|serialized_exported_program\.json)")
_TYPES = (
    "", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64", "complex32",
    "complex64", "complex128", "bool", "bfloat16",
)  # fmt: skip
"""Types of numbers, by the number that torch.export gives them."""

_TARGET = re.compile(
    r"torch\.ops\.(aten|prims|quantized_decomposed|torchvision)\.\w+\.\w+|torch\.sym_\w+"
    r"|_operator\.(getitem|add|sub|mul|floordiv|truediv|mod|neg|eq|ne|lt|le|gt|ge|and_|or_|not_|pow)"
)
_WRITING = {"from_file", "save", "set_data"}
_WORD = re.compile(r"[\w.,:>+\- ]{0,500}")
_SPEC = re.compile(r'[\w\s\[\]{}",:.\\]*')
_SYMBOLS = re.compile(  # without powers, which may be larger than any memory
    r"(?:'(?:s|u|zuf)\d{1,9}'|\b(?:s|u|zuf)\d{1,9}\b|\b\d{1,19}\b|[-+/(), <>=]|\*(?!\*)"
    r"|\b(?:Symbol|Integer|Add|Mul|Max|Min|Mod|FloorDiv|PythonMod|CeilDiv|CleanDiv)\b"
    r"|\b(?:positive|nonnegative|integer|True|False)\b)*+"
)


def recognises(found: Archive) -> bool:
    """Tell whether an archive is an exported program."""
    return any(_GRAPH.fullmatch(name) for name in found.records)


def opened(found: Archive) -> Content:
    """Describe the weights and the graph of an exported program.

    Raises
    ------
    LoadError
        If it is damaged.
    """
    from kashika.load.checkpoints.programs import exported

    name = next(name for name in found.records if _GRAPH.fullmatch(name))
    root, model = re.fullmatch(r"((?:[^/]+/)??)(?:models/)?([^/]+)\.json", name).groups()  # type: ignore[union-attr]
    graph = _json(found, name)
    state = _tensors(found, root, "weights", model, old="serialized_state_dict")
    constants = _tensors(found, root, "constants", model, old="serialized_constants")

    def program() -> object:
        return exported(checked(graph), state, constants)

    return Content(
        found.path,
        "torch.export",
        state,
        broken=partial(_broken, found),
        program=program,  # type: ignore[arg-type]
    )


def checked(graph: object) -> Mapping[str, object]:
    """Return a graph in which nothing but known operations and plain names stand.

    torch turns names of operations into attributes of its modules, and shapes into expressions
    that Python evaluates; a graph from anywhere could name anything there.

    Raises
    ------
    ValueError
        If anything else stands in it.
    """
    if not isinstance(graph, dict):
        raise TypeError("the graph is no dictionary")
    clean = _clean(graph, "")
    assert isinstance(clean, dict)
    return clean


def _clean(value: object, key: str) -> object:
    match value:
        case dict():
            for name in value:
                if not _WORD.fullmatch(name):
                    raise ValueError(f"a name that is none: {name[:80]!r}")
            # Stack traces and types of modules: nobody needs them, and they may say anything.
            return {
                name: {} if name == "metadata" else _clean(one, name) for name, one in value.items()
            }
        case list():
            return [_clean(one, key) for one in value]
        case str():
            _check(value, key)
    return value


def _check(word: str, key: str) -> None:
    if key == "target" and "." in word:
        known = bool(_TARGET.fullmatch(word)) and _WRITING.isdisjoint(word.split("."))
    elif key == "expr_str":
        known = len(word) < 1_000 and bool(_SYMBOLS.fullmatch(word))
    elif key in ("in_spec", "out_spec"):
        known = bool(_SPEC.fullmatch(word)) and "__" not in word
    else:
        known = bool(_WORD.fullmatch(word))
    if not known:
        raise ValueError(f"{key} is {word[:80]!r}, which is not known")


def _tensors(found: Archive, root: str, kind: str, model: str, *, old: str) -> dict[str, Entry]:
    config = f"{root}data/{kind}/{model}_{kind}_config.json"
    if config in found.records:
        content = _json(found, config)
        try:
            places = content["config"]  # type: ignore[index]
            return dict(_of_config(found, f"{root}data/{kind}/", places))
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise LoadError(
                "errors.weights.damaged", path=found.path, error=one_line(error)
            ) from error
    for name in (f"{root}{old}.pt", f"{root}data/{kind}/{model}.pt"):
        if name in found.records and found.records[name].file_size:
            value = _saved(found, name)
            if isinstance(value, dict):
                return {str(key): one for key, one in value.items() if isinstance(one, Entry)}
    return {}


def _of_config(
    found: Archive, folder: str, places: Mapping[str, dict[str, object]]
) -> Iterator[tuple[str, Entry]]:
    storages: dict[str, Storage] = {}
    for name, place in places.items():
        file, meta = f"{folder}{place['path_name']}", place["tensor_meta"]
        if place.get("use_pickle"):
            value = _saved(found, file)
            if isinstance(value, Entry):
                yield name, value
            continue
        assert isinstance(meta, dict)
        dtype = _TYPES[meta["dtype"]]
        size, steps = ([one["as_int"] for one in meta[key]] for key in ("sizes", "strides"))
        if file not in storages:
            numbers = found.records[file].file_size // ITEM_SIZE[dtype]
            device = str(meta.get("device", {}).get("type", "cpu"))
            storages[file] = Storage(file, dtype, numbers, device, partial(found.read, file))
        yield (
            name,
            dense(storages[file], meta["storage_offset"]["as_int"], size, steps, dtype=dtype),
        )


def _saved(found: Archive, name: str) -> object:
    """Describe what `torch.save` wrote into a record."""
    inner = torch_files.archive(found.path, found.read(name))
    roots = [one for one in inner.records if one.endswith("data.pkl")]
    return (
        torch_files.zipped(inner, root=roots[0].removesuffix("data.pkl")).value if roots else None
    )


def _json(found: Archive, name: str) -> object:
    try:
        return json.loads(bytes(found.read(name)))
    except (ValueError, RecursionError) as error:
        raise LoadError(
            "errors.weights.damaged", path=found.path, error=f"{name}: {one_line(error)}"
        ) from error


def _broken(found: Archive) -> list[str]:
    """Compare every checksum: the graph is read by code that trusts it."""
    for name in found.records:
        found.read(name)
    return found.broken
