"""What `kashika explain` says of a rule."""

from __future__ import annotations

import pytest

from kashika import LoadError, speaking
from kashika.console import columns
from kashika.explanation import explained
from kashika.texts import LANGUAGES
from kashika.view import id_of, limits_of
from kashika.views import BUILTIN

RULES = {id_of(view, rule): rule for view in BUILTIN for rule in view.rules}


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_explained_with_all_its_limits_in_eighty_columns(rule: str, lang: str) -> None:
    with speaking(lang):
        said = explained(rule, BUILTIN).written(width=80)
    assert said.startswith(f"{rule}: ")
    for name, value in limits_of(RULES[rule]).items():
        assert f"{name} = {value:g}" in " ".join(said.split())
    assert max(columns(line) for line in said.splitlines()) <= 80


def test_a_value_that_a_sentence_would_have_is_left_open() -> None:
    with speaking("en"):
        assert "{" not in "".join(explained(rule, BUILTIN).written() for rule in RULES)


def test_a_rule_that_there_is_not_is_refused() -> None:
    with pytest.raises(LoadError) as caught:
        explained("curves.overfiting", BUILTIN)
    message = str(caught.value)
    assert message.startswith("rule curves.overfiting: expected one of curves.nonfinite, ")
    assert message.endswith("; correct the name")
