"""Weights into a network: names are cut only where that fits more, and nothing is half loaded."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import cast

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torch.optim.swa_utils import AveragedModel

from kashika.errors import MismatchError
from kashika.load.checkpoints import Weights, put_into
from kashika.texts import speaking


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with speaking("en"):
        yield


def net(classes: int = 3, *, seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, classes))


def compiled(module: nn.Module) -> nn.Module:
    with warnings.catch_warnings(action="ignore"):  # what torch says on importing its compiler
        return cast("nn.Module", torch.compile(module))


def weights(state: Mapping[str, Tensor]) -> Weights:
    return Weights(Path("c.pth"), "PyTorch zip", state, "", ("",), None, {}, ())


def fitted(module: nn.Module, state: Mapping[str, Tensor]) -> str:
    """Put weights into a network, and return what was said."""
    return " / ".join(map(str, put_into(module, weights(state), model="net.py:net")))


def refused(module: nn.Module, state: Mapping[str, Tensor]) -> str:
    before = {name: one.clone() for name, one in module.state_dict().items()}
    with pytest.raises(MismatchError) as caught:
        fitted(module, state)
    after = module.state_dict()
    assert all(torch.equal(after[name], one) for name, one in before.items())
    return str(caught.value)


def answers(module: nn.Module) -> Tensor:
    with torch.no_grad():
        return cast("Tensor", module.eval()(torch.linspace(-1, 1, 10).reshape(5, 2)))


class W(nn.Module):
    """Has a part that is called as wrappers call theirs."""

    def __init__(self, part: str = "module") -> None:
        super().__init__()
        self.add_module(part, nn.Linear(2, 3))
        self.part = part

    def forward(self, x: Tensor) -> Tensor:
        return cast("Tensor", self.get_submodule(self.part)(x))


# --- prefixes ------------------------------------------------------------------------------------


def under(prefix: str) -> Callable[[nn.Module], Mapping[str, Tensor]]:
    return lambda module: {f"{prefix}{key}": one for key, one in module.state_dict().items()}


WRAPPED: dict[str, tuple[Callable[[nn.Module], Mapping[str, Tensor]], str]] = {
    "DataParallel": (lambda m: nn.DataParallel(m).state_dict(), "module."),  # C001
    "compile": (lambda m: compiled(m).state_dict(), "_orig_mod."),  # C003
    "compile of DataParallel": (  # C004
        lambda m: compiled(nn.DataParallel(m)).state_dict(),
        "_orig_mod.module.",
    ),
    "DataParallel of compile": (
        lambda m: nn.DataParallel(compiled(m)).state_dict(),
        "module._orig_mod.",
    ),
    "Lightning": (under("model."), "model."),
    "Lightning of compile": (under("model._orig_mod."), "model._orig_mod."),
    "a name of one's own": (under("backbone.body."), "backbone.body."),
    "EMA": (under("ema_model.module."), "ema_model.module."),
}


@pytest.mark.parametrize("wrapper", WRAPPED)
def test_the_prefix_of_a_wrapper_is_cut_and_said(wrapper: str) -> None:
    state, prefix = WRAPPED[wrapper][0](net(seed=1)), WRAPPED[wrapper][1]
    module = net()
    assert fitted(module, state) == f"removed prefix '{prefix}' from 4 keys"
    assert torch.equal(answers(module), answers(net(seed=1)))


@pytest.mark.parametrize("wrapper", ["DataParallel", "compile", "Lightning"])
def test_a_prefix_that_only_the_network_has_is_added(wrapper: str) -> None:
    wrapped = nn.Module()
    wrapped.model = net()
    wrappers: dict[str, Callable[[nn.Module], nn.Module]] = {
        "DataParallel": nn.DataParallel,
        "compile": compiled,
        "Lightning": lambda _: wrapped,
    }
    module = wrappers[wrapper](net())
    prefix = WRAPPED[wrapper][1]
    assert fitted(module, net(seed=1).state_dict()) == (
        f"added prefix '{prefix}' to 4 keys, as the network has it"
    )
    found = module.state_dict()
    assert torch.equal(found[f"{prefix}0.weight"], net(seed=1).state_dict()["0.weight"])


@pytest.mark.parametrize("part", ["_orig_mod", "_checkpoint_wrapped_module", "module"])
def test_what_wrappers_put_inside_names_is_cut_too(part: str) -> None:
    state = net(seed=1).state_dict()
    inside = {
        (key.replace("2.", f"2.{part}.") if key[0] == "2" else key): one
        for key, one in state.items()
    }
    module = net()
    assert fitted(module, inside) == f"removed prefix '{part}.' from 2 keys"
    assert torch.equal(answers(module), answers(net(seed=1)))
    deep = {f"module.{key}": one for key, one in inside.items()}
    again = net()
    fitted(again, deep)
    assert torch.equal(answers(again), answers(net(seed=1)))


@pytest.mark.parametrize("part", ["module", "model", "net", "_orig_mod"])
def test_a_real_part_that_is_called_like_a_wrapper_is_left_alone(part: str) -> None:
    module, trained = W(part), W(part)  # C006
    assert fitted(module, trained.state_dict()) == ""
    assert torch.equal(answers(module), answers(trained))
    again = W(part)
    assert fitted(again, nn.DataParallel(trained).state_dict()) == (
        "removed prefix 'module.' from 2 keys"
    )
    assert torch.equal(answers(again), answers(trained))


def test_of_an_averaged_network_the_counter_is_left_over() -> None:
    module = net()  # C007
    assert fitted(module, AveragedModel(net(seed=1)).state_dict()) == (
        "removed prefix 'module.' from 4 keys / 1 key of the file has no place in the network "
        "and was ignored: n_averaged (0)"
    )
    assert torch.equal(answers(module), answers(net(seed=1)))


def test_of_two_networks_in_a_file_the_trained_one_comes_before_its_average() -> None:
    state = {**under("ema.")(net(seed=2)), **under("student.")(net(seed=1))}
    module = net()
    assert "removed prefix 'student.' from 4 keys" in fitted(module, state)
    assert torch.equal(answers(module), answers(net(seed=1)))


def test_a_part_of_a_file_is_not_taken_for_the_whole() -> None:
    assert "not one of the 4 names" in refused(nn.Linear(8, 3), net().state_dict())


# --- what need not be there ----------------------------------------------------------------------


def test_what_the_network_has_no_place_for_is_ignored_and_listed() -> None:
    extra = {
        "total_ops": torch.zeros(1),
        "criterion.weight": torch.ones(3),
        "1.total_params": torch.zeros(1),
    }
    module = net()
    assert fitted(module, net(seed=1).state_dict() | extra) == (
        "3 keys of the file have no place in the network and were ignored: "
        "total_ops (0), criterion.weight, 1.total_params (0)"
    )
    assert torch.equal(answers(module), answers(net(seed=1)))


def test_a_counter_of_batches_and_a_fixed_buffer_need_not_be_in_the_file() -> None:
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    module.register_buffer("positions", torch.arange(3))
    state = dict(module.state_dict())
    del state["1.num_batches_tracked"], state["positions"]
    assert fitted(module, state) == (
        "2 keys of the network are not in the file and need not be; they stay as the network "
        "makes them: positions, 1.num_batches_tracked"
    )


@pytest.mark.parametrize("name", ["1.running_mean", "1.weight", "0.bias"])
def test_what_was_learned_must_be_in_the_file(name: str) -> None:
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    state = dict(module.state_dict())
    del state[name]
    assert refused(module, state) == (
        f"c.pth does not fit net.py:net: {name} is not in the file; "
        "give the arguments of the trained network in --model"
    )


class Tied(nn.Module):
    """Its last layer is its first one, as in language models."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(5, 3)
        self.head = nn.Linear(3, 5, bias=False)
        self.head.weight = self.embedding.weight


