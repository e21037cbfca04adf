"""Weights out of a file, whatever wrote it: all of them, to the last bit, and which they are."""

from __future__ import annotations

import argparse
import pathlib
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from kashika.errors import LoadError
from kashika.load.checkpoints import Weights, checkpoint_of, contents, is_checkpoint, read
from kashika.texts import speaking

RUNS = Path(__file__).parents[4] / "shared" / "runs"


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with speaking("en"):
        yield


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 3))


def zipped(content: object, path: Path) -> None:
    torch.save(content, path)


def legacy(content: object, path: Path) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


def pickled(content: object, path: Path) -> None:
    path.write_bytes(pickle.dumps(content))


def saved(content: object, path: Path) -> Path:
    torch.save(content, path)
    return path


def said(found: Weights) -> str:
    return " / ".join(map(str, found.notes))


def refused(path: Path, **options: object) -> str:
    with pytest.raises(LoadError) as caught:
        read(path, **options)  # type: ignore[arg-type]
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def same(one: Tensor, other: Tensor) -> bool:
    return one.dtype == other.dtype and torch.equal(one, other)


# --- formats -------------------------------------------------------------------------------------

WRITERS: dict[str, tuple[str, Callable[[dict[str, Tensor], Path], object], str]] = {
    "zip": ("c.pth", zipped, "PyTorch zip"),
    "zip.bin": ("pytorch_model.bin", zipped, "PyTorch zip"),
    "tar by name": ("c.pth.tar", zipped, "PyTorch zip"),
    "legacy": ("c.pth", legacy, "PyTorch legacy"),
    "protocol 4": ("c.pt", lambda s, p: torch.save(s, p, pickle_protocol=4), "PyTorch zip"),
    "pickle": ("c.pkl", pickled, "pickle"),
    "safetensors": ("c.safetensors", save_file, "safetensors"),
    "arrays in a pickle": (
        "c.pkl",
        lambda s, p: pickled({k: v.numpy() for k, v in s.items()}, p),
        "pickle",
    ),
    "arrays": (
        "c.npz",
        lambda s, p: np.savez(p, **{k: v.numpy() for k, v in s.items()}),  # type: ignore[arg-type]
        "NumPy",
    ),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_state_dict_is_read_to_the_last_bit(tmp_path: Path, writer: str) -> None:
    name, write, kind = WRITERS[writer]
    state, path = net().state_dict(), tmp_path / name
    write(dict(state), path)
    found = read(path)
    assert (found.format, found.chosen, found.candidates) == (kind, "", ("",))
    assert set(found.state) == set(state)
    assert all(same(found.state[key], state[key]) for key in state)
    assert (found.notes, found.program) == ((), None)
    listed = contents(path)
    assert listed.format == kind
    assert set(listed.tensors) == {(k, tuple(v.shape), "float32") for k, v in state.items()}
    assert is_checkpoint(path)


TYPES = [
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32,
    torch.int16, torch.int8, torch.uint8, torch.bool, torch.complex64, torch.float8_e4m3fn,
    torch.float8_e5m2,
]  # fmt: skip


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("write", [zipped, legacy, pickled])
def test_every_type_of_number_is_read_as_it_was(
    tmp_path: Path, write: Callable[[object, Path], None], dtype: torch.dtype
) -> None:
    codes = torch.arange(6).reshape(2, 3)
    state = {"weight": torch.ones(2, 2), "codes": codes.to(dtype)}
    write(state, tmp_path / "c.pth")
    found = read(tmp_path / "c.pth").state["codes"]
    assert found.dtype == dtype
    assert torch.equal(found.to(torch.complex64), state["codes"].to(torch.complex64))


@pytest.mark.parametrize("write", [zipped, legacy])
def test_views_keep_their_steps_and_ties_their_memory(
    tmp_path: Path, write: Callable[[object, Path], None]
) -> None:
    base = torch.arange(12.0).reshape(3, 4)
    write({"a.weight": base.T, "b.weight": base.T, "c.weight": base[1:, 1:]}, tmp_path / "c.pth")
    found = read(tmp_path / "c.pth")
    assert torch.equal(found.state["a.weight"], base.T)
    assert torch.equal(found.state["c.weight"], base[1:, 1:])
    assert found.state["a.weight"].data_ptr() == found.state["b.weight"].data_ptr()
    assert "1 tensor shares its numbers with another" in said(found)
    assert [one.name for one in checkpoint_of(found).parameters] == ["a.weight", "c.weight"]


def test_what_is_read_can_be_changed_and_the_file_stays(tmp_path: Path) -> None:
    path = saved(net().state_dict(), tmp_path / "c.pth")
    before = path.read_bytes()
    read(path).state["0.weight"].zero_()
    assert path.read_bytes() == before


def test_a_large_file_is_not_copied_into_memory(tmp_path: Path) -> None:
    path = saved({"weight": torch.zeros(1 << 26)}, tmp_path / "c.pth")  # 256 MiB
    program = (
        "import resource, torch\n"
        "from pathlib import Path\n"
        "from kashika.load.checkpoints import contents\n"
        f"contents(Path({str(path)!r}))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    bare = "import resource, torch\nprint(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    with_file, without = (
        int(subprocess.run([sys.executable, "-c", one], capture_output=True, check=True).stdout)
        for one in (program, bare)
    )
    assert with_file - without < 60_000  # KiB


def test_the_headers_of_a_file_are_listed_without_torch(tmp_path: Path) -> None:
    save_file(dict(net().state_dict()), tmp_path / "c.safetensors")
    saved({"model": net().state_dict(), "epoch": 3}, tmp_path / "c.pth")
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from kashika.load import checkpoints\n"
        f"for name in ('c.safetensors', 'c.pth'):\n"
        f"    found = checkpoints.contents(Path({str(tmp_path)!r}) / name)\n"
        "    assert len(found.tensors) == 4\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"False"


def test_quantised_tensors_are_read_as_the_numbers_that_they_stand_for(tmp_path: Path) -> None:
    values = torch.tensor([[0.5, -1.0], [2.0, 0.25]])
    scales, zeros = torch.tensor([0.01, 0.02]), torch.tensor([0, 3])
    with warnings.catch_warnings(action="ignore"):
        state = {
            "a.weight": torch.quantize_per_tensor(values, 0.05, 10, torch.quint8),
            "b.weight": torch.quantize_per_channel(values, scales, zeros, 0, torch.qint8),
        }
        path = saved(state, tmp_path / "c.pth")
        expected = {key: one.dequantize() for key, one in state.items()}
    found = read(path).state
    for key, one in expected.items():
        torch.testing.assert_close(found[key], one)
    assert [kind for _, _, kind in contents(path).tensors] == ["quint8", "qint8"]


def test_the_packed_weights_of_a_quantised_layer_are_shown(tmp_path: Path) -> None:
    layer = nn.Linear(3, 2)  # C117
    quantised = torch.ao.quantization.quantize_dynamic
    with warnings.catch_warnings(action="ignore"):
        packed = quantised(nn.Sequential(layer), {nn.Linear})  # type: ignore[no-untyped-call]
        path = saved(packed.state_dict(), tmp_path / "c.pth")
    found = read(path)
    assert {key: tuple(one.shape) for key, one in found.state.items() if one.ndim} == {
        "0.weight": (2, 3),
        "0.bias": (2,),
    }
    torch.testing.assert_close(found.state["0.weight"], layer.weight.detach(), atol=0.01, rtol=0)
    assert "no tensor that can be read here and was passed over: 0._packed_params.dtype" in said(
        found
    )


def test_sparse_complex_and_empty_tensors_do_no_harm(tmp_path: Path) -> None:
    dense = torch.tensor([[0.0, 2.0], [0.0, 0.0]])  # C118
    with warnings.catch_warnings(action="ignore"):  # that of CSR being new
        csr = dense.to_sparse_csr()
    state = {
        "coo": dense.to_sparse(),
        "csr": csr,
        "phase": torch.tensor([1j, 2j]),
        "mask": torch.tensor([True, False]),
        "steps": torch.tensor(3),
        "elsewhere": torch.ones(2, device="meta"),
        "weight": torch.ones(2),
        "none": torch.empty(0, 3),
    }
    path = saved(state, tmp_path / "c.pth")
    found = read(path)
    assert torch.equal(found.state["coo"].to_dense(), dense)
    assert torch.equal(found.state["csr"].to_dense(), dense)
    assert found.state["elsewhere"].is_meta
    assert (
        "3 tensors are no real numbers on this machine and were left out: phase, mask, elsewhere"
        in said(found)
    )
    looked = checkpoint_of(found).parameters
    assert {one.name for one in looked} == {"coo", "csr", "weight", "none"}
    assert next(one for one in looked if one.name == "coo").values.zeros == 3


def test_scales_beside_numbers_of_8_bits_are_said_not_to_be_applied(tmp_path: Path) -> None:
    state = {"fc.weight": torch.ones(2, 2).to(torch.float8_e4m3fn)}  # C114
    path = saved(state | {"fc.weight_scale_inv": torch.ones(1)}, tmp_path / "c.pth")
    assert "the scales beside them are not applied (1: fc.weight_scale_inv)" in said(read(path))


def test_weights_that_lay_on_a_gpu_are_read_here_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:  # C015
        patch.setattr(torch.serialization, "location_tag", lambda _: "cuda:0")
        saved(net().state_dict(), tmp_path / "c.pth")
        legacy(net().state_dict(), tmp_path / "l.pth")
    for name in ("c.pth", "l.pth"):
        found = read(tmp_path / name)
        assert found.state["0.weight"].device.type == "cpu"
        assert said(found) == "It was saved on cuda:0 and read onto the CPU"


# --- which weights -------------------------------------------------------------------------------


def test_of_several_sets_of_weights_the_choice_is_said_and_can_be_changed(tmp_path: Path) -> None:
    model = net()  # C009
    averaged = {key: value * 0 for key, value in model.state_dict().items()}
    optimiser = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 2)).sum().backward()
    optimiser.step()
    content = {
        "model_ema": averaged,
        "model": model.state_dict(),
        "optimizer": optimiser.state_dict(),
        "epoch": 3,
    }
    path = saved(content, tmp_path / "c.pth")
    found = read(path)
    assert (found.chosen, found.candidates) == ("model", ("model", "model_ema"))
    assert torch.equal(found.state["0.weight"], model.state_dict()["0.weight"])
    assert said(found) == (
        "2 candidate weight sets: model (used), model_ema; --weights KEY changes it"
    )
    other = read(path, weights="model_ema")
    assert (other.chosen, other.candidates) == ("model_ema", ("model_ema", "model"))
    assert not other.state["0.weight"].any()
    assert refused(path, weights="ema") == (
        f"{path}: expected --weights to be one of model, model_ema, found 'ema'; choose one of them"
    )
    assert found.other["epoch"] == 3
    assert str(found.other["optimizer"]) == "state of an optimiser, 12 tensors"


STATE = {"0.weight": torch.ones(3, 2), "0.bias": torch.ones(3)}
EMA = {key: value * 2 for key, value in STATE.items()}


@pytest.mark.parametrize(
    ("content", "chosen", "others"),
    [
        ({"state_dict": STATE, "state_dict_ema": EMA}, "state_dict", ["state_dict_ema"]),
        ({"ema": EMA, "model": STATE}, "model", ["ema"]),
        ({"net": STATE, "optimizer": {"state": {}, "param_groups": []}}, "net", []),
        ({"model_state_dict": STATE, "cer": 0.1, "wer": [0.2]}, "model_state_dict", []),
        ({"model_state": STATE, "optimizer_state": {"state": {}}}, "model_state", []),
        ({"generator": STATE, "discriminator": {"w": torch.ones(2)}}, "generator", [
            "discriminator"
        ]),
        ({"epoch": 1, "model": {"encoder": STATE}}, "model.encoder", []),
        ({"a": {"b": {"c": {"d": STATE}}}}, "a.b.c.d", []),
        ({"model": {"a": STATE, "b": EMA}}, "model", ["model.a", "model.b"]),
        ({"folds": [STATE, EMA]}, "folds", ["folds.0", "folds.1"]),
        ({"state_dict": STATE, "rng_state": torch.ones(9).byte()}, "state_dict", []),
        ({"model": STATE, "losses": torch.ones(9)}, "model", []),
        ({"model": STATE, "metrics": {"loss": torch.ones(9)}}, "model", []),
        ({"teacher": EMA, "student": STATE}, "student", ["teacher"]),
        ({"epoch": 3, **STATE}, "", []),
    ],
)  # fmt: skip
def test_weights_are_found_at_any_depth_and_averages_come_second(
    tmp_path: Path, content: object, chosen: str, others: list[str]
) -> None:
    found = read(saved(content, tmp_path / "c.pth"))
    assert found.candidates == (chosen, *others)
    for key in others:
        assert read(tmp_path / "c.pth", weights=key).chosen == key
    first = next(one for name, one in found.state.items() if name.endswith("0.weight"))
    assert torch.equal(first, STATE["0.weight"])


def test_one_network_in_parts_is_one_network(tmp_path: Path) -> None:
    path = saved({"model": {"encoder": STATE, "decoder": EMA}}, tmp_path / "c.pth")
    assert list(read(path).state) == [
        "encoder.0.weight", "encoder.0.bias", "decoder.0.weight", "decoder.0.bias",
    ]  # fmt: skip
    assert list(read(path, weights="model.decoder").state) == list(EMA)


@dataclass
class Settings:
    """A class that the reader of the file does not have."""

    width: int
    names: list[str]


def test_what_stands_beside_the_weights_is_read_as_plain_values(tmp_path: Path) -> None:
    content = {
        "state_dict": net().state_dict(),
        "epoch": 7,
        "best_acc": np.float64(0.9),  # C010
        "history": {"loss": np.array([3.0, 2.0]), "acc": torch.tensor([0.5, 0.75])},
        "hyper_parameters": {"root": pathlib.PureWindowsPath("C:\\d"), "lr": 0.1},  # C012
        "args": argparse.Namespace(seed=0, sizes=(2, 3)),
        "settings": Settings(3, ["a"]),
        "confusion": torch.ones(3, 3),
        "dtype": torch.float32,
        "size": torch.Size([2, 3]),
    }
    found = read(saved(content, tmp_path / "c.ckpt"))
    assert dict(found.other) == {
        "epoch": 7,
        "best_acc": 0.9,
        "history": {"loss": [3.0, 2.0], "acc": [0.5, 0.75]},
        "hyper_parameters": {"root": "C:\\d", "lr": 0.1},
        "args": {"seed": 0, "sizes": [2, 3]},
        "settings": {"width": 3, "names": ["a"]},
        "confusion": "float32 (3, 3)",
        "dtype": "torch.float32",
        "size": [2, 3],
    }
    assert contents(tmp_path / "c.ckpt").other == found.other
    looked = checkpoint_of(found)
    assert (looked.epoch, looked.step) == (7, None)


def test_a_path_of_another_system_is_a_path(tmp_path: Path) -> None:
    content = pickle.dumps(  # C012: what pathlib.WindowsPath leaves behind
        {"state_dict": {"weight": np.ones(2)}, "root": pathlib.PureWindowsPath("C:\\d")}
    ).replace(b"\x8c\x0fPureWindowsPath", b"\x8c\x0bWindowsPath")
    # A frame says how long it is; without frames the name may be shorter.
    path = tmp_path / "c.pkl"
    path.write_bytes(b"\x80\x04" + content[11:])
    assert read(path).other["root"] == "C:\\d"


def test_of_a_flat_file_only_what_is_no_tensor_and_not_plain_is_said(tmp_path: Path) -> None:
    content = {"weight": torch.ones(2), "epoch": 3, "settings": Settings(1, []), "loss": [0.5]}
    found = read(saved(content, tmp_path / "c.pth"))
    assert list(found.state) == ["weight"]
    assert dict(found.other) == {
        "epoch": 3,
        "settings": {"width": 1, "names": []},
        "loss": [0.5],
    }
    assert said(found) == (
        "The file asks for objects of other code, of which nothing was looked up or run: "
        "test_reading.Settings / "
        "1 entry among the weights is no tensor that can be read here and was passed over: "
        "settings"
    )


def test_a_file_of_python_2_is_read_and_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "c.pth"  # C024
    legacy({"cafe.weight": torch.ones(2)}, path)
    new = path.read_bytes()
    old = new.replace(b"X\x0b\x00\x00\x00cafe.weight", b"U\x0bcaf\xe9.weight")
    assert old != new
    path.write_bytes(old)
    found = read(path)
    assert list(found.state) == ["café.weight"]
    assert said(found) == "The file was written by Python 2; its text was read as latin-1"


def test_tensors_with_attributes_and_of_subclasses_are_tensors(tmp_path: Path) -> None:
    class Marked(Tensor):
        pass

    marked, parameter = torch.ones(2), nn.Parameter(torch.ones(3))
    marked.mark = 1  # type: ignore[attr-defined]
    parameter.mark = 2  # type: ignore[attr-defined]
    derived = torch.ones(2, 2).as_subclass(Marked)
    Marked.__qualname__ = "Marked"
    globals()["Marked"] = Marked  # where pickle looks for it
    path = saved(
        {"a.weight": marked, "b.weight": parameter, "c.weight": derived}, tmp_path / "c.pth"
    )
    found = read(path)
    assert {key: tuple(one.shape) for key, one in found.state.items()} == {
        "a.weight": (2,),
        "b.weight": (3,),
        "c.weight": (2, 2),
    }
    assert found.notes == ()


def test_a_whole_network_is_read_without_its_code(tmp_path: Path) -> None:
    program = (  # C013
        "import torch\n"
        "class Net(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.fc = torch.nn.Linear(2, 3)\n"
        "        self.norm = torch.nn.BatchNorm1d(3)\n"
        "        self.register_buffer('here', torch.ones(1), persistent=False)\n"
        "torch.manual_seed(0)\n"
        f"for old, name in ((False, 'c.pt'), (True, 'l.pt')):\n"
        f"    torch.save(Net(), {str(tmp_path)!r} + '/' + name,\n"
        "               _use_new_zipfile_serialization=not old)\n"
        f"torch.save(Net().state_dict(), {str(tmp_path / 'state.pt')!r})\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True)
    names = list(read(tmp_path / "state.pt").state)
    for name in ("c.pt", "l.pt"):
        found = read(tmp_path / name)
        assert list(found.state) == names
        assert "This file holds a whole model object (class __main__.Net)" in said(found)
        assert "--model FILE.py:NAME" in said(found)
        assert "--trust" in said(found)
        message = refused(tmp_path / name, trust=True)
        assert message.startswith(f"{tmp_path / name}: expected an object that torch can load")


@pytest.mark.parametrize("write", [zipped, legacy])
@pytest.mark.parametrize(
    "network",
    [
        net(),
        nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.GELU(), nn.Linear(8, 3)),
        nn.Sequential(nn.Unflatten(1, (1, 2)), nn.Conv1d(1, 3, 1), nn.ReLU(), nn.Flatten()),
        nn.LayerNorm(2),
    ],
    ids=lambda network: f"{len(list(network.children()))} layers",
)
def test_a_whole_network_of_torchs_own_layers_is_rebuilt_and_run(
    tmp_path: Path, write: Callable[[object, Path], None], network: nn.Module
) -> None:
    network = network.eval()  # C013
    write(network, tmp_path / "c.pt")
    found = read(tmp_path / "c.pt")
    x = torch.linspace(-1, 1, 10).reshape(5, 2)
    assert found.program is not None
    assert torch.equal(found.program(x), network(x))
    assert "rebuilt from them, and no code in the file was run" in said(found)
    assert [name for name, _ in found.program.named_parameters()] == [
        name for name, _ in network.named_parameters()
    ]


def test_a_network_with_a_hook_or_a_layer_of_ones_own_is_not_rebuilt(tmp_path: Path) -> None:
    hooked, parent = net(), nn.Sequential(nn.Sequential(Own()))
    hooked[0].register_forward_hook(returning)
    for network in (hooked, parent):
        found = read(saved(network, tmp_path / "c.pt"))
        assert found.program is None
        assert "Its code was not run" in said(found)


class Own(nn.Linear):
    """A layer that only its author has."""

    def __init__(self) -> None:
        super().__init__(2, 3)


def returning(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
    return output * 2


def test_with_trust_a_whole_network_is_a_network(tmp_path: Path) -> None:
    network = net().eval()
    found = read(saved(network, tmp_path / "c.pt"), trust=True)
    assert found.program is not None
    assert torch.equal(found.program(torch.ones(1, 2)), network(torch.ones(1, 2)))
    assert "The code that the checkpoint asks for was run" in said(found)
    assert all(same(found.state[k], v) for k, v in network.state_dict().items())


def test_trust_changes_nothing_where_there_is_no_code(tmp_path: Path) -> None:
    path = saved(net().state_dict(), tmp_path / "c.pt")
    assert read(path, trust=True).notes == ()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({}, "expected weights, found an empty dictionary; "),
        ({"epoch": 3}, "expected a state_dict (names and tensors), found epoch; "),
        (3, "expected a state_dict (names and tensors), found int; "),
        (torch.ones(2), "expected a state_dict (names and tensors), found Tensor; "),
        ([torch.ones(2)], "expected a state_dict (names and tensors), found list; "),
        (
            {"state": {0: {"exp_avg": torch.ones(2, 2)}}, "param_groups": [{"lr": 0.1}]},
            "expected weights, found only the state of an optimiser (state, param_groups); ",
        ),
        (
            {"optimizer": {"state": {0: {"exp_avg": torch.ones(2, 2)}}, "param_groups": []}},
            "expected weights, found only the state of an optimiser (optimizer); ",
        ),
        ({0: {"exp_avg": torch.ones(2), "exp_avg_sq": torch.ones(2)}}, "state of an optimiser"),
        (Settings(3, []), "found an object of "),
    ],
)
@pytest.mark.parametrize("write", [zipped, legacy, pickled])
def test_a_file_without_weights_says_what_it_has(
    tmp_path: Path, write: Callable[[object, Path], None], content: object, words: str
) -> None:
    write(content, tmp_path / "c.pt")
    assert f"{tmp_path / 'c.pt'}: " in refused(tmp_path / "c.pt")
    assert words in refused(tmp_path / "c.pt")
    with pytest.raises(LoadError):
        contents(tmp_path / "c.pt")


# --- real files ----------------------------------------------------------------------------------


@pytest.mark.skipif(not RUNS.is_dir(), reason="the real runs are not here")
@pytest.mark.parametrize("name", ["lightning_cnn_v0.ckpt", "lightning_cnn_tb_v0.ckpt"])
def test_a_checkpoint_of_lightning_is_what_torch_reads(name: str) -> None:
    found = read(RUNS / name)
    expected = torch.load(RUNS / name, map_location="cpu", weights_only=True)
    assert list(found.state) == list(expected["state_dict"])
    assert all(same(found.state[key], one) for key, one in expected["state_dict"].items())
    looked = checkpoint_of(found)
    assert (looked.epoch, looked.step) == (expected["epoch"], expected["global_step"])


@pytest.mark.skipif(not RUNS.is_dir(), reason="the real runs are not here")
def test_real_weights_from_a_gpu_are_read() -> None:
    found = read(RUNS / "snn_mnist.pth")
    assert found.chosen == "net"
    assert {key: tuple(one.shape) for key, one in found.state.items()} == {
        "layer.1.weight": (10, 784)
    }
    assert len(read(RUNS / "pinn_model.pt").state) == 20
