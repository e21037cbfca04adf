"""Trainings that are as they should be, in kinds; among them what looks like a fault."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clinic.recipe import Data, Left, Recipe, Training

BCE = "binary_cross_entropy_with_logits"

PLAIN: dict[str, Recipe] = {
    "moons": Recipe(
        Data("moons", train=800, valid=300, noise=0.2),
        "MLP(2, [32, 32], 2)",
        Training(optimiser="sgd", lr=0.1, epochs=80, weight_decay=1e-3, schedule="cosine"),
        Left("savetxt"),
    ),
    "moons_long": Recipe(
        Data("moons", train=300, valid=150),
        "MLP(2, [16, 16], 1, activation='Tanh')",
        Training(BCE, optimiser="sgd", lr=0.1, epochs=300, weight_decay=2e-3),
        Left("csv", weights="wrapped"),
    ),
    "circles": Recipe(
        Data("circles", train=400),
        "MLP(2, [16, 16], 1, activation='Tanh')",
        Training(BCE, lr=1e-2, epochs=60),
        Left("keras", data="py"),
    ),
    "spirals": Recipe(
        Data("spirals", train=600),
        "MLP(2, [48, 48], 3)",
        Training(lr=5e-3, epochs=120, schedule="cosine"),
        Left("jsonl"),
    ),
    "blobs": Recipe(
        Data("blobs", train=400),
        "MLP(2, [16], 4)",
        Training(optimiser="momentum", lr=0.03, epochs=40),
        Left("console"),
    ),
    "digits": Recipe(
        Data("digits", train=1000, valid=397, test=400),
        "MLP(64, [64, 32], 10)",
        Training(lr=2e-3, epochs=30, schedule="cosine"),
        Left("csv", initial=True),
    ),
    "digits_sgd": Recipe(
        Data("digits", train=1000, valid=397, test=400),
        "MLP(64, [48, 48, 48], 10, activation='LeakyReLU')",
        Training(optimiser="momentum", lr=0.03, epochs=30, schedule="cosine"),
        Left("percent"),
    ),
    "digits_residual": Recipe(
        Data("digits", train=1000, valid=397, test=400),
        "ResidualMLP(64, 40, 3, 10, activation='GELU')",
        Training(optimiser="adamw", lr=1e-3, epochs=20, schedule="cosine", weight_decay=0.01),
        Left("trainer", weights="wrapped"),
    ),
    "images": Recipe(
        Data("digit_images", train=900, valid=300, test=300),
        "CNN(10, channels=8)",
        Training(lr=1e-2, epochs=18, schedule="cosine"),
        Left("steps"),
    ),
    "images_bn": Recipe(
        Data("digit_images", train=900, valid=300, test=300),
        "CNN(10, channels=8, batch_norm=True)",
        Training(optimiser="momentum", lr=0.03, epochs=12, schedule="cosine"),
        Left("savetxt", initial=True),
    ),
    "resnet": Recipe(
        Data("digit_images", train=900, valid=300, test=300),
        "ResNet(10, channels=12, depth=2)",
        Training(lr=5e-3, epochs=14, schedule="cosine"),
        Left("csv", data="py"),
    ),
    "cancer": Recipe(
        Data("breast_cancer", train=340, valid=114, test=115),
        "MLP(30, [16], 1)",
        Training(BCE, optimiser="adamw", lr=3e-3, epochs=30, weight_decay=0.1, schedule="cosine"),
        Left("keras"),
    ),
    "wine": Recipe(
        Data("wine", train=100, valid=39, test=39),
        "MLP(13, [16], 3)",
        Training(lr=5e-3, epochs=40, batch=16, weight_decay=1e-2),
        Left("jsonl", weights="wrapped"),
    ),
    "diabetes": Recipe(
        Data("diabetes", train=264, valid=89, test=89),
        "MLP(10, [12], 1, activation='Tanh')",
        Training("mse_loss", optimiser="adam", lr=3e-3, epochs=50, weight_decay=0.03),
        Left("csv"),
    ),
    "friedman": Recipe(
        Data("friedman", train=1200, valid=400, test=400),
        "MLP(10, [32, 32], 1)",
        Training("mse_loss", lr=3e-3, epochs=50, batch=64, schedule="cosine", weight_decay=1e-3),
        Left("console", data="py"),
    ),
    "imbalanced": Recipe(
        Data("imbalanced", train=1400, valid=400, test=200),
        "MLP(6, [16], 1)",
        Training(BCE, lr=3e-3, epochs=25),
        Left("csv", names_loss=True),
    ),
    "noisy": Recipe(
        Data("noisy", train=1400, valid=400, test=200),
        "MLP(4, [8], 2)",
        Training(optimiser="sgd", lr=0.05, epochs=40),
        Left("percent"),
    ),
    "tones_gru": Recipe(
        Data("tones", train=600),
        "Recurrent(1, 20, 3)",
        Training(lr=1e-2, epochs=25, batch=50, clip=1.0, schedule="cosine"),
        Left("steps"),
    ),
    "tones_lstm": Recipe(
        Data("tones", train=600),
        "Recurrent(1, 20, 3, kind='LSTM')",
        Training(lr=1e-2, epochs=30, batch=50, clip=1.0, schedule="cosine"),
        Left("csv"),
    ),
    "first_token": Recipe(
        Data("first_token", train=600),
        "Recurrent(8, 24, 4, kind='GRU', tokens=8)",
        Training(lr=1e-2, epochs=40, batch=50, schedule="cosine"),
        Left("jsonl"),
    ),
    "counting": Recipe(
        Data("counting", train=800),
        "Transformer(8, 13, 2)",
        Training(optimiser="adamw", lr=5e-3, epochs=20, schedule="cosine", warm_up=2),
        Left("trainer"),
    ),
    "language": Recipe(
        Data("language", train=400),
        "Decoder(8, 16)",
        Training(optimiser="adamw", lr=5e-3, epochs=20, schedule="cosine", warm_up=2),
        Left("trainer", names_loss=True),
    ),
    "language_gru": Recipe(
        Data("language", train=400),
        "RecurrentLM(8, 16)",
        Training(lr=1e-2, epochs=25, schedule="cosine"),
        Left("csv", weights="wrapped"),
    ),
    "labels": Recipe(
        Data("labels", train=800),
        "MLP(6, [16], 3, activation='SiLU')",
        Training(BCE, lr=5e-3, epochs=40, schedule="cosine"),
        Left("savetxt"),
    ),
    "waves": Recipe(
        Data("waves", train=800),
        "MLP(4, [32, 32], 3, activation='SiLU')",
        Training("mse_loss", lr=5e-3, epochs=50, schedule="cosine"),
        Left("keras"),
    ),
    "reconstruction": Recipe(
        Data("reconstruction", train=600),
        "AutoEncoder(20, 24, 6, activation='Tanh')",
        Training("mse_loss", lr=5e-3, epochs=50, schedule="cosine"),
        Left("csv", weights="wrapped"),
    ),
    "linear": Recipe(
        Data("linear", train=300, valid=100),
        "MLP(5, [], 1)",
        Training("mse_loss", optimiser="momentum", lr=0.01, epochs=40),
        Left("savetxt"),
    ),
    "moons_deep": Recipe(
        Data("moons", train=800, valid=250),
        "MLP(2, [24, 24, 24, 24, 24], 2)",
        Training(optimiser="sgd", lr=0.05, epochs=50, weight_decay=2e-3, schedule="cosine"),
        Left("csv"),
    ),
    "digits_deep": Recipe(
        Data("digits", train=1000, valid=397, test=400),
        "MLP(64, [48, 48, 48, 48, 48], 10)",
        Training(optimiser="momentum", lr=0.03, epochs=45, weight_decay=1e-3, schedule="cosine"),
        Left("savetxt"),
    ),
    "spirals_deep": Recipe(
        Data("spirals", train=600),
        "MLP(2, [32, 32, 32, 32], 3, activation='Tanh')",
        Training(lr=5e-3, epochs=60),
        Left("jsonl"),
    ),
    "friedman_deep": Recipe(
        Data("friedman", train=800),
        "MLP(10, [32, 32, 32, 32], 1, activation='Tanh')",
        Training("mse_loss", optimiser="momentum", lr=0.01, epochs=50),
        Left("keras"),
    ),
    "moons_bn": Recipe(
        Data("moons", train=300, valid=200, noise=0.2),
        "MLP(2, [24, 24], 2, batch_norm=True)",
        Training(optimiser="momentum", lr=0.03, epochs=45, schedule="cosine"),
        Left("csv"),
    ),
    "digits_bn": Recipe(
        Data("digits", train=500, valid=397, test=400),
        "MLP(64, [32, 32], 10, batch_norm=True)",
        Training(lr=5e-3, epochs=15),
        Left("savetxt"),
    ),
    "wine_bn": Recipe(
        Data("wine", train=100, valid=39, test=39),
        "MLP(13, [16], 3, batch_norm=True)",
        Training(lr=5e-3, epochs=40, batch=16, schedule="cosine"),
        Left("keras"),
    ),
    "moons_plain_sgd": Recipe(
        Data("moons", train=500, valid=250, noise=0.2),
        "MLP(2, [32, 32], 2)",
        Training(optimiser="sgd", lr=0.1, epochs=60),
        Left("savetxt"),
    ),
    "digits_plain_sgd": Recipe(
        Data("digits", train=1000, valid=397, test=400),
        "MLP(64, [48, 48], 10)",
        Training(optimiser="sgd", lr=0.1, epochs=40, schedule="cosine"),
        Left("csv"),
    ),
    "friedman_plain_sgd": Recipe(
        Data("friedman", train=1000),
        "MLP(10, [32], 1)",
        Training("mse_loss", optimiser="sgd", lr=0.05, epochs=50),
        Left("keras"),
    ),
    "waves_plain_sgd": Recipe(
        Data("waves", train=600),
        "MLP(4, [32, 32], 3)",
        Training("mse_loss", optimiser="momentum", lr=0.02, epochs=50),
        Left("jsonl"),
    ),
}
"""One healthy training for each task; faults are put into these."""


def trained_by(recipe: Recipe, **changes: Any) -> Recipe:
    """Return a recipe that is trained otherwise."""
    return replace(recipe, training=replace(recipe.training, **changes))


def left(recipe: Recipe, **changes: Any) -> Recipe:
    """Return a recipe that leaves something else."""
    return replace(recipe, left=replace(recipe.left, **changes))


def on(recipe: Recipe, **changes: Any) -> Recipe:
    """Return a recipe on other data."""
    return replace(recipe, data=replace(recipe.data, **changes))


def built(recipe: Recipe, network: str) -> Recipe:
    """Return a recipe with another network."""
    return replace(recipe, network=network)


def kinds() -> dict[str, dict[str, Recipe]]:
    """Return {kind: {name: recipe}} of all that is healthy beside the plain recipes."""
    moons, digits, images = PLAIN["moons"], PLAIN["digits"], PLAIN["images"]
    friedman, cancer, noisy, blobs = (
        PLAIN[name] for name in ("friedman", "cancer", "noisy", "blobs")
    )
    spirals, circles, wine = PLAIN["spirals"], PLAIN["circles"], PLAIN["wine"]
    best = {"which": "best"}
    return {
        "converged_far": {
            "linear": trained_by(PLAIN["linear"], epochs=150),
            "blobs": trained_by(on(blobs, noise=0.6), lr=0.1, epochs=150),
            "first_token": trained_by(PLAIN["first_token"], epochs=80),
        },
        "small_valid": {
            "moons": on(moons, valid=20),
            "digits": on(digits, valid=30),
            "cancer": on(cancer, valid=40),
            "noisy": on(noisy, valid=50),
            "friedman": on(friedman, valid=30),
            "images": on(images, valid=40),
        },
        "dropout": {
            "moons": built(moons, "MLP(2, [48, 48], 2, dropout=0.2)"),
            "digits": trained_by(built(digits, "MLP(64, [96], 10, dropout=0.5)"), epochs=40),
            "images": trained_by(built(images, "CNN(10, channels=12, dropout=0.4)"), epochs=20),
            "cancer": built(cancer, "MLP(30, [32], 1, dropout=0.4)"),
        },
        "last_spike": {
            "moons": left(trained_by(moons, last_jolt=3000.0), **best),
            "digits": left(trained_by(digits, last_jolt=3000.0), **best),
            "friedman": left(trained_by(friedman, last_jolt=1000.0), **best),
            "blobs": left(trained_by(blobs, last_jolt=100.0), **best),
        },
        "short": {
            "images": trained_by(images, epochs=10, batch=8, lr=5e-3),
            "digits": trained_by(digits, epochs=10, lr=5e-3, batch=8),
            "language": trained_by(PLAIN["language"], epochs=8, lr=1e-2, batch=16),
            "blobs": trained_by(blobs, epochs=8, lr=0.05, batch=8),
            "counting": trained_by(PLAIN["counting"], epochs=10, batch=16),
        },
        "warm_up": {
            "digits": trained_by(digits, warm_up=4),
            "spirals": trained_by(spirals, warm_up=10),
            "friedman": trained_by(friedman, warm_up=6),
        },
        "restarts": {
            "digits": trained_by(digits, schedule="restarts"),
            "friedman": trained_by(friedman, schedule="restarts"),
            "moons": trained_by(moons, schedule="restarts"),
            "images": trained_by(images, schedule="restarts", epochs=36),
        },
        "steps_down": {
            "digits": trained_by(PLAIN["digits_sgd"], schedule="step"),
            "images": trained_by(images, schedule="step"),
            "waves": trained_by(PLAIN["waves"], schedule="step"),
        },
        "label_smoothing": {
            "digits": trained_by(digits, label_smoothing=0.1),
            "images": trained_by(images, label_smoothing=0.1),
            "blobs": left(trained_by(blobs, label_smoothing=0.1), names_loss=True),
            "resnet": left(trained_by(PLAIN["resnet"], label_smoothing=0.1), names_loss=True),
        },
        "clipping": {
            "moons": trained_by(moons, clip=0.5),
            "language": trained_by(PLAIN["language_gru"], clip=0.5),
            "digits": trained_by(PLAIN["digits_sgd"], clip=1.0),
        },
        "frozen_trunk": {
            "digits": _fine_tuned(digits, "FineTuned(64, 48, 10)"),
            "blobs": _fine_tuned(blobs, "FineTuned(2, 32, 4)"),
            "wine": _fine_tuned(wine, "FineTuned(13, 24, 3)"),
        },
        "perfect": {
            "blobs": on(blobs, noise=0.8),
            "circles": on(circles, noise=0.04),
            "counting": trained_by(PLAIN["counting"], epochs=30),
            "moons": trained_by(on(moons, noise=0.05), lr=0.3),
        },
        "some_dead": {
            "digits": trained_by(digits, bias=-20.0, bias_share=0.2),
            "moons": trained_by(built(moons, "MLP(2, [64, 64], 2)"), bias=-20.0, bias_share=0.25),
            "images": trained_by(built(images, "CNN(10, channels=16)"), bias=-20.0, bias_share=0.2),
            "friedman": trained_by(friedman, bias=-20.0, bias_share=0.3),
        },
        "hard": {
            "noisy": built(noisy, "MLP(4, [16, 16], 2, activation='Tanh')"),
            "moons": trained_by(on(moons, noise=0.5), epochs=60),
            "noisy_adam": trained_by(noisy, optimiser="adamw", lr=2e-3, epochs=25),
            "noisy_linear": built(noisy, "MLP(4, [], 2)"),
        },
        "imbalanced_handled": {
            "weighted": left(
                trained_by(
                    built(PLAIN["imbalanced"], "MLP(6, [16], 2)"),
                    loss="cross_entropy",
                    weighted=True,
                    weight_decay=1e-3,
                ),
                names_loss=True,
            ),
            "sgd": trained_by(PLAIN["imbalanced"], optimiser="momentum", lr=0.03, epochs=30),
        },
        "early_stopped": {
            "diabetes": left(trained_by(PLAIN["diabetes"], epochs=200, patience=12), **best),
            "noisy": left(
                trained_by(built(noisy, "MLP(4, [32], 2)"), lr=0.1, epochs=200, patience=10), **best
            ),
            "cancer": left(
                trained_by(cancer, schedule="constant", epochs=200, patience=12), **best
            ),
            "friedman": left(
                trained_by(friedman, schedule="constant", epochs=200, patience=12), **best
            ),
        },
        "batch_norm": {
            "moons": trained_by(
                built(moons, "MLP(2, [32, 32], 2, batch_norm=True)"), epochs=40, batch=64
            ),
            "digits": trained_by(
                built(digits, "MLP(64, [48, 48], 10, batch_norm=True)"), epochs=20, batch=64
            ),
            "friedman": trained_by(
                built(friedman, "MLP(10, [32, 32], 1, batch_norm=True)"), weight_decay=1e-2
            ),
        },
        "activations": {
            "gelu": built(digits, "MLP(64, [48, 48], 10, activation='GELU')"),
            "silu": built(spirals, "MLP(2, [48, 48], 3, activation='SiLU')"),
            "leaky": built(moons, "MLP(2, [32, 32, 32], 2, activation='LeakyReLU')"),
            "tanh": built(PLAIN["waves"], "MLP(4, [32, 32], 3, activation='Tanh')"),
            "elu": built(digits, "MLP(64, [48], 10, activation='ELU')"),
        },
        "deep": {
            "spirals": trained_by(
                built(
                    on(spirals, train=1000),
                    "MLP(2, [24, 24, 24, 24, 24, 24], 3, activation='GELU')",
                ),
                weight_decay=1e-4,
                epochs=50,
            ),
            "digits": trained_by(built(digits, "ResidualMLP(64, 24, 8, 10)"), epochs=20),
            "images": built(PLAIN["resnet"], "ResNet(10, channels=8, depth=4)"),
            "circles": built(circles, "MLP(2, [24, 24, 24, 24, 24, 24, 24, 24], 1)"),
        },
        "optimisers": {
            "rmsprop": trained_by(digits, optimiser="rmsprop", lr=1e-3),
            "adamw": trained_by(friedman, optimiser="adamw", weight_decay=0.05),
            "sgd": trained_by(PLAIN["digits_sgd"], optimiser="sgd", lr=0.2),
            "rmsprop_moons": trained_by(moons, optimiser="rmsprop", lr=2e-3, epochs=40),
        },
        "probabilities": {
            "log_softmax": trained_by(
                built(digits, "MLP(64, [48], 10, last='LogSoftmax')"), loss="nll_loss"
            ),
            "sigmoid": left(
                trained_by(
                    built(circles, "MLP(2, [16, 16], 1, activation='Tanh', last='Sigmoid')"),
                    loss="binary_cross_entropy",
                ),
                names_loss=True,
            ),
            "sigmoid_cancer": trained_by(
                built(cancer, "MLP(30, [16], 1, last='Sigmoid')"), loss="binary_cross_entropy"
            ),
        },
        "batches": {
            "whole": trained_by(blobs, batch=400, lr=0.1, epochs=100, weight_decay=3e-3),
            "tiny": left(trained_by(blobs, batch=2, lr=3e-3, epochs=10), log="steps"),
            "small": left(trained_by(moons, batch=8, lr=0.03, epochs=40), log="steps"),
        },
    }


def _fine_tuned(recipe: Recipe, network: str) -> Recipe:
    """Train only the head, on a trunk that learned another task."""
    tuned = trained_by(built(recipe, network), untrained=("trunk",), pretrained=True, lr=1e-2)
    return left(tuned, frozen=("trunk.*",), initial=True)


ONLY_LOGS = (
    "moons", "circles", "spirals", "blobs", "digits", "digits_sgd", "digits_residual", "images",
    "resnet", "diabetes", "friedman", "noisy", "tones_gru", "language", "waves", "linear",
)  # fmt: skip
"""Plain recipes of which some leave nothing but their logs."""