@pytest.mark.parametrize("name", ["embedding.weight", "head.weight"])
def test_of_tied_weights_one_is_enough(name: str) -> None:
    module, trained = Tied(), Tied()
    fitted(module, {name: trained.head.weight.detach()})
    assert torch.equal(module.embedding.weight, trained.embedding.weight)
    assert module.embedding.weight is module.head.weight


def test_a_layer_without_a_size_takes_that_of_the_file() -> None:
    with warnings.catch_warnings(action="ignore"):
        module = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(3))  # C120
    assert fitted(module, net(seed=1).state_dict()) == ""
    assert torch.equal(answers(module), answers(net(seed=1)))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_another_width_become_those_of_the_network(dtype: torch.dtype) -> None:
    state = {key: one.to(dtype) for key, one in net(seed=1).state_dict().items()}
    module = net()
    assert fitted(module, state) == ""
    assert module[0].weight.dtype == torch.float32
    torch.testing.assert_close(answers(module), answers(net(seed=1)), atol=0.02, rtol=0.02)


# --- what does not fit ---------------------------------------------------------------------------


def test_another_number_of_classes_names_the_two_keys_that_differ() -> None:
    assert refused(net(3), net(5).state_dict()) == (  # C016
        "c.pth does not fit net.py:net: 2.weight is (5, 8), expected (3, 8) / "
        "2.bias is (5,), expected (3,), so the file has 5 outputs, the model 3; "
        "give the arguments of the trained network in --model"
    )


