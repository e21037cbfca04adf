"""Find a font with Japanese glyphs on this machine, at run time."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

FAMILIES = (
    "Yu Gothic", "Meiryo", "BIZ UDGothic", "MS Gothic",  # Windows
    "Hiragino Sans", "Hiragino Maru Gothic Pro", "Hiragino Kaku Gothic Pro",  # macOS
    "Noto Sans CJK JP", "Noto Sans JP", "IPAexGothic", "IPAGothic", "TakaoGothic",
    "VL Gothic", "VL PGothic",  # Linux
)  # fmt: skip
"""Families with Japanese glyphs, in the order in which they are taken."""


@cache
def japanese() -> str | None:
    """Return the name of an installed family with Japanese glyphs, or None.

    matplotlib keeps a list of fonts that it does not renew, so a font that was installed after
    its first use is looked for among the files; last comes the file that the package
    matplotlib-fontja carries, without importing it, since that changes settings.
    """
    from matplotlib import font_manager

    known = {font.name for font in font_manager.fontManager.ttflist}
    listed = next((family for family in FAMILIES if family in known), None)
    return listed or _among(font_manager.findSystemFonts()) or _among(_carried())


def _among(files: list[str]) -> str | None:
    """Add the first fitting file to matplotlib's list of this process, and return its family."""
    from matplotlib import font_manager

    listed = {Path(font.fname) for font in font_manager.fontManager.ttflist}
    found: dict[str, str] = {}
    for file in files:
        if Path(file) in listed:
            continue
        try:
            family = font_manager.get_font(file).family_name
        except (OSError, RuntimeError):  # a font that matplotlib cannot read
            continue
        found.setdefault(family, file)
    taken = next((family for family in FAMILIES if family in found), None)
    if taken is not None:
        font_manager.fontManager.addfont(found[taken])
    return taken


def _carried() -> list[str]:
    package = find_spec("matplotlib_fontja")
    if package is None or package.origin is None:
        return []
    return [str(file) for file in sorted(Path(package.origin).parent.rglob("*.ttf"))]
