"""Event files: every scalar that TensorBoard's own writers wrote, and a word on all that is not."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.utils.tensorboard import SummaryWriter

from kashika.errors import LoadError
from kashika.load.logs.events import FORMAT, read, recognises
from kashika.load.logs.logged import Logged
from kashika.texts import speaking

RUNS = Path(__file__).parents[4] / "shared" / "runs"
HEADER, RECORD = 88, 42  # bytes of the files of ten records that are made below


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with speaking("en"):
        yield


def written(directory: Path, write: Callable[[SummaryWriter], object]) -> Path:
    """Return the event file that PyTorch's writer makes."""
    with SummaryWriter(str(directory)) as writer:
        write(writer)
    (path,) = directory.glob("*.tfevents*")
    return path


def ten(directory: Path) -> Path:
    """Return an event file of ten records, beside the one of the version."""

    def write(writer: SummaryWriter) -> None:
        for step in range(1, 11):
            writer.add_scalar("loss", 1 / step, step)

    return written(directory, write)


def event(step: int, summary: bytes) -> bytes:
    """Return one record, its checksums by a loop over bits: apart from the code under test."""
    field = b"\x2a" + bytes([len(summary)]) + summary
    content = b"\x09" + struct.pack("<d", 1.7e9) + b"\x10" + bytes([step]) + field
    length = struct.pack("<Q", len(content))
    return length + masked(length) + content + masked(content)


def masked(data: bytes) -> bytes:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x82F63B78 * (crc & 1)
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", (crc >> 15 | crc << 17) + 0xA282EAD8 & 0xFFFFFFFF)


def value(tag: bytes, rest: bytes) -> bytes:
    """Return a summary of one value."""
    inner = b"\x0a" + bytes([len(tag)]) + tag + rest
    return b"\x0a" + bytes([len(inner)]) + inner


def tensor(content: bytes, *, plugin: bytes = b"") -> bytes:
    named = b"\x0a" + bytes([len(plugin)]) + plugin
    data = b"\x0a" + bytes([len(named)]) + named
    metadata = b"\x4a" + bytes([len(data)]) + data if plugin else b""
    return b"\x42" + bytes([len(content)]) + content + metadata


def said(logged: Logged) -> list[str]:
    return [str(note).partition(": ")[2] for note in logged.notes]


def accumulated(path: Path) -> dict[str, list[tuple[int, float]]]:
    """Return the scalars as TensorBoard itself reads them, none left out."""
    from tensorboard.backend.event_processing import (  # type: ignore[import-untyped]
        event_accumulator,
    )

    reader = event_accumulator.EventAccumulator(str(path), size_guidance={"scalars": 0})
    reader.Reload()
    tags = reader.Tags()["scalars"]
    return {tag: [(one.step, one.value) for one in reader.Scalars(tag)] for tag in tags}


# --- every value --------------------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["Loss/train", "検証損失", "", "a" * 200]),
            st.floats(width=32),
            st.integers(-(2**63), 2**63 - 1),
        ),
        max_size=30,
    )
)
@settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_torch_wrote_is_read_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, float, int]]
) -> None:
    def write(writer: SummaryWriter) -> None:
        for tag, y, step in rows:
            writer.add_scalar(tag, y, step)

    logged = read(written(tmp_path_factory.mktemp("run"), write))
    for tag in {tag for tag, _, _ in rows}:
        own = [(step, y) for name, y, step in rows if name == tag]
        np.testing.assert_array_equal(logged.series[tag].y, [y for _, y in own])
        if len(own) == 1 or any(step for step, _ in own):
            assert logged.series[tag].x.tolist() == [step for step, _ in own]
    assert set(logged.series) == {tag for tag, _, _ in rows}
    assert logged.format == FORMAT


def test_all_of_12000_scalars_are_read_and_5_histograms_are_counted(tmp_path: Path) -> None:  # C061
    def write(writer: SummaryWriter) -> None:
        for step in range(12_000):
            writer.add_scalar("Loss/train", step / 2, step)
        for step in range(5):
            writer.add_histogram("fc", np.arange(9.0), step)

    logged = read(written(tmp_path, write))
    np.testing.assert_array_equal(logged.series["Loss/train"].x, np.arange(12_000))
    np.testing.assert_array_equal(logged.series["Loss/train"].y, np.arange(12_000) / 2)
    assert logged.series["Loss/train"].unit == "step"
    assert said(logged) == ["5 histograms, counted and not read: fc (5)"]


