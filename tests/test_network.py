"""What is seen of a PyTorch network is what the same steps by hand give."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import make_moons
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import kashika as ks
from kashika import demo
from kashika.distribution import Array, FloatArray
from kashika.load.samples import samples_of
from kashika.look import Look
from kashika.observation import Layer, Observation
from kashika.torch_network import TorchNetwork
from kashika.views.features.rules import dead_units

X = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
Y = np.arange(30) % 2


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with ks.speaking("en"):
        yield


def seeded(build: Callable[[], nn.Module]) -> nn.Module:
    """Draw the same weights every time."""
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return build()


def observed(
    network: nn.Module | TorchNetwork, x: object = X, y: object = Y, *, loss: Any = None
) -> Observation:
    """Look once at a network on one split."""
    if isinstance(network, nn.Module):
        network = TorchNetwork(network, Look(loss=loss))
    return network.observe(samples_of((x, y), split="test"), split="test")


def layer(seen: Observation, name: str) -> Layer:
    return next(one for one in seen.layers if one.name == name)


def gradients_of(seen: Observation) -> dict[str, FloatArray]:
    """Flat gradients by the names of the parameters."""
    return {
        name: one.values.astype(np.float64)
        for name, one in seen.gradients.items()
        if one is not None and one.values is not None
    }


def by_hand(
    module: nn.Module, x: Tensor, y: Tensor, loss: Callable[[Tensor, Tensor], Tensor]
) -> dict[str, FloatArray]:
    """Flat gradients of the loss over all samples at once, by `backward`."""
    module.zero_grad()
    torch.autograd.backward(loss(module(x), y))
    found = {
        name: one.grad.double().numpy().ravel()
        for name, one in module.named_parameters()
        if one.grad is not None
    }
    module.zero_grad()
    return found


def assert_same(
    found: Mapping[str, FloatArray], expected: Mapping[str, FloatArray], *, within: float = 1e-6
) -> None:
    """Compare by the norm of the difference over the norm, parameter by parameter."""
    assert found.keys() == expected.keys()
    off = {
        name: np.linalg.norm(found[name] - expected[name]) / np.linalg.norm(expected[name])
        for name in expected
    }
    assert max(off.values()) < within, off


# --- the seed's notebook, step by step ------------------------------------------------------------


class Moons(nn.Module):
    """The seed's network: the names of its layers are those in the checkpoint."""

    def __init__(self) -> None:
        super().__init__()
        self.layer_in = nn.Linear(2, 32)
        self.layer_hidden = nn.Linear(32, 32)
        self.layer_out = nn.Linear(32, 2)

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.relu(self.layer_hidden(torch.relu(self.layer_in(x))))
        logits: Tensor = self.layer_out(hidden)
        return logits


@dataclass(frozen=True)
class Seed:
    """A trained network, its file, its data, and the file's weights put to work by hand."""

    model: nn.Module
    checkpoint: Path
    train: tuple[FloatArray, Array]
    test: tuple[FloatArray, Array]

    def weight(self, name: str) -> FloatArray:
        return np.asarray(torch.load(self.checkpoint)[name].numpy())

    def logits(self, inputs: FloatArray) -> FloatArray:
        state = torch.load(self.checkpoint)
        h = torch.tensor(inputs, dtype=torch.float32)
        for name in ("layer_in", "layer_hidden"):
            h = F.linear(h, state[f"{name}.weight"], state[f"{name}.bias"]).clamp(min=0)
        return np.asarray(F.linear(h, state["layer_out.weight"], state["layer_out.bias"]).numpy())


@pytest.fixture(scope="session")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Seed:
    folder = tmp_path_factory.mktemp("seed")
    for _ in demo.train(folder):
        pass
    points, classes = make_moons(500, noise=0.1, random_state=1234)
    X_train, X_rest, y_train, y_rest = train_test_split(
        points, classes, test_size=0.4, random_state=1234
    )
    _, X_test, _, y_test = train_test_split(X_rest, y_rest, test_size=0.5, random_state=1234)
    checkpoint = folder / "output" / "model.pth"
    model = Moons()
    model.load_state_dict(torch.load(checkpoint))
    return Seed(model, checkpoint, (X_train, y_train), (X_test, y_test))


