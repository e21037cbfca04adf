"""The names of what was logged, as people write them -> one name for each thing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal
from unicodedata import normalize

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")

_SPLIT: dict[str, Split] = {
    "train": "train", "training": "train", "tr": "train", "trn": "train", "学習": "train",
    "訓練": "train",
    "valid": "valid", "val": "valid", "validation": "valid", "validate": "valid", "dev": "valid",
    "eval": "valid", "evaluation": "valid", "検証": "valid", "評価": "valid",
    "test": "test", "testing": "test", "tst": "test", "テスト": "test", "試験": "test",
}  # fmt: skip

_METRIC = {
    "losses": "loss", "損失": "loss", "avg_loss": "loss", "average_loss": "loss",
    "mean_loss": "loss", "running_loss": "loss", "ロス": "loss",
    "accuracy": "acc", "accuracies": "acc", "accs": "acc", "acc@1": "acc", "acc1": "acc",
    "top1": "acc", "top_1": "acc", "acc_1": "acc", "top1_acc": "acc", "acc_top1": "acc",
    "avg_acc": "acc", "avg_accuracy": "acc", "average_accuracy": "acc", "mean_accuracy": "acc",
    "set_loss": "loss", "set_accuracy": "acc", "set_acc": "acc",
    "categorical_accuracy": "acc", "sparse_categorical_accuracy": "acc", "binary_accuracy": "acc",
    "multiclassaccuracy": "acc", "binaryaccuracy": "acc", "multiclass_accuracy": "acc",
    "正解率": "acc", "精度": "acc", "正答率": "acc", "正確度": "acc",
    "learning_rate": "lr", "learningrate": "lr", "学習率": "lr", "lrs": "lr",
    "誤差": "error", "エラー率": "error", "適合率": "precision", "再現率": "recall", "f値": "f1",
    "f1_score": "f1", "f1score": "f1",
}  # fmt: skip
"""What is left of a name without its split, where it has a standard name."""

_WORDS = {
    "loss", "losses", "acc", "accs", "accuracy", "accuracies", "err", "error", "errors", "lr",
    "f1", "fbeta", "auc", "auroc", "auprc", "iou", "miou", "map", "mae", "mse", "rmse", "r2",
    "precision", "recall", "perplexity", "ppl", "bleu", "rouge", "wer", "cer", "psnr", "ssim",
    "dice", "fid", "nll", "bce", "ce", "kl", "kld", "elbo", "reward", "return", "top1", "top5",
    "norm", "gnorm", "cost", "objective", "energy", "kappa", "mcc", "spearman", "pearson", "eer",
    "logloss", "mlogloss", "entropy", "ndcg", "mape",
    "損失", "ロス", "正解率", "精度", "正答率", "誤差", "学習率", "適合率", "再現率", "f値",
}  # fmt: skip
"""Words that logs of trainings use, and tables of data hardly do."""

_GLUED = re.compile(
    r"(train|valid|val|test|tr|dev)(loss|acc|accuracy|error|err|f1|auc|iou|mse|mae)s?"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z][a-z0-9])")
_JAPANESE = re.compile(
    "|".join(sorted((w for w in {*_SPLIT, *_METRIC} if not w.isascii()), key=len, reverse=True))
)
_PERCENT = re.compile(r"\s*[\[(]\s*%\s*[\])]$")  # "Train Acc (%)"
_COPY = re.compile(r"\s*\(\d+\)$")  # "test_loss (1)", as browsers call a second download


def split_of(name: str) -> Split | None:
    """Return the split that a name stands for: "val" is valid; None if it is no split."""
    return _SPLIT.get(normalize("NFKC", name).strip().lower())


def series_name(
    name: str,
    *,
    context: Sequence[str] = (),
    rename: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Return "{split}_{metric}" for the name of a series in a log.

    Parameters
    ----------
    name : as it is written
    context : what the series stands in, the nearest first: it says the split or the metric where
        the name does not; a series without any split is one of the training
    rename : {name as written: name that it should have}
    """
    name = rename.get(name, name)
    split, metric = _parts(name)
    around = [_parts(one) for one in context]
    split = split or next((one for one, _ in around if one), None) or "train"
    if not metric:  # a column of numbers is called after its file
        metric = around[0][1] if not name and around else ""
        words = (word for _, one in around for word in one.split("_") if word in _WORDS)
        metric = metric or _METRIC.get(found := next(words, "value"), found)
    return f"{split}_{metric}"


def standard_name(name: str) -> str | None:
    """Return "{split}_{metric}" for a name that says both; None if it lacks one."""
    split, metric = _parts(name)
    return f"{split}_{metric}" if split and metric else None


def names_only_split(name: str) -> bool:
    """Tell whether a name is made of a split, and maybe a metric: "validation", "Loss_train"."""
    words = _words(name)
    return any(word in _SPLIT for word in words) and all(
        word in _SPLIT or word in _WORDS for word in words
    )


def ends_in_split(name: str) -> bool:
    """Tell whether the last word of a name is a split: "Both_train"."""
    words = _words(name)
    return len(words) > 1 and words[-1] in _SPLIT


def names_series(name: str) -> bool:
    """Tell whether a name is a split and a metric, and nothing else: "train_loss", "valAcc"."""
    words = _words(name)
    return names_only_split(name) and any(word in _WORDS for word in words)


def is_metric(name: str) -> bool:
    """Tell whether a name has a word in it that logs of trainings use."""
    plain = (re.sub(r"[\W\d].*$", "", word) for word in _words(name))
    return any(word in _WORDS for word in (*plain, *_words(name)))


def _parts(name: str) -> tuple[Split | None, str]:
    """Return the split in a name, and the metric: what is left of it."""
    words = _words(name)
    if words[:1] == ["metrics"] and len(words) > 1:  # Ultralytics: computed on the validation data
        words[0] = "valid"
    place = next((i for i, word in enumerate(words) if word in _SPLIT), None)
    split = None if place is None else _SPLIT[words[place]]
    rest = [word for i, word in enumerate(words) if i != place]
    if len(rest) > 1 and rest[0] in ("epoch", "x"):  # Keras' and Ultralytics' own
        rest = rest[1:]
    joined = "_".join(rest)
    return split, _METRIC.get(joined, joined)


def _words(name: str) -> list[str]:
    """Split a name at its separators, at capital letters, and around Japanese words."""
    plain = _COPY.sub("", _PERCENT.sub("", normalize("NFKC", name).strip()))
    spaced = _JAPANESE.sub(lambda found: f" {found[0]} ", _CAMEL.sub(" ", plain)).lower()
    spaced = re.sub("データ|の", " ", spaced)  # 学習データの損失
    words = [word.strip(".") for word in re.split(r"[\s_/\\|,\-]+|\.(?!\d)", spaced)]
    parts = [_GLUED.fullmatch(word) for word in words]
    return [
        piece
        for word, part in zip(words, parts, strict=True)
        for piece in (part.groups() if part else (word,))
        if piece
    ]
