"""What a rule looks at, by which limits, and how often it is right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kashika.console import wrapped
from kashika.error_rates import rates_of
from kashika.errors import LoadError
from kashika.texts import blank, has, text
from kashika.view import View, id_of, limits_of


def explain(rule: str, views: Sequence[View[Any]], *, width: int | None = None) -> str:
    """Return what there is to know of a rule, in the present language.

    Parameters
    ----------
    rule : its id
    views : among whose rules it is
    width : columns of the terminal; lines as long as their sentences if None

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
    lines = [f"{rule}: {text(f'{key}.title')}" if has(f"{key}.title") else rule]
    for part in ("looks", "means", "doubt", "advice", "reference"):
        if has(f"{key}.{part}"):
            lines += ["", text(f"explain.{part}"), *_indented(blank(f"{key}.{part}"), width)]
    limits = limits_of(function)
    if limits:
        shown = [text("explain.limit", name=name, value=value) for name, value in limits.items()]
        lines += ["", text("explain.limits"), *_indented(", ".join(shown), width)]
    lines += _indented(text("explain.changed", rule=rule), width) if limits else []
    lines += ["", text("explain.rates")]
    for sentence in _rates(rule):
        lines += _indented(sentence, width)
    pictures = [one for one in view.pictures if function.__name__ in one.shows]
    if pictures:
        lines += ["", text("explain.pictures")]
    for one in pictures:
        name = f"{view.name}.{one.name}"
        caption = f"pictures.{name}"
        words = text(caption, split=text("labels.test")) if has(caption) else ""
        lines += _indented(f"{name}: {words}", width)
    return "\n".join(lines)


def _indented(words: str, width: int | None) -> list[str]:
    return wrapped(words, width, indent=4)


def _rates(rule: str) -> Iterator[str]:
    rates = rates_of(rule)
    if rates is None:
        yield text("explain.unmeasured")
        return
    for name, one in (("found", rates.found), ("false", rates.false)):
        if one.total:
            low, high = one.interval
            yield text(
                f"explain.{name}", count=one.count, total=one.total, share=one.share, low=low,
                high=high,
            )  # fmt: skip
