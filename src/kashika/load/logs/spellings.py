"""A line that a training loop printed -> the same line, spelled in one way."""

from __future__ import annotations

import re
from unicodedata import normalize

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_WRAPPED = re.compile(
    r"(?:tensor|array|(?:np|numpy)\.float\d+)\(\[?\s*([^,()\[\]]+)[^()]*(?:\([^()]*\))?[^()]*\)|"
    r"(?<=[=:])(\s*)\[\s*([^,()\[\]/]+)\]"
)
_RATIO = re.compile(
    r"(?i)((?:acc\w*|correct)\W{0,3}?\s*)(\d+)\s*/\s*(\d+)(?:\s*\(\s*[\d.]+\s*%\s*\))?"
)
_THOUSANDS = re.compile(r"(?<![\w.,(\[])[1-9]\d{0,2}(?:,\d{3})+(?![\d,])")
_OF_LOOP = re.compile(r"(?i)\b(epoch|iter)\s?\((\w+)\)\s*(\[[\s\d]+\])?((?:\[[\s\d/]+\])?)")
_OTHER = r"[^:=;|\d]{0,60}(?:\d+ )?"
_SPELLINGS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), spelled)
    for pattern, spelled in (
        (r"^\s*\*\s", " val "),  # PyTorch's ImageNet example sums up a validation so
        (r"\([^()>]*(?<=-)>[^()]*\)", ";"),  # (0.6 --> 0.5)
        (r"\b[\w.]{1,60}\.(?:py|cc|cpp|cu):\d+\]?|\b\w{1,60}:\w{1,60}:\d+ - ", ";"),  # train.py:42
        (r"(['\"])([A-Za-z_][\w/@.\-]*)\1(?=\s*:)", r"\2"),  # {'loss': 0.5}
        (r"(?<=[:=])(\s*[+-]?\d+),(\d+)(?![\d.,])", r"\1.\2"),  # loss: 0,25
        (r"'s (?=[A-Za-z])", " "),  # LightGBM's "valid_1's l2: 0.5"
        (r"^(\s*(?i:train|test|val\w*)): (\d+) (?=\[)", r"\1: epoch \2 "),  # timm
        (r"(?:第\s*)?(\d+)\s*エポック目?", r"epoch \1 "),
        (r"(?<=[^\W\d_])[はが]\s*(?=[+-]?\d)", ": "),  # 損失は0.5
        (r"(?:[:\s]\s*)?\b\d+%(?=\|)", " "),  # how far a bar of tqdm has come
        # Accuracy of the network on the 10000 test images: 55 %
        (rf"(?i)\b(accuracy|loss) (?:of|on) {_OTHER}(train|test|val)\w*{_OTHER}[:=]", r"; \2 \1:"),
    )
)
"""What other programs write, and how it is read here; in this order."""


def plain(line: str) -> str:
    """Return what is left on the screen of a line, its names and numbers spelled in one way."""
    words = _back(line)
    if not words.isascii() or "\x1b" in words:
        words = normalize("NFKC", _ANSI.sub("", words))
    words = _WRAPPED.sub(lambda found: found[1] or f"{found[2]}{found[3]}", words)
    words = _THOUSANDS.sub(lambda found: found[0].replace(",", ""), words)
    for pattern, spelled in _SPELLINGS:
        words = pattern.sub(spelled, words)
    return _RATIO.sub(_quotient, _OF_LOOP.sub(_of_loop, words))


def _back(words: str) -> str:
    """Return what a line shows that went back to its beginning."""
    states = [state for state in re.sub(r"\x08+", "\r", words).split("\r") if state.strip()]
    return states[-1] if states else ""


def _of_loop(found: re.Match[str]) -> str:
    """Read OpenMMLab's "Epoch(train) [1][50/1000]"; in a validation, batches are no steps."""
    unit, split, first, progress = found.groups(default="")
    if split.lower() == "train":
        return f"{unit} {first}{progress}"
    return f"{split}: {unit} {first};" if first and unit.lower() == "epoch" else f"{split}: ;"


def _quotient(found: re.Match[str]) -> str:
    """Return "Accuracy: 9830/10000 (98%)" as a share."""
    return f"{found[1]}{int(found[2]) / int(found[3])}" if int(found[3]) else found[0]
