"""What starts fast: packages that take long to import are left alone until they are needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SLOW = {"torch", "matplotlib", "sklearn", "scipy", "pandas", "openTSNE", "jinja2"}


def run(*arguments: str) -> tuple[subprocess.CompletedProcess[str], set[str]]:
    """Run Python in a process of its own; return it, and the top-level packages it imported."""
    # importtime and not sys.modules: it also sees what is imported and dropped again.
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments],
        capture_output=True, text=True, check=False, env={**os.environ, "KASHIKA_LANG": "en"},
    )  # fmt: skip
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return done, {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


def test_importing_kashika_imports_nothing_slow() -> None:
    done, imported = run("-c", "import kashika")
    assert done.returncode == 0
    assert "kashika" in imported
    assert imported & SLOW == set()


def test_asking_for_help_imports_nothing_slow() -> None:
    done, imported = run("-m", "kashika", "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: ")
    assert imported & SLOW == set()


def test_checking_logs_alone_imports_no_torch(tmp_path: Path) -> None:
    for split, first in (("train", 0.7), ("valid", 0.8)):
        losses = (f"{first * 0.9**epoch:.18e}\n" for epoch in range(50))
        (tmp_path / f"{split}_loss.txt").write_text("".join(losses), encoding="utf-8")
    done, imported = run("-m", "kashika", "check", str(tmp_path))
    assert done.returncode == 0
    assert tmp_path.name in done.stdout
    assert imported & {"torch", "matplotlib"} == set()


@pytest.mark.slow
@pytest.mark.parametrize("package", sorted(SLOW))
def test_a_slow_import_would_be_seen(package: str) -> None:
    _, imported = run("-c", f"def later():\n    import {package}\nimport kashika\nlater()")
    assert package in imported
