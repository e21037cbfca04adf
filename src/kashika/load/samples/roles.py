"""Names such as `X_train`, `val_labels`, `test_images` -> what they hold, and of which split."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal, TypeVar

from kashika.errors import LoadError, listed
from kashika.naming import SPLITS, Split, split_of
from kashika.texts import Sentence

Role = Literal["inputs", "targets"]
T = TypeVar("T")

_ROLES: dict[str, Role] = {
    **dict.fromkeys(
        ("x", "xs", "input", "inputs", "image", "images", "img", "imgs", "data", "feature",
         "features", "sample", "samples", "入力", "画像", "特徴量", "データ"), "inputs",
    ),
    **dict.fromkeys(
        ("y", "ys", "target", "targets", "label", "labels", "class", "classes", "output",
         "outputs", "出力", "目標", "正解", "ラベル"), "targets",
    ),
}  # fmt: skip
_SPLITS: dict[str, Split] = {
    **dict.fromkeys(("holdout", "heldout", "hold out", "held out", "t10k"), "test"),
    **dict.fromkeys(("testing", "テスト"), "test"),
    **dict.fromkeys(("training", "訓練", "学習"), "train"),
    **dict.fromkeys(("dev", "eval", "evaluation", "検証"), "valid"),
}  # fmt: skip
"""What data are called, and logs hardly."""

_GLUED = re.compile(r"(?:(x|y)([^\W\d_]{2,})|([^\W\d_]{2,})(x|y))")


def split_called(name: str) -> Split | None:
    """Return the split that people call so: also "holdout" and "t10k" are test data."""
    word = re.sub(r"[\W_]+", " ", name).strip().lower()
    return split_of(name) or split_of(word) or _SPLITS.get(word)


def role_of(name: str) -> tuple[Role, Split | None] | None:
    """Return what a name holds, and of which split; None if it names something else."""
    role: Role | None = None
    split: Split | None = None
    for word in _words(name):
        if (found := _ROLES.get(word)) is not None and role in (None, found):
            role = found
        elif (called := split_called(word)) is not None and split in (None, called):
            split = called
        else:
            return None
    return None if role is None else (role, split)


def _words(name: str) -> list[str]:
    """Return the words of a name: "xTrain", "X_train", "xtrain" and "trainX" have two."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    words = [word for word in re.split(r"[\W_]+", spaced.lower()) if word]
    if len(words) == 1 and words[0] not in _ROLES and split_called(words[0]) is None:
        glued = _GLUED.fullmatch(words[0])
        return [part for part in glued.groups() if part] if glued else words
    return words


def paired(
    values: Mapping[str, T], *, where: object, split: Split | None = None
) -> tuple[dict[Split, tuple[T, T]], list[Sentence]]:
    """Put inputs and targets together by their names.

    Parameters
    ----------
    values : {name: inputs or targets}
    where : what the names stand in, for messages
    split : of names without one, which are test data if it is None

    Raises
    ------
    LoadError
        If no inputs have their targets, or two names stand for the same.
    """
    found = _places(values, where=where)
    pairs: dict[Split | None, tuple[str, str]] = {
        one: (found["inputs", one], found["targets", one])
        for one in (*SPLITS, None)
        if ("inputs", one) in found and ("targets", one) in found
    }
    if not pairs:
        names = listed(values)
        raise LoadError("errors.dataset.no_pair", path=where, names=names or "{}")
    whole = pairs.pop(None, None)
    notes = []
    result = {one: (values[x], values[y]) for one, (x, y) in pairs.items() if one}
    if not result and whole is not None:
        x, y = whole
        result = {split or "test": (values[x], values[y])}
        if split is None:
            notes.append(Sentence("notes.dataset.no_split", path=where, inputs=x, targets=y))
    used = {name for pair in pairs.values() for name in pair} | set(() if pairs else whole or ())
    if unused := [name for name in values if name not in used]:
        notes.append(Sentence("notes.dataset.unused", path=where, names=listed(unused)))
    return result, notes


def _places(names: Iterable[str], *, where: object) -> dict[tuple[Role, Split | None], str]:
    """Return which name stands for which part, without those that stand for none."""
    found: dict[tuple[Role, Split | None], str] = {}
    for name in names:
        place = role_of(name)
        if place in found:
            first = found[place]
            raise LoadError("errors.dataset.twice", path=where, first=first, second=name)
        if place is not None:
            found[place] = name
    return found


def splits_called(names: Iterable[str], *, where: object) -> dict[str, Split]:
    """Return the split of each name.

    Raises
    ------
    LoadError
        If a name is that of no split, or two are of the same.
    """
    found: dict[str, Split] = {}
    called = {name: split_called(name) for name in names}
    if unknown := [name for name, split in called.items() if split is None]:
        raise LoadError("errors.dataset.splits", path=where, found=listed(unknown))
    for name, split in called.items():
        assert split is not None
        if split in found.values():
            first = next(one for one, other in found.items() if other == split)
            raise LoadError("errors.dataset.twice", path=where, first=first, second=name)
        found[name] = split
    return found
