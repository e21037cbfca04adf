"""The faults: what each does to a healthy recipe, how strong it can be, and what it truly causes.

What a fault causes is written down before anything is checked: the disease first, then what comes
with it. A finding that stands here is found rightly, and one that does not is one too many.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from clinic.healthy import BCE, PLAIN, built, left, on, trained_by
from clinic.recipe import Data, Left, Recipe, Training

NOT_LEARNED = (
    "curves.not_learning", "predictions.underfitting", "predictions.constant",
    "predictions.class_ignored",
)  # fmt: skip
"""What comes of a network that answers nearly the same, or by chance."""

EXPLODED = (
    "curves.unstable", "curves.diverging", "curves.nonfinite", "weights.large", "weights.nonfinite",
    "gradients.nonfinite", "gradients.exploding",
)  # fmt: skip
"""What comes of steps that are too long."""

DEAD = ("features.dead_units", "features.collapsed", "gradients.zero", "gradients.vanishing")
"""What comes of ReLUs that never open again: nothing passes, forward or back."""

SLOW = ("curves.slow", "curves.still_improving", "predictions.underfitting")

OVERFITTED = ("curves.overfitting", "predictions.overconfident")


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault, and where it is put in.

    Attributes
    ----------
    name : what it is called
    causes : ids of the rules that it truly makes true, the disease first
    strengths : from just noticeable to gross; one where it is there or not
    bases : names in `clinic.healthy.PLAIN`, or in `OWN`
    into : (recipe, strength) -> the recipe with the fault
    in_logs : whether the logs alone show it
    certain : whether it is there by its construction, whatever the training reaches
    """

    name: str
    causes: tuple[str, ...]
    strengths: tuple[float, ...]
    bases: tuple[str, ...]
    into: Callable[[Recipe, float], Recipe]
    in_logs: bool = False
    certain: bool = False


MEASURED = (
    "wine", "breast_cancer", "diabetes", "soils", "assays", "harvests", "honeys", "bearings",
    "rents",
)  # fmt: skip
"""Data sets whose inputs are of very unequal size as they come."""

OWN: dict[str, Recipe] = {
    "moons_large": Recipe(
        Data("moons", train=80, valid=200, noise=0.35),
        "MLP(2, [128, 128], 2)",
        Training(lr=5e-3, epochs=200),
        Left("savetxt"),
    ),
    "noisy_large": Recipe(
        Data("noisy", train=300, valid=300),
        "MLP(4, [64, 64], 2)",
        Training(lr=5e-3, epochs=120),
        Left("csv"),
    ),
    "diabetes_large": Recipe(
        Data("diabetes", train=264, valid=89, test=89),
        "MLP(10, [64, 64], 1)",
        Training("mse_loss", lr=5e-3, epochs=120),
        Left("keras"),
    ),
    "imbalanced_large": Recipe(
        Data("imbalanced", train=400, valid=400, test=200),
        "MLP(6, [64, 64], 1)",
        Training(BCE, lr=5e-3, epochs=120),
        Left("percent"),
    ),
    "circles_large": Recipe(
        Data("circles", train=100, valid=200, noise=0.22),
        "MLP(2, [96, 96], 1)",
        Training(BCE, lr=5e-3, epochs=150),
        Left("jsonl"),
    ),
    "spirals_large": Recipe(
        Data("spirals", train=150, valid=200, noise=0.12),
        "MLP(2, [96, 96], 3)",
        Training(lr=5e-3, epochs=150),
        Left("savetxt"),
    ),
    "waves_large": Recipe(
        Data("waves", train=100, valid=200, noise=0.5),
        "MLP(4, [64, 64], 3)",
        Training("mse_loss", lr=5e-3, epochs=150),
        Left("csv"),
    ),
    "first_token_rnn": Recipe(
        Data("first_token", train=400),
        "Recurrent(8, 24, 4, kind='RNN', nonlinearity='relu', tokens=8)",
        Training(optimiser="momentum", lr=0.01, epochs=30),
        Left("jsonl"),
    ),
    "first_token_wide": Recipe(
        Data("first_token", train=400),
        "Recurrent(8, 48, 4, kind='RNN', nonlinearity='relu', tokens=8)",
        Training(optimiser="sgd", lr=0.05, epochs=30),
        Left("steps"),
    ),
    "counting_rnn": Recipe(
        Data("counting", train=600),
        "Recurrent(8, 24, 2, kind='RNN', nonlinearity='relu', tokens=8)",
        Training(optimiser="momentum", lr=0.01, epochs=25),
        Left("csv"),
    ),
}
"""Recipes that some faults need: too large for their data, or hard to train."""


