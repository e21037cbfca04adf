"""The demo trains what the seed trained, and breaks it in the ways that it says.

The ranges are those of the seed's training over 60 seeds, measured before kashika was written.
"""

from __future__ import annotations

import runpy
import shutil
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import make_moons
from sklearn.model_selection import train_test_split
from torch import nn

from kashika import demo
from kashika.distribution import Array, FloatArray
from kashika.errors import LoadError
from kashika.load import Options, load
from kashika.load.options import configured
from kashika.report import Report, analyze
from kashika.texts import speaking
from kashika.view import Level

SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 6))]
LOGS = ["train_acc.txt", "train_loss.txt", "valid_acc.txt", "valid_loss.txt"]


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    with speaking("en"):
        yield
    for name in ("mlp", "data"):
        sys.modules.pop(name, None)


def trained(directory: Path, fault: str | None = None, *, seed: int = 0) -> Path:
    assert list(demo.train(directory, fault=fault, seed=seed)) == [
        *range(1, demo.epochs(fault) + 1)
    ]
    return directory


def report_on(directory: Path) -> Report:
    return analyze(load(directory, configured(directory, Options())))


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The healthy run with seed 0; only to be read."""
    return trained(tmp_path_factory.mktemp("demo") / "healthy")


@pytest.fixture(params=SEEDS)
def directory(request: pytest.FixtureRequest, healthy: Path, tmp_path: Path) -> Path:
    """A healthy run for each seed."""
    seed: int = request.param
    return healthy if seed == 0 else trained(tmp_path / "demo", seed=seed)


# --- what it leaves ------------------------------------------------------------------------------


def test_it_leaves_what_a_users_training_would(healthy: Path) -> None:
    files = sorted(str(p.relative_to(healthy)) for p in healthy.rglob("*") if p.is_file())
    assert files == [
        "data.py", "kashika.toml", "mlp.py", "output/model.pth",
        *(f"output/{name}" for name in LOGS),
    ]  # fmt: skip
    config = tomllib.loads((healthy / "kashika.toml").read_text(encoding="utf-8"))
    assert config == {
        "model": "mlp.py:MLP(input_dim=2, hidden_dim=32, output_dim=2)",
        "data": "data.py:load",
        "checkpoint": "output/model.pth",
    }


def test_its_logs_are_a_hundred_numbers_as_savetxt_writes_them(
    healthy: Path, tmp_path: Path
) -> None:
    for name in LOGS:
        values = np.loadtxt(healthy / "output" / name)
        assert values.shape == (100,)
        np.savetxt(tmp_path / name, values)
        assert (tmp_path / name).read_bytes() == (healthy / "output" / name).read_bytes()


def test_its_checkpoint_is_a_bare_state_dict_that_fits_its_code(healthy: Path) -> None:
    module = network(healthy)
    names = [
        f"layer_{layer}.{part}" for layer in ("in", "hidden", "out") for part in ("weight", "bias")
    ]
    assert [*torch.load(healthy / "output/model.pth", weights_only=True)] == names
    assert sum(parameter.numel() for parameter in module.parameters()) == 1218


def test_its_code_needs_nothing_of_kashika(healthy: Path) -> None:
    for name in ("mlp.py", "data.py"):
        assert "kashika" not in (healthy / name).read_text(encoding="utf-8")


def network(directory: Path) -> nn.Module:
    """Build the network and load its weights, as the seed's notebook does."""
    code = runpy.run_path(str(directory / "mlp.py"))
    module: nn.Module = code["MLP"](input_dim=2, hidden_dim=32, output_dim=2)
    module.load_state_dict(torch.load(directory / "output/model.pth", weights_only=True))
    return module.eval()


def data(directory: Path, **changes: Any) -> dict[str, tuple[FloatArray, Array]]:
    splits: dict[str, tuple[FloatArray, Array]] = runpy.run_path(str(directory / "data.py"))[
        "load"
    ](**changes)
    return splits


def test_its_data_are_the_seeds(healthy: Path) -> None:
    X, y = make_moons(500, noise=0.1, random_state=1234)
    X_train, X_rest, y_train, y_rest = train_test_split(X, y, test_size=0.4, random_state=1234)
    X_valid, X_test, y_valid, y_test = train_test_split(
        X_rest, y_rest, test_size=0.5, random_state=1234
    )
    expected = {"train": (X_train, y_train), "valid": (X_valid, y_valid), "test": (X_test, y_test)}
    found = data(healthy)
    assert [len(found[split][0]) for split in expected] == [300, 100, 100]
    for split, (inputs, classes) in expected.items():
        np.testing.assert_array_equal(found[split][0], inputs)
        np.testing.assert_array_equal(found[split][1], classes)


