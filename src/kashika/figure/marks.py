"""The places that a finding names, marked in a picture that shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kashika.palette import ALARM
from kashika.texts import text
from kashika.view import Evidence, Finding, Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text


def seen_in(picture: Picture[Any], findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings of a view that one of its pictures shows."""
    return [one for one in findings if one.said and one.rule.partition(".")[2] in picture.shows]


def places(finding: Finding) -> list[Evidence]:
    """Return the epochs and steps that a finding names."""
    return [one for one in finding.evidence if one.unit in ("epoch", "step")]


def mark(finding: Finding, axes: Axes) -> None:
    """Mark every epoch, step, layer and parameter that a finding names, where it is in the axes."""
    for evidence in places(finding):
        _mark_place(finding, evidence, axes)
    for name in dict.fromkeys(one.where for one in finding.evidence if one.where):
        for words in _named(name, axes):
            words.set_color(ALARM)
            words.set_fontweight("bold")
            words.set_gid(f"mark-{finding.rule}")


def _mark_place(finding: Finding, evidence: Evidence, axes: Axes) -> None:
    low, high = sorted(axes.get_xlim())
    if axes.get_xlabel() != text(f"labels.{evidence.unit}") or not low <= evidence.value <= high:
        return
    # A triangle below the axis: a line would hide the curve, and the best epoch has one already.
    axes.plot(
        evidence.value, 0, transform=axes.get_xaxis_transform(), marker="^", markersize=8,
        color=ALARM, clip_on=False, linestyle="", zorder=5, gid=f"mark-{finding.rule}",
    )  # fmt: skip
    axes.set_xlim(low, high)


def _named(name: str, axes: Axes) -> list[Text]:
    """Return the title and the labels of ticks that are the name of a layer or parameter."""
    labels = [axes.title, *axes.get_xticklabels(), *axes.get_yticklabels()]
    layer = name.rpartition(".")[0]  # of a parameter, where the axes name layers
    return [one for one in labels if one.get_text() and one.get_text() in (name, layer)]