def test_the_classes_on_the_seeds_own_grid_are_the_notebooks_at_every_point(seed: Seed) -> None:
    X_train, y_train = seed.train
    (left, low), (right, high) = X_train.min(axis=0) - 0.5, X_train.max(axis=0) + 0.5
    xs, ys = np.arange(left, right, 0.02), np.arange(low, high, 0.02)
    xx, yy = np.meshgrid(xs, ys)
    expected = seed.logits(np.c_[xx.ravel(), yy.ravel()]).argmax(axis=1).reshape(xx.shape)
    found = ks.boundary(seed.model, X_train, y_train, grid=(xs, ys)).maps[0].predicted
    assert set(np.unique(expected)) == {0, 1}
    np.testing.assert_array_equal(found, expected)


def test_the_logits_are_the_notebooks(seed: Seed) -> None:
    (plain,) = ks.features(seed.model, *seed.test).projections
    np.testing.assert_array_equal(plain.coordinates, seed.logits(seed.test[0]))


@pytest.mark.parametrize("bins", [1, 7, 20, 100])
def test_the_histogram_of_the_weights_is_numpys(seed: Seed, bins: int) -> None:
    expected = np.histogram(seed.weight("layer_hidden.weight").flatten(), bins=bins)
    for weights in (
        ks.weights(seed.model),
        ks.weights(seed.checkpoint),
        ks.weights(str(seed.checkpoint)),
    ):
        counts, edges = weights.histogram("layer_hidden.weight", bins=bins)
        np.testing.assert_array_equal(counts, expected[0])
        np.testing.assert_array_equal(edges, expected[1])


def test_the_gradient_of_the_test_loss_is_that_of_backward(seed: Seed) -> None:
    X_test, y_test = seed.test
    expected = by_hand(
        seed.model, torch.tensor(X_test, dtype=torch.float32), torch.tensor(y_test), F.cross_entropy
    )
    gradients = ks.gradients(seed.model, X_test, y_test).gradients
    found = {one.parameter: one.values for one in gradients}
    assert_same(
        {name: one.values.astype(np.float64) for name, one in found.items()
         if one.values is not None},
        expected,
    )  # fmt: skip
    zeros = {name: int((gradient == 0).sum()) for name, gradient in expected.items()}
    assert {name: one.zeros for name, one in found.items()} == zeros
    assert zeros["layer_hidden.weight"] > 0


def test_the_gradient_of_the_test_loss_is_that_of_double_precision(seed: Seed) -> None:
    X_test, y_test = seed.test
    double = Moons().double()
    double.load_state_dict(seed.model.state_dict())
    rounded = X_test.astype(np.float32)  # as it enters a network of float32
    expected = by_hand(
        double, torch.tensor(rounded).double(), torch.tensor(y_test), F.cross_entropy
    )
    assert_same(gradients_of(observed(double, rounded, y_test)), expected, within=1e-13)
    # A probability near 1 has an error of 6e-8 in float32, and 1 - p is about 0.01 here.
    assert_same(gradients_of(observed(seed.model, X_test, y_test)), expected, within=6e-6)


def test_loss_and_accuracy_are_the_notebooks(seed: Seed) -> None:
    X_test, y_test = seed.test
    score = ks.predictions(seed.model, X_test, y_test).scores["test"]
    logits = torch.tensor(seed.logits(X_test))
    assert score.correct == int((logits.argmax(dim=1).numpy() == y_test).sum())
    loss = F.cross_entropy(logits.double(), torch.tensor(y_test)).item()
    assert score.loss == pytest.approx(loss, rel=1e-6)


# --- what is seen inside --------------------------------------------------------------------------