def test_only_training_labels_are_flipped_and_about_so_many_as_asked(healthy: Path) -> None:
    whole, flipped = data(healthy), data(healthy, flipped=0.2)
    share = np.mean(whole["train"][1] != flipped["train"][1])
    assert 0.2 - 3 * 0.0231 < share < 0.2 + 3 * 0.0231  # sqrt(0.2 * 0.8 / 300) = 0.0231
    np.testing.assert_array_equal(whole["train"][0], flipped["train"][0])
    for split in ("valid", "test"):
        np.testing.assert_array_equal(whole[split][1], flipped[split][1])
    assert len(data(healthy, train=60)["train"][1]) == 60


def test_the_same_seed_gives_the_same_files_and_leaves_the_random_state_alone(
    healthy: Path, tmp_path: Path
) -> None:
    before = torch.get_rng_state()
    again = trained(tmp_path / "again")
    assert torch.equal(torch.get_rng_state(), before)
    for name in LOGS:
        assert (again / "output" / name).read_bytes() == (healthy / "output" / name).read_bytes()
    other = trained(tmp_path / "other", seed=1)
    for name in ("train_loss.txt", "valid_loss.txt"):
        assert (other / "output" / name).read_bytes() != (again / "output" / name).read_bytes()


def test_an_earlier_demo_is_written_over_and_nothing_else(healthy: Path, tmp_path: Path) -> None:
    demo_again = tmp_path / "demo"
    shutil.copytree(healthy, demo_again)
    assert next(iter(demo.train(demo_again))) == 1
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("a year of work")
    with pytest.raises(LoadError) as caught:
        next(iter(demo.train(mine)))
    assert str(caught.value) == (
        f"{mine}: expected an empty directory or an earlier demo, found other files; "
        "name another directory"
    )
    assert [path.name for path in mine.iterdir()] == ["thesis.txt"]


# --- what it learns ------------------------------------------------------------------------------


def test_the_losses_and_accuracies_are_those_of_the_seed(directory: Path) -> None:
    logs = {name: np.loadtxt(directory / "output" / name) for name in LOGS}
    epochs = {1: (0.576, 0.717), 10: (0.188, 0.254), 50: (0.027, 0.108), 100: (0.0077, 0.0145)}
    for epoch, (least, greatest) in epochs.items():
        assert least <= logs["train_loss.txt"][epoch - 1] <= greatest
    assert 0.0077 <= logs["valid_loss.txt"][-1] <= 0.0162
    assert logs["valid_acc.txt"][-1] == 1.0
    inputs, classes = tensors(directory, "test")
    with torch.no_grad():
        logits = network(directory)(inputs)
    assert 0.0094 <= float(F.cross_entropy(logits, classes)) <= 0.0189
    assert (logits.argmax(dim=1) == classes).all()


def tensors(directory: Path, split: str) -> tuple[torch.Tensor, torch.Tensor]:
    inputs, classes = data(directory)[split]
    return torch.tensor(inputs, dtype=torch.float32), torch.tensor(classes)


def test_every_step_is_that_of_the_seeds_recipe(healthy: Path) -> None:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        layers = [nn.Linear(2, 32), nn.Linear(32, 32), nn.Linear(32, 2)]
    module = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
    inputs, classes = tensors(healthy, "train")
    logged = np.loadtxt(healthy / "output" / "train_loss.txt")
    for epoch in range(3):
        losses = []
        for x, y in zip(
            torch.split(inputs, 32), torch.split(classes, 32), strict=True
        ):  # in their order
            loss = F.cross_entropy(module(x), y)
            gradients = torch.autograd.grad(loss, [*module.parameters()])
            with torch.no_grad():
                for parameter, gradient in zip(module.parameters(), gradients, strict=True):
                    parameter.sub_(0.1 * gradient)
            losses.append(loss.item())
        assert logged[epoch] == pytest.approx(np.mean(losses), rel=1e-4)


def test_the_weights_and_gradients_are_those_of_the_seed(directory: Path) -> None:
    module = network(directory)
    inputs, classes = tensors(directory, "test")
    torch.autograd.backward(F.cross_entropy(module(inputs), classes))
    hidden = module.get_parameter("layer_hidden.weight")
    assert hidden.grad is not None
    assert 0.1425 <= float(hidden.detach().std(correction=0)) <= 0.149
    assert 0.0035 <= float(hidden.grad.abs().max()) <= 0.018
    assert 0.19 <= float((hidden.grad == 0).float().mean()) <= 0.49


