"""Write the pages on the rules anew, from the rules and their texts: python docs/make_rules.py."""

from __future__ import annotations

from pathlib import Path

from kashika.explanation import Explanation, explained
from kashika.texts import speaking, text
from kashika.view import id_of
from kashika.views import BUILTIN

HERE = Path(__file__).parent
LEAD = {
    "en": "`kashika explain RULE` prints the same. Written by `python docs/make_rules.py`.",
    "ja": "`kashika explain RULE` でも同じ内容を表示できます"
    "（`python docs/make_rules.py` が書いたページです）。",
}
PAGES = {"en": HERE / "rules.md", "ja": HERE / "rules.ja.md"}


def main() -> None:
    """Write one page for each language."""
    for language, file in PAGES.items():
        file.write_text(page(language), encoding="utf-8")


def page(language: str) -> str:
    """Return the page in a language."""
    with speaking(language):
        blocks = [f"# {text('page.rules')}", LEAD[language]]
        for view in BUILTIN:
            blocks.append(f"## {text(f'views.{view.name}.title')}")
            blocks += [section(explained(id_of(view, rule), BUILTIN)) for rule in view.rules]
    return "\n\n".join(blocks) + "\n"


def section(one: Explanation) -> str:
    """Return the section on one rule."""
    lines = [f"### `{one.rule}`: {one.title}", ""]
    for heading, paragraphs in one.parts:
        lines += [f"* **{heading}**: {paragraphs[0]}", *(f"  {more}" for more in paragraphs[1:])]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