def base(name: str) -> Recipe:
    """Return a recipe that faults are put into."""
    return OWN[name] if name in OWN else PLAIN[name]


def _argument(recipe: Recipe, **values: object) -> Recipe:
    """Give the network another argument, or one more."""
    call = recipe.network
    for name, value in values.items():
        call = re.sub(rf", {name}=[^,)]*", "", call)
        call = f"{call[:-1]}, {name}={value!r})"
    return built(recipe, call)


def _widths(recipe: Recipe, widths: list[int]) -> Recipe:
    return built(recipe, re.sub(r"\[.*?\]", str(widths), recipe.network))


def _lr(recipe: Recipe, factor: float) -> Recipe:
    return trained_by(recipe, lr=recipe.training.lr * factor)


def _lr_held(recipe: Recipe, factor: float) -> Recipe:
    """Change the learning rate, and do not let it fall with time."""
    return trained_by(_lr(recipe, factor), schedule="constant")


def _epochs(recipe: Recipe, share: float) -> Recipe:
    return trained_by(recipe, epochs=max(5, round(recipe.training.epochs * share)))


def _fewer_epochs(recipe: Recipe, share: float) -> Recipe:
    """Stop early, at a learning rate that the whole training would have been right for."""
    return _epochs(_lr_held(recipe, 0.3), share)


def _on_fewer(recipe: Recipe, n: float) -> Recipe:
    return trained_by(on(recipe, train=int(n)), batch=16)


def _larger(recipe: Recipe, factor: float) -> Recipe:
    widths = [int(w) for w in re.findall(r"\d+", re.findall(r"\[(.*?)\]", recipe.network)[0])]
    return _epochs(_widths(recipe, [int(w * factor) for w in widths]), 1.0)


def _noise(recipe: Recipe, factor: float) -> Recipe:
    """Put noise into the data themselves, all splits, as measuring would."""
    return on(recipe, noise=recipe.data.noise * factor)


def _longer(recipe: Recipe, factor: float) -> Recipe:
    return _epochs(recipe, factor)


def _narrow(recipe: Recipe, width: float) -> Recipe:
    return _widths(recipe, [int(width)])


def _started(start: str) -> Callable[[Recipe, float], Recipe]:
    return lambda recipe, value: trained_by(recipe, start=start, start_value=value)


def _steep(recipe: Recipe, gain: float) -> Recipe:
    """Start so large that the gradient grows from layer to layer, with steps that survive it."""
    slow = trained_by(recipe, start="scaled", start_value=gain)
    return trained_by(slow, optimiser="sgd", lr=1e-6)


def _sigmoid_deep(recipe: Recipe, depth: float) -> Recipe:
    return _argument(_widths(recipe, [24] * int(depth)), activation="Sigmoid")


def _saturating(recipe: Recipe, gain: float) -> Recipe:
    return trained_by(_argument(recipe, activation="Tanh"), start="scaled", start_value=gain)


def _last(activation: str) -> Callable[[Recipe, float], Recipe]:
    return lambda recipe, _: _argument(recipe, last=activation)


def _last_scaled(activation: str) -> Callable[[Recipe, float], Recipe]:
    return lambda recipe, scale: _argument(on(recipe, target_scale=scale), last=activation)


