"""What is damaged, cut, or something else altogether is named, in one line, with what to do."""

from __future__ import annotations

import contextlib
import io
import pickle
import random
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from kashika.errors import LoadError
from kashika.load.checkpoints import checkpoint_of, contents, is_checkpoint, read
from kashika.texts import speaking

RUNS = Path(__file__).parents[4] / "shared" / "runs"


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with speaking("en"):
        yield


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 3))


def refused(path: Path) -> str:
    messages = []
    for look in (read, contents):
        with pytest.raises(LoadError) as caught:
            look(path)
        messages.append(str(caught.value))
    assert len(set(messages)) == 1
    assert len(messages[0].splitlines()) == 1
    return messages[0]


def tar(names: tuple[str, ...]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    return buffer.getvalue()


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, "weights")
    return buffer.getvalue()


# --- something else ------------------------------------------------------------------------------

ELSE: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "expected a checkpoint, found an empty file (0 bytes); "),  # C022
    "zeros": (bytes(5000), "expected a checkpoint, found 5,000 bytes that all begin as zeros; "),
    "a page": (  # C021
        b"<!DOCTYPE html>\n<html><body>404: Not Found, try elsewhere</body></html>",
        "found a page of HTML or XML ('<!DOCTYPE html> <html><body>404: Not Fou'); ",
    ),
    "an answer": (b"400: Invalid request", "found text ('400: Invalid request'); "),
    "an answer in JSON": (b'{"error": "Not Found"}', """found text ('{"error": "Not Found"}'); """),
    "an answer in Japanese": ("見つかりません".encode("sjis"), "found text ('見つかりません'); "),
    "numbers": (b"0.5\n0.25\n", "found text ('0.5 0.25'); "),
    "a pointer": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n",
        "found a pointer of Git LFS to it; fetch the file itself with git lfs pull",
    ),
    "Keras": (b"\x89HDF\r\n\x1a\n" + bytes(64), "found an HDF5 file, as Keras writes it; "),
    "Keras 3": (zipped("config.json", "model.weights.h5"), "found a Keras archive; "),
    "llama.cpp": (b"GGUF\x03" + bytes(64), "found a GGUF file, as llama.cpp reads it; "),
    "gzip": (b"\x1f\x8b\x08" + bytes(64), "found a compressed file; unpack it first"),
    "an archive": (zipped("notes.txt"), "found a zip archive without data.pkl; unpack it first"),
    "a tar": (tar(("weights.pth",)), "found a tar archive; unpack it first"),
    "torch 0.1": (  # C024
        tar(("sys_info", "pickle", "storages", "tensors")),
        "found the tar format of torch 0.1, which is too old; ",
    ),
    "macOS": (b"\x00\x05\x16\x07\x00\x02" + bytes(64), "found a companion file of macOS; "),  # C148
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(64), "found a picture; "),
    "garbage": (b"\xfegarbage\x00\xff" * 9, "found a file that begins with fe 67 61 72"),
}  # fmt: skip


@pytest.mark.parametrize("name", ELSE)
@pytest.mark.parametrize("ending", [".pth", ".ckpt", ".bin", ".safetensors"])
def test_what_is_no_checkpoint_is_named(tmp_path: Path, name: str, ending: str) -> None:
    content, words = ELSE[name]
    path = tmp_path / f"c{ending}"
    path.write_bytes(content)
    message = refused(path)
    assert message.startswith(f"{path}: expected ")
    assert words in message


@pytest.mark.parametrize(
    ("ending", "what"),
    [(".onnx", "an ONNX file"), (".pb", "a TensorFlow file"), (".h5", "an HDF5 file")],
)
def test_a_file_of_another_framework_is_known_by_its_ending(
    tmp_path: Path, ending: str, what: str
) -> None:
    path = tmp_path / f"model{ending}"
    path.write_bytes(b"\x08\x07\x12\x07pytorch" + bytes(64))
    assert f"expected a PyTorch checkpoint, found {what}" in refused(path)


def test_one_array_without_a_name_is_no_state_dict(tmp_path: Path) -> None:
    np.save(tmp_path / "c.npy", np.ones((2, 2)))
    assert "found one NumPy array without a name; " in refused(tmp_path / "c.npy")


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    path = tmp_path / "c.pth"
    assert refused(path) == f"{path}: expected a checkpoint, found nothing; check the path"
    assert not is_checkpoint(path)


