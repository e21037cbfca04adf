"""What `torch.save` wrote, in a zip archive or in the format before 1.6: described, never run."""

from __future__ import annotations

import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from kashika.errors import LoadError, one_line
from kashika.load.checkpoints.entry import ITEM_SIZE, Storage
from kashika.load.checkpoints.mapped import Window
from kashika.load.checkpoints.torch_names import TORCH, dtype_name
from kashika.load.pickles import Global, Unpickled, unpickle

MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of a file in the old format
_PACKED = 1 << 28  # bytes that a compressed record may become


@dataclass(slots=True, eq=False)
class Archive:
    """A zip archive in memory.

    Attributes
    ----------
    path : of the file, for what is said about it
    records : {name: where it lies and how long it is}
    broken : records that were read and fail their checksum
    """

    path: Path
    view: memoryview
    records: dict[str, zipfile.ZipInfo]
    broken: list[str] = field(default_factory=list)

    def read(self, name: str) -> memoryview:
        """Return the bytes of a record, as they lie in the file; its checksum is compared.

        Raises
        ------
        LoadError
            If there is no such record, or it reaches outside the file.
        """
        info = self.records.get(name)
        if info is None:
            raise LoadError("errors.weights.no_record", path=self.path, name=name)
        head = bytes(self.view[info.header_offset : info.header_offset + 30])
        lengths = struct.unpack("<HH", head[26:]) if head[:4] == b"PK\x03\x04" else (1 << 62,)
        start = info.header_offset + 30 + sum(lengths)
        data = self.view[start : start + info.compress_size]
        if len(data) != info.compress_size:
            raise LoadError("errors.weights.damaged", path=self.path, error=f"zip: {name}")
        if info.compress_type != zipfile.ZIP_STORED:
            data = self._unpacked(info, data)
        if zlib.crc32(data) != info.CRC and info.CRC and name not in self.broken:
            self.broken.append(name)
        return data

    def _unpacked(self, info: zipfile.ZipInfo, data: memoryview) -> memoryview:
        if info.compress_type != zipfile.ZIP_DEFLATED or info.file_size > _PACKED:
            raise LoadError("errors.weights.packed", path=self.path, name=info.filename)
        try:
            found = zlib.decompressobj(-15).decompress(data, info.file_size + 1)
        except zlib.error as error:
            raise LoadError(
                "errors.weights.damaged", path=self.path, error=f"{info.filename}: {error}"
            ) from error
        return memoryview(bytearray(found))


def archive(path: Path, view: memoryview) -> Archive:
    """Read the directory of a zip archive.

    Raises
    ------
    LoadError
        If it is cut short or damaged.
    """
    try:
        infos = zipfile.ZipFile(Window(view)).infolist()
    except zipfile.BadZipFile as error:
        raise LoadError("errors.weights.cut", path=path, size=len(view)) from error
    # The directory of a damaged archive makes zipfile raise whatever comes first.
    except (ValueError, OSError, struct.error, NotImplementedError, RuntimeError) as error:
        raise LoadError("errors.weights.damaged", path=path, error=one_line(error)) from error
    records = {one.filename: one for one in infos}
    if len(records) < len(infos):  # torch might read the one and this the other
        raise LoadError("errors.weights.damaged", path=path, error="zip: two records of one name")
    return Archive(path, view, records)


def zipped(found: Archive, *, root: str) -> Unpickled:
    """Describe what lies in `root`/data.pkl, as `torch.save` and TorchScript write it.

    Raises
    ------
    LoadError
        If it is damaged.
    """
    order = f"{root}byteorder"
    swapped = order in found.records and bytes(found.read(order)) == b"big"
    storages: dict[str, Storage] = {}

    def persistent(what: object) -> object:
        key, kind, location, numbers = _storage(what)
        if key not in storages:
            name, size = f"{root}data/{key}", numbers * ITEM_SIZE[kind]
            info = found.records.get(name)
            if info is None or info.file_size < size:
                raise pickle.UnpicklingError(f"the record {name} is missing or too short")

            def read() -> memoryview:
                return _in_order(found.read(name)[:size], kind, swapped=swapped)

            storages[key] = Storage(key, kind, numbers, location, read)
        return storages[key]

    stream = Window(found.read(f"{root}data.pkl"))
    return _described(found.path, lambda: unpickle(stream, makers=MAKERS, persistent=persistent))