def _twice(activation: str) -> Callable[[Recipe, float], Recipe]:
    return lambda recipe, _: left(_argument(recipe, last=activation), names_loss=True)


def _unscaled(recipe: Recipe, scale: float) -> Recipe:
    """Leave the inputs as they were measured; where these are near one, in another unit."""
    if recipe.data.name in MEASURED:
        return on(recipe, prepared=False, scale=scale) if _classes(recipe) else recipe
    return on(recipe, scale=100 * scale, offset=300 * scale)


def _classes(recipe: Recipe) -> bool:
    return recipe.training.loss != "mse_loss"


def _unscaled_target(recipe: Recipe, scale: float) -> Recipe:
    return on(recipe, target_scale=scale, target_offset=3 * scale)


def _stale(recipe: Recipe, share: float) -> Recipe:
    return left(recipe, stale=share)


def _rare(recipe: Recipe, share: float) -> Recipe:
    return on(recipe, rare=share)


def _without(key: str) -> Callable[[Recipe, float], Recipe]:
    """Leave out the first layer, the first two, or all but the last."""

    def into(recipe: Recipe, count: float) -> Recipe:
        layers = _LAYERS[recipe.network.partition("(")[0]][: int(count)]
        return trained_by(recipe, **{key: layers})

    return into


_LAYERS = {
    "MLP": ("hidden.0", "hidden.1"),
    "CNN": ("conv1", "conv2"),
    "ResNet": ("stem", "blocks.0", "blocks.1"),
    "ResidualMLP": ("stem", "blocks.0", "blocks.1"),
    "Recurrent": ("rnn", "fc"),
    "Transformer": ("embed", "blocks"),
    "Decoder": ("embed", "blocks"),
    "AutoEncoder": ("encoder.0", "encoder"),
}
"""Layers of each network, the first ones first."""


def _zeroing(recipe: Recipe, often: float) -> Recipe:
    return trained_by(recipe, zero_grad="never" if often == 0 else "epoch")


def _tiny_batch(recipe: Recipe, batch: float) -> Recipe:
    return _epochs(trained_by(recipe, batch=int(batch)), 0.5)


def _dropout(recipe: Recipe, p: float) -> Recipe:
    return _argument(recipe, dropout=p)


def _unshuffled(recipe: Recipe, factor: float) -> Recipe:
    return trained_by(on(_lr_held(recipe, factor), ordered=True), shuffles=False)


def _dead(recipe: Recipe, share: float) -> Recipe:
    return trained_by(recipe, bias=-20.0, bias_share=share)


def _dead_layer(recipe: Recipe, at: float) -> Recipe:
    """Close all units of one hidden layer, so that nothing reaches the layers before it."""
    return trained_by(recipe, bias=-20.0, bias_of=(f"hidden.{int(at)}",))


def _naive(recipe: Recipe, factor: float) -> Recipe:
    return trained_by(_lr_held(recipe, factor), naive=True)


def _skipping(recipe: Recipe, share: float) -> Recipe:
    # Behind a ReLU the gradient of what is NaN is zero, and the fault would have no effect.
    network = _argument(recipe, unit_norm=True, activation="Tanh")
    return trained_by(on(network, blank=share), skips=True)


def _rising(recipe: Recipe, peak: float) -> Recipe:
    return trained_by(recipe, schedule="rising", peak=peak)


def _bottleneck(recipe: Recipe, width: float) -> Recipe:
    return _widths(recipe, [32, int(width), 32])


def _zeroed(recipe: Recipe, which: float) -> Recipe:
    layers = _LAYERS[recipe.network.partition("(")[0]]
    return left(recipe, zeroed=(layers[int(which)],))


MANY = ("moons", "digits", "images", "friedman", "tones_gru", "wine")

