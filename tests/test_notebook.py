"""One line of a notebook for each view: whatever the data comes in, and in what it is shown."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler
from toy import Toy, two_clouds

import kashika as ks
from kashika import notebook
from kashika.views import BUILTIN

X = two_clouds().inputs.astype(np.float32)
Y = two_clouds().targets


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with ks.speaking("en"):
        yield


def model() -> nn.Module:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """The files that the seed's training leaves."""
    for split, shift in (("train", 0.0), ("valid", 0.1)):
        np.savetxt(tmp_path / f"{split}_loss.txt", np.exp(-np.arange(10) / 3) + shift)
    torch.save(model().state_dict(), tmp_path / "model.pth")
    return tmp_path


LOOKS: dict[str, Callable[..., Any]] = {
    "predictions": ks.predictions,
    "boundary": ks.boundary,
    "features": ks.features,
    "gradients": ks.gradients,
}

SOURCES: dict[str, tuple[object, ...]] = {
    "lists": (X.tolist(), Y.tolist()),
    "tensors": (torch.tensor(X), torch.tensor(Y)),
    "pandas": (pd.DataFrame(X, columns=["a", "b"]), pd.Series(Y)),
    "data set": (TensorDataset(torch.tensor(X), torch.tensor(Y)),),
    "loader": (DataLoader(TensorDataset(torch.tensor(X), torch.tensor(Y)), 7, shuffle=True),),
    "another type": (X.astype(np.float64), Y.astype(np.int32)),
}


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("source", SOURCES)
def test_the_same_numbers_give_the_same_whatever_they_come_in(look: str, source: str) -> None:
    plain, other = LOOKS[look](model(), X, Y), LOOKS[look](model(), *SOURCES[source])
    assert plain.to_frame().equals(other.to_frame())


def test_the_curves_of_a_folder_a_history_and_a_mapping_are_the_same(output: Path) -> None:
    values = {
        f"{split}_loss": np.loadtxt(output / f"{split}_loss.txt") for split in ("train", "valid")
    }
    frames = [
        ks.curves(one).to_frame()
        for one in (output, str(output), ks.History.of(values), values)
    ]  # fmt: skip
    for frame in frames:
        assert frame.equals(frames[0])
        assert len(frame) == 20


def test_the_weights_of_a_path_and_of_a_network_are_the_same(output: Path) -> None:
    by_path, by_model = ks.weights(output / "model.pth"), ks.weights(model())
    assert by_path.to_frame()["mean"].equals(by_model.to_frame()["mean"])


def test_anything_that_is_a_network_will_do() -> None:
    found = ks.predictions(Toy(), X, Y)
    assert found.scores["test"].samples == 40
    assert ks.weights(Toy()).parameters[0].name == "line.weight"


# --- the promised lines ---------------------------------------------------------------------------


def test_every_line_of_the_design_draws_into_axes(output: Path) -> None:
    lines: list[Callable[[Any], Any]] = [
        lambda ax: ks.curves(output).plot(ax),
        lambda ax: ks.predictions(model(), X, Y).plot(ax),
        lambda ax: ks.boundary(model(), X, Y).plot(ax),
        lambda ax: ks.features(model(), X, Y, layer="0").plot(ax),
        lambda ax: ks.weights(model()).plot(ax, layer="0"),
        lambda ax: ks.weights(output / "model.pth").plot(ax),
        lambda ax: ks.gradients(model(), X, Y).plot(ax),
    ]
    for line in lines:
        axes = Figure().subplots()
        assert line(axes) is axes
        assert axes.has_data()


def test_a_whole_analysis_has_every_view_and_shows_itself(output: Path) -> None:
    report = ks.analyze(
        model(), train=(X, Y), valid=(X[:20], Y[:20]), test=(X[20:], Y[20:]), history=output
    )
    assert [one.view.name for one in report.sections] == [one.name for one in BUILTIN]
    assert all(one.missing is None for one in report.sections)
    assert "<iframe" in report._repr_html_()


