"""How the features are listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kashika.texts import text
from kashika.view import Row

if TYPE_CHECKING:
    from kashika.views.features import Features


_EMBEDDED = {"pca": "features.embedded_pca", "tsne": "features.embedded_tsne"}


def layers(features: Features) -> list[Row]:
    """Return one row for each layer."""
    return [
        {
            "layer": one.layer or text("words.outputs"),
            "kind": one.kind,
            "units": one.units,
            "positions": str(one.pooled or ""),
            "silhouette": _or_none(one.silhouette),
            "purity": _or_none(one.purity),
            "effective_rank": _or_none(one.effective_rank),
            "dead": one.dead,
        }
        for one in features.separations
    ]


def projections(features: Features) -> list[Row]:
    """Return one row for each projection: how it was made and how faithful it is."""
    alone = [(one, features.split, f"words.{one.method}") for one in features.projections]
    together = [
        row
        for one in features.embeddings
        if one.test.method != "plain"
        for row in (
            (one.train, "train", f"words.{one.train.method}"),
            (one.test, features.split, _EMBEDDED[one.test.method]),
        )
    ]
    return [
        {
            "layer": one.layer or text("words.outputs"),
            "split": text(f"labels.{split}"),
            "method": text(method),
            "rows": len(one.targets),
            "dropped": one.dropped,
            "trustworthiness": _or_none(one.trustworthiness),
            "explained": _or_none(one.explained),
            "perplexity": _or_none(one.perplexity),
            "remark": str(one.refused or ""),
        }
        for one, split, method in [*alone, *together]
    ]


def _or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None
