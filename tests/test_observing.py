"""One pass over data of every form, by networks of every kind, and what may go wrong in it."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from architectures import CASES, WORDS, Case, Language
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

import kashika as ks
from kashika.distribution import Array
from kashika.errors import MismatchError
from kashika.look import Look
from kashika.observation import Layer, Observation
from kashika.run import Arrays, Inputs, Observations, Samples
from kashika.texts import speaking
from kashika.torch_network import TorchNetwork
from kashika.torch_network.batch import answer, part, placed
from kashika.torch_network.samples import TorchSamples
from kashika.torch_sample_gradients import parts


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with speaking("en"):
        yield


@dataclass(frozen=True)
class Batches:
    """Samples of any form, in memory."""

    inputs: Inputs
    targets: Array

    def __len__(self) -> int:
        return len(self.targets)

    def batches(self, size: int) -> Iterator[tuple[Inputs, Array]]:
        for start in range(0, len(self), size):
            yield part(self.inputs, start, start + size), self.targets[start : start + size]


def observed(case: Case, *, module: nn.Module | None = None, **settings: Any) -> Observation:
    network = TorchNetwork(case.module() if module is None else module, Look(**settings))
    return network.observe(Batches(case.inputs, case.targets), split="train")


def stacked(one: Inputs, other: Inputs) -> Inputs:
    """Put the samples of two batches below each other."""
    if isinstance(one, Mapping):
        return {name: np.concatenate([one[name], other[name]]) for name in one}
    if isinstance(one, tuple):
        return tuple(map(np.concatenate, zip(one, other, strict=True)))
    return np.concatenate([one, other])


def layer(seen: Observation, name: str) -> Layer:
    return next(one for one in seen.layers if one.name == name)


def losses(module: nn.Module, inputs: Inputs, targets: Array) -> Tensor:
    """Return the loss of every sample, as somebody would write it by hand: the oracle."""
    outputs = answer(module, placed(inputs, module))
    wanted = torch.tensor(targets)
    if isinstance(inputs, Mapping):  # a language model: each word tells the next
        flat = F.cross_entropy(outputs[:, :-1].transpose(1, 2), wanted[:, 1:], reduction="none")
        return flat.mean(dim=1)
    if targets.dtype.kind == "f" and set(np.unique(targets)) == {0.0, 1.0}:
        each = F.binary_cross_entropy_with_logits(outputs, wanted, reduction="none")
    elif targets.dtype.kind == "f":
        each = F.mse_loss(outputs, wanted, reduction="none")
    elif outputs.shape[1] == 1:
        logits = wanted[:, None].to(outputs.dtype)
        each = F.binary_cross_entropy_with_logits(outputs, logits, reduction="none")
    else:
        each = F.cross_entropy(outputs, wanted, reduction="none")
    return each.reshape(len(each), -1).mean(dim=1)


def gradients(loss: Tensor, module: nn.Module) -> dict[str, Tensor | None]:
    """Return the gradient for every trainable parameter, None where the loss does not use it."""
    torch.autograd.backward(loss, retain_graph=True)
    found = {name: one.grad for name, one in module.named_parameters() if one.requires_grad}
    module.zero_grad()
    return found


def square(gradient: Tensor | None) -> float:
    return 0.0 if gradient is None else float(gradient.square().sum())


# --- networks of every kind -----------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("size", [1, 5, None])
def test_loss_and_gradients_are_those_of_a_forward_and_a_backward_by_hand(
    name: str, size: int | None
) -> None:
    case = CASES[name]
    module = case.module().eval()
    loss = losses(module, case.inputs, case.targets).mean()
    seen = observed(case, batch_size=size)
    assert seen.mean_loss == pytest.approx(loss.item(), rel=1e-10)
    expected = gradients(loss, module)
    assert seen.gradients.keys() == expected.keys()
    for parameter, values in seen.gradients.items():
        wanted = expected[parameter]
        assert (values is None) == (wanted is None)
        if values is not None and wanted is not None:
            np.testing.assert_allclose(
                np.sort(values.values), np.sort(wanted.numpy().ravel()), rtol=1e-7, atol=1e-12  # type: ignore[arg-type]
            )  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_gradient_of_every_sample_is_that_of_a_loop_over_the_samples(name: str) -> None:
    case = CASES[name]
    module = case.module().eval()
    each = losses(module, case.inputs, case.targets)
    loop = [gradients(one, module) for one in each]
    seen = observed(case, batch_size=5).sample_gradients
    assert seen is not None
    assert seen.left_out == ()
    total = [sum(map(square, one.values())) ** 0.5 for one in loop]
    np.testing.assert_allclose(seen.norms, total, rtol=1e-6)
    for where, norms in seen.by_layer.items():
        squares = [
            sum(square(g) for n, g in one.items() if n.rpartition(".")[0] == where) for one in loop
        ]
        np.testing.assert_allclose(norms.rms**2, np.mean(squares), rtol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_a_network_of_any_kind_comes_back_as_it_was(name: str) -> None:
    case = CASES[name]
    module = case.module().train()
    states = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()  # type: ignore[index]
    before = {key: one.clone() for key, one in module.state_dict().items()}
    observed(case, module=module)
    assert all(torch.equal(one, before[key]) for key, one in module.state_dict().items())
    assert all(one.grad is None for one in module.parameters())
    assert all(part.training for part in module.modules())
    hooks = [(p._forward_hooks, p._forward_pre_hooks, p._backward_hooks) for p in module.modules()]
    assert not any(map(any, hooks))
    assert random.getstate() == states[0]
    np.testing.assert_array_equal(np.random.get_state()[1], states[1])  # type: ignore[index]
    assert torch.equal(torch.get_rng_state(), states[2])


@pytest.mark.parametrize("name", ["cnn", "encoder", "language"])
def test_two_looks_see_the_same_bytes(name: str) -> None:
    one, two = observed(CASES[name]), observed(CASES[name])
    assert one.outputs.tobytes() == two.outputs.tobytes()
    assert one.rows.tobytes() == two.rows.tobytes()
    assert one.sample_gradients is not None
    assert two.sample_gradients is not None
    assert one.sample_gradients.norms.tobytes() == two.sample_gradients.norms.tobytes()


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_a_network_in_half_precision_is_looked_at_as_well(kind: torch.dtype) -> None:
    case = CASES["mlp"]
    exact = observed(case)
    seen = observed(case, module=case.module().to(kind))
    assert seen.mean_loss == pytest.approx(exact.mean_loss, rel=0.02)
    assert seen.sample_gradients is not None
    assert exact.sample_gradients is not None
    np.testing.assert_allclose(seen.sample_gradients.norms, exact.sample_gradients.norms, rtol=0.05)


# --- answers at every position --------------------------------------------------------------------


def test_positions_that_the_loss_ignores_do_not_count() -> None:
    case = CASES["segmentation"]
    targets = case.targets.copy()
    targets[:, :3] = -100
    seen = observed(Case(case.build, case.inputs, targets))
    module = case.module()
    outputs = module(torch.tensor(case.inputs))
    loss = F.cross_entropy(outputs, torch.tensor(targets), ignore_index=-100)
    assert seen.mean_loss == pytest.approx(loss.item(), rel=1e-10)
    assert (seen.samples, len(seen.targets)) == (12, 12 * 5 * 8)
    np.testing.assert_array_equal(seen.targets, targets[targets >= 0])
    assert seen.place.min() == 3 * 8
    best = outputs.argmax(dim=1).numpy()[seen.owner, seen.place // 8, seen.place % 8]
    np.testing.assert_array_equal(seen.predicted, best)


def test_the_features_of_a_position_are_its_own() -> None:
    case = CASES["segmentation"]
    seen = observed(case)
    maps = case.module().get_submodule("0")(torch.tensor(case.inputs)).detach().numpy()
    own = maps[seen.owner, :, seen.place // 8, seen.place % 8]
    first = layer(seen, "0")
    assert (first.positions, first.pooled) == (64, "own")
    np.testing.assert_allclose(first.features, own[first.rows], rtol=1e-12)


@pytest.mark.parametrize(("position", "pooled"), [(None, "mean"), (0, "0"), (-1, "-1")])
def test_a_sequence_is_pooled_over_its_positions_or_taken_at_one(
    position: int | None, pooled: str
) -> None:
    case = CASES["gru"]
    seen = observed(case, position=position)
    words = case.module().words(torch.tensor(case.inputs)).detach().numpy()  # type: ignore[operator]
    expected = words.mean(axis=1) if position is None else words[:, position]
    found = layer(seen, "words")
    assert (found.positions, found.pooled) == (6, pooled)
    np.testing.assert_allclose(found.features, expected, rtol=1e-12)


def test_padding_is_left_out_of_the_mean_over_a_sequence() -> None:
    class Classifier(Language):
        def forward(self, input_ids: Tensor, attention_mask: Any = None) -> Any:  # noqa: ARG002
            return super().forward(input_ids)["logits"].mean(dim=1)

    text = CASES["language"].inputs["input_ids"]
    mask = np.ones_like(text)
    mask[:, 4:] = 0
    case = Case(Classifier, {"input_ids": text, "attention_mask": mask}, np.arange(12) % WORDS)
    words = case.module().words(torch.tensor(text)).detach().numpy()  # type: ignore[operator]
    found = layer(observed(case), "words")
    np.testing.assert_allclose(found.features, words[:, :4].mean(axis=1), rtol=1e-12)


@pytest.mark.parametrize("steps", [11, 12])
def test_steps_in_time_are_not_taken_for_samples_where_there_are_as_many(steps: int) -> None:
    class TimeFirst(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.head = nn.GRU(3, 5), nn.Linear(5, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.body(x.transpose(0, 1))[0][-1])  # type: ignore[no-any-return]

    x = np.random.default_rng(0).normal(size=(12, steps, 3))
    seen = observed(Case(TimeFirst, x, np.arange(12) % 2))
    assert [one.name for one in seen.layers] == ["head"]
    assert "were not looked at: body" in notes(seen)[0]
    assert seen.sample_gradients is not None
    assert seen.sample_gradients.left_out == ()


def test_outputs_in_the_order_of_time_are_refused_where_there_are_as_many_steps() -> None:
    class Turned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(x.transpose(0, 1))  # type: ignore[no-any-return]

    case = Case(Turned, np.ones((12, 12, 3)), np.ones((12, 12), dtype=int))
    with pytest.raises(MismatchError, match=r"\(12, 2, 2\)"):
        observed(case)


def test_targets_that_are_not_the_inputs_are_not_shifted() -> None:
    case = CASES["language"]
    ahead = np.roll(case.targets, -1, axis=1)
    seen = observed(Case(case.build, case.inputs, ahead))
    assert not seen.task.shifted
    assert len(seen.targets) == ahead.size


# --- several labels -------------------------------------------------------------------------------


def test_labels_are_counted_one_by_one() -> None:
    case = CASES["labels"]
    seen = observed(case)
    given = case.module()(torch.tensor(case.inputs)).detach().numpy() > 0
    right = case.targets > 0.5
    expected = [given & right, given & ~right, ~given & right, ~given & ~right]
    np.testing.assert_array_equal(seen.labels.T, [one.sum(axis=0) for one in expected])
    shares = right.mean(axis=0)
    entropy = -shares * np.log(shares) - (1 - shares) * np.log(1 - shares)
    assert seen.chance_loss == pytest.approx(entropy.mean(), rel=1e-12)


# --- what goes wrong ------------------------------------------------------------------------------


class Failing(nn.Module):
    """A linear network that raises when it sees a certain number."""

    def __init__(self, error: BaseException, number: float = 37.0) -> None:
        super().__init__()
        self.line = nn.Linear(1, 2)
        self._error, self._number = error, number

    def forward(self, x: Tensor) -> Tensor:
        if (x == self._number).any():
            raise self._error
        return self.line(x)  # type: ignore[no-any-return]


def counted(samples: int = 50) -> Arrays:
    return Arrays(np.arange(samples, dtype=np.float32)[:, None], np.arange(samples) % 2)


def notes(seen: Observation) -> list[str]:
    return [str(note) for note in seen.notes if not note.key.startswith("notes.observe.task")]


def test_a_batch_that_fails_is_named_and_the_rest_is_kept() -> None:
    network = TorchNetwork(Failing(ValueError("no")), Look(batch_size=10))
    seen = network.observe(counted(), split="valid")
    assert (seen.samples, len(seen.targets)) == (40, 40)
    assert notes(seen) == [
        ("valid: an error at batch 4 (ValueError: no); 1 batch (10 samples) was left out")
    ]


def test_an_error_at_the_first_batch_is_told_with_the_shape() -> None:
    network = TorchNetwork(Failing(ValueError("no"), number=0.0), Look(batch_size=10))
    with pytest.raises(MismatchError, match=r"found shape \(10, 1\), and it raised ValueError: no"):
        network.observe(counted(), split="valid")


class Hungry(nn.Module):
    """A network that has memory for a few samples only."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.line = nn.Linear(1, 2)
        self._room = room

    def forward(self, x: Tensor) -> Tensor:
        if len(x) > self._room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.line(x)  # type: ignore[no-any-return]


