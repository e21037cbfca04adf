from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from clinic.data import splits
from clinic.healthy import PLAIN, left, on, trained_by
from clinic.leaving import leave
from clinic.recipe import Recipe
from clinic.training import Trained, built, factor, fit, loss_of, score

FORMATS = ("savetxt", "csv", "keras", "percent", "jsonl", "trainer", "console", "steps")


def small(**changes: object) -> Recipe:
    recipe = trained_by(on(PLAIN["moons"], train=60, valid=30, test=30), epochs=4, **changes)
    return replace(recipe, network="MLP(2, [8], 2)")


def trained(recipe: Recipe, *, seed: int = 0) -> Trained:
    return fit(recipe, splits(recipe.data, seed=seed), seed=seed)


def left_in(folder: Path, recipe: Recipe) -> Trained:
    done = trained(recipe)
    leave(recipe, done, splits(recipe.data, seed=0), folder)
    return done


def test_the_same_seed_trains_the_same_network() -> None:
    one, same, other = trained(small()), trained(small()), trained(small(), seed=1)
    assert one.epochs == same.epochs
    assert one.epochs != other.epochs


@pytest.mark.parametrize("log", FORMATS)
def test_every_format_holds_as_many_epochs_as_were_trained(log: str, tmp_path: Path) -> None:
    done = left_in(tmp_path, left(small(), log=log, only_logs=True))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    said = "".join(path.read_text() for path in files)
    last = done.epochs["valid_loss"][-1]
    shown = {"savetxt": f"{last:.18e}", "console": f"{last:.6g}"}.get(log, repr(last))
    assert shown in said


def test_a_log_in_percent_is_a_hundred_times_the_shares(tmp_path: Path) -> None:
    done = left_in(tmp_path, left(small(), log="percent"))
    with (tmp_path / "logs" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    shares = [float(row["valid_acc"]) / 100 for row in rows]
    np.testing.assert_allclose(shares, done.epochs["valid_acc"])


def test_the_last_weights_give_the_last_logged_loss(tmp_path: Path) -> None:
    recipe = small()
    done = left_in(tmp_path, recipe)
    network = built(recipe.network)
    network.load_state_dict(torch.load(tmp_path / "model.pth", weights_only=True))
    arrays = np.load(tmp_path / "data.npz")
    loss = F.cross_entropy(
        network(torch.tensor(arrays["X_valid"])), torch.tensor(arrays["y_valid"])
    )
    assert math.isclose(float(loss.detach()), done.epochs["valid_loss"][-1], rel_tol=1e-5)


def test_the_best_weights_are_those_of_the_least_valid_loss(tmp_path: Path) -> None:
    recipe = left(small(last_jolt=3000.0), which="best", weights="wrapped")
    done = left_in(tmp_path, recipe)
    saved = torch.load(tmp_path / "model.pth", weights_only=True)
    assert saved["epoch"] == int(np.argmin(done.epochs["valid_loss"])) + 1
    network = built(recipe.network)
    network.load_state_dict(saved["model"])
    X, y = map(torch.tensor, splits(recipe.data, seed=0)["valid"])
    loss = float(F.cross_entropy(network(X), y).detach())
    assert math.isclose(loss, min(done.epochs["valid_loss"]), rel_tol=1e-5)


def test_a_layer_that_is_frozen_or_forgotten_stays_as_it_was() -> None:
    for changes in ({"untrained": ("hidden.0",)}, {"forgotten": ("hidden.0",)}):
        done = trained(small(**changes))
        now = done.network.state_dict()
        assert torch.equal(now["hidden.0.weight"], done.states[0]["hidden.0.weight"])
        assert not torch.equal(now["out.weight"], done.states[0]["out.weight"])


def test_units_of_a_constant_start_stay_copies() -> None:
    weight = trained(small(start="constant", start_value=0.1)).network.state_dict()[
        "hidden.0.weight"
    ]
    torch.testing.assert_close(weight, weight[:1].expand_as(weight))


def test_gradients_that_are_never_set_to_zero_add_up() -> None:
    recipe = trained_by(small(zero_grad="never"), lr=1e-9, epochs=3, batch=1000, optimiser="sgd")
    parameter = next(trained(recipe).network.parameters())
    once = next(trained(trained_by(recipe, zero_grad="step")).network.parameters())
    assert parameter.grad is not None
    assert once.grad is not None
    torch.testing.assert_close(parameter.grad, 3 * once.grad, rtol=1e-4, atol=1e-7)


def test_schedules_end_where_they_should() -> None:
    training = small().training
    for name, first, last in (("cosine", 1.0, 0.01), ("step", 1.0, 0.01), ("rising", 1.0, 50.0)):
        one = replace(training, schedule=name, peak=50.0)
        assert math.isclose(factor(one, 0), first)
        assert math.isclose(factor(one, training.epochs * (1 - 1e-9)), last, rel_tol=1e-5)
    assert factor(replace(training, schedule="constant", warm_up=2), 0) == 0.1
    assert factor(replace(training, schedule="constant", warm_up=2), 2) == 1.0


def test_the_naive_loss_is_the_cross_entropy_until_it_overflows() -> None:
    naive = loss_of(replace(small().training, naive=True), torch.tensor([0, 1]))
    outputs, y = torch.tensor([[1.0, 2.0], [3.0, -1.0]]), torch.tensor([0, 1])
    torch.testing.assert_close(naive(outputs, y), F.cross_entropy(outputs, y))
    assert not math.isfinite(float(naive(100 * outputs, y)))


def test_r_squared_of_the_mean_is_zero_and_of_the_targets_one() -> None:
    y = torch.tensor([0.5, 1.5, 4.0])
    assert score(y[:, None], y) == 1.0
    assert abs(score(torch.full((3, 1), 2.0), y)) < 1e-6


def test_a_run_says_in_its_config_what_a_user_would(tmp_path: Path) -> None:
    left_in(tmp_path, left(small(), names_loss=True, frozen=("trunk.*",), data="py"))
    assert (tmp_path / "kashika.toml").read_text() == (
        'model = "model.py:MLP(2, [8], 2)"\ndata = "data.py:load"\ncheckpoint = "model.pth"\n'
        'loss = "cross_entropy"\nfrozen = ["trunk.*"]\n'
    )


def test_a_step_log_has_a_row_for_every_step(tmp_path: Path) -> None:
    done = left_in(tmp_path, left(small(), log="steps"))
    lines = (tmp_path / "logs" / "train.csv").read_text().splitlines()
    assert len(lines) == 1 + len(done.steps) == 1 + 4 * 2  # 60 samples in batches of 32


def test_a_trainer_state_is_json_with_both_losses(tmp_path: Path) -> None:
    done = left_in(tmp_path, left(small(), log="trainer"))
    history = json.loads((tmp_path / "trainer_state.json").read_text())["log_history"]
    assert [row["loss"] for row in history if "loss" in row] == done.epochs["train_loss"]
    assert [row["eval_loss"] for row in history if "eval_loss" in row] == done.epochs["valid_loss"]
