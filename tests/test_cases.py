"""What people bring: every input here was made after a real report of what other tools did with it.

Each test is called by what the case is; the comment has its number in the collection of cases.
"""

from __future__ import annotations

import json
import pathlib
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils import parametrizations

from kashika.cli import main
from kashika.load import Options, load, logs
from kashika.texts import speaking


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with speaking("en"):
        yield


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 3))


NET = """
from torch import nn

def net(classes=3):
    return nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, classes))

class W(nn.Module):
    def __init__(self):
        super().__init__()
        self.module = nn.Linear(2, 3)

    def forward(self, x):
        return self.module(x)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 3)

    def forward(self, x):
        return self.fc(x)
"""


@pytest.fixture
def code(tmp_path: Path) -> Path:
    path = tmp_path / "net.py"
    path.write_text(NET, encoding="utf-8")
    return path


def looked_into(path: Path, *words: str) -> dict[str, Any]:
    """What `kashika inspect --json` says."""
    done = CliRunner().invoke(main, ["inspect", str(path), "--json", *words])
    assert done.exit_code == 0, done.stderr
    content: dict[str, Any] = json.loads(done.stdout)
    return content


def refused(*words: str | Path) -> str:
    """The one line of a command that cannot do its work."""
    done = CliRunner().invoke(main, list(map(str, words)))
    assert done.exit_code == 2, (done.output, done.exception)
    assert done.stderr.count("\n") == 1
    return done.stderr.removeprefix("kashika: ").rstrip("\n")


def checked(*words: str | Path) -> dict[str, Any]:
    """What `kashika check --json` says of a run that can be read."""
    done = CliRunner().invoke(main, ["check", *map(str, words), "--json"])
    assert done.exit_code in (0, 1), (done.output, done.stderr)
    content: dict[str, Any] = json.loads(done.stdout)
    return content


def said(content: dict[str, Any]) -> str:
    return " | ".join(content["notes"])


# --- checkpoints ----------------------------------------------------------------------------------


def compiled() -> Any:
    """A network that will be compiled when it is called."""
    return torch.compile(net())


