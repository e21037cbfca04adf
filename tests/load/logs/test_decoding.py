"""A text is read in the encoding that it was written in."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kashika.load.logs.decoding import decoded, text_of
from kashika.texts import speaking

JAPANESE = "エポック,学習損失\n1,0.5\n2,0.4\n"


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be", "cp932", "euc_jp"],
)
def test_japanese_is_read_in_every_encoding(encoding: str) -> None:
    content = JAPANESE if encoding not in ("utf-16-le", "utf-16-be") else "epoch,loss\n1,0.5\n"
    assert decoded(content.encode(encoding))[0] == content


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_utf_8_is_utf_8(content: str) -> None:
    assert decoded(content.encode())[0] == content.removeprefix("\ufeff")


def test_a_letter_that_was_cut_is_left_out() -> None:
    data = "0.5\n損".encode()
    assert [decoded(data[:-cut])[0] for cut in (1, 2)] == ["0.5\n", "0.5\n"]


def test_ends_of_lines_and_padding_are_repaired_and_said(tmp_path: Path) -> None:
    path = tmp_path / "loss.txt"
    path.write_bytes(b"0.5\r\n0.4\r\n" + b"\0" * 100)
    with speaking("en"):
        content, notes = text_of(path)
        assert content == "0.5\n0.4\n"
        assert list(map(str, notes)) == [f"{path}: 100 zero bytes at its end were cut off"]
    path.write_bytes(b"0.5\r0.4\r")
    assert text_of(path)[0] == "0.5\n0.4\n"
    path.write_bytes(b"a\rb\n")
    assert text_of(path)[0] == "a\rb\n"  # a progress bar goes back
