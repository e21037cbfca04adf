"""How the answers are listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kashika.naming import Split
from kashika.proportion import interval
from kashika.texts import text
from kashika.view import Cell, Row

if TYPE_CHECKING:
    from kashika.views.predictions import Predictions
    from kashika.views.predictions.answers import Score


def scores(predictions: Predictions) -> list[Row]:
    """Return one row for each split: counts with their interval, and the log's last values."""
    every = predictions.scores.values()
    several = any(score.answers != score.samples for score in every)
    broken = any(score.unanswered for score in every)
    rows = predictions.scores.items()
    return [_score_row(*row, several=several, broken=broken) for row in rows]


def worst_samples(predictions: Predictions) -> list[Row]:
    """Return one row for each of the answers with the greatest loss."""
    worst = predictions.worst
    rows: list[Row] = []
    for k, index in enumerate(worst.index):
        row: dict[str, Cell] = {"index": int(index)}
        if worst.place.size:
            row["position"] = int(worst.place[k])
        if predictions.classified is None:
            row |= {"true": float(worst.true[k]), "predicted": float(worst.predicted[k])}
        else:
            row |= {
                "true_class": int(worst.true[k]),
                "predicted_class": int(worst.predicted[k]),
                "probability": float(worst.probability[k]),
            }
        rows.append(row | {"loss": float(worst.loss[k])})
    return rows


def suspicious_labels(predictions: Predictions) -> list[Row]:
    """Return one row for each training sample whose label the samples around it contradict."""
    found = predictions.suspects
    if found is None:
        return []
    return [
        {
            "index": int(index),
            "true_class": int(label),
            "around_class": int(voted),
            "same_around": float(share),
        }
        for index, label, voted, share in zip(
            found.index, found.label, found.voted, found.share, strict=True
        )
    ]


def copied_samples(predictions: Predictions) -> list[Row]:
    """Return one row for each of some samples that stand in two splits."""
    return [
        {
            "split": _word(one.split),
            "index": int(index),
            "other_split": _word(one.of),
            "other_index": int(original),
        }
        for one in predictions.copies
        for index, original in zip(one.index, one.original, strict=True)
    ]


def by_label(predictions: Predictions) -> list[Row]:
    """Return one row for each label: how often it applies, and how well it is found."""
    return [
        {
            "label": k,
            "applies": int(right + missed),
            "precision": _share(right, right + wrong),
            "recall": _share(right, right + missed),
        }
        for k, (right, wrong, missed, _) in enumerate(predictions.labels)
    ]


def _word(split: Split) -> str:
    return text(f"labels.{split}")


def _share(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None


def _score_row(split: Split, score: Score, *, several: bool, broken: bool) -> Row:
    row: dict[str, Cell] = {"split": _word(split), "samples": score.samples}
    if several:
        row["answers"] = score.answers
    if score.correct is None:
        row["rmse"] = score.rmse
    else:
        low, high = interval(score.correct, score.answers)
        row["correct"] = score.correct
        row["accuracy"] = score.correct / score.answers if score.answers else None
        row["interval"] = f"{low:.1%} – {high:.1%}"
        row["logged_accuracy"] = score.logged_accuracy
    row |= {"loss": score.loss, "logged_loss": score.logged_loss}
    return row | ({"unanswered": score.unanswered} if broken else {})