WRAPPED: dict[str, tuple[Callable[[], Any], str]] = {
    "DataParallel": (lambda: nn.DataParallel(net()), "module."),  # C001
    "compile": (lambda: torch.compile(net()), "_orig_mod."),  # C003
    "compiled DataParallel": (lambda: torch.compile(nn.DataParallel(net())), "_orig_mod.module."),
    "DataParallel of compiled": (
        lambda: nn.DataParallel(compiled()),
        "module._orig_mod.",
    ),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_the_prefix_of_a_wrapper_is_cut_and_said(tmp_path: Path, code: Path, name: str) -> None:
    wrap, prefix = WRAPPED[name]  # C001, C003, C004
    with warnings.catch_warnings(action="ignore"):
        torch.save(wrap().state_dict(), tmp_path / "c.pth")
    found = checked(tmp_path, "--model", f"{code}:net")
    assert all(part in said(found) for part in ("4", *(f"{p}." for p in prefix.split(".") if p)))


def test_a_real_attribute_called_module_is_left_alone(tmp_path: Path, code: Path) -> None:
    torch.save(
        {"module.weight": torch.ones(3, 2), "module.bias": torch.ones(3)}, tmp_path / "c.pth"
    )
    assert "prefix" not in said(checked(tmp_path, "--model", f"{code}:W"))  # C006


def test_an_averaged_model_is_read_and_its_counter_is_listed(tmp_path: Path, code: Path) -> None:
    averaged = torch.optim.swa_utils.AveragedModel(net())  # C007
    torch.save(averaged.state_dict(), tmp_path / "c.pth")
    assert "n_averaged" in said(checked(tmp_path, "--model", f"{code}:net"))


def test_the_choice_among_several_sets_of_weights_is_said_and_can_be_changed(
    tmp_path: Path,
) -> None:
    model = net().state_dict()  # C009
    content = {
        "model": model,
        "model_ema": {key: value * 0 for key, value in model.items()},
        "optimizer": {"state": {0: {"exp_avg": torch.ones(7)}}, "param_groups": []},
        "epoch": 3,
    }
    torch.save(content, tmp_path / "c.pth")
    found = looked_into(tmp_path / "c.pth")
    assert {row["tensor"]: row["shape"] for row in found["tensors"]} == {
        name: str(tuple(value.shape)) for name, value in model.items()
    }
    assert "model_ema" in said(found)
    assert "--weights" in said(found)
    assert found["other"]["epoch"] == 3
    looked_into(tmp_path / "c.pth", "--weights", "model_ema")
    assert "model_ema" in refused("inspect", tmp_path / "c.pth", "--weights", "nothing")


@pytest.mark.parametrize("value", [np.float64(0.9), np.arange(3.0), pathlib.Path("/d")])
def test_numpy_scalars_arrays_and_paths_beside_the_weights_do_no_harm(
    tmp_path: Path, value: object
) -> None:
    torch.save({"state_dict": net().state_dict(), "best": value}, tmp_path / "c.ckpt")  # C010, C012
    found = looked_into(tmp_path / "c.ckpt")
    assert len(found["tensors"]) == 4
    assert str(found["other"]["best"]) in ("0.9", "[0.0, 1.0, 2.0]", "/d", "[0. 1. 2.]")


def test_a_path_of_another_system_is_a_path(tmp_path: Path) -> None:
    class Windows:  # C012: what pathlib.WindowsPath leaves in a pickle
        def __reduce__(self) -> tuple[object, tuple[str, ...]]:
            return pathlib.PureWindowsPath, ("C:\\", "d")

    torch.save({"state_dict": net().state_dict(), "root": Windows()}, tmp_path / "c.ckpt")
    content = (tmp_path / "c.ckpt").read_bytes()
    assert b"PureWindowsPath" in content
    assert len(looked_into(tmp_path / "c.ckpt")["tensors"]) == 4


def test_weights_that_lay_on_a_gpu_are_read_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:  # C015
        patch.setattr(torch.serialization, "location_tag", lambda _: "cuda:0")
        torch.save(net().state_dict(), tmp_path / "c.pth")
    found = looked_into(tmp_path / "c.pth")
    assert len(found["tensors"]) == 4
    assert "cuda:0" in said(checked(tmp_path))


def test_another_number_of_classes_names_the_two_keys_that_differ(
    tmp_path: Path, code: Path
) -> None:
    torch.save(net().state_dict(), tmp_path / "c.pth")  # C016
    message = refused("check", tmp_path, "--model", f"{code}:net(5)")
    assert all(part in message for part in ("2.weight", "(3, 8)", "(5, 8)", "2.bias"))
    assert "0.weight" not in message
    assert checked(tmp_path)["sections"]  # without the network its weights are still looked at


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "0 bytes"),  # C022
        (b"<!DOCTYPE html><html><body>Not found</body></html>", "<!DOCTYPE html>"),  # C021
        (b"400: Invalid request", "400: Invalid request"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n", "Git LFS"),
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 64, "HDF5"),
        (b"garbage \xff\xfe\x00 of bytes" * 10, "expected"),
    ],
    ids=["empty", "page", "message", "pointer", "hdf5", "garbage"],
)
@pytest.mark.parametrize("ending", [".pth", ".ckpt", ".safetensors"])
def test_what_is_no_checkpoint_is_named(
    tmp_path: Path, content: bytes, words: str, ending: str
) -> None:
    path = tmp_path / f"c{ending}"
    path.write_bytes(content)
    for message in (refused("inspect", path), refused("check", tmp_path)):
        assert str(path) in message
        assert words in message


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_a_checkpoint_that_was_cut_is_told_and_the_logs_are_still_shown(
    tmp_path: Path, part: float
) -> None:
    path = tmp_path / "c.pth"  # C018
    torch.save(net().state_dict(), path)
    path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])
    assert str(path.stat().st_size) in refused("inspect", path)
    (tmp_path / "train_loss.txt").write_text("3\n2\n1\n", encoding="utf-8")
    done = CliRunner().invoke(main, ["report", str(tmp_path)])
    assert done.exit_code == 2
    assert str(path) in done.stderr
    assert (tmp_path / "report.html").is_file()


