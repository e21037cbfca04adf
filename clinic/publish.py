"""Writes docs/clinic.md and the error rates that kashika quotes: `python -m clinic.publish`.

Both come from the published half, checked beforehand by `python -m clinic run --half publish`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from clinic import peers, rates
from clinic.audit import without_effect
from clinic.caching import PROJECT, is_made
from clinic.conditions import conditions
from clinic.judging import judged
from clinic.table import markdown

PAGE = PROJECT / "docs" / "clinic.md"

CAUSES = """## By cause

A diagnosis is right if its cause is one that lies behind the fault; which these are was listed
beforehand, in `clinic/rates.py`."""

BLIND = """## What stays unseen

* Weights of another epoch that answer as well as the last ones, and inputs of another scale that
  the network takes in its stride: nothing that could be measured is worse.
* An embedding of a few hundred values that was never trained: PyTorch draws it from a normal
  distribution, which has no bound, and so few values look the same before and after.
* Wrong labels among a hundred samples: only two or three of them lie deep in a class.
* Weights that began ten times too large where the training coped with it.
* A network that is a little too small, or held back a little, for data on which a simple model
  makes about as many mistakes."""

PEERS = """## Beside other tools

How often a tool says anything at all, right or wrong. gradsnitch 0.1.0 and losslint 0.4.1 are
given the curves that kashika read, in the form that they expect; model-clinic 0.4.2 the bare
weights. Runs that have nothing for a tool to look at are not counted."""


def main(words: Sequence[str] | None = None) -> int:
    """Write the page and the rates."""
    parser = argparse.ArgumentParser(prog="clinic.publish", description=__doc__)
    parser.add_argument("--at", type=Path, default=PROJECT / ".clinic")
    parser.add_argument("--python", required=True, help="that has the other tools installed")
    given = parser.parse_args(words)
    chosen = [one for one in conditions() if one.half == "publish"]
    found = judged(chosen, at=given.at)
    idle = without_effect(chosen, at=given.at)
    counted = [one for one in found if one.condition not in idle]
    made = [one for one in chosen if is_made(one, at=given.at) and one not in idle]
    counts = peers.said(made, at=given.at, python=given.python)
    parts = [
        markdown(found, idle=idle, asked=len(chosen), half="publish").rstrip(),
        CAUSES,
        rates.causes(counted),
        BLIND,
        PEERS,
        peers.table(made, counts, at=given.at),
    ]
    PAGE.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    rates.FILE.write_text(rates.toml(counted), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