FAULTS: tuple[Fault, ...] = (
    Fault(
        "lr_too_high",
        ("curves.unstable", *EXPLODED, *DEAD, *NOT_LEARNED, "features.saturated_units",
         "predictions.overconfident"),
        (30, 100, 300), ("moons_plain_sgd", "circles", "digits", "digits_sgd"), _lr_held,
        in_logs=True,
    ),
    Fault(
        "lr_too_low", (*SLOW, "curves.not_learning", "predictions.class_ignored",
                       "predictions.constant"),
        (0.05, 0.02, 0.005), ("moons_plain_sgd", "digits_plain_sgd", "blobs", "friedman_plain_sgd"),
        _lr_held, in_logs=True,
    ),
    Fault(
        "too_few_epochs", ("curves.still_improving", *SLOW, "predictions.class_ignored"),
        (0.3, 0.2, 0.15),
        ("moons_plain_sgd", "digits_plain_sgd", "friedman_plain_sgd", "waves_plain_sgd"),
        _fewer_epochs, in_logs=True,
    ),
    Fault(
        "overfit_size", (*OVERFITTED, "curves.unstable"), (0.6, 1.5, 3),
        ("moons_large", "noisy_large", "diabetes_large", "waves_large"), _larger, in_logs=True,
    ),
    Fault(
        "overfit_noise", (*OVERFITTED, "predictions.label_noise"), (1.2, 1.5, 2.0),
        ("moons_large", "circles_large", "spirals_large", "waves_large"), _noise, in_logs=True,
    ),
    Fault(
        "overfit_few_samples", OVERFITTED, (120, 60, 30),
        ("moons_large", "noisy_large", "diabetes_large", "imbalanced_large"), _on_fewer,
        in_logs=True,
    ),
    Fault(
        "overfit_no_regularisation", OVERFITTED, (0.5, 1, 2),
        ("noisy_large", "diabetes_large", "imbalanced_large", "moons_large"), _longer, in_logs=True,
    ),
    Fault(
        "overconfident", ("predictions.overconfident", "curves.overfitting"), (0.3, 0.6, 1.5),
        ("noisy_large", "moons_large"), _longer,
    ),
    Fault(
        "capacity_too_small", ("predictions.underfitting", *NOT_LEARNED, *DEAD),
        (3, 2, 1), ("spirals", "circles", "digits", "moons"), _narrow,
    ),
    Fault(
        "regularisation_too_strong",
        ("predictions.underfitting", *NOT_LEARNED, "features.collapsed", "gradients.vanishing",
         "gradients.zero"), (0.05, 0.1, 0.5),
        ("moons_plain_sgd", "digits_plain_sgd", "spirals", "circles"),
        lambda recipe, decay: trained_by(recipe, weight_decay=decay),
    ),
    Fault(
        "init_zero",
        ("weights.identical_units", "weights.zero", "gradients.zero", "features.collapsed",
         "features.dead_units", *NOT_LEARNED),
        (0,), ("moons", "digits", "friedman", "circles", "waves", "wine", "blobs", "cancer"),
        _started("zero"),
        certain=True,
    ),
    Fault(
        "init_constant",
        ("weights.identical_units", "features.collapsed", "gradients.exploding", *NOT_LEARNED),
        (0.02, 0.1, 0.5),
        ("moons", "digits", "friedman", "circles"), _started("constant"),
        certain=True,
    ),
    Fault(
        "init_tiny",
        ("curves.not_learning", "gradients.vanishing", "features.collapsed", *SLOW, *NOT_LEARNED),
        (0.1, 0.03, 0.01), ("moons_deep", "digits_deep", "friedman_deep"), _started("scaled"),
        in_logs=True,
    ),
    Fault(
        "init_huge",
        ("weights.large", "features.saturated_units", *EXPLODED, *OVERFITTED,
         "predictions.underfitting", *DEAD),
        (5, 10, 30), ("moons", "digits", "spirals", "circles"), _started("scaled"),
    ),
    Fault(
        "activation_missing", ("predictions.underfitting", *NOT_LEARNED), (0,),
        ("moons", "circles", "spirals", "moons_long", "moons_deep", "friedman", "waves",
         "moons_bn"),
        lambda recipe, _: _argument(recipe, activation="Identity"),
    ),
    Fault(
        "deep_sigmoid",
        ("gradients.vanishing", "features.collapsed", "features.saturated_units", *SLOW,
         *NOT_LEARNED),
        (4, 6, 8), ("moons_plain_sgd", "digits_plain_sgd", "friedman_plain_sgd", "waves_plain_sgd"),
        _sigmoid_deep,
    ),
    Fault(
        "saturating_deep",
        ("features.saturated_units", "weights.large", "curves.unstable", "predictions.underfitting",
         *OVERFITTED, "gradients.exploding"),
        (5, 10, 30), ("moons_deep", "digits_deep", "spirals_deep", "friedman_deep"), _saturating,
    ),
    Fault(
        "last_relu",
        ("predictions.output_activation", *DEAD, *NOT_LEARNED), (0,),
        ("moons", "digits", "friedman", "spirals", "wine", "waves", "friedman_plain_sgd", "blobs"),
        _last("ReLU"),
        certain=True,
    ),
    Fault(
        "last_tanh_wide_targets",
        ("predictions.output_activation", "features.unscaled_target", "predictions.underfitting",
         "features.saturated_units"),
        (1, 3, 10), ("friedman", "waves", "friedman_plain_sgd", "diabetes"), _last_scaled("Tanh"),
        certain=True,
    ),
    Fault(
        "last_sigmoid_wide_targets",
        ("predictions.output_activation", "features.unscaled_target", "features.saturated_units",
         *NOT_LEARNED),
        (1, 3, 10), ("friedman", "waves", "friedman_plain_sgd", "diabetes"),
        _last_scaled("Sigmoid"),
        certain=True,
    ),
    Fault(
        "softmax_twice", ("predictions.double_softmax", *SLOW, *NOT_LEARNED), (0,),
        ("moons", "digits", "spirals", "wine", "blobs", "images", "noisy", "digits_plain_sgd"),
        _twice("Softmax"),
        certain=True,
    ),
    Fault(
        "sigmoid_twice",
        ("predictions.double_sigmoid", *SLOW, *NOT_LEARNED),
        (0,), ("circles", "cancer", "imbalanced", "moons_long", "labels", "imbalanced_large"),
        _twice("Sigmoid"),
        certain=True,
    ),
    Fault(
        "input_unscaled",
        ("features.unscaled_input", *EXPLODED, *DEAD, *SLOW, *NOT_LEARNED,
         "features.saturated_units"),
        (0.3, 1, 10), ("wine", "cancer", "moons", "friedman_plain_sgd"), _unscaled,
        certain=True,
    ),
    Fault(
        "target_unscaled",
        ("features.unscaled_target", *EXPLODED, *DEAD, *SLOW, *NOT_LEARNED), (10, 50, 300),
        ("friedman", "diabetes", "waves", "friedman_plain_sgd"), _unscaled_target,
        certain=True,
    ),
    Fault(
        "analysis_normalisation",
        ("predictions.log_mismatch", "features.unscaled_input", "predictions.underfitting",
         "predictions.overconfident", "features.saturated_units", "gradients.exploding",
         "predictions.mode_gap", *NOT_LEARNED),
        (0,), ("digits", "images", "cancer", "wine", "friedman", "digits_sgd", "images_bn",
               "resnet"),
        lambda recipe, _: on(recipe, given_raw=True),
        certain=True,
    ),
    Fault(
        "wrong_checkpoint",
        ("predictions.log_mismatch", "weights.untrained", *NOT_LEARNED), (0.1, 0.05, 0.0),
        ("digits", "friedman", "spirals", "counting"), _stale,
        certain=True,
    ),
    Fault(
        "labels_flipped", ("predictions.label_noise", *OVERFITTED), (0.08, 0.15, 0.3),
        ("digits", "blobs", "wine", "moons"), lambda recipe, share: on(recipe, flipped=share),
        certain=True,
    ),
    Fault(
        "labels_shuffled",
        ("predictions.label_noise", *OVERFITTED, *NOT_LEARNED), (0.5, 0.8, 1.0),
        ("digits", "blobs", "moons", "spirals"), lambda recipe, share: on(recipe, shuffled=share),
        in_logs=False,
        certain=True,
    ),
    Fault(
        "class_missing", ("predictions.class_ignored", "predictions.overconfident",
                          "curves.overfitting"),
        (1,), ("digits", "blobs", "wine", "spirals", "images", "digits_sgd", "resnet"),
        lambda recipe, count: on(recipe, missing=int(count)),
        certain=True,
    ),
    Fault(
        "class_rare",
        ("predictions.imbalance", "predictions.class_ignored", *OVERFITTED),
        (0.1, 0.05, 0.03), ("digits", "images", "moons", "noisy"), _rare,
    ),
    Fault(
        "leakage", ("predictions.leakage",), (0.05, 0.2, 1.0),
        ("digits", "moons", "friedman", "counting"), lambda recipe, share: on(recipe, leaked=share),
        certain=True,
    ),
    Fault(
        "frozen_layer", ("weights.untrained", "gradients.missing", "predictions.underfitting"),
        (1, 2), ("digits", "images", "moons", "resnet"), _without("untrained"),
        certain=True,
    ),
    Fault(
        "not_given_to_optimiser", ("weights.untrained", "predictions.underfitting"), (1, 2),
        ("digits", "friedman", "counting", "digits_residual"), _without("forgotten"),
        certain=True,
    ),
    Fault(
        "zero_grad_forgotten",
        ("curves.unstable", *EXPLODED, *DEAD, *NOT_LEARNED, "predictions.overconfident",
         "features.saturated_units"),
        (0,), ("moons_plain_sgd", "digits_plain_sgd", "blobs", "friedman_plain_sgd", "digits_sgd",
               "noisy", "waves_plain_sgd", "moons_deep"),
        _zeroing, in_logs=True,
    ),
    Fault(
        "lr_rises",
        ("curves.diverging", *EXPLODED, *DEAD, *NOT_LEARNED, "predictions.overconfident",
         "features.saturated_units"),
        (100, 300, 1000),
        ("moons_plain_sgd", "digits_plain_sgd", "moons_deep", "images"), _rising, in_logs=True,
    ),
    Fault(
        "batch_norm_tiny_batch",
        ("predictions.mode_gap", "predictions.log_mismatch", "curves.unstable",
         "predictions.underfitting"),
        # Not of images: a batch of two holds two values for each unit, but 128 for each channel.
        (3, 2), ("moons_bn", "digits_bn", "wine_bn"), _tiny_batch,
    ),
    Fault(
        "dropout_too_high",
        ("predictions.underfitting", "predictions.mode_gap", *NOT_LEARNED), (0.8, 0.9, 0.97),
        ("moons_plain_sgd", "digits", "spirals", "wine"), _dropout,
    ),
    Fault(
        "not_shuffled",
        ("curves.not_learning", "predictions.class_ignored", "predictions.constant",
         "curves.unstable", "predictions.underfitting", "predictions.overconfident",
         "curves.overfitting", "predictions.log_mismatch", *DEAD),
        (1, 2), ("images", "digits_sgd", "digits_plain_sgd", "digits_deep"), _unshuffled,
        in_logs=True,
    ),
    Fault(
        "dead_relus", ("features.dead_units", *DEAD, *NOT_LEARNED), (0.6, 0.8, 0.95),
        ("moons", "digits", "friedman", "images"), _dead,
        certain=True,
    ),
    Fault(
        "dead_layer", ("gradients.zero", *DEAD, *NOT_LEARNED, "weights.untrained"), (1,),
        ("moons", "digits", "friedman", "spirals", "digits_plain_sgd", "moons_deep"), _dead_layer,
        certain=True,
    ),
    Fault(
        "exploding_deep",
        ("gradients.exploding", *EXPLODED, *SLOW, *OVERFITTED, *NOT_LEARNED, *DEAD,
         "features.saturated_units"),
        (3, 4, 6), ("moons_deep", "digits_deep", "spirals_deep", "friedman_deep"), _steep,
        certain=True,
    ),
    Fault(
        "exploding_recurrent",
        ("curves.nonfinite", *EXPLODED, *NOT_LEARNED, *DEAD), (2.0, 2.5, 3.5),
        ("first_token_rnn", "first_token_wide", "counting_rnn"), _started("recurrent"),
        in_logs=True,
    ),
    Fault(
        "nan_overflow",
        ("curves.nonfinite", *EXPLODED, *NOT_LEARNED), (100, 1000, 10000),
        ("moons_plain_sgd", "digits_plain_sgd", "blobs", "spirals"), _naive, in_logs=True,
    ),
    Fault(
        "weights_nonfinite",
        ("weights.nonfinite", "gradients.nonfinite", "predictions.log_mismatch", *NOT_LEARNED),
        (0.001, 0.1, 1.0), ("digits", "friedman", "images", "language"),
        lambda recipe, share: left(recipe, nonfinite=share),
        certain=True,
    ),
    Fault(
        "nan_gradients_skipped", ("gradients.nonfinite", *SLOW), (0.01, 0.03, 0.1),
        ("moons_plain_sgd", "digits", "friedman", "spirals"), _skipping,
        certain=True,
    ),
    Fault(
        "layer_zeroed",
        ("weights.zero", "predictions.log_mismatch", "gradients.zero", "weights.identical_units",
         "features.collapsed", "predictions.overconfident", *NOT_LEARNED),
        (0, 1), ("digits", "friedman", "images", "counting"), _zeroed,
        certain=True,
    ),
    Fault(
        "unused_layer", ("gradients.missing", "weights.untrained"), (1, 2, 3),
        ("digits", "moons", "images", "friedman"),
        lambda recipe, count: _argument(recipe, spare=int(count)),
        certain=True,
    ),
    Fault(
        "detached", ("gradients.missing", "weights.untrained", "predictions.underfitting"), (1, 2),
        ("digits", "moons", "images", "friedman"),
        lambda recipe, at: _argument(recipe, detach_after=int(at)),
        certain=True,
    ),
    Fault(
        "constant_output",
        ("predictions.constant", *NOT_LEARNED, "features.unscaled_input", "features.collapsed",
         "curves.slow"),
        (1e-3, 1e-4, 1e-6), ("moons_plain_sgd", "digits_plain_sgd", "friedman_plain_sgd", "blobs"),
        lambda recipe, scale: on(recipe, scale=scale),
    ),
    Fault(
        "duplicate_log", ("curves.duplicate",), (0,),
        ("digits", "moons", "friedman", "images", "cancer", "language", "waves", "tones_gru"),
        lambda recipe, _: left(recipe, duplicate=True), in_logs=True,
        certain=True,
    ),
    Fault(
        "collapsed_features",
        ("features.collapsed", *DEAD, *NOT_LEARNED), (1,),
        ("digits", "digits_sgd", "blobs", "waves", "digits_bn"), _bottleneck,
    ),
)  # fmt: skip


def strength_names(fault: Fault) -> tuple[str, ...]:
    """Return what each strength of a fault is called."""
    names = {1: ("medium",), 2: ("medium", "gross"), 3: ("slight", "medium", "gross")}
    return names[len(fault.strengths)]


def logged(causes: tuple[str, ...]) -> tuple[str, ...]:
    """Return what of the causes logs alone can show."""
    return tuple(one for one in causes if one.startswith("curves."))
