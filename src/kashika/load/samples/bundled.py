"""The data sets that scikit-learn brings with it."""

from __future__ import annotations

from kashika.load.samples.content import Content
from kashika.run import Arrays
from kashika.texts import Sentence

NAMES = ("iris", "digits", "wine", "breast_cancer", "diabetes", "linnerud")


def bundled_name(word: str) -> str | None:
    """Return the name of a bundled set in "iris", "sklearn:iris" or "load_iris"; None if none."""
    name = word.strip().lower().removeprefix("sklearn:").removeprefix("sklearn.datasets:")
    name = name.removesuffix("()").removeprefix("load_").replace("-", "_").replace(" ", "_")
    return name if name in NAMES else None


def samples_of_bundled(name: str) -> Content:
    """Load a bundled set; no split of it is known, so all of it is test data."""
    from sklearn import datasets

    content = getattr(datasets, f"load_{name}")()
    samples = Arrays.of(content.data, content.target, split="test")
    # The names of a regression are those of its columns.
    classes = content.target.ndim == 1 and content.target.dtype.kind in "iu"
    names = tuple(map(str, content.get("target_names", ()))) if classes else ()
    note = Sentence("notes.dataset.bundled", name=name, count=len(samples))
    columns = tuple(map(str, content.get("feature_names", ())))
    return {"test": Arrays(samples.inputs, samples.targets, names, columns)}, [note]
