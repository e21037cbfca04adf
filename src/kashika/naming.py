"""The names of what was logged, as people write them -> one name for each thing."""

from __future__ import annotations

from typing import Literal

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")

_ALIASES: dict[str, Split] = {
    "train": "train", "valid": "valid", "val": "valid", "validation": "valid", "test": "test",
}  # fmt: skip


def split_of(name: str) -> Split | None:
    """Return the split that a name stands for: "val" is valid; None if it is no split."""
    return _ALIASES.get(name.lower())


def series_name(name: str) -> str | None:
    """Return "{split}_{metric}" for a name such as "val_accuracy"; None if it is none of a log."""
    word, _, metric = name.lower().partition("_")
    split = split_of(word)
    return f"{split}_{'acc' if metric == 'accuracy' else metric}" if split and metric else None
