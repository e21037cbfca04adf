"""Checkpoints that are whole programs: run without the user's code, and without anyone else's."""

from __future__ import annotations

import json
import os
import pickle
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kashika.load.checkpoints import contents, read
from kashika.load.checkpoints.exported import checked
from kashika.run import Arrays
from kashika.texts import speaking
from kashika.torch_network import TorchNetwork


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with speaking("en"):
        yield


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)).eval()


def script(module: nn.Module, path: Path) -> None:
    with warnings.catch_warnings(action="ignore"):
        torch.jit.save(torch.jit.script(module), path)


def trace(module: nn.Module, path: Path) -> None:
    with warnings.catch_warnings(action="ignore"):
        traced = torch.jit.trace(module, torch.ones(4, 2))  # type: ignore[no-untyped-call]
        torch.jit.save(traced, path)


def freeze(module: nn.Module, path: Path) -> None:
    with warnings.catch_warnings(action="ignore"):
        frozen = torch.jit.freeze(torch.jit.script(module))
        torch.jit.save(frozen, path)


def export(module: nn.Module, path: Path) -> None:
    with warnings.catch_warnings(action="ignore"):
        batch = torch.export.Dim("batch", min=2)
        shapes = {"input": {0: batch}}
        program = torch.export.export(module, (torch.ones(4, 2),), dynamic_shapes=shapes)
        torch.export.save(program, path)


def export_of_four(module: nn.Module, path: Path) -> None:
    with warnings.catch_warnings(action="ignore"):
        torch.export.save(torch.export.export(module, (torch.ones(4, 2),)), path)