def test_a_batch_that_does_not_fit_in_memory_is_halved_until_it_does() -> None:
    torch.manual_seed(0)
    module = Hungry(7)
    seen = TorchNetwork(module, Look(batch_size=32)).observe(counted(), split="train")
    plain = TorchNetwork(module, Look(batch_size=5)).observe(counted(), split="train")
    (said,) = notes(seen)
    assert said == "train: memory ran out, and 4 samples went through the network at a time"
    assert seen.mean_loss == pytest.approx(plain.mean_loss, rel=1e-6)
    np.testing.assert_allclose(seen.outputs, plain.outputs, rtol=1e-6)
    every = np.arange(50, dtype=np.float32)[:, None]
    assert TorchNetwork(module, Look(batch_size=32)).predict(every).shape == (50, 2)


def test_an_interruption_leaves_what_has_been_seen() -> None:
    network = TorchNetwork(Failing(KeyboardInterrupt()), Look(batch_size=10))
    seen = Observations(network, {"train": counted(), "test": counted(20)})
    assert seen["train"].samples == 30
    assert [*seen] == ["train"]
    assert [str(note) for note in seen.notes][1:] == [
        (
            "train: interrupted; what is shown comes from 30 of 50 samples, and splits that were "
            "not begun are missing"
        )
    ]


