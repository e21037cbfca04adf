"""How far a pass over the data has come, in words."""

from __future__ import annotations

import time
from collections.abc import Callable

from kashika.texts import Sentence, text

Progress = Callable[[str, int, int | None], None]
"""(split, samples seen, samples in all where that is known): called after every batch."""

Doing = Callable[[Sentence], None]
"""Called with what is done next, where it may take a while."""

_PAUSE = 0.1  # seconds between two lines, so that they cost nothing
_LONG = 600.0  # seconds after which data without a known end are worth a word


class Clock:
    """When the pass over a split began, and what has been said of it."""

    def __init__(self) -> None:
        self._split = ""
        self._began = self._last = 0.0
        self._from = 0
        self._told = False

    def line(self, split: str, seen: int, known: int | None) -> str | None:
        """Return what to show now: "" at the end, None right after the last time."""
        now = time.monotonic()
        if split != self._split:
            self._split, self._began, self._last, self._told = split, now, 0.0, False
            self._from = seen  # nobody knows when the first batch began
        if seen == known:
            return ""
        if now - self._last < _PAUSE:
            return None
        self._last = now
        name = text(f"labels.{split}")
        if known is None:
            return text("progress.open", split=name, seen=seen)
        done = seen - self._from
        if not done:
            return text("progress.begun", split=name, seen=seen, known=known)
        left = (now - self._began) * (known - seen) / done
        return text("progress.left", split=name, seen=seen, known=known, seconds=left)

    def warning(self, seen: int, known: int | None) -> str | None:
        """Say once that it takes long without a known end; else None."""
        if self._told or known is not None or time.monotonic() - self._began < _LONG:
            return None
        self._told = True
        return text("progress.long", seen=seen)
