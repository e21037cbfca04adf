"""A network is built with the arguments that the checkpoint's shapes leave one choice for."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from kashika.errors import LoadError
from kashika.load.code.constructor import build
from kashika.load.code.inference import infer_arguments
from kashika.load.code.named import parse
from kashika.texts import speaking

Shapes = dict[str, tuple[int, ...]]


@pytest.fixture(autouse=True)
def undisturbed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    with speaking("en"):
        yield
    for name in ("net", "neighbour"):
        sys.modules.pop(name, None)


class MLP(nn.Module):
    """The network of the seed."""

    def __init__(self, input_dim: int, hidden_dim: int, output_dim: int) -> None:
        super().__init__()
        self.layer_in = nn.Linear(input_dim, hidden_dim)
        self.layer_hidden = nn.Linear(hidden_dim, hidden_dim)
        self.layer_out = nn.Linear(hidden_dim, output_dim)


class Deep(nn.Module):
    """So many layers, of one width, with normalisation or without."""

    def __init__(self, inputs: int, width: int, depth: int = 2, *, norm: bool = False) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Linear(inputs, width)]
        for _ in range(depth):
            layers += [nn.BatchNorm1d(width)] * norm + [nn.Linear(width, width), nn.Dropout(0.1)]
        self.layers = nn.ModuleList(layers)


class CNN(nn.Module):
    """A network for images, whose last layer depends on their size."""

    def __init__(self, channels: int, classes: int, size: int = 28) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(channels, 32, 3), nn.Conv2d(32, 64, 3))
        self.classifier = nn.Linear(64 * (size // 4) ** 2, classes)


class Transformer(nn.Module):
    """Heads divide the width, and leave no trace in the shapes."""

    def __init__(self, vocab: int, width: int, heads: int = 2, layers: int = 1) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        one = nn.TransformerEncoderLayer(width, heads, 4 * width, batch_first=True)
        self.encoder = nn.TransformerEncoder(one, layers, enable_nested_tensor=False)


class Heads(nn.Module):
    """Heads divide the width, and have to be given."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads)


class Fixed(nn.Module):
    """Takes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(2, 3)


class Product(nn.Module):
    """Only the product of its arguments is in the shapes."""

    def __init__(self, heads: int, each: int) -> None:
        super().__init__()
        self.out = nn.Linear(heads * each, 3)


class Sliced(nn.Module):
    """Asks for values while it is built, which the meta device has not."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.out = nn.Linear(width, 1)
        self.scale = float(self.out.weight.abs().max().item())


def shapes(module: nn.Module) -> Shapes:
    return {name: tuple(one.shape) for name, one in module.state_dict().items()}


def inferred(builder: Callable[..., Any], of: Shapes) -> dict[str, int]:
    """Infer, and see that what is built has the names and shapes."""
    module, arguments = infer_arguments(builder, of, model="net.py:Net")
    assert next(module.parameters()).device.type == "cpu"
    assert all(of[name] == shape for name, shape in shapes(module).items() if name in of)
    return arguments


def refused(builder: Callable[..., Any], of: Shapes) -> str:
    with pytest.raises(LoadError) as caught:
        infer_arguments(builder, of, model="net.py:Net")
    return str(caught.value)


# --- one choice ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", [(2, 32, 2), (2, 32, 3), (1, 1, 1), (784, 256, 10), (32, 2, 32), (5, 7, 11)]
)
def test_the_arguments_of_the_seeds_network_are_read_off(arguments: tuple[int, int, int]) -> None:
    found = inferred(MLP, shapes(MLP(*arguments)))
    assert found == dict(zip(("input_dim", "hidden_dim", "output_dim"), arguments, strict=True))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((3, 8), {"inputs": 3, "width": 8}),
        ((3, 8, 5), {"inputs": 3, "width": 8, "depth": 5}),
        ((8, 8, 1), {"inputs": 8, "width": 8, "depth": 1}),
    ],
)
def test_defaults_are_kept_where_they_fit_and_replaced_where_they_do_not(
    given: tuple[int, ...], expected: dict[str, int]
) -> None:
    assert inferred(Deep, shapes(Deep(*given))) == expected


def test_a_network_whose_defaults_fit_needs_no_arguments() -> None:
    assert inferred(Fixed, shapes(Fixed())) == {}
    assert inferred(lambda width=3: nn.Linear(2, width), shapes(nn.Linear(2, 3))) == {}
    assert inferred(lambda width=3: nn.Linear(2, width), shapes(nn.Linear(2, 7))) == {"width": 7}


def test_a_network_for_images_is_found_with_its_default_size() -> None:
    assert inferred(CNN, shapes(CNN(1, 10))) == {"channels": 1, "classes": 10}


def test_heads_with_a_default_keep_it() -> None:
    found = inferred(Transformer, shapes(Transformer(100, 16, layers=3)))
    assert found == {"vocab": 100, "width": 16, "layers": 3}


def test_a_network_that_cannot_be_built_without_memory_is_built_with_it() -> None:
    assert inferred(Sliced, shapes(Sliced(6))) == {"width": 6}


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "module.net."])
def test_prefixes_of_wrappers_and_counters_make_no_difference(prefix: str) -> None:
    own = {f"{prefix}{name}": shape for name, shape in shapes(MLP(2, 16, 3)).items()}
    own |= {"n_averaged": (), "bn.num_batches_tracked": ()}
    assert inferred(MLP, own) == {"input_dim": 2, "hidden_dim": 16, "output_dim": 3}