def test_behind_a_prefix_too_only_what_differs_is_named() -> None:
    message = refused(net(3), nn.DataParallel(net(5)).state_dict())
    assert "module.2.weight is (5, 8), expected (3, 8)" in message
    assert "0.weight" not in message


def test_another_width_inside_is_not_taken_for_another_number_of_outputs() -> None:
    other = nn.Sequential(nn.Linear(2, 9), nn.ReLU(), nn.Linear(9, 3))
    message = refused(net(), other.state_dict())
    assert "0.weight is (9, 2), expected (8, 2)" in message
    assert "2.weight is (3, 9), expected (3, 8)" in message
    assert "outputs" not in message


def test_where_no_name_fits_that_is_an_error_of_its_own() -> None:
    state = {f"layers_{key}": one for key, one in net().state_dict().items()}
    assert refused(net(), state) == (
        "c.pth does not fit net.py:net: expected names such as 0.weight, 0.bias, 2.weight, "
        "… (4), found layers_0.weight, layers_0.bias, layers_2.weight, … (4), so not one of the "
        "4 names in the file is one of the network's; name the network that was trained"
    )


def test_weights_without_data_are_missing() -> None:
    state = {key: one.to("meta") for key, one in net().state_dict().items()}
    assert "not one of the 4 names" in refused(net(), state)


def test_of_very_many_differences_the_first_are_named() -> None:
    module = nn.Sequential(*(nn.Linear(2, 2) for _ in range(50)))
    message = refused(module, {"0.weight": torch.ones(2, 2)})
    assert message.count("is not in the file") == 20
    assert "… (99)" in message


# --- normalisations of weights -------------------------------------------------------------------


@pytest.mark.parametrize("new_in_file", [True, False])
@pytest.mark.parametrize("wrap", [lambda m: m, nn.DataParallel], ids=["plain", "wrapped"])
def test_old_and_new_names_of_weight_norm_are_the_same(
    wrap: Callable[[nn.Module], nn.Module], *, new_in_file: bool
) -> None:
    def old(seed: int) -> nn.Module:  # C030
        torch.manual_seed(seed)
        with warnings.catch_warnings(action="ignore"):
            return nn.Sequential(nn.utils.weight_norm(nn.Linear(3, 2)), nn.Linear(2, 2))

    def new(seed: int) -> nn.Module:
        torch.manual_seed(seed)
        return nn.Sequential(parametrizations.weight_norm(nn.Linear(3, 2)), nn.Linear(2, 2))

    trained, module = (new(1), old(0)) if new_in_file else (old(1), new(0))
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.mul_(1.5)
    words = fitted(module, wrap(trained).state_dict())
    assert "2 keys were renamed to what the network calls them" in words
    x = torch.linspace(-1, 1, 6).reshape(2, 3)
    torch.testing.assert_close(module(x), trained(x), atol=1e-6, rtol=0)


@pytest.mark.parametrize("new_in_file", [True, False])
def test_old_and_new_names_of_spectral_norm_are_the_same(*, new_in_file: bool) -> None:
    torch.manual_seed(0)
    with warnings.catch_warnings(action="ignore"):
        old = nn.utils.spectral_norm(nn.Linear(3, 2))
    new = parametrizations.spectral_norm(nn.Linear(3, 2))
    trained, module = (new, old) if new_in_file else (old, new)
    trained(torch.ones(1, 3))
    words = fitted(module, {k: v.clone() for k, v in trained.state_dict().items()})
    assert "3 keys were renamed" in words
    x = torch.linspace(-1, 1, 6).reshape(2, 3)
    torch.testing.assert_close(module.eval()(x), trained.eval()(x), atol=1e-6, rtol=0)


def test_a_weight_and_its_bias_may_be_called_g_and_v() -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale_g = nn.Parameter(torch.rand(2))
            self.scale_v = nn.Parameter(torch.rand(2))

        def forward(self, x: Tensor) -> Tensor:
            return F.relu(x) * self.scale_g + self.scale_v

    module, trained = Named(), Named()
    assert fitted(module, trained.state_dict()) == ""
    assert torch.equal(answers(module), answers(trained))