def test_tensorboard_reads_the_same(tmp_path: Path) -> None:
    def write(writer: SummaryWriter) -> None:
        for step in range(50):
            writer.add_scalar("old", 0.1 * step, step)
            writer.add_scalar("new", 0.3 * step, step, new_style=True)

    path = written(tmp_path, write)
    own = {tag: [*zip(s.x, s.y, strict=True)] for tag, s in read(path).series.items()}
    theirs = accumulated(path)
    assert own["old"] == theirs["old"]
    assert [y for _, y in own["new"]] == [float(np.float32(0.3 * step)) for step in range(50)]


def test_what_is_no_scalar_is_counted_by_its_kind(tmp_path: Path) -> None:
    def write(writer: SummaryWriter) -> None:
        writer.add_image("seen", np.zeros((1, 2, 2)))
        writer.add_text("words", "hello", 3)
        writer.add_text("words", "again", 4)
        writer.add_pr_curve("pr", np.array([0, 1]), np.array([0.2, 0.8]))
        writer.add_audio("sound", np.zeros((1, 100)), 1)
        writer.add_scalar("loss", 1, 1)

    logged = read(written(tmp_path, write))
    assert list(logged.series) == ["loss"]
    assert said(logged) == [
        "1 sound, counted and not read: sound (1)",
        "1 image, counted and not read: seen (1)",
        "1 entry that is no curve, such as hyperparameters, counted and not read: pr (1)",
        "2 texts, counted and not read: words/text_summary (2)",
    ]


@pytest.mark.parametrize(
    ("content", "number"),
    [
        (b"\x08\x01\x22\x04" + struct.pack("<f", 0.5), 0.5),  # float, as content
        (b"\x08\x01\x12\x00\x2a\x04" + struct.pack("<f", 0.5), 0.5),  # float, packed
        (b"\x08\x01\x2d" + struct.pack("<f", 0.5), 0.5),  # float, not packed
        (b"\x08\x02\x22\x08" + struct.pack("<d", 0.1), 0.1),  # double
        (b"\x08\x02\x32\x08" + struct.pack("<d", 0.1), 0.1),
        (b"\x08\x13\x22\x02" + np.float16(0.25).tobytes(), 0.25),  # half
        (b"\x08\x13\x6a\x02\x80\x68", 0.25),  # 0x3400 as a varint
        (b"\x08\x03\x3a\x01\x07", 7),  # int32
        (b"\x08\x03\x3a\x0a" + b"\xff" * 9 + b"\x01", -1),
        (b"\x08\x09\x52\x02\xac\x02", 300),  # int64
        (b"\x08\x0a\x5a\x01\x01", 1),  # bool
    ],
)
def test_a_tensor_of_one_number_is_a_scalar(tmp_path: Path, content: bytes, number: float) -> None:
    (path := tmp_path / "a.tfevents").write_bytes(
        event(3, value(b"plain", tensor(content)))
        + event(4, value(b"plain", tensor(content, plugin=b"scalars")))
    )
    series = read(path).series["plain"]
    assert (series.x.tolist(), series.y.tolist()) == ([3, 4], [number, number])


def test_a_tensor_of_another_plugin_or_of_several_numbers_is_none(tmp_path: Path) -> None:
    one, two = struct.pack("<f", 1), struct.pack("<2f", 1, 2)
    (path := tmp_path / "a.tfevents").write_bytes(
        event(1, value(b"a", tensor(b"\x08\x01\x22\x04" + one, plugin=b"mesh")))
        + event(1, value(b"b", tensor(b"\x08\x01\x22\x08" + two)))
        + event(1, value(b"c", tensor(b"\x08\x01\x22\x08" + two, plugin=b"histograms")))
    )
    logged = read(path)
    assert not logged.series
    assert [note.key.rpartition(".")[2] for note in logged.notes] == [
        "no_scalars",
        "histograms",
        "others",
    ]


def test_several_values_in_one_summary_are_all_read(tmp_path: Path) -> None:
    pairs = ((b"a", 1), (b"b", 2), (b"a", 3))
    summary = b"".join(value(tag, b"\x15" + struct.pack("<f", y)) for tag, y in pairs)
    (path := tmp_path / "a.tfevents").write_bytes(event(5, summary) + event(6, summary))
    series = read(path).series
    assert series["a"].x.tolist() == [5, 5, 6, 6]
    assert series["a"].y.tolist() == [1, 3, 1, 3]
    assert series["b"].y.tolist() == [2, 2]