def test_an_interruption_before_anything_was_seen_is_passed_on() -> None:
    network = TorchNetwork(Failing(KeyboardInterrupt(), number=0.0), Look(batch_size=10))
    with pytest.raises(KeyboardInterrupt):
        network.observe(counted(), split="train")


def test_data_that_raise_in_the_middle_leave_what_came_before() -> None:
    class Damaged(IterableDataset[Any]):
        def __len__(self) -> int:
            return 50

        def __iter__(self) -> Iterator[tuple[Tensor, int]]:
            for index in range(25):
                yield torch.tensor([float(index)]), index % 2
            raise OSError("damaged")

    network = TorchNetwork(nn.Linear(1, 2), Look(batch_size=10))
    seen = network.observe(TorchSamples.of(Damaged(), split="train"), split="train")
    assert seen.samples == 20
    assert notes(seen) == [
        (
            "train: reading the data stopped with OSError: damaged; what is shown comes from the "
            "first 20 samples"
        )
    ]


class Endless(IterableDataset[Any]):
    """Samples without an end."""

    def __iter__(self) -> Iterator[tuple[Tensor, int]]:
        index = 0
        while True:
            yield torch.tensor([float(index)]), index % 2
            index += 1


def test_data_without_an_end_are_read_as_far_as_is_asked() -> None:
    network = TorchNetwork(nn.Linear(1, 2), Look(max_samples=150))
    seen = network.observe(TorchSamples.of(Endless(), split="train"), split="train")
    assert seen.samples == 150
    np.testing.assert_array_equal(np.sort(seen.inputs[:, 0]), np.arange(150))
    assert notes(seen) == [
        "train: only the first 150 samples were looked at, as --max-samples says"
    ]


