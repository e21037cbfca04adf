"""What one log file says, before its names are understood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kashika.history import Series
from kashika.texts import Sentence


@dataclass(frozen=True, slots=True, eq=False)
class Logged:
    """What one log file says, under the names that stand in it.

    Attributes
    ----------
    format : what kind of file it is, in the field's words: "text", "CSV", "TensorBoard events"
    series : {name as written: series}; "" where the file names nothing, as a column of numbers
    notes : what was repaired, skipped or left out, each with a count and a place
    """

    format: str
    series: Mapping[str, Series]
    notes: tuple[Sentence, ...] = ()