def test_damage_inside_a_checkpoint_is_found(tmp_path: Path) -> None:
    path = tmp_path / "c.pth"  # C019
    torch.save(net().state_dict(), path)
    content = path.read_bytes()
    at = content.index(net().state_dict()["0.weight"].numpy().tobytes())
    path.write_bytes(content[:at] + b"\xff" * 16 + content[at + 16 :])
    found = checked(tmp_path)
    assert "data/0" in said(found)
    rules = {one["rule"]: one["level"] for one in found["findings"]}
    assert rules["weights.nonfinite"] == "problem"


def test_a_whole_model_is_read_without_running_its_code(tmp_path: Path) -> None:
    torch.save(net(), tmp_path / "c.pt")  # C013
    found = looked_into(tmp_path / "c.pt")
    assert {row["tensor"] for row in found["tensors"]} == set(net().state_dict())
    assert "Sequential" in said(found)


def test_a_trusted_model_finds_its_class_in_the_code_that_is_named(
    tmp_path: Path, code: Path
) -> None:
    script = f"{NET}\nimport torch\ntorch.save(Net(), 'c.pt')\n"  # C013: the class is __main__.Net
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
    np.savez(tmp_path / "d.npz", X=np.random.default_rng(0).random((9, 2)), y=np.arange(9) % 3)
    words = ("--model", f"{code}:Net", "--data", tmp_path / "d.npz")
    for trust in ((), ("--trust",)):
        found = checked(tmp_path, *words, *trust)
        missing = {one["view"]: one["missing"] for one in found["sections"]}
        assert missing["predictions"] is None
    assert not hasattr(sys.modules["__main__"], "Net")


def test_a_script_is_a_network_without_code(tmp_path: Path) -> None:  # C025
    with warnings.catch_warnings(action="ignore"):
        torch.jit.save(torch.jit.script(net()), tmp_path / "c.pt")
    assert len(looked_into(tmp_path / "c.pt")["tensors"]) == 4
    np.savez(tmp_path / "d.npz", X=np.random.default_rng(0).random((9, 2)), y=np.arange(9) % 3)
    found = checked(tmp_path, "--data", tmp_path / "d.npz")
    missing = {one["view"]: one["missing"] for one in found["sections"]}
    assert missing["predictions"] is None


def test_an_exported_program_is_a_network_without_code(tmp_path: Path) -> None:
    batch = torch.export.Dim("batch", min=2)
    program = torch.export.export(
        net().eval(), (torch.ones(4, 2),), dynamic_shapes={"input": {0: batch}}
    )
    torch.export.save(program, tmp_path / "c.pt2")
    assert len(looked_into(tmp_path / "c.pt2")["tensors"]) == 4
    np.savez(tmp_path / "d.npz", X=np.random.default_rng(0).random((9, 2)), y=np.arange(9) % 3)
    found = checked(tmp_path, "--data", tmp_path / "d.npz")
    missing = {one["view"]: one["missing"] for one in found["sections"]}
    assert missing["predictions"] is None


def test_a_distributed_checkpoint_is_a_folder(tmp_path: Path) -> None:
    from torch.distributed.checkpoint.state_dict_saver import save

    with warnings.catch_warnings(action="ignore"):
        save({"model": net().state_dict()}, checkpoint_id=tmp_path / "c027")  # C027
    for path in (tmp_path / "c027", tmp_path / "c027" / "__0_0.distcp"):
        found = looked_into(path)
        assert sorted(row["shape"] for row in found["tensors"]) == [
            "(3, 8)",
            "(3,)",
            "(8, 2)",
            "(8,)",
        ]
    assert checked(tmp_path)["sections"]
    (tmp_path / "c027" / ".metadata").unlink()
    assert ".metadata" in refused("inspect", tmp_path / "c027" / "__0_0.distcp")


def sharded(directory: Path) -> None:
    state = net().state_dict()
    shards = {
        "model-00001-of-00002.safetensors": {k: v for k, v in state.items() if k[0] == "0"},
        "model-00002-of-00002.safetensors": {k: v for k, v in state.items() if k[0] == "2"},
    }
    for name, part in shards.items():
        save_file(part, directory / name)
    index = {"weight_map": {key: name for name, part in shards.items() for key in part}}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")


