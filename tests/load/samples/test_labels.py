"""Labels in every form that people have them in are the same class numbers, and that is said."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from kashika.distribution import Array
from kashika.errors import MismatchError
from kashika.load.samples.labels import Labels, outputs_of, relabelled, understood
from kashika.naming import Split
from kashika.run import Arrays, Observations, Samples
from kashika.texts import speaking
from kashika.torch_network import TorchNetwork
from kashika.torch_network.samples import TorchSamples

CLASSES = np.array([0, 2, 1, 2, 0, 1])
CAST = "were taken as class numbers (int64)"
WORDS = "Words as labels became classes in the order of the alphabet"


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with speaking("en"):
        yield


def one(targets: object, *, outputs: int | None, loss: str | None = None) -> Labels:
    return understood({"test": np.asarray(targets)}, outputs=outputs, loss=loss)


def said(labels: Labels) -> list[str]:
    return list(map(str, labels.notes))


# --- classes, one output for each: C129 -----------------------------------------------------------


@pytest.mark.parametrize(
    ("targets", "notes"),
    [
        (CLASSES, []),
        (CLASSES.astype(np.float32), [f"6 labels of type float32 {CAST}"]),
        (CLASSES.astype(np.int32), [f"6 labels of type int32 {CAST}"]),
        (CLASSES.astype(np.uint8), [f"6 labels of type uint8 {CAST}"]),
        (CLASSES[:, None], ["6 labels of shape (6, 1) were taken as one for each sample"]),
        (np.eye(3, dtype=int)[CLASSES], ["6 one-hot targets of 3 columns became class numbers"]),
        (np.eye(3)[CLASSES], ["6 one-hot targets of 3 columns became class numbers"]),
        (
            np.array([10, 20, 30])[CLASSES],
            ["6 labels were renumbered in their order: 10 = 0, 20 = 1, 30 = 2"],
        ),
        (
            np.array([0, 2, 5])[CLASSES],
            ["6 labels were renumbered in their order: 0 = 0, 2 = 1, 5 = 2"],
        ),
        (
            np.array([-1, 0, 1])[CLASSES],
            ["6 labels were renumbered in their order: -1 = 0, 0 = 1, 1 = 2"],
        ),
        (
            np.array(["ant", "bee", "cat"])[CLASSES],
            [f"{WORDS}: 0 = ant, 1 = bee, 2 = cat"],
        ),
    ],
    ids=["as they are", "floats", "int32", "uint8", "column", "one-hot", "one-hot floats", "tens",
         "gaps", "from -1", "words"],
)  # fmt: skip
@pytest.mark.parametrize("loss", [None, "cross_entropy"])
def test_every_form_of_class_numbers_is_the_same(
    targets: Array, notes: list[str], loss: str | None
) -> None:
    found = one(targets, outputs=3, loss=loss)
    np.testing.assert_array_equal(found.targets["test"], CLASSES)
    assert found.targets["test"].dtype == np.int64
    assert said(found) == notes


@pytest.mark.parametrize("targets", [[0, 2, 5], [10, 20], [1, 2, 3], [1, 3], [0, 1, 2, 3]])
@pytest.mark.parametrize("outputs", [3, 6])
def test_numbers_that_may_mean_several_things_stay_as_they_are(
    targets: list[int], outputs: int
) -> None:
    if (targets, outputs) != ([0, 2, 5], 3):  # as many values as outputs, with gaps between them
        assert one(targets, outputs=outputs).targets["test"].tolist() == targets


def test_labels_from_one_to_the_number_of_outputs_are_an_error() -> None:  # C129
    found = one([1, 2, 3], outputs=3)
    assert said(found) == []
    network = TorchNetwork(nn.Linear(2, 3))
    samples = Arrays.of(np.zeros((3, 2)), found.targets["test"], split="test")
    with pytest.raises(MismatchError) as caught:
        network.observe(samples, split="test")
    assert str(caught.value) == (
        "test: expected classes from 0 to 2, since the network has 3 outputs, found 1 to 3; "
        "renumber the classes or check the model"
    )


def test_what_losses_ignore_is_left_out_with_its_inputs() -> None:  # C129
    samples: dict[Split, Samples] = {
        "test": Arrays.of(np.arange(4.0)[:, None], [0, -100, 1, -100], split="test")
    }
    found, notes = relabelled(samples, outputs=3)
    inputs, targets = next(found["test"].batches(9))
    assert (inputs[:, 0].tolist(), targets.tolist()) == ([0, 2], [0, 1])
    assert list(map(str, notes)) == [
        "test: 2 samples with the label -100, which losses ignore, were left out"
    ]
    kept = one([-100, -200], outputs=3)
    assert kept.targets["test"].tolist() == [-100, -200]
    with pytest.raises(MismatchError) as caught:
        one([-100, -100], outputs=3)
    assert str(caught.value) == (
        "test: expected labels, found none among 2 samples; "
        "check the column or array of the targets"
    )


@pytest.mark.parametrize("loss", ["mse_loss", "l1_loss", "FocalLoss", "binary_cross_entropy"])
def test_another_loss_is_given_the_numbers_as_they_are(loss: str) -> None:
    for targets in (CLASSES.astype(np.float32), np.eye(3)[CLASSES], np.array([10.0, 20, 30])):
        found = one(targets, outputs=3, loss=loss)
        assert found.targets["test"].dtype == targets.dtype
        np.testing.assert_array_equal(found.targets["test"], targets)


def test_values_of_a_regression_stay_as_they_are() -> None:
    for targets, outputs in (
        (np.array([0.5, 1.0, 2.0]), 3), (np.array([0.1, 0.2]), 1), (np.array([3.0, 4.0, 50.0]), 1),
        (np.array([[0.2, 0.8], [1.0, 0.0]]), 2), (np.array([[1, 1], [0, 1]]), 2),
        (np.array([np.nan, 1.0, 2.0]), 3),
    ):  # fmt: skip
        found = one(targets, outputs=outputs)
        np.testing.assert_array_equal(found.targets["test"], targets)
        assert said(found) == []


# --- two classes, one output: C130 ----------------------------------------------------------------

BITS = np.array([0, 1, 1, 0])
AS_FLOATS = "are taken as floats in the shape of the output, as the loss of one output needs them"


@pytest.mark.parametrize(
    ("targets", "notes"),
    [
        (BITS[:, None].astype(np.float32), []),
        (BITS, [f"4 labels of type int64 and shape (4,) {AS_FLOATS}"]),
        (BITS.astype(bool), [f"4 labels of type bool and shape (4,) {AS_FLOATS}"]),
        (BITS.astype(np.float32), [f"4 labels of type float32 and shape (4,) {AS_FLOATS}"]),
        ((2 * BITS - 1)[:, None].astype(float), ["4 labels -1 and 1 became the classes 0 and 1"]),
        (np.eye(2)[BITS], ["4 one-hot targets of 2 columns became class numbers",
                           f"4 labels of type int64 and shape (4,) {AS_FLOATS}"]),
    ],
)  # fmt: skip
def test_every_form_of_two_classes_has_the_same_loss(targets: Array, notes: list[str]) -> None:
    found = one(targets, outputs=1)
    assert said(found) == notes
    torch.manual_seed(0)
    module = nn.Linear(2, 1)
    x = np.random.default_rng(0).normal(size=(4, 2))
    seen = TorchNetwork(module).observe(
        Arrays.of(x, found.targets["test"], split="test"), split="test"
    )
    with torch.no_grad():
        outputs = module(torch.tensor(x, dtype=torch.float32))[:, 0]
    expected = nn.functional.binary_cross_entropy_with_logits(
        outputs, torch.tensor(BITS, dtype=torch.float32)
    )
    assert seen.mean_loss == pytest.approx(float(expected), rel=1e-6)


def test_signs_are_two_classes_of_two_outputs_as_well() -> None:
    assert one([-1, 1, 1], outputs=2).targets["test"].tolist() == [0, 1, 1]
    assert one([-1.0, 1.0], outputs=1, loss="mse_loss").targets["test"].tolist() == [-1, 1]


# --- words, and all splits together ---------------------------------------------------------------


def test_a_test_split_with_fewer_classes_is_numbered_as_the_training_data() -> None:
    found = understood(
        {"train": np.array(["b", "a", "c"]), "test": np.array([" c "])}, outputs=None
    )
    assert (found.targets["train"].tolist(), found.targets["test"].tolist()) == ([1, 0, 2], [2])
    assert found.names == ("a", "b", "c")
    numbers = understood({"train": np.array([5, 0, 2]), "test": np.array([5])}, outputs=3)
    assert (numbers.targets["train"].tolist(), numbers.targets["test"].tolist()) == ([2, 0, 1], [2])


@given(st.lists(st.text("abcXYZ猫犬 ", min_size=1, max_size=3).filter(str.strip), min_size=1))
def test_a_class_number_leads_back_to_its_name(words: list[str]) -> None:
    found = one(words, outputs=None)
    assert [found.names[k] for k in found.targets["test"]] == [word.strip() for word in words]
    assert list(found.names) == sorted(found.names)


def test_numbers_that_were_read_as_words_are_in_their_own_order() -> None:
    found = one(["10", "9", "2"], outputs=None)
    assert found.names == ("2", "9", "10")


def test_samples_without_a_word_are_left_out() -> None:
    samples: dict[Split, Samples] = {
        "test": Arrays.of(np.arange(3.0)[:, None], ["b", None, "a"], split="test")
    }
    found, notes = relabelled(samples, outputs=None)
    inputs, targets = next(found["test"].batches(9))
    assert (inputs[:, 0].tolist(), targets.tolist()) == ([0, 2], [1, 0])
    assert str(notes[0]) == "test: 1 sample without a label was left out"


def test_words_beside_numbers_are_refused() -> None:
    with pytest.raises(MismatchError) as caught:
        understood({"train": np.array(["a"]), "test": np.array([1])}, outputs=None)
    assert str(caught.value) == (
        "test: expected words as labels as in train, found values of type int64; "
        "give the same in all splits"
    )


def test_names_are_compared_with_the_outputs() -> None:
    samples: dict[Split, Samples] = {"test": Arrays.of(np.zeros((3, 2)), list("abc"), split="test")}
    named, _ = relabelled(samples, outputs=None)
    for outputs, said in ((1, "1 output"), (2, "2 outputs")):
        with pytest.raises(MismatchError) as caught:
            relabelled(named, outputs=outputs)
        assert str(caught.value) == (
            f"expected at most 2 classes, since the network has {said}, found 3: "
            "a, b, c; check the targets, or that data and model belong together"
        )
    again, notes = relabelled(named, outputs=5)
    (note,) = notes
    assert str(note) == (
        "The data have 3 classes and the network has 5 outputs: "
        "check that the classes are numbered as in the training"
    )
    assert isinstance(again["test"], Arrays)
    assert again["test"].class_names == ("a", "b", "c")
    assert relabelled(named, outputs=3)[1] == []


def test_beside_a_streamed_split_numbers_stay_as_they_are() -> None:
    pairs = torch.utils.data.TensorDataset(torch.zeros(3, 2), torch.tensor([10, 20, 30]))
    samples: dict[Split, Samples] = {
        "train": TorchSamples.of(pairs, split="train"),
        "test": Arrays.of(np.zeros((3, 2)), [10, 20, 30], split="test"),
    }
    found, notes = relabelled(samples, outputs=3)
    assert notes == []
    assert next(found["test"].batches(3))[1].tolist() == [10, 20, 30]
    assert found["train"] is samples["train"]


def test_the_network_is_asked_how_many_outputs_it_has() -> None:
    held: dict[Split, Samples] = {"test": Arrays.of(np.zeros((3, 2)), [0, 1, 2], split="test")}
    assert outputs_of(TorchNetwork(nn.Linear(2, 5)), held) == 5
    assert outputs_of(TorchNetwork(nn.Linear(4, 5)), held) is None
    assert outputs_of(TorchNetwork(nn.Linear(2, 5)), {}) is None


def test_a_class_that_the_data_lack_is_a_class_of_the_network() -> None:  # C085
    samples: dict[Split, Samples] = {"test": Arrays.of(np.zeros((3, 2)), [0, 1, 3], split="test")}
    found, notes = relabelled(samples, outputs=4)
    assert notes == []
    seen = Observations(TorchNetwork(nn.Linear(2, 4)), found)["test"]
    assert (seen.task.classes, seen.targets.tolist()) == (4, [0, 1, 3])


def test_words_that_nobody_has_turned_into_classes_are_told() -> None:
    samples = Arrays.of(np.zeros((2, 2)), ["cat", "dog"], split="test")
    with pytest.raises(MismatchError) as caught:
        TorchNetwork(nn.Linear(2, 2)).observe(samples, split="test")
    assert str(caught.value) == (
        "test: expected numbers, found values of type <U3; turn them into numbers first"
    )


def test_whole_numbers_of_an_embedding_are_taken_with_their_classes() -> None:  # C127
    samples: dict[Split, Samples] = {
        "test": Arrays.of(np.array([[1], [1], [2]]), np.array([0, 1, 1], np.int32), split="test")
    }
    found, _ = relabelled(samples, outputs=3)
    module = nn.Sequential(nn.Embedding(10, 3, sparse=True), nn.Flatten())
    seen = TorchNetwork(module).observe(found["test"], split="test")
    assert seen.samples == 3


@pytest.mark.parametrize("loss", [None, "cross_entropy"])
def test_probabilities_stay_as_they_are_beside_class_numbers_of_another_split(
    loss: str | None,
) -> None:
    soft = 0.7 * np.eye(3)[CLASSES] + 0.1
    found = understood({"train": soft, "test": CLASSES.astype(float)}, outputs=3, loss=loss)
    np.testing.assert_array_equal(found.targets["train"], soft)
    assert found.targets["test"].dtype == np.int64
    assert list(found.targets) == ["train", "test"]
    assert said(found) == [f"6 labels of type float64 {CAST}"]