def test_so_many_units_are_dead_as_in_the_seed(directory: Path) -> None:
    module = network(directory)
    inputs, _ = tensors(directory, "train")
    with torch.no_grad():
        first = torch.relu(module.get_submodule("layer_in")(inputs))
        second = torch.relu(module.get_submodule("layer_hidden")(first))
    assert 0 <= int((first == 0).all(dim=0).sum()) <= 8
    assert 1 <= int((second == 0).all(dim=0).sum()) <= 10


def test_kashika_measures_what_torch_says(directory: Path) -> None:
    run = load(directory, configured(directory, Options()))
    module = network(directory)
    inputs, classes = tensors(directory, "test")
    loss = F.cross_entropy(module(inputs), classes)
    torch.autograd.backward(loss)
    seen = run.observations["test"]
    assert seen.mean_loss == pytest.approx(loss.item(), rel=1e-5)
    for name, parameter in module.named_parameters():
        gradient = seen.gradients[name]
        assert parameter.grad is not None
        assert gradient is not None
        assert gradient.norm == pytest.approx(float(parameter.grad.norm()), rel=1e-5)
        assert gradient.zeros == int((parameter.grad == 0).sum())


def test_a_healthy_training_gets_no_warning_and_no_problem(directory: Path) -> None:
    report = report_on(directory)
    assert report.worst < Level.WARNING
    assert [section.missing for section in report.sections] == [None] * 6
    decided = sum(finding.level is Level.OK for finding in report.findings)
    assert decided >= 0.8 * len(report.findings)


# --- what can be broken --------------------------------------------------------------------------


@dataclass(frozen=True)
class Fault:
    """What is known about a fault: the rules that must find it, or that may find nothing yet."""

    name: str
    found_by: tuple[str, ...] = ()


FAULTS = (
    Fault("lr-too-low"),
    Fault("lr-too-high"),
    Fault("lr-diverging", ("curves.not_learning",)),
    Fault("overfitting", ("curves.overfitting",)),
    Fault("flipped-labels", ("curves.overfitting",)),
    Fault("sigmoid"),
    Fault("init-too-small", ("curves.not_learning", "predictions.constant")),
    Fault("init-too-large"),
)


def test_there_are_the_eight_faults_and_a_healthy_recipe() -> None:
    assert [fault.name for fault in FAULTS] == list(demo.FAULTS)
    assert demo.recipe(None) == demo.Recipe(epochs=100, lr=0.1, init_scale=1.0)
    assert (demo.epochs(None), demo.epochs("overfitting")) == (100, 1500)
    assert [demo.recipe(f"lr-{name}").lr for name in ("too-low", "too-high", "diverging")] == [
        1e-3, 3.0, 10.0,
    ]  # fmt: skip
    assert demo.recipe("init-too-small").init_scale == 0.01
    assert demo.recipe("init-too-large").init_scale == 20.0


def test_a_fault_that_there_is_not_is_told_which_there_are(tmp_path: Path) -> None:
    with pytest.raises(LoadError) as caught:
        next(iter(demo.train(tmp_path / "demo", fault="lr")))
    assert str(caught.value) == (
        "--broken: expected one of lr-too-low, lr-too-high, lr-diverging, overfitting, "
        "flipped-labels, sigmoid, init-too-small, init-too-large, found 'lr'; choose one of them"
    )
    assert not (tmp_path / "demo").exists()


@pytest.mark.parametrize("scale", [0.01, 20.0])
def test_the_initial_weights_are_scaled_and_their_signs_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scale: float
) -> None:
    recipes = {"drawn": demo.Recipe(epochs=0), "scaled": demo.Recipe(epochs=0, init_scale=scale)}
    monkeypatch.setattr(demo, "FAULTS", recipes)
    drawn, scaled = (network(trained(tmp_path / name, name)) for name in recipes)
    for one, other in zip(drawn.parameters(), scaled.parameters(), strict=True):
        assert torch.equal(one * scale, other)


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_broken_training_leaves_its_files_and_is_found(tmp_path: Path, fault: Fault) -> None:
    directory = trained(tmp_path / "demo", fault.name)
    epochs = demo.epochs(fault.name)
    for name in LOGS:
        assert np.loadtxt(directory / "output" / name).shape == (epochs,)
    assert (directory / "output" / "model.pth").is_file()
    report = report_on(directory)
    assert [section.missing for section in report.sections] == [None] * 6
    alarmed = {f.rule for f in report.findings if f.level >= Level.WARNING}
    assert set(fault.found_by) <= alarmed