# --- several, or none ----------------------------------------------------------------------------


def test_where_several_choices_fit_they_are_told() -> None:
    assert refused(Heads, shapes(Heads(16, 4))) == (
        "--model net.py:Net: expected one choice of arguments that fits the checkpoint, found "
        "several: heads = 1, 2, 4, 8, 16; give the arguments in --model 'FILE.py:NAME(…)'"
    )
    assert "several: size = 31, 32, 33, 34" not in refused(CNN, shapes(CNN(1, 10, 32)))
    assert "size = 32, 33" in refused(CNN, shapes(CNN(1, 10, 32)))
    assert "heads = " in (message := refused(Product, shapes(Product(4, 2))))
    assert "each = " in message


def test_where_none_fits_it_is_told() -> None:
    assert refused(MLP, shapes(nn.Conv2d(2, 3, 5))) == (
        "--model net.py:Net: expected whole numbers for input_dim, hidden_dim, output_dim that fit "
        "the checkpoint, found none; give the arguments in --model 'FILE.py:NAME(…)', or check "
        "that model and checkpoint belong together"
    )


def test_an_argument_that_is_no_integer_is_told() -> None:
    def config(config: dict[str, int]) -> nn.Module:
        return nn.Linear(config["inputs"], 2)

    def anything(config):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        return nn.Linear(config.inputs, 2)

    assert refused(config, shapes(nn.Linear(2, 2))) == (
        "--model net.py:Net: expected whole numbers as arguments to read off the checkpoint, found "
        "that config is dict[str, int]; give the arguments in --model 'FILE.py:NAME(…)'"
    )
    assert refused(anything, shapes(nn.Linear(2, 2))) == (
        "--model net.py:Net: expected whole numbers for config, found none with which it can be "
        "built (AttributeError: 'int' object has no attribute 'inputs'); "
        "give the arguments in --model 'FILE.py:NAME(…)'"
    )


def test_a_network_that_takes_nothing_and_does_not_fit_is_left_to_the_checkpoint() -> None:
    assert inferred(Fixed, {"other.weight": (4, 4)}) == {}


def test_a_search_ends_in_time() -> None:
    def many(a: int, b: int, c: int, d: int, e: int, f: int) -> nn.Module:
        return nn.Linear(a * b * c * d * e * f, 1)

    start = time.monotonic()
    assert "found too many choices for a, b, c, d, e, f" in refused(
        many, {"weight": (1, 720_720), "x": (2, 3, 5), "y": (4, 6, 7), "z": (8, 9, 11)}
    )
    assert time.monotonic() - start < 8


# --- as the user named it ------------------------------------------------------------------------

SOURCE = """
import random, numpy, torch
from torch import nn
print("made")
class Net(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        print("built")
        random.seed(0); numpy.random.seed(0); torch.manual_seed(0); torch.rand(3)
        from neighbour import LAYER
        self.out = LAYER(i, o)
    def forward(self, x):
        return self.out(x)
net = nn.Linear(2, 3)
def other(): return 3
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "net.py").write_text(SOURCE, encoding="utf-8")
    (tmp_path / "neighbour.py").write_text("from torch.nn import Linear as LAYER", encoding="utf-8")
    return tmp_path / "net.py"


def test_what_was_inferred_is_said_and_no_random_state_changes(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # type: ignore[index]
    module, notes = build(parse(f"{file}:Net", option="--model"), shapes={
        "out.weight": (4, 3), "out.bias": (4,)
    })  # fmt: skip
    assert shapes(module) == {"out.weight": (4, 3), "out.bias": (4,)}
    assert list(map(str, notes)) == [f"{file}:Net: i=3, o=4 were read off the checkpoint"]
    after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # type: ignore[index]
    assert before[:2] == after[:2]
    assert torch.equal(before[2], after[2])
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "made\nbuilt\n"  # what is only tried is not heard


def test_a_module_and_a_call_are_taken_as_they_are(file: Path) -> None:
    for word in ("net", "Net(2, 3)"):
        module, notes = build(parse(f"{file}:{word}", option="--model"), shapes={"x": (7, 7)})
        assert shapes(module) == {
            ("weight" if word == "net" else "out.weight"): (3, 2),
            ("bias" if word == "net" else "out.bias"): (3,),
        }
        assert notes == []


def test_what_builds_no_network_is_told(file: Path) -> None:
    cases: list[tuple[str, Shapes]] = [
        ("other", {"x": (7,)}),
        ("other()", {"x": (7,)}),
        ("other", {}),
    ]
    for word, of in cases:
        with pytest.raises(LoadError) as caught:
            build(parse(f"{file}:{word}", option="--model"), shapes=of)
        assert str(caught.value) == (
            f"--model {file}:other: expected an nn.Module, or a class or function that builds one, "
            "found int; name another object"
        )


def test_the_note_is_there_in_japanese(file: Path) -> None:
    _, notes = build(
        parse(f"{file}:Net", option=""), shapes={"out.weight": (4, 3), "out.bias": (4,)}
    )
    with speaking("ja"):
        assert str(notes[0]) == f"{file}:Net: i=3, o=4 をチェックポイントから読み取りました。"
