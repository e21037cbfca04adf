"""Samples that `torch.save` wrote: tensors, arrays, and data sets made of tensors."""

from __future__ import annotations

import codecs
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Subset, TensorDataset

from kashika.errors import LoadError, one_line
from kashika.load.samples.content import Content, samples_of_content

_RECONSTRUCT = np.empty(0).__reduce__()[0]
_HARMLESS: list[Any] = [
    TensorDataset, Subset, range, np.ndarray, np.dtype,
    (_RECONSTRUCT, "numpy.core.multiarray._reconstruct"),
    (_RECONSTRUCT, "numpy._core.multiarray._reconstruct"),
    (codecs.encode, "_codecs.encode"),  # what the bytes of an array are written with
]  # fmt: skip


def samples_of_tensors(path: Path) -> Content:
    """Read what `torch.save` wrote, and run no code in it.

    Raises
    ------
    LoadError
        If it is damaged, asks for code to be run, or holds no samples.
    """
    types = [one for one in vars(np.dtypes).values() if isinstance(one, type)]
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            torch.serialization.safe_globals([*_HARMLESS, *types]),
        ):
            content = _plain(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch raises many types for damaged files
        found = one_line(error).split(". ")[0]
        raise LoadError("errors.dataset.torch", path=path, error=found) from error
    return samples_of_content(content, name=str(path))


def _plain(content: Any) -> Any:
    """Return the tensors of data sets, which a damaged file may have left incomplete."""
    match content:
        case TensorDataset():
            return tuple(content.tensors)
        case Subset():
            rows = [int(row) for row in content.indices]
            return tuple(tensor[rows] for tensor in _plain(content.dataset))
        case Mapping():
            return {key: _plain(value) for key, value in content.items()}
        case tuple() | list() if any(isinstance(one, TensorDataset | Subset) for one in content):
            return [_plain(one) for one in content]
        case _:
            return content
