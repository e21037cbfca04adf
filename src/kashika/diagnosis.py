"""From findings to what lies behind them: one cause for the alarms that it explains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from kashika.error_rates import right_causes
from kashika.texts import text
from kashika.view import Finding, Level

MOST = 3
"""So many diagnoses are given: whoever reads more tries none of them."""

FEW = 5
"""On fewer trainings in which it was named first, a cause counts as not measured."""


@dataclass(frozen=True, slots=True)
class Cause:
    """What can lie behind findings.

    Attributes
    ----------
    name : "steps_too_large"
    decides : rules whose alarm suggests it
    supports : rules whose finding makes it likelier
    needs : rules that must raise an alarm as well
    """

    name: str
    decides: tuple[str, ...]
    supports: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


# The deeper a cause lies, the earlier it stands: of two that explain as much, the first is named.
CAUSES = (
    Cause(
        "broken_numbers",
        decides=("curves.nonfinite", "weights.nonfinite", "gradients.nonfinite"),
        supports=(
            "curves.diverging", "curves.unstable", "weights.large", "gradients.exploding",
            "curves.not_learning", "predictions.underfitting", "predictions.constant",
            "predictions.class_ignored", "predictions.log_mismatch",
        ),
    ),
    Cause("copied_log", decides=("curves.duplicate",)),
    Cause("shared_samples", decides=("predictions.leakage",)),
    Cause(
        "analysed_otherwise",
        decides=("predictions.log_mismatch",),
        supports=(
            "features.unscaled_input", "predictions.class_ignored", "predictions.constant",
            "predictions.overconfident", "predictions.underfitting",
        ),
    ),
    Cause(
        "wrong_output",
        decides=(
            "predictions.output_activation", "predictions.double_softmax",
            "predictions.double_sigmoid",
        ),
        supports=(
            "curves.not_learning", "curves.slow", "curves.still_improving",
            "predictions.underfitting", "features.dead_units", "predictions.constant",
        ),
    ),
    Cause(
        "left_out",
        decides=("weights.untrained", "gradients.missing"),
        supports=("gradients.zero", "curves.not_learning", "predictions.underfitting"),
    ),
    Cause(
        "zero_layer",
        decides=("weights.zero",),
        supports=(
            "weights.identical_units", "predictions.log_mismatch", "gradients.zero",
            "curves.not_learning", "predictions.constant", "predictions.class_ignored",
            "predictions.underfitting",
            "features.collapsed",
        ),
    ),
    Cause(
        "equal_start",
        decides=("weights.identical_units",),
        supports=(
            "weights.zero", "gradients.zero", "curves.not_learning", "predictions.constant",
            "predictions.class_ignored", "features.collapsed", "predictions.underfitting",
        ),
    ),
    Cause(
        "input_scale",
        decides=("features.unscaled_input",),
        supports=(
            "features.saturated_units", "features.dead_units", "features.collapsed",
            "weights.large", "gradients.exploding", "gradients.vanishing", "gradients.zero",
            "curves.unstable", "curves.diverging", "curves.nonfinite", "curves.not_learning",
            "curves.slow", "predictions.underfitting", "predictions.constant",
        ),
    ),
    Cause(
        "target_scale",
        decides=("features.unscaled_target",),
        supports=(
            "curves.slow", "curves.still_improving", "curves.not_learning", "curves.unstable",
            "curves.diverging", "curves.nonfinite", "gradients.exploding", "features.dead_units",
            "predictions.underfitting", "predictions.constant",
        ),
    ),
    Cause(
        "two_modes",
        decides=("predictions.mode_gap",),
        supports=("predictions.log_mismatch", "curves.unstable", "predictions.underfitting"),
    ),
    Cause(
        "sorted_data",
        decides=("curves.unstable",),
        needs=("predictions.class_ignored",),
        supports=("predictions.constant", "predictions.underfitting", "curves.not_learning"),
    ),
    Cause(
        "steps_too_large",
        decides=("curves.diverging", "curves.unstable"),
        supports=(
            "gradients.exploding", "weights.large", "features.dead_units",
            "features.saturated_units", "predictions.constant", "curves.not_learning",
            "curves.nonfinite",
        ),
    ),
    Cause(
        "large_weights",
        decides=("weights.large", "gradients.exploding"),
        supports=(
            "features.saturated_units", "curves.unstable", "curves.diverging",
            "curves.overfitting", "predictions.overconfident",
        ),
    ),
    Cause(
        "dying_units",
        decides=("features.dead_units",),
        supports=(
            "gradients.zero", "gradients.missing", "curves.not_learning", "predictions.constant",
            "predictions.underfitting",
        ),
    ),
    Cause(
        "saturation",
        decides=("features.saturated_units",),
        supports=(
            "gradients.vanishing", "weights.large", "curves.slow", "curves.not_learning",
            "predictions.underfitting",
        ),
    ),
    Cause(
        "lost_signal",
        decides=("gradients.vanishing", "features.collapsed", "gradients.zero"),
        supports=(
            "curves.not_learning", "curves.slow", "predictions.constant",
            "predictions.underfitting", "features.saturated_units",
        ),
    ),
    Cause(
        "wrong_labels",
        decides=("predictions.label_noise",),
        supports=("curves.overfitting", "predictions.overconfident"),
    ),
    Cause(
        "rare_class",
        decides=("predictions.class_ignored", "predictions.imbalance"),
        supports=("predictions.constant",),
    ),
    Cause(
        "memorising",
        decides=("curves.overfitting", "predictions.overconfident"),
        supports=("curves.overconfident", "curves.best_passed"),
    ),
    Cause(
        "steps_too_small",
        decides=("curves.slow",),
        supports=("curves.still_improving", "curves.not_learning", "predictions.underfitting"),
    ),
    Cause(
        "too_short",
        decides=("curves.still_improving",),
        supports=("predictions.underfitting",),
    ),
    Cause(
        "held_back",
        decides=("predictions.underfitting",),
        supports=("curves.not_learning", "predictions.constant", "curves.valid_below_train"),
    ),
    Cause(
        "nothing_learned",
        decides=("curves.not_learning", "predictions.constant"),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What most likely lies behind some of the findings.

    Attributes
    ----------
    cause : name, as in `CAUSES`
    findings : that it explains: the alarms that decide, then those that support it
    """

    cause: str
    findings: tuple[Finding, ...]

    @property
    def title(self) -> str:
        """The cause, as a sentence."""
        return text(f"causes.{self.cause}.title")

    @property
    def advice(self) -> str:
        """What to try first."""
        return text(f"causes.{self.cause}.advice")

    @property
    def confidence(self) -> str:
        """How sure it is, in words, by how often it was right where kashika was measured."""
        sureness = _sureness(self.cause)
        return text(f"confidence.{sureness}")