def test_steps_that_go_back_stay_as_they_are(tmp_path: Path) -> None:
    def write(writer: SummaryWriter) -> None:
        for step in (1, 2, 3, 2, 3):
            writer.add_scalar("loss", step, step)

    assert read(written(tmp_path, write)).series["loss"].x.tolist() == [1, 2, 3, 2, 3]


def test_values_without_steps_are_counted(tmp_path: Path) -> None:
    def write(writer: SummaryWriter) -> None:
        for y in (3, 2, 1):
            writer.add_scalar("loss", y)

    logged = read(written(tmp_path, write))
    series = logged.series["loss"]
    assert (series.x.tolist(), series.y.tolist(), series.unit) == ([1, 2, 3], [3, 2, 1], "row")
    assert said(logged) == ["no steps were written, so the values are counted 1, 2, …: loss (3)"]


def test_keras_counts_epochs_and_its_tags_say_so(tmp_path: Path) -> None:
    def write(writer: SummaryWriter) -> None:
        for epoch in range(3):
            writer.add_scalar("epoch_loss", 1 / (1 + epoch), epoch)
            writer.add_scalar("epoch", epoch, 100 * epoch)

    logged = read(written(tmp_path, write))
    assert {name: one.unit for name, one in logged.series.items()} == {"epoch_loss": "epoch"}
    assert said(logged) == [
        "the tag epoch (3 values) counts and measures nothing, and is not shown"
    ]


def test_hp_metric_is_hidden_only_where_it_is_minus_one(tmp_path: Path) -> None:  # C063
    def write(y: float) -> Callable[[SummaryWriter], object]:
        return lambda writer: writer.add_scalar("hp_metric", y, 0)

    hidden = read(written(tmp_path / "a", write(-1)))
    assert not hidden.series
    assert said(hidden)[0].startswith("hp_metric is -1 throughout")
    assert read(written(tmp_path / "b", write(0.9))).series["hp_metric"].y == np.float32(0.9)


# --- cut, damaged, empty, something else --------------------------------------------------------


@pytest.mark.parametrize("lost", [1, 4, 7, 20, 31, 41])  # within content, checksums and head
def test_of_a_cut_file_all_that_is_whole_is_read(tmp_path: Path, lost: int) -> None:  # C063
    path = ten(tmp_path)
    path.write_bytes(path.read_bytes()[:-lost])
    logged = read(path)
    assert logged.series["loss"].x.tolist() == [*range(1, 10)]
    assert said(logged) == [
        "record 10 is cut, since the file ends within it; the 9 records before it were read"
    ]


@pytest.mark.parametrize("place", range(0, RECORD, 3))  # in the head, the content, the checksum
def test_a_damaged_record_is_passed_over_and_the_others_are_read(
    tmp_path: Path, place: int
) -> None:  # C063
    path = ten(tmp_path)
    content = bytearray(path.read_bytes())
    content[HEADER + 4 * RECORD + place] ^= 0x10
    path.write_bytes(content)
    logged = read(path)
    assert logged.series["loss"].x.tolist() == [1, 2, 3, 4, 6, 7, 8, 9, 10]
    (note,) = said(logged)
    assert note.startswith("damaged at record 5, after 4 that were read. 1 damaged place (")
    assert note.endswith(" bytes) was left out, and 5 records behind it were read")


def test_what_another_program_put_in_between_is_passed_over(tmp_path: Path) -> None:
    path = ten(tmp_path)
    content = path.read_bytes()
    middle = HEADER + 2 * RECORD
    path.write_bytes(content[:middle] + bytes(100_000) + content[middle:] + bytes(4096))
    logged = read(path)
    assert logged.series["loss"].x.tolist() == [*range(1, 11)]
    (note,) = said(logged)
    assert note.startswith("damaged at record 3, after 2 that were read. 2 damaged places (104096 ")
    assert note.endswith(" and 8 records behind the first of them were read")


def test_a_record_whose_checksum_is_right_but_whose_content_is_none_is_damaged(
    tmp_path: Path,
) -> None:
    good = value(b"a", b"\x15" + struct.pack("<f", 1))
    wrong = value(b"a", b"\x15" + struct.pack("<f", 2) + b"\x3b")  # wire type 3, a group
    (path := tmp_path / "a.tfevents").write_bytes(event(1, good) + event(2, wrong) + event(3, good))
    logged = read(path)
    assert logged.series["a"].x.tolist() == [1, 3]
    assert said(logged)[0].startswith("damaged at record 2, after 1 that were read")


