"""Bytes of a log -> text, in whatever encoding its system wrote it."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from kashika.errors import LoadError
from kashika.texts import Sentence

_BOMS = (  # the longer one first: that of UTF-32 begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
_POINTER = b"version https://git-lfs"
_CONTROL = re.compile(r"[\x00-\x06\x0e-\x1a\x1c-\x1f]")
_JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")


def text_of(path: Path) -> tuple[str, list[Sentence]]:
    r"""Return the text of a file, with "\n" at the ends of its lines, and what was repaired.

    A "\r" within a line stays, since progress bars go back by it.

    Raises
    ------
    LoadError
        If it is no text.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LoadError("errors.system", path=path, error=error.strerror) from error
    if data.startswith(_POINTER):
        raise LoadError("errors.log.pointer", path=path)
    notes = []
    padding = len(data) - len(data.rstrip(b"\0"))
    if padding > 3:  # a full disk; one to three may be the end of a letter in UTF-16 or UTF-32
        data = data[:-padding]
        notes.append(Sentence("notes.log.padding", path=path, count=padding))
    text, encoding = decoded(data)
    if encoding not in ("utf-8", "ascii"):
        notes.append(Sentence("notes.log.encoding", path=path, encoding=encoding))
    text = text.replace("\r\n", "\n")
    text = text.replace("\r", "\n") if "\n" not in text else text
    if len(_CONTROL.findall(text[:65_536])) > 0.02 * len(text[:65_536]):
        raise LoadError("errors.log.binary", path=path, found=_printable(data))
    return text, notes


def decoded(data: bytes) -> tuple[str, str]:
    """Return the text in bytes, and the encoding that it was taken for.

    What comes last may have been cut within a letter.
    """
    for bom, name in _BOMS:
        if data.startswith(bom):
            return data.decode(name, errors="replace"), name
    if (wide := _wide(data)) is not None:
        return data.decode(wide, errors="replace"), wide
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError as error:
        if error.start >= len(data) - 3:
            return data[: error.start].decode("utf-8"), "utf-8"
    for name in ("cp932", "euc_jp"):
        try:
            text = data.decode(name)
        except UnicodeDecodeError:
            continue
        if _JAPANESE.search(text):
            return text, "Shift_JIS" if name == "cp932" else "EUC-JP"
    return data.decode("latin-1"), "latin-1"


def _wide(data: bytes) -> str | None:
    """Return which UTF-16 without a mark it is: text has a zero in every other byte."""
    head = data[: 2 * (min(len(data), 4096) // 2)]
    if len(head) < 4 or head.count(0) < len(head) // 3:
        return None
    if head[1::2].count(0) > 0.9 * len(head) / 2:
        return "utf-16-le"
    return "utf-16-be" if head[::2].count(0) > 0.9 * len(head) / 2 else None


def _printable(data: bytes) -> str:
    return "".join(chr(one) if 32 <= one < 127 else "·" for one in data[:40])