class Functional(nn.Module):
    """ReLU as a function and as a method, outside any module."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(3, 8), nn.Linear(8, 8), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.fc1(x))
        logits: Tensor = self.fc3(self.fc2(h).relu())
        return logits


def test_relu_as_a_function_is_seen_with_the_layer_that_it_is_applied_to() -> None:
    module = seeded(Functional)
    seen = observed(module)
    assert [one.name for one in seen.layers] == ["fc1", "relu(fc1)", "fc2", "relu(fc2)", "fc3"]
    relu = layer(seen, "relu(fc1)")
    assert relu.kind == "ReLU"
    assert isinstance(module, Functional)
    expected = module.fc1(torch.tensor(X)).clamp(min=0).detach().numpy()
    np.testing.assert_allclose(relu.features, expected, rtol=1e-6)
    np.testing.assert_array_equal(relu.active, (expected > 0).sum(axis=0))


def test_a_relu_module_is_not_seen_a_second_time_as_a_function() -> None:
    seen = observed(seeded(lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))))
    assert [one.name for one in seen.layers] == ["0", "1", "2"]


def test_a_module_that_is_called_twice_is_seen_twice() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two, self.act = nn.Linear(3, 3), nn.Linear(3, 2), nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            logits: Tensor = self.two(self.act(self.one(self.act(x))))
            return logits

    seen = observed(seeded(Twice))
    assert [one.name for one in seen.layers] == ["act", "one", "act#2", "two"]
    np.testing.assert_array_equal(layer(seen, "act").features, np.maximum(X, 0))
    second = np.maximum(layer(seen, "one").features, 0)
    np.testing.assert_array_equal(layer(seen, "act#2").features, second)


def test_a_relu_in_place_leaves_what_was_seen_before_it() -> None:
    module = seeded(lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True), nn.Linear(4, 2)))
    first = module.get_submodule("0")(torch.tensor(X)).detach().numpy()
    seen = observed(module)
    assert first.min() < 0
    np.testing.assert_array_equal(layer(seen, "0").features, first)
    np.testing.assert_array_equal(layer(seen, "1").features, np.maximum(first, 0))
    assert layer(seen, "0").values.least == first.min()


def test_a_unit_is_active_in_a_sample_when_it_is_so_at_any_place_of_its_map() -> None:
    images = np.zeros((4, 1, 2, 2), dtype=np.float32)
    images[0, 0, 0, 0] = images[1, 0, 1, 1] = 1.0  # one pixel of the first, another of the second
    module = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.ReLU(), nn.Flatten())
    conv = module[0]
    assert isinstance(conv, nn.Conv2d)
    nn.init.constant_(conv.weight[0], 1.0)
    nn.init.constant_(conv.weight[1], -1.0)
    relu = layer(observed(module, images, np.zeros((4, 8))), "1")
    np.testing.assert_array_equal(relu.active, [2, 0])
    np.testing.assert_array_equal(relu.features, [[0.25, 0], [0.25, 0], [0, 0], [0, 0]])


def test_the_features_of_a_sequence_are_means_over_its_positions() -> None:
    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(10, 4)
            self.out = nn.Linear(4, 2)

        def forward(self, ids: Tensor) -> Tensor:
            logits: Tensor = self.out(self.words(ids).mean(dim=1))
            return logits

    ids = np.random.default_rng(0).integers(0, 10, size=(30, 5))
    module = seeded(Words).double()
    seen = observed(module, ids)
    assert isinstance(module, Words)
    table = module.words.weight.detach().numpy()
    np.testing.assert_allclose(layer(seen, "words").features, table[ids].mean(axis=1))
    expected = by_hand(module, torch.tensor(ids), torch.tensor(Y), F.cross_entropy)
    assert_same(gradients_of(seen), expected, within=1e-12)


def test_the_first_of_what_a_recurrent_layer_returns_is_what_is_seen() -> None:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(3, 6, batch_first=True)
            self.out = nn.Linear(6, 2)

        def forward(self, x: Tensor) -> Tensor:
            sequence, (_, _) = self.lstm(x)
            logits: Tensor = self.out(sequence[:, -1])
            return logits

    series = np.random.default_rng(0).normal(size=(30, 7, 3)).astype(np.float32)
    module = seeded(Recurrent).double()
    seen = observed(module, series)
    assert isinstance(module, Recurrent)
    sequence = module.lstm(torch.tensor(series).double())[0].detach().numpy()
    np.testing.assert_allclose(layer(seen, "lstm").features, sequence.mean(axis=1))
    expected = by_hand(module, torch.tensor(series).double(), torch.tensor(Y), F.cross_entropy)
    assert_same(gradients_of(seen), expected, within=1e-12)


def test_a_layer_whose_first_dimension_is_not_the_sample_is_left_out() -> None:
    class TimeFirst(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru = nn.GRU(3, 6)  # (time, sample, feature)
            self.out = nn.Linear(6, 2)

        def forward(self, x: Tensor) -> Tensor:
            logits: Tensor = self.out(self.gru(x.transpose(0, 1))[0][-1])
            return logits

    series = np.random.default_rng(0).normal(size=(30, 7, 3)).astype(np.float32)
    module = seeded(TimeFirst).double()
    seen = observed(module, series)
    assert [one.name for one in seen.layers] == ["out"]
    expected = by_hand(module, torch.tensor(series).double(), torch.tensor(Y), F.cross_entropy)
    assert_same(gradients_of(seen), expected, within=1e-12)


def test_a_network_that_is_one_layer_has_outputs_and_no_inside() -> None:
    module = seeded(lambda: nn.Linear(3, 2))
    seen = observed(module)
    outputs = module(torch.tensor(X)).detach().numpy()
    np.testing.assert_array_equal(seen.outputs, outputs)
    assert list(seen.gradients) == ["weight", "bias"]
    assert [one.layer for one in ks.features(module, X, Y).separations] == [""]


def test_a_block_whose_only_part_is_empty_is_no_leaf() -> None:
    class Shortcut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.shortcut = nn.Sequential()

        def forward(self, x: Tensor) -> Tensor:
            result: Tensor = F.relu(self.shortcut(x))
            return result

    seen = observed(seeded(lambda: nn.Sequential(nn.Linear(3, 4), Shortcut(), nn.Linear(4, 2))))
    assert [one.name for one in seen.layers] == [
        "0", "1.shortcut", "relu(1.shortcut)", "2"
    ]  # fmt: skip


def test_a_module_that_is_never_called_is_not_listed() -> None:
    class Idle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.idle = nn.Linear(3, 2), nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            logits: Tensor = self.used(x)
            return logits

    seen = observed(seeded(Idle))
    assert [one.name for one in seen.layers] == ["used"]


# --- what a forward may return --------------------------------------------------------------------


@dataclass
class Named:
    """What a transformer's forward returns."""

    hidden: Tensor
    logits: Tensor