def test_shards_are_one_checkpoint(tmp_path: Path, code: Path) -> None:
    sharded(tmp_path)
    save_file({"stray": torch.ones(2)}, tmp_path / "old.safetensors")  # C028 (c)
    found = looked_into(tmp_path / "model.safetensors.index.json")
    assert {row["tensor"] for row in found["tensors"]} == set(net().state_dict())
    assert "old.safetensors" in said(found)
    (tmp_path / "old.safetensors").unlink()
    assert checked(tmp_path, "--model", f"{code}:net")["sections"]


def test_a_shard_that_is_missing_is_named_with_what_it_held(tmp_path: Path) -> None:
    sharded(tmp_path)  # C028 (a)
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    message = refused("inspect", tmp_path / "model.safetensors.index.json")
    assert "model-00002-of-00002.safetensors" in message
    assert "2" in message


@pytest.mark.parametrize("new_in_file", [True, False])
def test_old_and_new_names_of_weight_norm_are_the_same(
    tmp_path: Path, *, new_in_file: bool
) -> None:
    new = "nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))"  # C030
    old = "nn.utils.weight_norm(nn.Linear(3, 2))"
    model = old if new_in_file else new
    with warnings.catch_warnings(action="ignore"):
        layer = nn.Linear(3, 2)
        made = parametrizations.weight_norm(layer) if new_in_file else nn.utils.weight_norm(layer)
    torch.save(made.state_dict(), tmp_path / "c.pth")
    (tmp_path / "wn.py").write_text(
        f"from torch import nn\nimport warnings\n\ndef net():\n"
        f"    with warnings.catch_warnings(action='ignore'):\n        return {model}\n"
    )
    assert checked(tmp_path, "--model", f"{tmp_path}/wn.py:net")["sections"]


def test_a_network_of_which_no_name_is_in_the_file_is_an_error(tmp_path: Path, code: Path) -> None:
    torch.save({"a.weight": torch.ones(2), "b.bias": torch.ones(3)}, tmp_path / "c.pth")
    message = refused("check", tmp_path, "--model", f"{code}:net")
    assert "0.weight" in message
    assert "a.weight" in message


# --- logs -----------------------------------------------------------------------------------------