def diagnoses(findings: Sequence[Finding]) -> tuple[Diagnosis, ...]:
    """Gather the alarms by what lies behind them, up to three, the best explanation first.

    A greedy cover: each time the cause is taken that explains most of what no earlier one has
    explained, of two that explain as much the deeper one. A cause that no open alarm decides for
    is not considered.
    """
    said = {finding.rule: finding for finding in findings if finding.said}
    still_open = dict(said)
    found: list[Diagnosis] = []
    while len(found) < MOST:
        possible = [cause for cause in CAUSES if _is_possible(cause, said, still_open)]
        if not possible:
            break
        best = max(possible, key=lambda cause: _explained(cause, still_open))
        rules = [
            *(rule for rule in best.decides if rule in still_open),
            *(rule for rule in (*best.needs, *best.supports) if rule in said),
        ]
        found.append(Diagnosis(best.name, tuple(said[rule] for rule in dict.fromkeys(rules))))
        # What supports a cause is explained by it as well: it does not decide for another one.
        still_open = {rule: one for rule, one in still_open.items() if rule not in rules}
    return tuple(found)


def _is_possible(
    cause: Cause, said: Mapping[str, Finding], still_open: Mapping[str, Finding]
) -> bool:
    decides = any(rule in still_open and still_open[rule].counts for rule in cause.decides)
    return decides and all(rule in said and said[rule].counts for rule in cause.needs)


def _explained(cause: Cause, still_open: Mapping[str, Finding]) -> int:
    """Return how much of what is open a cause explains, the worse the more."""
    weight = {Level.NOTE: 1, Level.WARNING: 3, Level.PROBLEM: 4}
    rules = dict.fromkeys([*cause.decides, *cause.needs, *cause.supports])
    return sum(weight[still_open[rule].level] for rule in rules if rule in still_open)


Sureness = Literal["high", "fair", "low", "unmeasured"]


def _sureness(cause: str) -> Sureness:
    right = right_causes(cause)
    if right is None or right.total < FEW:
        return "unmeasured"
    return "high" if right.share >= 0.9 else "fair" if right.share >= 0.7 else "low"
