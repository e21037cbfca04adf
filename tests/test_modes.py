"""The loss of the same samples in both modes is that of a training step, and leaves no trace."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kashika.look import Look
from kashika.observation import Observation
from kashika.run import Arrays
from kashika.torch_network import TorchNetwork

X = np.random.default_rng(0).normal(size=(120, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)


def seeded(build: Callable[[], nn.Module]) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build().double()


def normalised() -> nn.Module:
    """Return a network whose running statistics are far from those of the data."""
    module = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
    norm = module[1]
    assert isinstance(norm, nn.BatchNorm1d)
    assert norm.running_mean is not None
    norm.running_mean += 3
    return module


def dropping(share: float = 0.5) -> nn.Module:
    return nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Dropout(share), nn.Linear(64, 2))


def observed(
    module: nn.Module, *, x: np.typing.NDArray[np.float32] = X, split: str = "train", size: int = 64
) -> Observation:
    samples = Arrays(x, Y[: len(x)])
    return TorchNetwork(module, Look(batch_size=size)).observe(samples, split=split)


def loss(module: nn.Module, *, training: bool) -> float:
    own = copy.deepcopy(module).train(training)
    return F.cross_entropy(own(torch.tensor(X).double()), torch.tensor(Y)).item()


def test_batch_norm_takes_the_statistics_of_the_samples_while_training() -> None:
    module = seeded(normalised)
    seen = observed(module, size=200)
    modes = seen.modes
    assert modes is not None
    assert (modes.kinds, modes.samples) == (("BatchNorm1d",), 120)
    assert modes.evaluating == pytest.approx(loss(module, training=False), rel=1e-12)
    assert modes.evaluating == pytest.approx(seen.mean_loss, rel=1e-12)
    np.testing.assert_allclose(modes.training, loss(module, training=True), rtol=1e-12)


def test_dropout_draws_anew_each_time_and_the_same_in_every_look() -> None:
    module = seeded(dropping)
    one, two = observed(module).modes, observed(module).modes
    assert one is not None
    assert two is not None
    assert one.kinds == ("Dropout",)
    assert len(set(one.training.tolist())) == 4
    assert one.training.tobytes() == two.training.tobytes()


def test_dropout_of_nearly_everything_costs_more_than_of_a_little() -> None:
    gaps = []
    for share in (0.1, 0.5, 0.95):
        modes = observed(seeded(lambda share=share: dropping(share))).modes  # type: ignore[misc]
        assert modes is not None
        gaps.append(modes.training.mean() - modes.evaluating)
    assert 0 < gaps[0] < gaps[1] < gaps[2]


class Counting(nn.Module):
    """A network that counts its steps, and moves a parameter, while it is trained."""

    def __init__(self) -> None:
        super().__init__()
        self.body = normalised()
        self.codes = nn.Parameter(torch.zeros(2))
        self.steps = 0

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.steps += 1
            self.codes.data += 1
        return F.dropout(self.body(x), 0.5, self.training) + self.codes


def test_what_the_user_does_while_training_is_not_done() -> None:
    module = seeded(Counting)
    assert isinstance(module, Counting)
    modes = observed(module.train()).modes
    assert module.steps == 0
    assert not module.codes.any()
    assert modes is not None
    assert modes.kinds == ("BatchNorm1d",)
    assert modes.training.std() == 0  # his dropout would draw


@pytest.mark.parametrize("build", [normalised, dropping])
def test_running_statistics_modes_and_gradients_stay(build: Callable[[], nn.Module]) -> None:
    module = seeded(build).train()
    before = {key: one.clone() for key, one in module.state_dict().items()}
    state = torch.get_rng_state()
    assert observed(module).modes is not None
    assert all(torch.equal(one, before[key]) for key, one in module.state_dict().items())
    assert all(part.training for part in module.modules())
    assert all(one.grad is None for one in module.parameters())
    assert torch.equal(torch.get_rng_state(), state)


def test_the_layer_of_a_transformer_drops_although_it_has_a_short_way() -> None:
    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.join = nn.Linear(4, 8)
            layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.5, batch_first=True)
            self.body = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
            self.head = nn.Linear(8, 2)

        def forward(self, x: Tensor) -> Tensor:
            words = self.join(x)[:, None].expand(-1, 3, -1)
            return self.head(self.body(words).mean(dim=1))  # type: ignore[no-any-return]

    modes = observed(seeded(Encoder)).modes
    assert modes is not None
    assert modes.kinds == ("MultiheadAttention", "Dropout")
    assert modes.training.std() > 0


def frozen() -> nn.Module:
    module = normalised()
    module.get_submodule("1").requires_grad_(requires_grad=False)
    return module


def without_statistics() -> nn.Module:
    return nn.Sequential(
        nn.Linear(4, 8), nn.BatchNorm1d(8, track_running_stats=False), nn.Linear(8, 2)
    )


@pytest.mark.parametrize("build", [frozen, without_statistics, lambda: dropping(0.0)])
def test_where_training_mode_is_the_same_there_is_nothing_to_compare(
    build: Callable[[], nn.Module],
) -> None:
    assert observed(seeded(build)).modes is None


@pytest.mark.parametrize(("samples", "size"), [(1, 64), (15, 64), (120, 8), (120, 1)])
def test_a_batch_norm_has_nothing_to_say_of_a_few_samples(samples: int, size: int) -> None:
    assert observed(seeded(normalised), x=X[:samples], size=size).modes is None


def test_dropout_has_something_to_say_of_one_sample() -> None:
    modes = observed(seeded(dropping), x=X[:1]).modes
    assert modes is not None
    assert modes.samples == 1


def test_only_the_samples_of_the_training_are_tried() -> None:
    assert observed(seeded(normalised), split="valid").modes is None


def test_of_sorted_data_samples_of_all_classes_are_taken() -> None:
    order = np.argsort(np.arange(2000) % 2, kind="stable")
    x = np.random.default_rng(1).normal(size=(2000, 4)) + 6.0 * (np.arange(2000) % 2)[:, None]
    module = seeded(lambda: nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 2)))
    norm = module.get_submodule("0")
    assert isinstance(norm, nn.BatchNorm1d)
    norm.running_mean, norm.running_var = torch.tensor(x.mean(axis=0)), torch.tensor(x.var(axis=0))
    samples = Arrays(x[order], np.sort(np.arange(2000) % 2))
    modes = TorchNetwork(module).observe(samples, split="train").modes
    assert modes is not None
    assert modes.training.mean() == pytest.approx(modes.evaluating, rel=0.1)


def test_several_inputs_and_masks_that_hold_for_all_samples_come_along() -> None:
    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.line, self.drop = nn.Linear(4, 2), nn.Dropout(0.2)

        def forward(self, x: Tensor, mask: Tensor, scale: Tensor) -> Tensor:
            assert mask.shape == (4, 4)
            return self.drop(self.line(x @ mask)) * scale  # type: ignore[no-any-return]

    class Triples:
        def __len__(self) -> int:
            return 120

        def batches(self, size: int) -> object:
            for i in range(0, 120, size):
                x = X[i : i + size]
                yield (x, np.eye(4, dtype=np.float32), np.ones((len(x), 1))), Y[i : i + size]

    seen = TorchNetwork(seeded(Masked)).observe(Triples(), split="train")  # type: ignore[arg-type]
    assert seen.modes is not None
    assert seen.modes.evaluating == pytest.approx(seen.mean_loss, rel=1e-12)


def test_an_interruption_while_both_modes_are_tried_keeps_what_was_seen() -> None:
    class Stopped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.line, self.drop = nn.Linear(4, 2), nn.Dropout(0.5)

        def forward(self, x: Tensor) -> Tensor:
            if self.drop.training:
                raise KeyboardInterrupt
            return self.drop(self.line(x))  # type: ignore[no-any-return]

    module = seeded(Stopped).train()
    seen = observed(module)
    assert (seen.samples, seen.modes) == (120, None)
    assert any(note.key == "notes.observe.interrupted" for note in seen.notes)
    assert all(part.training for part in module.modules())
