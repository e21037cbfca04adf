"""Trains a condition and leaves its run."""

from __future__ import annotations

import json
import shutil
import time
import warnings
from dataclasses import asdict
from pathlib import Path

import torch

from clinic.caching import directory, key
from clinic.conditions import Condition
from clinic.data import given, splits
from clinic.health import health
from clinic.leaving import leave
from clinic.training import fit


def make(condition: Condition, *, at: Path) -> float:
    """Train, write the run, and return the seconds that took."""
    began = time.perf_counter()
    torch.set_num_threads(1)
    place = directory(condition, at=at)
    shutil.rmtree(place, ignore_errors=True)
    recipe, seed = condition.recipe, condition.seed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of scikit-learn, and of overflows that are the fault
        samples = splits(recipe.data, seed=seed)
        trained = fit(recipe, samples, seed=seed)
        leave(recipe, trained, given(recipe.data, seed=seed), place)
        said = health(recipe, trained, samples, compared=condition.healthy)
    seconds = time.perf_counter() - began
    known = {
        "condition": condition.name, "seconds": seconds, "recipe": asdict(recipe),
        "health": asdict(said),
    }  # fmt: skip
    (place / ".clinic.json").write_text(json.dumps(known, indent=1), encoding="utf-8")
    (place / ".key").write_text(key(condition), encoding="utf-8")
    return seconds