@dataclass
class Scored:
    """What somebody's own forward returns."""

    scores: Tensor
    hidden: Tensor


class Returning(nn.Module):
    """Returns its logits in one of many wrappings."""

    def __init__(self, wrap: Callable[[Tensor, Tensor], object]) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(3, 4), nn.Linear(4, 2)
        self.wrap = wrap

    def forward(self, x: Tensor) -> object:
        hidden = self.body(x)
        return self.wrap(hidden, self.head(hidden))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda _hidden, logits: (logits, None),
        lambda hidden, logits: [logits, hidden],
        lambda hidden, logits: (hidden.argmax(dim=1), logits),  # whole numbers are no outputs
        lambda hidden, logits: {"hidden": hidden, "logits": logits},
        lambda hidden, logits: OrderedDict(scores=logits, hidden=hidden),
        Named,
        lambda hidden, logits: Scored(logits, hidden),
    ],
    ids=["tuple", "list", "ids first", "dict", "first of a dict", "dataclass", "own dataclass"],
)
def test_the_outputs_are_the_logits_or_the_first_tensor_of_floats(
    wrap: Callable[[Tensor, Tensor], object],
) -> None:
    plain = seeded(lambda: Returning(lambda _hidden, logits: logits))
    expected = plain(torch.tensor(X)).detach().numpy()
    module = seeded(lambda: Returning(wrap))
    np.testing.assert_array_equal(observed(module).outputs, expected)
    np.testing.assert_array_equal(TorchNetwork(module).predict(X), expected)


def test_a_forward_that_returns_no_tensor_is_told_what_it_returned() -> None:
    with pytest.raises(ks.MismatchError) as caught:
        observed(seeded(lambda: Returning(lambda _hidden, _logits: "cat")))
    assert str(caught.value) == (
        "test: expected inputs that the network takes, found shape (30, 3), and it raised "
        "TypeError: expected the forward to return a tensor, found str; "
        "check that --data and --model belong together"
    )


def test_one_output_for_all_samples_is_refused() -> None:
    with pytest.raises(ks.MismatchError) as caught:
        observed(seeded(lambda: Returning(lambda _hidden, logits: logits.sum(dim=0))))
    assert str(caught.value) == (
        "test: expected one output for each of 30 samples, found outputs of shape (2,); "
        "check that the model keeps the batch dimension"
    )


# --- wrappers and types ---------------------------------------------------------------------------


def compiled(module: nn.Module) -> nn.Module:
    """Compile, without the wait for a compiler of C++."""
    wrapped = torch.compile(module, backend="eager")
    assert isinstance(wrapped, nn.Module)
    return wrapped