def series(path: Path, content: str | bytes, *words: str) -> dict[str, list[float]]:
    """The values that `load` finds in a log, by their names."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    looked_into(path, *words)
    history = logs.read_all([path], rename={}).history
    return {} if history is None else {name: one.y.tolist() for name, one in history.series.items()}


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("content", "values"),
    [
        ("0.5\n", [0.5]),  # C031
        ("0.5", [0.5]),
        ("[0.5, 0.25, 0.125]", [0.5, 0.25, 0.125]),  # C033
        ("tensor(0.6931, grad_fn=<NllLossBackward0>)\n", [0.6931]),  # C034
        (
            "tensor(0.50, device='cuda:0')\nnp.float64(0.4)\n[0.3]\narray(0.2)\n",
            [0.5, 0.4, 0.3, 0.2],
        ),
        ("0.5\n0.4\n".encode("utf-8-sig"), [0.5, 0.4]),  # C042
        ("0.5\n0.4\n".encode("utf-16"), [0.5, 0.4]),  # C043
        ("0.5\n0.4\n".encode("utf-16-le"), [0.5, 0.4]),
        ("# 損失\n0.5\n0.4\n".encode("cp932"), [0.5, 0.4]),
        ("０．５\n０．４\n", [0.5, 0.4]),
        ("0.5\r\n0.4\r\n", [0.5, 0.4]),
        ("0.5\nnan\ninf\n-inf\n1e400\n0.4\n", [0.5, NAN, INF, -INF, INF, 0.4]),  # C045
        ("0.5\nNone\n--\nNA\n0.4\n", [0.5, 0.4]),
        ("loss\n0.5\n", [0.5]),  # C046
        ("0.5\n0.4\n0.", [0.5, 0.4]),  # C048
        (b"0.5\n0.4\n" + b"\0" * 100, [0.5, 0.4]),
    ],
)
def test_numbers_in_a_text_are_read_however_they_were_written(
    tmp_path: Path, content: str | bytes, values: list[float]
) -> None:
    found = series(tmp_path / "train_loss.txt", content)
    np.testing.assert_array_equal(found["train_loss"], values)


def test_what_was_skipped_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "train_loss.txt"
    path.write_text("0.5\nCUDA out of memory\n0.4\n", encoding="utf-8")
    found = looked_into(path)
    assert found["series"][0]["points"] == 2
    assert "CUDA out of memory" in said(found)
    assert "2" in said(found)  # the line


GAN = """0 [D loss: 0.660924, acc.: 56.25%] [G loss: 0.756414]
1 [D loss: 0.407171, acc.: 78.12%] [G loss: 0.803741]
2 [D loss: 0.354127, acc.: 84.38%] [G loss: 0.872309]
"""


def test_several_numbers_in_a_printed_line_are_told_apart_by_their_names(tmp_path: Path) -> None:
    found = series(tmp_path / "log.txt", GAN)  # C039
    assert sorted(map(tuple, found.values())) == [
        (0.660924, 0.407171, 0.354127),
        (0.756414, 0.803741, 0.872309),
        (56.25, 78.12, 84.38),
    ]


@pytest.mark.parametrize(
    ("content", "name", "values"),
    [
        ("Epoch 1/2 - loss: 0.5 - val_loss: 0.4\nEpoch 2/2 - loss: 0.3 - val_loss: 0.35\n",
         "valid_loss", [0.4, 0.35]),
        ("Epoch [1/2], Step [100/600], Loss: 0.5\nEpoch [2/2], Step [600/600], Loss: 0.25\n",
         "train_loss", [0.5, 0.25]),
        ("epoch=1 train_loss=0.5 val_acc=0.9\nepoch=2 train_loss=0.4 val_acc=0.95\n",
         "valid_acc", [0.9, 0.95]),
        ("step 250: train loss 1.9, val loss 2.0\nstep 500: train loss 1.5, val loss 1.8\n",
         "valid_loss", [2.0, 1.8]),
        ("エポック 1: 損失 0.5 検証損失 0.6\nエポック 2: 損失 0.4 検証損失 0.55\n",
         "valid_loss", [0.6, 0.55]),
        (
            ("2026-01-02 10:00:00,123 INFO Epoch 1 loss 0.5\n2026-01-02 10:01:00,456 INFO Epoch 2 "
            "loss 0.4\n"), "train_loss", [0.5, 0.4],
        ),
        ("{'loss': 0.5, 'epoch': 1.0}\n{'loss': 0.4, 'epoch': 2.0}\n", "train_loss", [0.5, 0.4]),
    ],
)  # fmt: skip
def test_the_print_log_of_a_loop_is_a_log(
    tmp_path: Path, content: str, name: str, values: list[float]
) -> None:
    assert series(tmp_path / "output.log", content)[name] == values


TABLES: dict[str, tuple[str, dict[str, list[float]]]] = {
    "Keras": (
        "epoch,acc,loss,val_acc,val_loss\n0,0.9,0.5,0.8,0.6\n1,0.95,0.4,NA,0.55\n",
        {"train_loss": [0.5, 0.4], "valid_loss": [0.6, 0.55], "train_acc": [0.9, 0.95],
         "valid_acc": [0.8]},
    ),
    "Lightning": (
        "epoch,step,train_loss,val_loss\n0,49,0.5,\n0,99,0.4,\n0,99,,0.45\n1,149,0.3,\n",
        {"train_loss": [0.5, 0.4, 0.3], "valid_loss": [0.45]},
    ),
    "Ultralytics": (
        ("     epoch,   train/box_loss,   val/box_loss,   metrics/mAP_0.5\n"
        "         0,          0.5,          0.6,          0.1\n"),
        {"train_box_loss": [0.5], "valid_box_loss": [0.6], "valid_map_0.5": [0.1]},
    ),
    "W&B": (
        ('"Step","run-1 - train/loss","run-1 - train/loss__MIN","run-1 - train/loss__MAX"\n'
        '"1","0.5","0.5","0.5"\n"2","0.4","0.4","0.4"\n'),
        {"train_loss": [0.5, 0.4]},
    ),
    "pandas": (",loss,val_loss\n0,0.5,0.6\n1,0.4,0.5\n",
               {"train_loss": [0.5, 0.4], "valid_loss": [0.6, 0.5]}),
    "BOM": ("\ufeffepoch,loss\n0,0.5\n1,0.4\n", {"train_loss": [0.5, 0.4]}),  # C042
    "ragged": ("epoch,loss\n0,1.5\n1,1.2,0.9\n2,1.1\n", {"train_loss": [1.5, 1.1]}),  # C049
    "semicolons": ("epoch;loss\n0;0,5\n1;0,25\n", {"train_loss": [0.5, 0.25]}),
    "tabs": ("epoch\tloss\n0\t0.5\n1\t0.25\n", {"train_loss": [0.5, 0.25]}),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_the_tables_of_all_tools_are_logs(tmp_path: Path, name: str) -> None:
    content, values = TABLES[name]  # C042, C049, C055, C064
    assert series(tmp_path / "log.csv", content) == values


def test_a_row_with_too_many_cells_is_told(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(TABLES["ragged"][0], encoding="utf-8")
    assert "3" in said(looked_into(path))  # its line, and its cells


def test_a_scalar_that_tensorboard_saved_is_called_after_its_file(tmp_path: Path) -> None:
    content = "Wall time,Step,Value\n1700000000.5,1,0.5\n1700000001.5,2,0.4\n"  # C064
    assert series(tmp_path / "run-train-tag-loss.csv", content) == {"train_loss": [0.5, 0.4]}


def test_epochs_that_begin_anew_are_two_segments(tmp_path: Path) -> None:
    rows = "".join(f"{epoch},{1 / epoch}\n" for epoch in (1, 2, 3, 4, 5, 1, 2, 3))  # C051
    series(tmp_path / "log.csv", f"epoch,loss\n{rows}")
    found = looked_into(tmp_path / "log.csv")
    assert found["series"][0]["segments"] == 2
    assert "1–5" in said(found)


def test_iterations_within_epochs_become_steps(tmp_path: Path) -> None:
    train = [
        {"mode": "train", "epoch": epoch, "iter": step, "loss": 1 / epoch}
        for epoch in (1, 2, 3) for step in (100, 200, 300)
    ]  # fmt: skip
    valid = [
        {"mode": "val", "epoch": epoch, "iter": 1334, "mAP": 0.1 * epoch} for epoch in (1, 2, 3)
    ]
    path = tmp_path / "log.json"
    rows = [*train[:3], valid[0], *train[3:6], valid[1], *train[6:], valid[2]]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    history = logs.read_all([path], rename={}).history  # C066
    assert history is not None
    loss = history.series["train_loss"]
    assert (np.diff(loss.x) > 0).all()
    assert loss.y.size == 9


JSONS: dict[str, object] = {
    "Keras": {"loss": [0.5, 0.4], "val_loss": [0.6, 0.5]},  # C060
    "in a history": {"history": {"loss": [0.5, 0.4], "val_loss": [0.6, 0.5]}},
    "pandas": {"loss": {"0": 0.5, "1": 0.4}, "val_loss": {"0": 0.6, "1": 0.5}},
    "rows": [{"loss": 0.5, "val_loss": 0.6}, {"loss": 0.4, "val_loss": 0.5}],
    "by split": {"train": {"loss": [0.5, 0.4]}, "val": {"loss": [0.6, 0.5]}},
    "as text": {"loss": ["0.5", "0.4"], "val_loss": ["0.6", "0.5"]},
}


@pytest.mark.parametrize("name", JSONS)
def test_lists_of_numbers_in_json_and_in_pickles_are_logs(tmp_path: Path, name: str) -> None:
    values = {"train_loss": [0.5, 0.4], "valid_loss": [0.6, 0.5]}
    assert series(tmp_path / "history.json", json.dumps(JSONS[name])) == values
    assert series(tmp_path / "history.pkl", pickle.dumps(JSONS[name])) == values
    torch.save(JSONS[name], tmp_path / "history.pt")
    history = logs.read_all([tmp_path / "history.pt"], rename={}).history
    assert history is not None
    assert {name: one.y.tolist() for name, one in history.series.items()} == values


def test_curves_that_were_saved_beside_the_weights_are_shown(tmp_path: Path) -> None:
    content = {"model": net().state_dict(), "train_losses": [3.0, 2.0, 1.0], "epoch": 2}
    torch.save(content, tmp_path / "c.pth")
    found = checked(tmp_path)
    assert {one["view"]: one["missing"] for one in found["sections"]}["curves"] is None
    assert "train_loss" in said(found)


def test_all_points_of_an_event_file_are_read(tmp_path: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter

    with warnings.catch_warnings(action="ignore"), SummaryWriter(str(tmp_path)) as writer:  # C061
        for step in range(12_000):
            writer.add_scalar("Loss/train", 1 / (step + 1), step)
    (path,) = tmp_path.glob("*tfevents*")
    (row,) = looked_into(path)["series"]
    assert (row["series"], row["points"], row["from"], row["to"]) == (
        "train_loss",
        12_000,
        0,
        11_999,
    )
    path.write_bytes(path.read_bytes()[:-7])  # C063
    found = looked_into(path)
    assert found["series"][0]["points"] == 11_999
    assert found["notes"]


@pytest.mark.parametrize(
    ("content", "values"),
    [
        ("train_loss: [0.5, 0.4]\nval_loss: [0.6, 0.5]\n",
         {"train_loss": [0.5, 0.4], "valid_loss": [0.6, 0.5]}),
        ("losses = [0.5, 0.4, 0.3]\n", {"train_loss": [0.5, 0.4, 0.3]}),
        ("val_loss = [tensor(0.5), tensor(0.25)]\n", {"valid_loss": [0.5, 0.25]}),
    ],
)  # fmt: skip
def test_lists_that_a_script_printed_under_their_names_are_read(
    tmp_path: Path, content: str, values: dict[str, list[float]]
) -> None:
    assert series(tmp_path / "out.txt", content) == values


def test_an_array_as_numpy_prints_it_is_one_series(tmp_path: Path) -> None:
    assert series(tmp_path / "train_loss.txt", "[0.5 0.4 0.3]\n") == {"train_loss": [0.5, 0.4, 0.3]}


def test_a_log_with_the_newest_row_first_is_turned_round(tmp_path: Path) -> None:
    rows = "".join(f"{epoch},{epoch / 4}\n" for epoch in range(100, 0, -1))
    values = series(tmp_path / "log.csv", f"epoch,loss\n{rows}")
    assert values == {"train_loss": [epoch / 4 for epoch in range(1, 101)]}
    assert "backwards" in said(looked_into(tmp_path / "log.csv"))


def test_columns_of_names_that_nobody_knows_are_series_beside_an_epoch(tmp_path: Path) -> None:
    values = series(tmp_path / "log.csv", "epoch,my score,foo\n1,0.5,1\n2,0.6,2\n")
    assert values == {"train_my_score": [0.5, 0.6], "train_foo": [1, 2]}


def test_curves_of_add_scalars_are_one_run_with_the_file_above_them(tmp_path: Path) -> None:
    for name, values in (("Both_train", [0.5, 0.4]), ("Both_val", [0.6, 0.5])):
        from torch.utils.tensorboard import SummaryWriter

        with warnings.catch_warnings(action="ignore"), SummaryWriter(tmp_path / name) as writer:
            for step, value in enumerate(values):
                writer.add_scalar("Both", value, step)
    run = load(tmp_path, Options())
    assert run.history is not None
    np.testing.assert_allclose(run.history.series["train_both"].y, [0.5, 0.4])
    np.testing.assert_allclose(run.history.series["valid_both"].y, [0.6, 0.5])


def test_a_list_in_a_file_called_like_a_checkpoint_is_shown(tmp_path: Path) -> None:
    torch.save({"loss": [0.5, 0.4]}, tmp_path / "c.pth")
    (row,) = looked_into(tmp_path / "c.pth")["series"]
    assert (row["series"], row["first"], row["last"]) == ("train_loss", 0.5, 0.4)


def test_a_table_of_data_in_a_project_is_no_log_but_may_be_the_data(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name in ("train", "test"):
        rows = "1.5,2.5,0\n" * 20
        (tmp_path / "data" / f"{name}.csv").write_text(f"a,b,y\n{rows}", encoding="utf-8")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "train_loss.txt").write_text("3\n2\n", encoding="utf-8")
    found = looked_into(tmp_path)["other"]
    assert found["logs"] == ["runs/train_loss.txt"]
    assert found["data"] == ["data/test.csv", "data/train.csv"]


def test_a_notebook_is_no_log(tmp_path: Path) -> None:
    (tmp_path / "n.ipynb").write_text('{"cells": [{"execution_count": 1}, {"execution_count": 2}]}')
    assert ".ipynb" in refused("inspect", tmp_path / "n.ipynb")


# --- what is asked for ----------------------------------------------------------------------------


def test_a_series_can_be_called_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("epoch,loss,my_score\n1,0.5,0.7\n2,0.4,0.8\n", encoding="utf-8")
    names = {row["series"] for row in looked_into(path, "--rename", "my_score=valid_acc")["series"]}
    assert names == {"train_loss", "valid_acc"}
    assert "--rename found no series called: nothing" in said(
        looked_into(path, "--rename", "nothing=valid_acc")
    )


def test_several_logs_are_joined_where_they_are_named(tmp_path: Path) -> None:
    for name, epochs in (("version_0", range(1, 5)), ("version_1", range(5, 9))):
        (tmp_path / name).mkdir()
        rows = "".join(f"{epoch},{1 / epoch}\n" for epoch in epochs)
        (tmp_path / name / "metrics.csv").write_text(f"epoch,train_loss\n{rows}", encoding="utf-8")
    found = checked(tmp_path, "--log", tmp_path / "version_0", "--log", tmp_path / "version_1")
    assert "not" not in said(found)  # C052
    run = load(tmp_path, Options(log=(f"{tmp_path}/version_0", f"{tmp_path}/version_1")))
    assert run.history is not None
    assert run.history.series["train_loss"].x.tolist() == [*range(1, 9)]


@pytest.mark.parametrize("name", ["train_loss.txt", "model.pth"])
def test_a_single_file_is_a_run(tmp_path: Path, name: str) -> None:
    (tmp_path / "train_loss.txt").write_text("3\n2\n1\n", encoding="utf-8")  # C151
    torch.save(net().state_dict(), tmp_path / "model.pth")
    found = checked(tmp_path / name)
    there = {one["view"] for one in found["sections"] if one["missing"] is None}
    assert there == {{"train_loss.txt": "curves", "model.pth": "weights"}[name]}


# --- nothing in a file is run ---------------------------------------------------------------------


class Touch:
    """Leaves a file behind where a reader runs what a pickle asks for."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return open, (self.path, "w")