def test_a_data_set_in_a_pickle_is_not_taken_for_weights(tmp_path: Path) -> None:
    (tmp_path / "d.pkl").write_bytes(pickle.dumps({"X": np.ones((9, 2)), "y": np.ones(9)}))
    np.savez(tmp_path / "d.npz", X=np.ones((9, 2)), y=np.ones(9))
    assert not is_checkpoint(tmp_path / "d.pkl")
    assert not is_checkpoint(tmp_path / "d.npz")


@pytest.mark.skipif(not RUNS.is_dir(), reason="the real runs are not here")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("http_error_body.pth", "found text ('400: Invalid request'); "),
        ("lfs_pointer_optimizer.pt", "found a pointer of Git LFS to it; "),
    ],
)
def test_real_files_that_are_no_checkpoints_are_named(name: str, words: str) -> None:
    assert words in refused(RUNS / name)


# --- cut and damaged -----------------------------------------------------------------------------

WRITERS: dict[str, Callable[[Path], object]] = {
    "zip": lambda path: torch.save(net().state_dict(), path),
    "legacy": lambda path: torch.save(
        net().state_dict(), path, _use_new_zipfile_serialization=False
    ),
    "safetensors": lambda path: save_file(dict(net().state_dict()), path),
    "pickle": lambda path: path.write_bytes(pickle.dumps(net().state_dict())),
}


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_a_zip_archive_that_is_cut_is_told_with_its_size(tmp_path: Path, part: float) -> None:
    path = tmp_path / "c.pth"  # C018
    WRITERS["zip"](path)
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    assert refused(path) == (
        f"{path}: expected a whole PyTorch checkpoint, found one that is cut short or damaged "
        f"({int(part * len(content))} bytes, zip directory not found); save or copy it again"
    )


@pytest.mark.parametrize("writer", ["legacy", "safetensors", "pickle"])
@pytest.mark.parametrize("part", [0.1, 0.3, 0.5, 0.7, 0.9, 0.999])
def test_any_file_that_is_cut_is_refused(tmp_path: Path, writer: str, part: float) -> None:
    path = tmp_path / "c.bin"
    WRITERS[writer](path)
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    assert refused(path).startswith(f"{path}: expected ")