@pytest.mark.parametrize(
    "wrap",
    [
        compiled,
        nn.DataParallel,
        lambda module: compiled(nn.DataParallel(module)),
        lambda module: nn.DataParallel(compiled(module)),
    ],
    ids=["compiled", "parallel", "parallel, compiled", "compiled, parallel"],
)
def test_a_wrapper_changes_nothing(wrap: Callable[[nn.Module], nn.Module]) -> None:
    module = seeded(Functional)
    plain, wrapped = observed(module), observed(wrap(module))
    assert [one.name for one in wrapped.layers] == [one.name for one in plain.layers]
    np.testing.assert_array_equal(wrapped.outputs, plain.outputs)
    assert_same(gradients_of(wrapped), gradients_of(plain))
    names = [one.name for one in TorchNetwork(wrap(module)).parameters()]
    assert names == list(module.state_dict())


def test_a_network_that_was_compiled_in_place_is_seen_inside() -> None:
    module = seeded(Functional)
    plain = observed(module)
    module.compile(backend="eager")
    module(torch.tensor(X))  # what was compiled is called from now on
    seen = observed(module)
    assert [one.name for one in seen.layers] == [one.name for one in plain.layers]
    assert_same(gradients_of(seen), gradients_of(plain))


def test_a_layer_that_was_compiled_alone_is_seen_inside() -> None:
    plain = seeded(lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)))
    module = nn.Sequential(compiled(plain.get_submodule("0")), *list(plain.children())[1:])
    module(torch.tensor(X))
    seen = observed(module)
    assert [one.name for one in seen.layers] == ["0._orig_mod", "1", "2"]
    np.testing.assert_array_equal(seen.outputs, observed(plain).outputs)


def test_double_precision_stays_double() -> None:
    module = seeded(Functional).double()
    seen = observed(module)
    assert seen.outputs.dtype == np.float64
    expected = by_hand(module, torch.tensor(X).double(), torch.tensor(Y), F.cross_entropy)
    assert_same(gradients_of(seen), expected, within=1e-14)


def test_bfloat16_parameters_are_read_without_loss() -> None:
    module = seeded(Functional).bfloat16()
    (first, *_) = TorchNetwork(module).parameters()
    assert isinstance(module, Functional)
    assert first.values.values is not None
    np.testing.assert_array_equal(
        first.values.values, module.fc1.weight.detach().float().numpy().ravel()
    )
    seen = observed(module)
    outputs = module(torch.tensor(X).bfloat16()).float().detach().numpy()
    np.testing.assert_array_equal(seen.outputs, outputs)
    expected = by_hand(module, torch.tensor(X).bfloat16(), torch.tensor(Y), F.cross_entropy)
    assert_same(gradients_of(seen), expected, within=0.05)  # two digits are all it has


# --- batches --------------------------------------------------------------------------------------