class Shell(Touch):
    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        import os

        return os.system, (f"touch {self.path}",)


class Evaluated(Touch):
    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return eval, (f"open({self.path!r}, 'w')",)


@pytest.mark.parametrize("trap", [Touch, Shell, Evaluated])
@pytest.mark.parametrize("form", ["zip", "legacy", "pickle", "history"])
@pytest.mark.parametrize("nested", [False, True])
def test_no_code_in_a_file_is_run(
    tmp_path: Path, trap: type[Touch], form: str, *, nested: bool
) -> None:
    touched = tmp_path / "touched"
    run = tmp_path / "run"
    run.mkdir()
    evil: object = {"a": [{"b": trap(touched)}]} if nested else trap(touched)
    content = {"state_dict": net().state_dict(), "loss": [1.0, 2.0], "evil": evil}
    match form:
        case "zip":
            path = run / "c.pth"
            torch.save(content, path)
        case "legacy":
            path = run / "c.pth"
            torch.save(content, path, _use_new_zipfile_serialization=False)
        case "pickle":
            path = run / "c.pt"
            path.write_bytes(pickle.dumps({**content, "state_dict": {"w": np.ones(3)}}))
        case _:
            path = run / "history.pkl"
            path.write_bytes(pickle.dumps({"loss": [1.0, 2.0], "evil": evil}))
    for words in (["inspect", str(path)], ["check", str(run)], ["report", str(run)]):
        done = CliRunner().invoke(main, words)
        assert done.exit_code in (0, 1, 2)
        assert done.exception is None or isinstance(done.exception, SystemExit)
        assert not touched.exists()
    if form in ("zip", "history"):
        assert ("system" if trap is Shell else "eval" if trap is Evaluated else "open") in said(
            looked_into(path)
        )