def test_a_cut_safetensors_file_tells_how_long_it_should_be(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    WRITERS["safetensors"](path)
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    assert refused(path) == (
        f"{path}: expected {len(content)} bytes, found {len(content) - 1}, so it is cut short; "
        "save or copy it again"
    )


def test_damage_inside_is_found_by_the_checksum_and_the_weights_are_still_read(
    tmp_path: Path,
) -> None:
    path, state = tmp_path / "c.pth", net().state_dict()  # C019
    torch.save(state, path)
    content = path.read_bytes()
    at = content.index(state["0.weight"].numpy().tobytes())
    path.write_bytes(content[:at] + b"\xff" * 16 + content[at + 16 :])
    found = read(path)
    assert int(found.state["0.weight"].isnan().sum()) == 4
    (note,) = found.notes
    assert str(note) == (
        "1 record fails its checksum, so the file is damaged and weights may be wrong: "
        "c/data/0; save or copy it again"
    )
    looked = checkpoint_of(found).parameters
    assert looked[0].values.nan == 4


def test_a_file_that_was_saved_without_checksums_has_none_to_fail(tmp_path: Path) -> None:
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(net().state_dict(), tmp_path / "c.pth")
    finally:
        torch.serialization.set_crc32_options(before)
    assert read(tmp_path / "c.pth").notes == ()


def test_an_archive_that_was_packed_again_is_read(tmp_path: Path) -> None:
    torch.save(net().state_dict(), tmp_path / "c.pth")
    with (
        zipfile.ZipFile(tmp_path / "c.pth") as old,
        zipfile.ZipFile(tmp_path / "d.pth", "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name))
    found = read(tmp_path / "d.pth").state
    assert all(torch.equal(found[key], one) for key, one in net().state_dict().items())


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int16, torch.complex64])
def test_a_file_of_a_machine_with_another_order_of_bytes_is_read(
    tmp_path: Path, dtype: torch.dtype, order: str
) -> None:
    path, one = tmp_path / "c.pth", torch.arange(1, 7).to(dtype).reshape(2, 3)
    width = one.element_size() // (2 if dtype.is_complex else 1)
    torch.save({"weight": torch.ones(2), "codes": one}, path)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "d.pth", "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith("byteorder"):
                content = order.encode()
            if order == "big" and name.endswith("data/1"):
                content = np.frombuffer(content, f"u{width}").byteswap().tobytes()
            new.writestr(name, content)
    assert torch.equal(read(tmp_path / "d.pth").state["codes"], one)


# --- hostile -------------------------------------------------------------------------------------


def quickly(path: Path) -> str:
    start = time.perf_counter()
    message = refused(path)
    assert time.perf_counter() - start < 5
    return message


def test_a_record_that_would_fill_the_memory_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "c.pth"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("c/data.pkl", "w") as record,
    ):
        for _ in range(300):
            record.write(bytes(1 << 20))
    assert "found c/data.pkl compressed beyond reason" in quickly(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found.replace(b"K\x08K\x02\x86", b"K\x08K\x03\x86"),
        lambda found: found.replace(b"K\x08K\x02\x86", b"J\xff\xff\xff\x7fK\x02\x86"),
        lambda found: found.replace(b"K\x10t", b"J\xff\xff\xff\x7ft"),
        lambda found: found.replace(b"K\x02K\x01\x86", b"J\xff\xff\xff\x7fK\x01\x86"),
    ],
)
def test_a_tensor_does_not_reach_outside_its_file(
    tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    torch.save({"weight": torch.ones(8, 2)}, tmp_path / "c.pth")
    with (
        zipfile.ZipFile(tmp_path / "c.pth") as old,
        zipfile.ZipFile(tmp_path / "d.pth", "w") as new,
    ):
        for name in old.namelist():
            content = old.read(name)
            if name.endswith("data.pkl"):
                assert change(content) != content
                content = change(content)
            new.writestr(name, content)
    assert "found a damaged one (" in quickly(tmp_path / "d.pth")


def test_one_stored_number_does_not_become_a_tensor_that_fills_the_memory(tmp_path: Path) -> None:
    torch.save({"weight": torch.ones(1).expand(1 << 40)}, tmp_path / "c.pth")
    assert "reaches outside its storage" in quickly(tmp_path / "c.pth")


@pytest.mark.parametrize(
    "header",
    [
        b'{"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,4]}}',
        b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}',
        b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}',
        b'{"a":{"dtype":"X","shape":[1],"data_offsets":[0,4]}}',
        b'{"a":{"dtype":"F32","shape":1,"data_offsets":[0,4]}}',
        b'{"a":3}',
        b'{"a":' + b"[" * 100_000,
        b"{",
    ],
)
def test_a_header_that_lies_is_found_out(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "c.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    assert quickly(path).startswith(f"{path}: expected ")


def test_names_that_stand_twice_in_an_archive_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.pth"
    torch.save(net().state_dict(), path)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("c/data.pkl", pickle.dumps({}))
    assert "two records of one name" in refused(path)


@pytest.mark.parametrize("writer", WRITERS)
def test_whatever_happens_to_a_file_there_is_an_answer_or_an_error(
    tmp_path: Path, writer: str
) -> None:
    path, draw = tmp_path / "c.bin", random.Random(0)
    WRITERS[writer](path)
    good = path.read_bytes()
    start = time.perf_counter()
    for _ in range(150):
        bad = bytearray(good)
        match draw.randrange(3):
            case 0:
                for _ in range(draw.choice((1, 3, 30))):
                    bad[draw.randrange(len(bad))] = draw.randrange(256)
            case 1:
                del bad[draw.randrange(len(bad)) :]
            case _:
                at, source = draw.randrange(len(bad)), draw.randrange(len(bad))
                bad[at : at + draw.randrange(64)] = good[source : source + draw.randrange(64)]
        path.write_bytes(bad)
        with contextlib.suppress(LoadError):
            checkpoint_of(read(path))
            contents(path)
    assert time.perf_counter() - start < 30


def test_what_is_named_in_itself_a_million_times_is_read_in_time(tmp_path: Path) -> None:
    inner: object = {"weight": np.ones((2, 2))}
    for _ in range(40):
        inner = {"a": inner, "b": inner, "c": [inner, inner]}
    looped: list[object] = [1.0]
    looped.append(looped)
    state = {"step": torch.ones(2), "exp_avg": torch.ones(2)}
    optimiser: object = {"param_groups": [], "state": state}
    for _ in range(40):
        optimiser = {"param_groups": [optimiser, optimiser], "state": optimiser}
    path = tmp_path / "c.pkl"
    content = {"deep": inner, "loop": looped, "optim": optimiser, "weight": np.ones(3)}
    path.write_bytes(pickle.dumps(content))
    start = time.perf_counter()
    try:
        found = read(path)
        assert str(found.other["optim"]) == "state of an optimiser, 2 tensors"
    finally:
        assert time.perf_counter() - start < 5