def test_batches_of_any_size_give_the_same() -> None:
    module = seeded(lambda: nn.Sequential(Functional(), nn.LogSoftmax(dim=1))).double()
    seen = [observed(TorchNetwork(module, Look(batch_size=size))) for size in (1, 7, 29, 30, 1000)]
    for one, other in pairwise(seen):
        assert one.task == other.task
        np.testing.assert_allclose(one.outputs, other.outputs, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(one.loss, other.loss, rtol=1e-6, atol=1e-7)
        np.testing.assert_array_equal(one.inputs, other.inputs)
        np.testing.assert_array_equal(one.targets, other.targets)
        assert_same(gradients_of(one), gradients_of(other))
        for mine, its in zip(one.layers, other.layers, strict=True):
            np.testing.assert_array_equal(mine.active, its.active)
            np.testing.assert_allclose(mine.features, its.features, rtol=1e-6, atol=1e-7)
            assert mine.values.size == its.values.size
            assert mine.values.mean == pytest.approx(its.values.mean, rel=1e-6)


@pytest.mark.parametrize("size", [7, 1000])
def test_a_data_set_and_a_shuffled_loader_give_the_same_as_arrays(size: int) -> None:
    network = TorchNetwork(seeded(Functional), Look(batch_size=size))
    pairs = TensorDataset(torch.tensor(X), torch.tensor(Y))
    plain = observed(network)
    for source in (pairs, DataLoader(pairs, batch_size=4, shuffle=True, drop_last=True)):
        one = network.observe(samples_of(source, split="test"), split="test")
        np.testing.assert_array_equal(one.outputs, plain.outputs)
        np.testing.assert_array_equal(one.targets, plain.targets)
        assert_same(gradients_of(one), gradients_of(plain), within=1e-12)


def test_of_many_samples_a_seeded_choice_is_kept_and_every_one_is_counted() -> None:
    many = np.random.default_rng(0).normal(size=(6_000, 3)).astype(np.float32)
    classes = np.arange(6_000) % 2
    network = TorchNetwork(seeded(Functional), Look(seed=3))
    seen, again = observed(network, many, classes), observed(network, many, classes)
    other = observed(TorchNetwork(seeded(Functional), Look(seed=4)), many, classes)
    assert len(seen.predicted) == len(seen.loss) == 6_000
    assert len(seen.rows) == len(np.unique(seen.rows)) == len(seen.outputs) == 5_000
    np.testing.assert_array_equal(seen.rows, again.rows)
    assert (seen.rows != other.rows).any()
    np.testing.assert_array_equal(seen.inputs, many[seen.input_rows])
    np.testing.assert_array_equal(layer(seen, "fc3").rows, seen.rows)
    np.testing.assert_allclose(layer(seen, "fc3").features, seen.outputs, rtol=1e-6, atol=1e-7)
    assert layer(seen, "fc3").values.size == 12_000


# --- parameters -----------------------------------------------------------------------------------


class Half(nn.Module):
    """One layer is frozen, one is not used, and two share a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen, self.idle = nn.Linear(3, 3), nn.Linear(3, 3)
        self.first, self.second, self.out = nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 2)
        self.second.weight = self.first.weight
        for parameter in self.frozen.parameters():
            parameter.requires_grad = False

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.out(self.second(self.first(self.frozen(x))))
        return logits


def test_unused_and_frozen_parameters_are_told_apart() -> None:
    gradients = ks.gradients(seeded(Half), X, Y)
    assert gradients.frozen == ("frozen.weight", "frozen.bias")
    assert gradients.unused == ("idle.weight", "idle.bias")
    names = [one.parameter for one in gradients.gradients]
    assert names == ["first.weight", "first.bias", "second.bias", "out.weight", "out.bias"]


def test_a_shared_parameter_is_counted_once_and_gets_the_whole_gradient() -> None:
    module = seeded(Half).double()
    sizes = [one.values.size for one in TorchNetwork(module).parameters()]
    assert sum(sizes) == sum(one.numel() for one in module.parameters())
    expected = by_hand(module, torch.tensor(X).double(), torch.tensor(Y), F.cross_entropy)
    assert_same(gradients_of(observed(module)), expected, within=1e-12)


def test_gradients_stand_in_the_order_of_the_calls_not_of_the_definition() -> None:
    class Backwards(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last, self.first = nn.Linear(4, 2), nn.Linear(3, 4)
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, x: Tensor) -> Tensor:
            logits: Tensor = self.last(self.first(self.scale * x))
            return logits

    seen = observed(seeded(Backwards))
    assert list(seen.gradients) == [
        "scale", "first.weight", "first.bias", "last.weight", "last.bias"
    ]  # fmt: skip


def test_rows_of_a_sparse_gradient_that_stand_twice_are_added() -> None:
    # Word 1 is taken twice and word 2 once: (3 * 2² + 3 * 1²) ** 0.5, and not 9 ** 0.5.
    module = seeded(lambda: nn.Embedding(10, 3, sparse=True))
    norm = ks.gradients(
        module, [1, 1, 2], [0, 0, 0], loss=lambda outputs, _: 3 * outputs.sum(dim=1)
    ).norms["test"]
    assert norm == pytest.approx(15**0.5, rel=1e-6)
    assert f"{norm:.3f}" == "3.873"


def test_without_anything_to_train_there_are_no_gradients_and_all_the_rest() -> None:
    module = seeded(Functional).requires_grad_(False)  # noqa: FBT003  torch takes it so
    seen = observed(module)
    assert seen.gradients == {}
    np.testing.assert_array_equal(seen.outputs, observed(seeded(Functional)).outputs)
    with pytest.raises(ks.Missing) as caught:
        ks.gradients(module, X, Y)
    assert str(caught.value) == (
        "needs trainable parameters; all are frozen or the loss depends on none, see requires_grad"
    )


# --- losses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "loss",
    [
        F.cross_entropy,
        lambda outputs, targets: F.cross_entropy(outputs, targets, reduction="none"),
        lambda outputs, targets: F.cross_entropy(outputs, targets, reduction="none")[:, None],
        nn.CrossEntropyLoss(),
        "cross_entropy",
        None,
    ],
    ids=["mean", "by sample", "column", "module", "name", "found"],
)
@pytest.mark.parametrize("size", [7, 1000])
def test_a_loss_by_its_mean_or_by_sample_gives_the_same_gradient(loss: Any, size: int) -> None:
    module = seeded(Functional).double()
    seen = observed(TorchNetwork(module, Look(loss=loss, batch_size=size)))
    x, y = torch.tensor(X).double(), torch.tensor(Y)
    assert_same(gradients_of(seen), by_hand(module, x, y, F.cross_entropy), within=1e-12)
    each = F.cross_entropy(module(x), y, reduction="none").detach().numpy()
    np.testing.assert_allclose(seen.mean_loss, each.mean(), rtol=1e-12)
    # A function that gives a mean keeps that of a single sample to itself.
    expected = np.full(len(each), np.nan) if loss is F.cross_entropy else each
    np.testing.assert_allclose(seen.loss, expected, rtol=1e-12)


@pytest.mark.parametrize("size", [7, 1000])
def test_a_weighted_loss_is_the_users_and_not_the_mean_over_samples(size: int) -> None:
    module = seeded(Functional).double()
    weighted = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 9.0]).double())
    seen = observed(TorchNetwork(module, Look(loss=weighted, batch_size=size)))
    if size < len(X):  # a weighted mean of batches is no weighted mean of all
        return
    x, y = torch.tensor(X).double(), torch.tensor(Y)
    assert seen.mean_loss == pytest.approx(weighted(module(x), y).item(), rel=1e-12)
    assert_same(gradients_of(seen), by_hand(module, x, y, weighted), within=1e-12)


def test_binary_labels_in_a_column_go_to_the_users_loss_as_they_are() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    for labels in (Y[:, None], Y[:, None].astype(np.float32), Y):
        seen = observed(TorchNetwork(module, Look(loss=nn.BCEWithLogitsLoss())), X, labels)
        assert (seen.task.outputs, seen.task.loss) == ("logit", "BCEWithLogitsLoss")
        assert seen.mean_loss == pytest.approx(seen.loss.mean(), rel=1e-6)


def test_outputs_of_a_linear_layer_are_logits_even_where_all_lie_between_0_and_1() -> None:
    module = nn.Linear(3, 1)
    with torch.no_grad():
        module.weight.zero_()
        module.bias.fill_(0.2)
    assert observed(TorchNetwork(module)).task.outputs == "logit"
    ended = observed(TorchNetwork(nn.Sequential(module, nn.Sigmoid(), nn.Flatten())))
    assert ended.task.outputs == "probability"


def test_the_units_of_a_convolution_over_time_are_its_channels() -> None:
    module = nn.Sequential(nn.Conv1d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 18, 2))
    with torch.no_grad():
        module[0].bias[:6] = -1e6  # type: ignore[operator]
    seen = observed(TorchNetwork(module), np.random.default_rng(0).normal(size=(30, 3, 20)), Y)
    active = layer(seen, "1").active
    assert active.shape == (8,)
    assert (active == 0).sum() == 6


class Ending(nn.Module):
    """Ends in an activation, as the tasks have it."""

    def __init__(self, outputs: int, end: nn.Module) -> None:
        super().__init__()
        self.line, self.end = nn.Linear(3, outputs), end

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.end(self.line(x))
        return result


VALUES = X[:, :2].astype(np.float64) * 3 + 0.5
BCE, BCE_LOGITS = F.binary_cross_entropy, F.binary_cross_entropy_with_logits


@pytest.mark.parametrize(
    ("end", "outputs", "y", "meaning", "loss"),
    [
        (nn.Identity(), 4, Y, "logits", F.cross_entropy),
        (nn.LogSoftmax(dim=1), 4, Y, "log_probabilities", F.nll_loss),
        (nn.Softmax(dim=1), 4, Y, "probabilities", lambda p, y: F.nll_loss(p.log(), y)),
        (nn.Identity(), 1, Y, "logit", lambda o, y: BCE_LOGITS(o[:, 0], y.double())),
        (nn.Flatten(0), 1, Y, "logit", lambda o, y: BCE_LOGITS(o, y.double())),
        (nn.Sigmoid(), 1, Y, "probability", lambda o, y: BCE(o[:, 0], y.double())),
        (nn.Identity(), 2, VALUES, "values", F.mse_loss),
        (nn.Identity(), 1, VALUES[:, 0], "values", lambda o, y: F.mse_loss(o[:, 0], y)),
    ],
    ids=["logits", "log softmax", "softmax", "logit", "flat logit", "sigmoid", "values", "value"],
)  # fmt: skip
def test_the_loss_is_found_from_the_outputs_and_the_targets(
    end: nn.Module,
    outputs: int,
    y: Array,
    meaning: str,
    loss: Callable[[Tensor, Tensor], Tensor],
) -> None:
    module = seeded(lambda: Ending(outputs, end)).double()
    seen = observed(module, y=y)
    assert seen.task.outputs == meaning
    x, targets = torch.tensor(X).double(), torch.tensor(y)
    assert_same(gradients_of(seen), by_hand(module, x, targets, loss), within=1e-12)
    assert seen.mean_loss == pytest.approx(loss(module(x), targets).item(), rel=1e-12)


@pytest.mark.parametrize("y", [Y.astype(np.int32), Y.astype(float), Y[:, None], Y.astype(bool)])
def test_classes_may_come_as_any_numbers_that_are_whole(y: Array) -> None:
    seen, plain = observed(seeded(Functional), y=y), observed(seeded(Functional))
    np.testing.assert_array_equal(seen.targets, plain.targets)
    assert_same(gradients_of(seen), gradients_of(plain), within=1e-12)


def test_classes_that_the_network_does_not_have_are_refused() -> None:
    with pytest.raises(ks.MismatchError) as caught:
        observed(seeded(Functional), y=Y + 1)
    assert str(caught.value) == (
        "test: expected classes from 0 to 1, since the network has 2 outputs, "
        "found 1 to 2; renumber the classes or check the model"
    )


def test_inputs_that_the_network_does_not_take_are_refused() -> None:
    with pytest.raises(ks.MismatchError) as caught:
        observed(seeded(Functional), x=X[:, :2])
    assert str(caught.value) == (
        "test: expected inputs that the network takes, found shape (30, 2), and it raised "
        "RuntimeError: mat1 and mat2 shapes cannot be multiplied (30x2 and 3x8); "
        "check that --data and --model belong together"
    )


def test_a_loss_that_torch_does_not_have_is_refused() -> None:
    with pytest.raises(ks.LoadError) as caught:
        observed(seeded(Functional), loss="crossentropy")
    assert str(caught.value) == (
        "--loss: expected a loss of torch.nn.functional such as cross_entropy, "
        "found 'crossentropy'; correct the name, or give FILE.py:NAME"
    )


# --- evaluation -----------------------------------------------------------------------------------


def test_the_network_is_asked_in_evaluation_mode_whatever_mode_it_is_in() -> None:
    module = seeded(
        lambda: nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2))
    )
    module.train()
    first, second = observed(module), observed(module)
    np.testing.assert_array_equal(first.outputs, second.outputs)
    expected = module.eval()(torch.tensor(X)).detach().numpy()
    np.testing.assert_array_equal(first.outputs, expected)
    np.testing.assert_array_equal(TorchNetwork(module.train()).predict(X), expected)


def test_a_layer_that_nothing_switches_on_is_found_dead_and_its_neighbour_is_not() -> None:
    module = seeded(lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2), nn.ReLU()))
    first = module.get_submodule("0")
    assert isinstance(first, nn.Linear)
    nn.init.constant_(first.bias, -1e3)
    finding = dead_units(ks.features(module, X, Y))
    assert finding.level is ks.Level.PROBLEM
    assert {one.quantity: one.value for one in finding.evidence} == {
        "dead_share": 1.0, "dead": 4, "units": 4, "samples": 30
    }  # fmt: skip
    assert finding.evidence[0].where == "1"


def test_a_class_of_the_users_starts_as_he_wrote_it_unless_it_extends_one_of_torchs() -> None:
    own = type("Linear", (nn.Module,), {"__module__": "mine"})()
    own.weight = nn.Parameter(torch.zeros(4, 3))
    extended = type("Mine", (nn.Linear,), {"__module__": "mine"})(3, 4)
    (one,) = TorchNetwork(own).parameters()
    assert one.initial is None
    assert all(one.initial is not None for one in TorchNetwork(extended).parameters())