def legacy(path: Path, view: memoryview) -> Unpickled:
    """Describe a file of the format before 1.6: pickles, then the numbers of every storage.

    Raises
    ------
    LoadError
        If it is cut short or damaged.
    """
    return _described(path, lambda: _legacy(view))


def _legacy(view: memoryview) -> Unpickled:
    stream = Window(view)
    storages: dict[str, Storage] = {}
    places: dict[str, tuple[int, int]] = {}
    _, _, system = (unpickle(stream).value for _ in range(3))
    swapped = isinstance(system, dict) and system.get("little_endian") is False

    def persistent(what: object) -> object:
        match what:
            case ("module", Global() as named, *_):  # a class of the user's, with its source
                return named
        key, kind, location, numbers = _storage(what)
        if key not in storages:

            def read() -> memoryview:
                start, size = places[key]
                return _in_order(view[start : start + size], kind, swapped=swapped)

            storages[key] = Storage(key, kind, numbers, location, read)
        return storages[key]

    found = unpickle(stream, makers=MAKERS, persistent=persistent)
    keys = unpickle(stream).value
    place = stream.tell()
    for key in keys if isinstance(keys, list) else ():
        one = storages[str(key)]
        numbers = int.from_bytes(view[place : place + 8], "big" if swapped else "little")
        size = numbers * ITEM_SIZE[one.dtype]
        if numbers < one.numbers or place + 8 + size > len(view):
            end, whole = place + 8 + one.numbers * ITEM_SIZE[one.dtype], len(view)
            raise pickle.UnpicklingError(f"storage {key} ends at byte {end}, the file at {whole}")
        places[one.key] = (place + 8, size)
        place += 8 + size
    if storages.keys() - places.keys():
        raise pickle.UnpicklingError("the numbers of a tensor are missing")
    return found


def plain(path: Path, view: memoryview) -> Unpickled:
    """Describe a plain pickle, of a dictionary of tensors or arrays.

    Raises
    ------
    LoadError
        If it is damaged.
    """
    return _described(path, lambda: unpickle(Window(view), makers=MAKERS))


def _described(path: Path, read: Callable[[], Unpickled]) -> Unpickled:
    try:
        return read()
    except pickle.UnpicklingError as error:
        raise LoadError("errors.weights.damaged", path=path, error=error) from error
    except (KeyError, TypeError) as error:
        raise LoadError("errors.weights.damaged", path=path, error=one_line(error)) from error


def _storage(what: object) -> tuple[str, str, str, int]:
    """Read ("storage", type, key, location, numbers, …) -> (key, type, location, numbers)."""
    match what:
        case ("storage", kind, str(key), str(location), int(numbers), *_) if numbers >= 0:
            return key, dtype_name(kind), location, numbers
        case _:
            raise pickle.UnpicklingError("it refers to something outside the file")


def _in_order(data: memoryview, dtype: str, *, swapped: bool) -> memoryview:
    """Return numbers in this machine's order of bytes."""
    width = ITEM_SIZE[dtype] // (2 if dtype.startswith("complex") else 1)
    if not swapped or width == 1:
        return data
    turned = bytearray(len(data))
    for byte in range(width):
        turned[byte::width] = data[width - 1 - byte :: width]
    return memoryview(turned)


def _of_bytes(content: bytes) -> object:
    """Describe a storage as a plain pickle holds it: a whole file in the old format."""
    return _legacy(memoryview(bytearray(content))).value


MAKERS: dict[str, Callable[..., object]] = {**TORCH, "torch.storage._load_from_bytes": _of_bytes}
