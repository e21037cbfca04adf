"""What was said of each rule and each cause -> the numbers that kashika quotes."""

from __future__ import annotations

from collections.abc import Sequence

from clinic.caching import PROJECT
from clinic.judging import Judgement, share

FILE = PROJECT / "src" / "kashika" / "error_rates.toml"

BEHIND: dict[str, tuple[str, ...]] = {
    "lr_too_high": ("steps_too_large", "broken_numbers"),
    "lr_too_low": ("steps_too_small",),
    "too_few_epochs": ("too_short",),
    "overfit_size": ("memorising",),
    "overfit_noise": ("memorising", "wrong_labels"),
    "overfit_few_samples": ("memorising",),
    "overfit_no_regularisation": ("memorising",),
    "overconfident": ("memorising",),
    "capacity_too_small": ("held_back",),
    "regularisation_too_strong": ("held_back", "lost_signal"),
    "init_zero": ("equal_start", "zero_layer"),
    "init_constant": ("equal_start",),
    "init_tiny": ("lost_signal",),
    "init_huge": ("large_weights",),
    "activation_missing": ("held_back",),
    "deep_sigmoid": ("lost_signal", "saturation"),
    "saturating_deep": ("saturation", "large_weights"),
    "last_relu": ("wrong_output",),
    "last_tanh_wide_targets": ("wrong_output",),
    "last_sigmoid_wide_targets": ("wrong_output",),
    "softmax_twice": ("wrong_output",),
    "sigmoid_twice": ("wrong_output",),
    "input_unscaled": ("input_scale",),
    "target_unscaled": ("target_scale",),
    "analysis_normalisation": ("analysed_otherwise",),
    "wrong_checkpoint": ("analysed_otherwise",),
    "labels_flipped": ("wrong_labels",),
    "labels_shuffled": ("wrong_labels",),
    "class_missing": ("rare_class",),
    "class_rare": ("rare_class",),
    "leakage": ("shared_samples",),
    "frozen_layer": ("left_out",),
    "not_given_to_optimiser": ("left_out",),
    "zero_grad_forgotten": ("steps_too_large", "broken_numbers"),
    "lr_rises": ("steps_too_large", "broken_numbers"),
    "batch_norm_tiny_batch": ("two_modes",),
    "dropout_too_high": ("two_modes", "held_back"),
    "not_shuffled": ("sorted_data",),
    "dead_relus": ("dying_units",),
    "dead_layer": ("dying_units", "lost_signal"),
    "exploding_deep": ("large_weights", "steps_too_small"),
    "exploding_recurrent": ("steps_too_large", "broken_numbers"),
    "nan_overflow": ("broken_numbers",),
    "weights_nonfinite": ("broken_numbers",),
    "nan_gradients_skipped": ("broken_numbers",),
    "layer_zeroed": ("zero_layer",),
    "unused_layer": ("left_out",),
    "detached": ("left_out",),
    "constant_output": ("input_scale", "nothing_learned"),
    "duplicate_log": ("copied_log",),
    "collapsed_features": ("lost_signal", "dying_units"),
}
"""Kind of fault -> the causes of `kashika.diagnosis` that lie behind it, listed beforehand."""


def toml(found: Sequence[Judgement]) -> str:
    """Return the rates of rules and causes."""
    healthy = [one for one in found if one.condition.healthy]
    faulty = [one for one in found if not one.condition.healthy]
    rules = sorted({rule for one in found for rule in one.levels})
    lines = [
        "# How often each rule and each cause was right on trainings that no limit was tuned on.",
        "# Written by `python -m clinic.publish`; docs/clinic.md says how it is measured.",
    ]
    for rule in rules:
        own = [one for one in faulty if one.condition.causes[0] == rule]
        found_own = share([rule in one.alarms for one in own])
        false = share([rule in one.alarms for one in healthy])
        lines += [
            "", f'[rules."{rule}"]', f"found = [{found_own.hits}, {found_own.of}]",
            f"false = [{false.hits}, {false.of}]",
        ]  # fmt: skip
    first = [one for one in found if one.diagnoses]
    for cause in sorted({one.diagnoses[0] for one in first}):
        named = [one for one in first if one.diagnoses[0] == cause]
        right = share([cause in BEHIND.get(one.condition.kind, ()) for one in named])
        lines += ["", f"[causes.{cause}]", f"right = [{right.hits}, {right.of}]"]
    return "\n".join(lines) + "\n"


def causes(found: Sequence[Judgement]) -> str:
    """Return, for each kind of fault, how often its cause was named first, and among two."""
    faulty = [one for one in found if not one.condition.healthy]
    kinds = dict.fromkeys(one.condition.kind for one in faulty)
    rows = ["| fault | cause | named first | among the first two |", "|---|---|---|---|"]
    for kind in (*kinds, None):
        runs = [one for one in faulty if kind in (None, one.condition.kind)]
        first, two = (
            share([bool(set(one.diagnoses[:n]) & set(BEHIND[one.condition.kind])) for one in runs])
            for n in (1, 2)
        )
        behind = ", ".join(BEHIND[kind]) if kind else ""
        rows.append(f"| {kind or 'all'} | {behind} | {first} | {two} |")
    return "\n".join(rows)