WRITERS: dict[str, tuple[Callable[[nn.Module, Path], None], str]] = {
    "c.script.pt": (script, "TorchScript"),
    "c.trace.pt": (trace, "TorchScript"),
    "c.pt2": (export, "torch.export"),
    "c.four.pt2": (export_of_four, "torch.export"),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_program_is_read_with_its_weights_and_can_be_run(tmp_path: Path, name: str) -> None:
    write, kind = WRITERS[name]  # C025
    write(net(), tmp_path / name)
    found, state = read(tmp_path / name), net().state_dict()
    assert (found.format, found.chosen) == (kind, "")
    assert set(found.state) == set(state)
    assert all(torch.equal(found.state[key], one) for key, one in state.items())
    assert {name for name, _, _ in contents(tmp_path / name).tensors} == set(state)
    (note,) = found.notes
    assert str(note) == (
        f"The checkpoint is itself a network that can be run ({kind}): its outputs can be looked "
        "at, what goes on in its inner layers cannot"
    )
    assert found.program is not None
    x = torch.linspace(-1, 1, 18).reshape(9, 2)
    torch.testing.assert_close(found.program(x), net()(x))


@pytest.mark.parametrize("name", WRITERS)
def test_a_program_is_observed_like_a_network(tmp_path: Path, name: str) -> None:
    WRITERS[name][0](net(), tmp_path / name)
    program = read(tmp_path / name).program
    assert program is not None
    network, own = TorchNetwork(program), TorchNetwork(net())
    rng = np.random.default_rng(0)
    samples = Arrays.of(rng.random((9, 2), np.float32), np.arange(9) % 3, split="test")
    seen, expected = (one.observe(samples, split="test") for one in (network, own))
    np.testing.assert_allclose(seen.outputs, expected.outputs, atol=1e-6)
    assert seen.gradients.keys() == expected.gradients.keys()
    for key, gradient in expected.gradients.items():
        found = seen.gradients[key]
        assert found is not None
        assert gradient is not None
        assert found.norm == pytest.approx(gradient.norm, rel=1e-4)
    assert [one.name for one in network.parameters()] == [one.name for one in own.parameters()]


def test_a_program_whose_weights_are_constants_can_be_run(tmp_path: Path) -> None:
    freeze(net(), tmp_path / "c.pt")
    found = read(tmp_path / "c.pt")
    assert found.state == {}
    assert found.program is not None
    x = torch.linspace(-1, 1, 18).reshape(9, 2)
    torch.testing.assert_close(found.program(x), net()(x))


class Writing(nn.Module):
    """Writes to a file when it is run, as far as TorchScript can."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))
        self.name = name

    def forward(self, x: Tensor) -> Tensor:
        return torch.from_file(self.name, shared=True, size=2) + x * self.weight


def test_a_script_that_would_write_a_file_is_not_loaded(tmp_path: Path) -> None:
    script(Writing(str(tmp_path / "touched")), tmp_path / "c.pt")
    found = read(tmp_path / "c.pt")
    assert found.program is None
    assert list(found.state) == ["weight"]
    assert "would write to a file" in str(found.notes[0])
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize("name", WRITERS)
def test_a_damaged_program_is_not_loaded_and_its_weights_are_shown(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    WRITERS[name][0](net(), path)
    content = path.read_bytes()
    at = content.index(net().state_dict()["3.weight"].numpy().tobytes())
    path.write_bytes(content[:at] + b"\xff" * 4 + content[at + 4 :])
    found = read(path)
    assert found.program is None
    assert found.state["3.weight"].isnan().sum() == 1
    said = " / ".join(map(str, found.notes))
    assert "1 record fails its checksum" in said
    assert "The network in the checkpoint was not loaded, only its weights" in said


def changed(path: Path, change: Callable[[Any], None]) -> Path:
    """Write an exported program with another graph."""
    other = path.with_name("other.pt2")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith("models/model.json"):
                graph = json.loads(content)
                change(graph)
                content = json.dumps(graph).encode()
            new.writestr(name, content)
    return other


EXPRESSION = "__import__('os').system('touch {touched}')"


def with_operation(name: str) -> Callable[[Any, str], None]:
    def change(program: Any, _: str) -> None:
        program["graph_module"]["graph"]["nodes"][0]["target"] = name

    return change


def with_shape(program: Any, words: str) -> None:
    size = {"as_expr": {"expr_str": words, "hint": {"as_int": 4}}}
    program["graph_module"]["graph"]["tensor_values"]["input"]["sizes"][0] = size


def with_name(program: Any, words: str) -> None:
    program["graph_module"]["graph"]["nodes"][0]["name"] = words


def with_range(program: Any, words: str) -> None:
    program["range_constraints"][words] = {"min_val": 2, "max_val": 9}


EVIL: dict[str, Callable[[Any, str], None]] = {
    "an operation": with_operation("torch.os.system"),
    "an operation that writes": with_operation("torch.ops.aten.from_file.default"),
    "a shape": with_shape,
    "a name": with_name,
    "a range": with_range,
}


@pytest.mark.parametrize("name", EVIL)
def test_a_graph_that_names_anything_else_is_not_believed(tmp_path: Path, name: str) -> None:
    export(net(), tmp_path / "c.pt2")
    words = EXPRESSION.format(touched=tmp_path / "touched")
    other = changed(tmp_path / "c.pt2", lambda graph: EVIL[name](graph, words))
    found = read(other)
    assert found.program is None
    assert len(found.state) == len(net().state_dict())
    assert "was not loaded, only its weights: ValueError" in str(found.notes[-1])
    assert not (tmp_path / "touched").exists()


def test_the_graph_that_torch_writes_is_believed(tmp_path: Path) -> None:
    export(net(), tmp_path / "c.pt2")
    found = read(changed(tmp_path / "c.pt2", lambda _: None))
    assert found.program is not None


@pytest.mark.parametrize("graph", [None, [], "graph", {"a": {"target": "os.system"}}])
def test_what_is_no_graph_is_refused(graph: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        checked(graph)


def test_pickles_in_an_exported_program_are_described_and_never_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
            return os.system, (f"touch '{tmp_path / 'touched'}'",)

    export(net(), tmp_path / "c.pt2")
    other = tmp_path / "other.pt2"
    with zipfile.ZipFile(tmp_path / "c.pt2") as old, zipfile.ZipFile(other, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith("sample_inputs/model.pt"):
                content = pickle.dumps(Evil())
            elif name.endswith("model_weights_config.json"):
                config = json.loads(content)
                config["config"]["3.bias"].update(use_pickle=True)
                content = json.dumps(config).encode()
            elif name.endswith("weights/weight_5"):
                torch.save(Evil(), tmp_path / "evil.pt")
                content = (tmp_path / "evil.pt").read_bytes()
            new.writestr(name, content)
    read(other)
    assert not (tmp_path / "touched").exists()