def test_an_interruption_of_data_without_a_known_end_says_how_far_it_came() -> None:
    network = TorchNetwork(Failing(KeyboardInterrupt()), Look(batch_size=10))
    seen = network.observe(TorchSamples.of(Endless(), split="train"), split="train")
    assert notes(seen) == [
        (
            f"train: interrupted; what is shown comes from {seen.samples} samples, and splits that "
            "were not begun are missing"
        )
    ]


def test_the_random_state_of_a_loader_is_not_used() -> None:
    generator = torch.Generator().manual_seed(5)
    pairs = TensorDataset(torch.arange(50.0)[:, None], torch.arange(50) % 2)
    loader = DataLoader(pairs, batch_size=4, shuffle=True, generator=generator)
    before = generator.get_state()
    TorchNetwork(nn.Linear(1, 2)).observe(TorchSamples.of(loader, split="train"), split="train")
    assert torch.equal(generator.get_state(), before)


def test_data_that_draw_numbers_are_the_same_every_time() -> None:
    class Noisy(Dataset[Any]):
        def __len__(self) -> int:
            return 20

        def __getitem__(self, index: int) -> tuple[Tensor, int]:
            return torch.randn(1) + np.random.normal() + random.random(), index % 2

    samples = TorchSamples.of(Noisy(), split="train")
    network = TorchNetwork(nn.Linear(1, 2))
    one, two = (network.observe(samples, split="train") for _ in range(2))
    np.testing.assert_array_equal(one.inputs, two.inputs)


def test_batches_may_differ_in_shape() -> None:
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())

    class Sizes:
        def __len__(self) -> int:
            return 8

        def batches(self, size: int) -> Iterator[tuple[Array, Array]]:
            del size
            yield np.ones((4, 1, 8, 8), dtype=np.float32), np.arange(4)
            yield np.ones((4, 1, 12, 10), dtype=np.float32), np.arange(4)

    seen = TorchNetwork(module).observe(Sizes(), split="train")
    assert seen.samples == 8
    assert [one.name for one in seen.layers] == ["0", "1", "2", "3"]
    assert seen.inputs.size == 0


