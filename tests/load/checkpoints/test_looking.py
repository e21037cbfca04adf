"""What the weights in a file look like, without the network's code."""

from __future__ import annotations

from math import sqrt
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from kashika.distribution import Distribution
from kashika.load.checkpoints import Weights, checkpoint_of, read
from kashika.parameters import Initial


def weights(state: dict[str, Tensor], **other: object) -> Weights:
    return Weights(Path("c.pth"), "PyTorch zip", state, "", ("",), None, other, ())


def test_every_parameter_is_looked_at_in_the_order_of_the_file() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Embedding(5, 4), nn.LSTM(4, 6), nn.Linear(6, 2)
    )
    state = network.state_dict()
    checkpoint = checkpoint_of(weights(state))
    assert checkpoint.path == Path("c.pth")
    # Running means and counters are no parameters.
    assert [one.name for one in checkpoint.parameters] == [n for n, _ in network.named_parameters()]
    for one in checkpoint.parameters:
        values = state[one.name].numpy()
        assert one.values.shape == values.shape
        assert one.values.mean == pytest.approx(values.astype(np.float64).mean(), abs=1e-12)
        np.testing.assert_array_equal(one.values.histogram()[0], np.histogram(values, bins=20)[0])
        assert one.trainable is None
    kinds = {one.layer: one.kind for one in checkpoint.parameters}
    assert kinds == {"0": "Conv2d", "1": "BatchNorm", "2": None, "3": "LSTM", "4": "Linear"}
    starts = {one.name: one.initial for one in checkpoint.parameters}
    assert starts["0.weight"] == Initial("uniform", 0.0, 1 / sqrt(27))
    assert starts["1.weight"] == Initial("constant", 1.0, 0.0)
    assert starts["2.weight"] is None
    assert starts["4.bias"] == Initial("uniform", 0.0, 1 / sqrt(6))


@pytest.mark.parametrize(
    "tensor",
    [
        torch.tensor([1.0, -2.0], dtype=torch.float64),
        torch.tensor([1.0, -2.0], dtype=torch.float16),
        torch.tensor([1.0, -2.0], dtype=torch.bfloat16),
        torch.tensor([1.0, -2.0]).to(torch.float8_e4m3fn),
        torch.tensor([1.0, -2.0]).to_sparse(),
        torch.tensor([1.0, -2.0], requires_grad=True),
    ],
)
def test_weights_of_any_floating_type_are_looked_at(tensor: Tensor) -> None:
    (one,) = checkpoint_of(weights({"weight": tensor})).parameters
    assert (one.values.least, one.values.greatest, one.values.size) == (-2.0, 1.0, 2)


WIDE = torch.randn(400, 300, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "tensor",
    [
        WIDE, WIDE.double(), WIDE.half(), WIDE.bfloat16(), WIDE.to(torch.float8_e4m3fn),
        WIDE.to(torch.float8_e5m2), WIDE.bfloat16().T, WIDE[:, ::2], WIDE.bfloat16()[::2],
        WIDE[:7].bfloat16(), torch.arange(256).byte().view(torch.float8_e4m3fn).repeat(500),
        torch.empty(0, 3).to(torch.float8_e5m2),
    ],
    ids=lambda one: f"{one.dtype} {tuple(one.shape)}",
)  # fmt: skip
def test_weights_are_looked_at_in_their_own_type_as_in_one_that_is_wider(tensor: Tensor) -> None:
    (one,) = checkpoint_of(weights({"weight": tensor})).parameters
    found, wide = one.values, Distribution.of(tensor.double().numpy())
    assert found.shape == wide.shape == tuple(tensor.shape)
    for what in ("size", "nan", "infinite", "zeros", "least", "greatest"):
        np.testing.assert_equal(getattr(found, what), getattr(wide, what))
    np.testing.assert_allclose([found.mean, found.sd], [wide.mean, wide.sd], rtol=1e-13)
    if found.codes is None:
        np.testing.assert_array_equal(found.values, wide.values)
    else:
        np.testing.assert_array_equal(found.codes, wide.codes)


def test_the_number_of_threads_of_torch_is_left_as_it_was() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        checkpoint_of(weights({"weight": WIDE}))
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_weights_of_two_bytes_stay_in_the_memory_of_the_file_wherever_they_lie(
    tmp_path: Path,
) -> None:
    path = tmp_path / "model.safetensors"
    state = {"bias": torch.ones(3).bfloat16(), "weight": torch.ones(5, 7).bfloat16()}
    save_file(state, path)
    found = read(path).state
    first, second = sorted(found.values(), key=Tensor.data_ptr)
    assert second.data_ptr() == first.data_ptr() + first.nbytes


def test_what_are_no_real_numbers_are_no_weights() -> None:
    state = {
        "steps": torch.tensor(3),
        "mask": torch.tensor([True, False]),
        "phase": torch.tensor([1j, 2j]),
        "elsewhere": torch.ones(2, device="meta"),
    }
    assert checkpoint_of(weights(state)).parameters == ()


def test_an_equal_copy_is_no_tie() -> None:
    one = torch.ones(2, 2)  # C121
    looked = checkpoint_of(weights({"a": one, "b": one, "c": one.clone(), "d": one[:1]}))
    assert [parameter.name for parameter in looked.parameters] == ["a", "c", "d"]


@pytest.mark.parametrize(
    ("other", "epoch", "step"),
    [
        ({"epoch": 4, "global_step": 8595}, 4, 8595),
        ({"epoch": 2.0, "iteration": 100}, 2, 100),
        ({"epoch": "last", "step": True}, None, None),
        ({"epoch": float("nan"), "step": float("inf")}, None, None),
        ({}, None, None),
    ],
)
def test_a_checkpoint_knows_when_it_was_saved_where_it_says_so(
    other: dict[str, object], epoch: int | None, step: int | None
) -> None:
    looked = checkpoint_of(weights({}, **other))
    assert (looked.epoch, looked.step) == (epoch, step)