def test_what_is_not_given_is_missing_and_the_rest_is_there() -> None:
    assert [one.view.name for one in ks.analyze(model()).sections if one.missing is None] == [
        "weights"
    ]
    only_logs = ks.analyze(history={"train_loss": [1.0, 0.5, 0.1]})
    assert [one.view.name for one in only_logs.sections if one.missing is None] == ["curves"]
    assert all(one.missing for one in ks.analyze().sections)


def test_a_layer_is_looked_at_in_a_whole_analysis_too() -> None:
    report = ks.analyze(model(), test=(X, Y), layer="1", views=[BUILTIN[3]])
    assert report.sections[0].measurement.layers == ("1",)  # type: ignore[union-attr]


def test_a_loss_of_the_users_own_is_used_everywhere() -> None:
    def smoothed(outputs: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(outputs, targets, label_smoothing=0.2)

    expected = smoothed(model()(torch.tensor(X)), torch.tensor(Y)).item()
    assert ks.predictions(model(), X, Y, loss=smoothed).scores["test"].loss == pytest.approx(
        expected
    )
    assert ks.gradients(model(), X, Y, loss=smoothed).loss == pytest.approx(expected)
    report = ks.analyze(model(), train=(X, Y), loss=smoothed, views=[BUILTIN[1]])
    assert report.sections[0].measurement.scores["train"].loss == pytest.approx(expected)  # type: ignore[union-attr]


def test_the_split_that_is_named_is_the_one_in_the_labels() -> None:
    assert list(ks.predictions(model(), X, Y, split="valid").scores) == ["valid"]
    assert list(ks.boundary(model(), X, Y, split="test").maps[0].points) == ["test"]
    assert ks.features(model(), X, Y, split="train").split == "train"
    assert ks.gradients(model(), X, Y, split="train").split == "train"


class Sized(nn.Sequential):
    """Remembers how many samples came at once."""

    def __init__(self) -> None:
        super().__init__(*model().children())
        self.sizes: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.sizes.append(len(x))
        return nn.Sequential.forward(self, x)  # type: ignore[no-any-return, no-untyped-call]


@pytest.mark.parametrize("look", LOOKS)
def test_every_look_is_as_large_as_it_may_be(look: str) -> None:
    one = Sized()
    whole = LOOKS[look](model(), X[:10], Y[:10], split="test")
    part = LOOKS[look](one, X, Y, max_samples=10, batch_size=3, split="test")
    pd.testing.assert_frame_equal(part.to_frame(), whole.to_frame(), rtol=1e-4)
    assert one.sizes.count(3) >= 3
    assert len(X) not in one.sizes


@pytest.mark.parametrize("look", LOOKS)
def test_every_look_is_on_the_device_that_is_named(look: str) -> None:
    with pytest.raises(ks.LoadError, match="nowhere"):
        LOOKS[look](model(), X, Y, device="nowhere")


def test_what_was_made_of_a_loader_stands_in_the_notes() -> None:
    pairs = TensorDataset(torch.tensor(X), torch.tensor(Y))
    loader = DataLoader(pairs, sampler=WeightedRandomSampler([1.0] * 40, 7))
    report = ks.analyze(model(), test=loader, views=[BUILTIN[1]])
    assert "the WeightedRandomSampler of the DataLoader draws 7 samples" in str(report)


def test_a_network_of_several_inputs_is_looked_at() -> None:
    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = model()

        def forward(self, a: Tensor, b: Tensor) -> Tensor:
            return self.net(torch.cat([a, b], dim=1))  # type: ignore[no-any-return]

    parts = X[:, :1], X[:, 1:]
    expected = ks.predictions(model(), X, Y).scores["test"].loss
    for given in (
        (parts, Y),
        ({"a": parts[0], "b": parts[1]}, Y),
        ({"a": parts[0], "b": parts[1], "labels": Y},),
        ([(*parts, Y)],),
    ):
        found = ks.predictions(Sum(), *given)
        assert found.scores["test"].loss == pytest.approx(expected)


def test_probabilities_as_targets_are_the_likeliest_class() -> None:
    soft = np.where(np.arange(2) == Y[:, None], 0.9, 0.1)
    found = ks.predictions(model(), X, soft, loss=nn.CrossEntropyLoss())
    np.testing.assert_array_equal(found.true, Y)
    report = ks.analyze(model(), test=(X, soft), loss="cross_entropy", views=[BUILTIN[1]])
    assert "test: 40 targets are probabilities of 2 classes" in str(report)


def test_shares_are_values_where_a_loss_says_so_and_else_it_is_said_how_they_were_taken() -> None:
    shares = np.where(np.arange(2) == Y[:, None], 0.9, 0.1)
    report = ks.analyze(model(), test=(X, shares), loss="mse_loss", views=[BUILTIN[1]])
    assert "values of a regression" in str(report)
    report = ks.analyze(model(), test=(X, shares), views=[BUILTIN[1]])
    assert "If they are values, say so by --loss mse_loss" in str(report)


def test_labels_of_several_inputs_are_understood_as_those_of_one() -> None:
    class Difference(nn.Module):
        def forward(self, a: Tensor, b: Tensor) -> Tensor:
            return torch.cat([a, b], dim=1)

    signs = np.where(X[:, 1] > X[:, 0], 1, -1)
    found = ks.predictions(Difference(), (X[:, :1], X[:, 1:]), signs)
    np.testing.assert_array_equal(found.true, signs > 0)
    assert found.scores["test"].correct == 40


# --- how far it has come --------------------------------------------------------------------------


def test_a_cell_says_once_that_data_without_an_end_take_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[str] = []

    class Handle:
        def update(self, content: str) -> None:
            shown.append(content)

    def display(content: str, **_: object) -> Handle:
        shown.append(content)
        return Handle()

    shell = SimpleNamespace(kernel=object())
    panel: Any = ModuleType("IPython.display")
    panel.HTML, panel.display = str, display
    monkeypatch.setitem(
        sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell, display=panel)
    )
    monkeypatch.setitem(sys.modules, "IPython.display", panel)
    time = [0.0]
    monkeypatch.setattr("kashika.progress.time.monotonic", lambda: time[0])
    show = notebook._bar()
    assert show is not None
    for minute in range(13):
        time[0] = 60.0 * minute
        show("train", 64 * minute + 64, None)
    assert [line for line in shown if "Still reading after 10 minutes" in line] == [
        (
            "Still reading after 10 minutes, 704 samples so far, and the data do not say how many "
            "there are. Ctrl-C ends it with what has been seen; --max-samples sets a limit."
        )
    ]