@pytest.mark.parametrize("size", [0, HEADER])
def test_an_empty_file_is_an_empty_log_and_no_error(tmp_path: Path, size: int) -> None:  # C063
    path = ten(tmp_path)
    path.write_bytes(path.read_bytes()[:size])
    logged = read(path)
    assert not logged.series
    assert str(logged.notes[0]).startswith(f"{path}: an event file without scalars")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0",
            "expected a log, found a Git LFS pointer; fetch the file with git lfs pull",
        ),
        (
            b"<!DOCTYPE html><html>",
            "expected a TensorBoard event file, found something else, which begins with b'<!DOC",
        ),
    ],
)
def test_something_else_is_no_event_file(tmp_path: Path, content: bytes, why: str) -> None:
    (path := tmp_path / "events.out.tfevents.1").write_bytes(content)
    with pytest.raises(LoadError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: {why}")


@pytest.mark.parametrize(
    ("name", "head", "mine"),
    [
        ("events.out.tfevents.1693.host.12.0", b"", True),
        ("events.out.tfevents.1693.host.v2", b"", True),
        ("a.tfevents", b"", True),
        ("events.out.tfevents.1693.host.profile-empty", b"", False),
        ("a.tfevents.csv", b"Wall time,Step,Value", False),
        ("renamed", b"\x18" + bytes(20) + b"\x1a\x0dbrain.Event:2", True),
        ("train_loss.txt", b"0.5\n", False),
    ],
)
def test_event_files_are_known_by_their_name(name: str, head: bytes, mine: bool) -> None:  # noqa: FBT001
    assert recognises(Path(name), head) is mine


# --- real files ---------------------------------------------------------------------------------


@pytest.mark.skipif(not RUNS.is_dir(), reason="the real runs are not here")
def test_the_events_of_a_real_yolov5_agree_with_its_csv() -> None:
    logged = read(RUNS / "yolov5_circle.tfevents")
    head, *rows = (RUNS / "yolov5_circle_results.csv").read_text().splitlines()
    table = np.array([[float(cell) for cell in row.split(",")] for row in rows])
    columns = dict(zip((name.strip() for name in head.split(",")), table.T, strict=True))
    names = set(columns) & set(logged.series)
    assert {"metrics/mAP_0.5", "train/box_loss", "val/obj_loss"} <= names
    for name in names:
        assert logged.series[name].x.tolist() == columns["epoch"].tolist()
        # the csv has five digits
        np.testing.assert_allclose(logged.series[name].y, columns[name], rtol=1e-4, atol=6e-6)
    best = logged.series["metrics/mAP_0.5"]
    assert (best.y.size, int(best.y.argmax())) == (300, 275)
    assert best.y.max() == pytest.approx(0.77742, abs=5e-6)


@pytest.mark.skipif(not RUNS.is_dir(), reason="the real runs are not here")
def test_the_events_of_a_real_lightning_run_are_those_of_fit_validate_and_test() -> None:
    fit, validate, test = (read(RUNS / f"lightning_cnn_tb_v0_{part}.tfevents") for part in "abc")
    assert set(fit.series) == {"train_loss", "val_loss", "val_accuracy"}
    assert fit.series["val_loss"].x.tolist() == [1718, 3437, 5156, 6875, 8594]
    assert validate.series["val_loss"].x.tolist() == [8595]
    assert test.series["test_loss"].y == pytest.approx(0.0400, abs=5e-5)
    assert test.series["test_accuracy"].y == pytest.approx(0.9879)
    for logged in (fit, validate, test):
        assert said(logged)[0].startswith("hp_metric is -1 throughout")


@pytest.mark.skipif(not RUNS.is_dir(), reason="the real runs are not here")
@pytest.mark.parametrize(
    "name", ["yolov5_circle", "lightning_cnn_tb_v0_a", "lightning_cnn_tb_v0_c"]
)
def test_tensorboard_reads_the_same_of_real_files(name: str) -> None:
    path = RUNS / f"{name}.tfevents"
    theirs = accumulated(path)
    own = read(path).series
    assert set(theirs) - set(own) <= {"hp_metric", "epoch"}
    for tag, series in own.items():
        assert [*zip(series.x, series.y, strict=True)] == theirs[tag]


@pytest.mark.skipif(not RUNS.is_dir(), reason="the real runs are not here")
@pytest.mark.parametrize("name", ["empty_0byte", "header_only_40byte"])
def test_real_empty_files_are_empty_logs(name: str) -> None:
    assert not read(RUNS / f"{name}.tfevents").series