def test_a_batch_with_another_number_of_outputs_is_left_out() -> None:
    class Widening(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.repeat(1, 3) if (x > 40).any() else x.repeat(1, 2)

    seen = TorchNetwork(Widening(), Look(batch_size=10)).observe(counted(), split="train")
    assert seen.samples == 40
    assert "batch 5 (ValueError: expected 2 outputs for each answer, found 3)" in notes(seen)[0]


@pytest.mark.parametrize("samples", [counted(1), Arrays(np.ones((5, 1), "f4"), np.zeros(5, int))])
def test_one_sample_or_one_class_is_enough(samples: Samples) -> None:
    seen = TorchNetwork(nn.Linear(1, 2)).observe(samples, split="train")
    assert np.isfinite(seen.mean_loss)
    assert seen.sample_gradients is not None
    assert len(seen.sample_gradients.norms) == len(samples)


def test_outputs_that_are_not_finite_are_answers_to_nothing() -> None:
    module = nn.Linear(1, 2)
    with torch.no_grad():
        module.weight[0] = torch.nan
    seen = TorchNetwork(module).observe(counted(), split="train")
    assert (seen.predicted == -1).all()


# --- how much is kept -----------------------------------------------------------------------------


def test_layers_share_a_budget_and_the_wanted_one_keeps_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kashika.torch_network.gathering._FEATURES", 1_000)
    x = np.random.default_rng(0).normal(size=(400, 4)).astype(np.float32)
    module = nn.Sequential(nn.Linear(4, 9), nn.ReLU(), nn.Linear(9, 2))
    seen = TorchNetwork(module, Look(layers=("1",))).observe(
        Arrays(x, np.arange(400) % 2), split="train"
    )
    assert len(layer(seen, "1").features) == 400
    few = layer(seen, "0")
    assert len(few.features) == 1_000 // 11  # units of the two other layers
    weight, bias = (one.detach().numpy() for one in module[0].parameters())
    np.testing.assert_allclose(few.features, x[few.rows] @ weight.T + bias, rtol=1e-5, atol=1e-6)


def test_of_many_values_some_are_looked_at_and_none_that_is_not_finite_is_missed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kashika.torch_network.capture._VALUES", 100)
    x = np.random.default_rng(0).normal(size=(400, 4)).astype(np.float32)
    module, labels = nn.Sequential(nn.Linear(4, 9), nn.ReLU(), nn.Linear(9, 2)), np.arange(400) % 2
    seen = TorchNetwork(module, Look(batch_size=400)).observe(Arrays(x, labels), split="train")
    assert layer(seen, "0").values.size == 100 // 9 * 9
    x[17] = np.nan
    broken = TorchNetwork(module, Look(batch_size=400)).observe(Arrays(x, labels), split="train")
    assert layer(broken, "0").values.nan == 9


def test_without_gradients_there_is_no_backward_pass() -> None:
    seen = observed(CASES["mlp"], gradients=False)
    assert seen.gradients == {}
    assert seen.sample_gradients is None


@pytest.mark.parametrize("name", ["mlp", "language", "two inputs"])
def test_samples_with_the_same_inputs_have_one_fingerprint(name: str) -> None:
    case = CASES[name]
    again = part(case.inputs, 3, 5)
    twice = stacked(case.inputs, again)
    targets = np.concatenate([case.targets, case.targets[3:5]])
    seen = observed(Case(case.build, twice, targets), batch_size=5)
    found = seen.fingerprints
    assert found.shape == (seen.samples,)
    np.testing.assert_array_equal(found[12:], found[3:5])
    assert len(set(found.tolist())) == 12


def test_progress_is_told_after_every_batch() -> None:
    told: list[tuple[str, int, int | None]] = []
    look = Look(batch_size=20, progress=lambda *said: told.append(said))
    network = TorchNetwork(nn.Linear(1, 2), look)
    network.observe(counted(), split="valid")
    assert told == [("valid", 20, 50), ("valid", 40, 50), ("valid", 50, 50)]


def test_a_report_on_a_language_model_has_every_view_that_applies() -> None:
    case = CASES["language"]

    class Texts(Dataset[Any]):
        def __len__(self) -> int:
            return 12

        def __getitem__(self, index: int) -> dict[str, Tensor]:
            text = torch.tensor(case.targets[index])
            return {"input_ids": text, "attention_mask": torch.ones_like(text), "labels": text}

    report = ks.analyze(case.module(), train=Texts(), test=Texts())
    missing = {one.view.name for one in report.sections if one.missing is not None}
    assert missing == {"curves", "boundary"}


# --- networks that are not made of modules --------------------------------------------------------


@pytest.mark.parametrize("way", ["script", "trace"])
def test_a_scripted_network_is_asked_and_what_cannot_be_looked_into_is_listed(
    way: str,
) -> None:
    case = CASES["mlp"]
    module = case.module().eval()
    x = torch.tensor(case.inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls both deprecated
        jit: Any = torch.jit
        made = jit.script(module) if way == "script" else jit.trace(module, x)
    seen = observed(case, module=made)
    plain = observed(case)
    assert seen.mean_loss == pytest.approx(plain.mean_loss, rel=1e-9)
    assert seen.gradients.keys() == plain.gradients.keys()
    assert seen.layers == ()
    assert any("were not looked at: 0, 1, 2, 3, 4" in note for note in notes(seen))


def test_quantised_weights_are_shown_and_have_no_gradient() -> None:
    case = CASES["mlp"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantization: Any = torch.ao.quantization
        module = quantization.quantize_dynamic(case.module().float(), {nn.Linear})
    found = {one.name: one for one in TorchNetwork(module).parameters()}
    assert [*found] == [f"{layer}.{part}" for layer in (0, 2, 4) for part in ("weight", "bias")]
    exact = {one.name: one for one in TorchNetwork(case.module()).parameters()}
    for name, one in found.items():
        assert one.values.greatest == pytest.approx(exact[name].values.greatest, abs=0.01)
    seen = observed(Case(case.build, case.inputs.astype(np.float32), case.targets), module=module)
    assert seen.gradients == {}


def test_a_sparse_parameter_is_shown_with_its_zeros_and_has_a_gradient() -> None:
    class Sparse(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix = nn.Parameter(torch.eye(4).to_sparse())
            self.line = nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.line(torch.sparse.mm(self.mix, x.T).T)  # type: ignore[no-any-return]

    case = Case(Sparse, CASES["mlp"].inputs, CASES["mlp"].targets)
    mix = next(iter(TorchNetwork(case.module()).parameters()))
    assert (mix.values.size, mix.values.zeros) == (16, 12)
    seen = observed(case)
    assert seen.gradients["mix"] is not None
    assert [str(note) for note in seen.notes][1:] == [
        "The gradients of single samples had to be formed one by one, which is slow, for: mix"
    ]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_the_reduction_of_the_users_loss_does_not_matter(reduction: str) -> None:
    case, loss = CASES["mlp"], nn.CrossEntropyLoss(reduction=reduction)
    seen, plain = observed(case, loss=loss), observed(case)
    assert seen.mean_loss == pytest.approx(plain.mean_loss, rel=1e-12)
    np.testing.assert_allclose(seen.loss, plain.loss, rtol=1e-12)
    assert seen.sample_gradients is not None
    assert plain.sample_gradients is not None
    np.testing.assert_allclose(seen.sample_gradients.norms, plain.sample_gradients.norms)


# --- what does not cost the pass ------------------------------------------------------------------


def test_where_the_norms_of_samples_fail_the_mean_gradient_is_that_of_a_plain_backward(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise KeyError(0)

    monkeypatch.setattr("kashika.torch_sample_gradients.groups_of", fail)
    case = CASES["mlp"]
    seen, module = observed(case, batch_size=5), case.module().eval()
    assert seen.sample_gradients is None
    for name, g in gradients(losses(module, case.inputs, case.targets).mean(), module).items():
        found = seen.gradients[name]
        assert found is not None
        assert g is not None
        np.testing.assert_allclose(
            np.sort(found.values), np.sort(g.numpy().ravel()), rtol=1e-9, atol=1e-12  # type: ignore[arg-type]
        )  # fmt: skip
    assert notes(seen) == [
        (
            "train: the gradients of single samples could not be had, since kashika raised "
            "KeyError: 0; what is shown are the gradients of the mean loss"
        )
    ]


def test_norms_of_some_samples_only_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = iter(range(10))
    first = parts.groups_of

    def fail_later(found: Any) -> Any:
        if next(calls):
            raise KeyError(0)
        return first(found)

    monkeypatch.setattr("kashika.torch_sample_gradients.groups_of", fail_later)
    seen = observed(CASES["mlp"], batch_size=5)
    assert (seen.samples, seen.sample_gradients) == (12, None)


def test_a_network_that_cannot_be_differentiated_is_asked_all_the_same() -> None:
    class Writing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.line = nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            return F.relu_(self.line(x)).mul_(2)

    seen = observed(Case(Writing, CASES["mlp"].inputs, CASES["mlp"].targets))
    assert (seen.samples, seen.gradients, seen.sample_gradients) == (12, {}, None)
    (said,) = notes(seen)
    assert said.startswith("train: there are no gradients, since the way back through the network")
    assert "modified by an inplace operation" in said


def late(targets: Tensor, *, size: int = 10) -> tuple[TorchSamples, Look]:
    x = torch.arange(float(len(targets)))[:, None] / len(targets)
    samples = TorchSamples.of(TensorDataset(x, targets), split="train")
    return samples, Look(batch_size=size)


@pytest.mark.parametrize(
    ("wrong", "row", "outputs", "found"),
    [(7, 37, 2, "7"), (-1, 49, 2, "-1"), (float("nan"), 37, 1, "nan"), (torch.inf, 12, 1, "inf")],
)
def test_a_late_target_that_is_none_costs_its_sample_only(
    wrong: float, row: int, outputs: int, found: str
) -> None:
    good = torch.arange(50) % 2 if outputs == 2 else torch.linspace(-2, 2, 50)
    bad = good.clone()
    bad[row] = wrong
    module = nn.Linear(1, outputs)
    samples, look = late(bad)
    seen = TorchNetwork(module, look).observe(samples, split="train")
    assert notes(seen) == [
        (
            "train: 1 sample was left out, since its target does not fit the task; "
            f"the first is row {row}, counted from 0, with {found}"
        )
    ]
    kept = np.delete(np.arange(50), row)
    samples, look = late(good)
    every = TorchNetwork(module, look).observe(samples, split="train")
    np.testing.assert_allclose(seen.loss, every.loss[kept], rtol=1e-6)
    np.testing.assert_array_equal(seen.fingerprints, every.fingerprints[kept])


def test_classes_that_are_counted_from_1_are_an_error_however_late_the_last_comes() -> None:
    samples, look = late(torch.arange(50) // 26 + 1)
    with pytest.raises(MismatchError, match="expected classes from 0 to 1"):
        TorchNetwork(nn.Linear(1, 2), look).observe(samples, split="train")


def test_outputs_that_are_not_finite_are_counted() -> None:
    class Broken(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.line = nn.Linear(1, 2)

        def forward(self, x: Tensor) -> Tensor:
            outputs: Tensor = self.line(x)
            outputs = outputs.masked_fill(x == 3, torch.nan).masked_fill(x == 17, torch.inf)
            return outputs.masked_fill((x == 4) & (torch.arange(2) == 0), -torch.inf)

    seen = TorchNetwork(Broken(), Look(batch_size=10)).observe(counted(), split="test")
    assert notes(seen) == ["test: 2 of 50 answers of the network hold NaN or Inf"]


# --- losses that do not get what they expect ------------------------------------------------------


@pytest.mark.parametrize(
    "loss", [nn.MSELoss(), F.mse_loss, lambda o, t: 2 * F.smooth_l1_loss(o, t), nn.L1Loss()]
)
def test_a_loss_that_compares_every_output_with_every_target_is_told_and_set_right(
    loss: Any,
) -> None:
    x, module = np.random.default_rng(0).normal(size=(30, 4)), nn.Linear(4, 1).double()
    y = x[:, 0] + 1
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        seen = TorchNetwork(module, Look(loss=loss)).observe(Arrays(x, y), split="train")
    assert caught == []
    own = loss(module(torch.tensor(x)), torch.tensor(y)[:, None])
    assert seen.mean_loss == pytest.approx(own.item(), rel=1e-9)
    (said,) = notes(seen)
    assert "got outputs of shape (30, 1) and targets of shape (30,), compares every" in said


def test_a_function_that_brings_outputs_and_targets_together_itself_gets_them_as_they_are() -> None:
    x, module = np.random.default_rng(0).normal(size=(30, 4)), nn.Linear(4, 1).double()
    look = Look(loss=lambda o, t: F.mse_loss(o[:, 0], t))
    seen = TorchNetwork(module, look).observe(Arrays(x, x[:, 0]), split="train")
    own = F.mse_loss(module(torch.tensor(x))[:, 0], torch.tensor(x[:, 0]))
    assert seen.mean_loss == pytest.approx(own.item(), rel=1e-9)
    assert notes(seen) == []


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        (lambda *_: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda *_: None, "TypeError: the loss returned NoneType, no tensor"),
        (lambda o, _: float(o.detach().mean()), "TypeError: the loss returned float, no tensor"),
        (lambda o, _: o.missing, "AttributeError: 'Tensor' object has no attribute 'missing'"),
    ],
    ids=["raises", "nothing", "number", "attribute"],
)
def test_a_loss_that_fails_is_named_and_not_the_network(loss: Any, said: str) -> None:
    with pytest.raises(MismatchError) as caught:
        observed(CASES["mlp"], loss=loss)
    assert str(caught.value) == (
        "train: expected outputs and targets that <lambda> takes, found (12, 3) float64 and (12,) "
        f"int64 ({said}); choose another --loss"
    )


@pytest.mark.parametrize("kind", [torch.int32, torch.uint8, torch.float32, torch.float64])
@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss(), F.cross_entropy])
def test_class_numbers_of_any_type_are_taken_as_whole_and_that_is_said(
    kind: torch.dtype, loss: Any
) -> None:
    module, labels = nn.Linear(1, 2), torch.arange(50) % 2
    plain, look = late(labels)
    expected = TorchNetwork(module, look).observe(plain, split="train")
    samples, _ = late(labels.to(kind))
    seen = TorchNetwork(module, Look(batch_size=10, loss=loss)).observe(samples, split="train")
    assert seen.mean_loss == pytest.approx(expected.mean_loss, rel=1e-6)
    name = str(kind).removeprefix("torch.")
    said = f"50 labels of type {name} were taken as class numbers (int64)"
    # torch takes a uint8 as it is.
    assert notes(seen) == ([] if kind == torch.uint8 else [said])


def test_a_mark_beyond_the_classes_is_suggested_as_one_to_be_ignored() -> None:
    case = CASES["segmentation"]
    targets = case.targets.copy()
    targets[:, 0] = 255
    marked = Case(case.build, case.inputs, targets)
    with pytest.raises(MismatchError, match=r"found 255 as well; .*ignore_index=255"):
        observed(marked)
    assert observed(marked, loss=nn.CrossEntropyLoss(ignore_index=255)).samples == 12


def test_where_every_position_is_ignored_that_is_said() -> None:
    case = CASES["segmentation"]
    ignored = np.full_like(case.targets, -100)
    with pytest.raises(MismatchError, match="the loss ignores all of the first 12 samples"):
        observed(Case(case.build, case.inputs, ignored))


@pytest.mark.parametrize("loss", [None, nn.CrossEntropyLoss(), F.cross_entropy])
def test_a_batch_whose_positions_are_all_ignored_changes_nothing(loss: Any) -> None:
    case = CASES["segmentation"]
    targets = case.targets.copy()
    targets[4:8] = -100
    seen = observed(Case(case.build, case.inputs, targets), batch_size=4, loss=loss)
    others = [*range(4), *range(8, 12)]
    rest = Case(case.build, np.asarray(case.inputs)[others], case.targets[others])
    expected = observed(rest, batch_size=4, loss=loss)
    assert seen.samples == 12
    assert seen.mean_loss == pytest.approx(expected.mean_loss, rel=1e-12)
    assert seen.sample_gradients is not None
    assert expected.sample_gradients is not None
    np.testing.assert_allclose(seen.sample_gradients.norms[others], expected.sample_gradients.norms)
    assert not seen.sample_gradients.norms[4:8].any()


def test_a_parameter_in_compressed_rows_is_shown_and_has_a_gradient() -> None:
    class Compressed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch calls them beta
                self.mix = nn.Parameter(torch.eye(4).to_sparse_csr(), requires_grad=False)
            self.line = nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.line((self.mix @ x.T).T)  # type: ignore[no-any-return]

    case, module = CASES["mlp"], Compressed()
    mix = next(iter(TorchNetwork(module).parameters()))
    assert (mix.values.size, mix.values.zeros) == (16, 12)
    assert observed(case, module=module).samples == 12


def test_parameters_that_only_seem_to_get_no_gradient_are_not_said_to_get_none() -> None:
    class CheckpointFunction(torch.autograd.Function):
        """One of those that were made after torch's own."""

        @staticmethod
        def forward(_ctx: Any, part: nn.Module, x: Tensor) -> Tensor:
            return part(x)  # type: ignore[no-any-return]

        @staticmethod
        def backward(_ctx: Any, g: Tensor) -> tuple[None, Tensor]:
            return None, g

    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.middle, self.head, self.idle = nn.Linear(4, 4), nn.Linear(4, 3), nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            x = x.clone().requires_grad_()
            return self.head(CheckpointFunction.apply(self.middle, x))  # type: ignore[no-any-return, no-untyped-call]

    seen = observed(Case(Own, CASES["mlp"].inputs, CASES["mlp"].targets))
    assert [*seen.gradients] == ["head.weight", "head.bias"]
    assert seen.sample_gradients is not None
    assert [*seen.sample_gradients.by_layer] == ["head"]
    (said,) = notes(seen)
    assert said.endswith("not in it: middle.weight, middle.bias, idle.weight, idle.bias")


def test_a_trace_with_the_batch_size_of_its_example_is_told_as_such() -> None:
    class Cut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.line = nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.line(x)[: int(x.shape[0])]  # type: ignore[no-any-return]

    case = CASES["mlp"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        jit: Any = torch.jit
        made = jit.trace(Cut().double(), torch.tensor(case.inputs[:5]))
    with pytest.raises(
        MismatchError, match=r"found outputs of shape \(5, 3\); a traced network may"
    ):
        observed(case, module=made)


# --- targets that are probabilities ---------------------------------------------------------------


def mixed(samples: int = 40, *, classes: int = 3) -> tuple[Tensor, Tensor, nn.Module]:
    """Return inputs, a probability for each class, and a network that has learned some of it."""
    torch.manual_seed(0)
    x = torch.randn(samples, 4)
    module = nn.Linear(4, classes)
    shares = torch.softmax(2 * module(x).detach() + torch.randn(samples, classes), dim=1)
    return x, shares, module


@pytest.mark.parametrize("loss", [None, "cross_entropy", nn.CrossEntropyLoss()])
@pytest.mark.parametrize("form", ["dataset", "loader", "arrays"])
def test_probabilities_as_targets_are_classes_and_the_loss_takes_them_as_they_are(
    loss: Any, form: str
) -> None:
    x, shares, module = mixed()
    held = TensorDataset(x, shares)
    source: Any = DataLoader(held, batch_size=7) if form == "loader" else held
    samples: Samples = TorchSamples.of(source, split="train")
    if form == "arrays":
        samples = Arrays(x.numpy(), shares.numpy())
    seen = TorchNetwork(module, Look(loss=loss, batch_size=16)).observe(samples, split="train")
    each = F.cross_entropy(module(x), shares, reduction="none")
    np.testing.assert_allclose(seen.loss, each.detach().numpy(), rtol=1e-5)
    np.testing.assert_array_equal(seen.targets, shares.argmax(dim=1).numpy())
    assert seen.task.outputs == "logits"
    assert seen.task.classes == 3
    if seen.task.loss == "cross_entropy":
        # The best answer that ignores the input is the mean of the targets.
        mean = shares.double().mean(dim=0)
        assert seen.chance_loss == pytest.approx(-float((mean * mean.log()).sum()), rel=1e-6)
    gradient = gradients(each.mean(), module)["weight"]
    assert gradient is not None
    found = seen.gradients["weight"]
    assert found is not None
    assert found.rms**2 * gradient.numel() == pytest.approx(square(gradient), rel=1e-5)
    (said,) = notes(seen)
    assert said.startswith("train: 40 targets are ")
    assert ("--loss mse_loss" in said) == (loss is None)


def test_class_numbers_and_probabilities_may_stand_in_two_splits() -> None:
    x, shares, module = mixed()
    network = TorchNetwork(module, Look())
    first = network.observe(Arrays(x.numpy(), shares.numpy()), split="train")
    labels = shares.argmax(dim=1).numpy()
    second = network.observe(Arrays(x.numpy(), labels), split="test", task=first.task)
    np.testing.assert_array_equal(first.targets, second.targets)
    np.testing.assert_array_equal(first.predicted, second.predicted)
    assert notes(second) == []


def test_shares_that_a_regression_gives_are_values_and_that_is_said() -> None:
    x, shares, module = mixed()
    with torch.no_grad():  # the least squares: outputs that are shares themselves
        wide = torch.cat([x, torch.ones(len(x), 1)], dim=1)
        fit = torch.linalg.lstsq(wide, shares).solution
        module.weight.copy_(fit[:-1].T)  # type: ignore[operator]
        module.bias.copy_(fit[-1])  # type: ignore[operator]
    held = TorchSamples.of(TensorDataset(x, shares), split="train")
    seen = TorchNetwork(module, Look()).observe(held, split="train")
    assert seen.task.outputs == "values"
    (said,) = notes(seen)
    assert "were taken as values" in said
    assert "--loss cross_entropy" in said
    named = TorchNetwork(module, Look(loss="mse_loss")).observe(held, split="train")
    assert (named.task.outputs, notes(named)) == ("values", [])


def test_a_row_that_is_no_probability_costs_its_sample_only() -> None:
    x, shares, module = mixed()
    shares[31] *= 2
    held = TorchSamples.of(TensorDataset(x, shares), split="train")
    look = Look(loss="cross_entropy", batch_size=10)
    seen = TorchNetwork(module, look).observe(held, split="train")
    assert seen.samples == 39
    assert any("1 sample" in one and "row 31" in one for one in notes(seen))