# --- what cannot be looked at ---------------------------------------------------------------------


def test_a_folder_without_logs_is_refused(output: Path) -> None:
    for file in output.glob("*.txt"):
        file.unlink()
    with pytest.raises(ks.LoadError) as caught:
        ks.curves(output)
    assert str(caught.value) == (
        f"{output}: expected logs such as train_loss.txt, found none; "
        "name the folder that holds them"
    )


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    with pytest.raises(ks.LoadError) as caught:
        ks.weights(path)
    assert str(caught.value) == (f"{path}: expected a checkpoint, found nothing; check the path")


@pytest.mark.parametrize("look", LOOKS)
def test_inputs_without_targets_are_refused(look: str) -> None:
    with pytest.raises(ks.MismatchError):
        LOOKS[look](model(), X)


def test_errors_of_kashika_are_one_tree() -> None:
    assert issubclass(ks.LoadError, ks.KashikaError)
    assert issubclass(ks.MismatchError, ks.KashikaError)
    assert issubclass(ks.Missing, ks.KashikaError)


def test_labels_are_understood_as_on_the_command_line() -> None:
    X = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
    words = np.where(X[:, 0] > 0, "cat", "ant")
    model = nn.Linear(2, 2)
    named = ks.predictions(model, X, words)
    plain = ks.predictions(model, X, (X[:, 0] > 0).astype(int))
    np.testing.assert_array_equal(named.true, plain.true)
    np.testing.assert_array_equal(named.predicted, plain.predicted)
    signs = np.where(X[:, 0] > 0, 1, -1)
    assert ks.predictions(nn.Linear(2, 1), X, signs).classified is not None  # and no regression
