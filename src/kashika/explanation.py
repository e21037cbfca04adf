"""What a rule looks at, by which limits, and how often it is right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kashika.console import wrapped
from kashika.error_rates import rates_of
from kashika.errors import LoadError
from kashika.texts import blank, has, text
from kashika.view import View, id_of, limits_of

ASPECTS = ("looks", "means", "doubt", "advice")
"""What the texts of a rule say of it, besides what was found."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What there is to know of a rule, in the language in which it was made.

    Attributes
    ----------
    rule : its id
    title : name of the disease; "" of a rule from outside without texts
    parts : (heading, paragraphs)
    """

    rule: str
    title: str
    parts: tuple[tuple[str, tuple[str, ...]], ...]

    def written(self, *, width: int | None = None) -> str:
        """Return it as text for a terminal of so many columns; lines are not broken if None."""
        lines = [f"{self.rule}: {self.title}" if self.title else self.rule]
        for heading, paragraphs in self.parts:
            lines += ["", heading]
            for one in paragraphs:
                lines += wrapped(one, width, indent=4)
        return "\n".join(lines)


def explained(rule: str, views: Sequence[View[Any]]) -> Explanation:
    """Return what there is to know of a rule, in the present language.

    Parameters
    ----------
    rule : its id
    views : among whose rules it is

    Raises
    ------
    LoadError
        If there is no such rule.
    """
    known = {id_of(view, one): (view, one) for view in views for one in view.rules}
    if rule not in known:
        raise LoadError("errors.no_such_rule", found=rule, names=", ".join(known))
    view, function = known[rule]
    key = f"rules.{rule}"
    parts: list[tuple[str, tuple[str, ...]]] = [
        (text(f"explain.{aspect}"), (blank(f"{key}.{aspect}"),))
        for aspect in ASPECTS
        if has(f"{key}.{aspect}")
    ]
    limits = limits_of(function)
    if limits:
        shown = [text("explain.limit", name=name, value=value) for name, value in limits.items()]
        change = text("explain.changed", rule=rule)
        parts.append((text("explain.limits"), (", ".join(shown), change)))
    if has(f"{key}.reference"):
        parts.append((text("explain.reference"), (text(f"{key}.reference"),)))
    parts.append((text("explain.rates"), tuple(_rates(rule))))
    pictures = tuple(_pictures(view, function.__name__))
    if pictures:
        parts.append((text("explain.pictures"), pictures))
    return Explanation(rule, text(f"{key}.title") if has(f"{key}.title") else "", tuple(parts))


def _rates(rule: str) -> Iterator[str]:
    rates = rates_of(rule)
    if rates is None:
        yield text("explain.unmeasured")
        return
    for outcome, one in (("found", rates.found), ("false", rates.false)):
        if one.total:
            low, high = one.interval
            yield text(
                f"explain.{outcome}", count=one.count, total=one.total, share=one.share, low=low,
                high=high,
            )  # fmt: skip


def _pictures(view: View[Any], rule: str) -> Iterator[str]:
    for one in view.pictures:
        if rule in one.shows:
            name = f"{view.name}.{one.name}"
            caption = f"pictures.{name}"
            words = text(caption, split=text("labels.test")) if has(caption) else ""
            yield f"{name}: {words}"
