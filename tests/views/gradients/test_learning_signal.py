"""What the gradients of samples have in common: closed forms, and draws with known moments."""

from __future__ import annotations

import numpy as np
import pytest

from kashika.distribution import Distribution, FloatArray
from kashika.views.gradients.learning_signal import LayerSignal, Pulls, signals_of


def signals(gradients: dict[str, FloatArray]) -> tuple[LayerSignal, ...]:
    """Look at {layer: (samples, entries) the gradients themselves}."""
    norms = {name: Distribution.of(np.linalg.norm(g, axis=1)) for name, g in gradients.items()}
    means = {f"{name}.weight": Distribution.of(g.mean(axis=0)) for name, g in gradients.items()}
    return signals_of(norms, means)


def test_samples_that_agree_are_all_signal() -> None:
    alike = np.tile([3.0, 4.0], (10, 1))
    one, both = signals({"line": alike})
    assert (one.layer, both.layer) == ("line", "")
    assert one.typical == pytest.approx(5.0)
    assert one.signal == pytest.approx(5.0)
    assert one.noise == pytest.approx(0.0, abs=1e-6)


def test_samples_that_cancel_are_all_noise() -> None:
    apart = np.array([[1.0, 0.0], [-1.0, 0.0]] * 20)
    one, _ = signals({"line": apart})
    assert one.signal == 0.0
    assert one.noise == pytest.approx(np.sqrt(40 / 39))
    assert np.isnan(one.critical_batch)


def test_signal_and_noise_are_those_that_the_gradients_were_drawn_with() -> None:
    drawn = np.random.default_rng(0).normal(0.3, 2.0, (4_000, 50))
    one, _ = signals({"line": drawn})
    assert one.signal == pytest.approx(0.3 * np.sqrt(50), rel=0.05)
    assert one.noise == pytest.approx(2.0 * np.sqrt(50), rel=0.01)
    assert one.ratio == pytest.approx(0.15, rel=0.05)
    assert one.critical_batch == pytest.approx(1 / 0.15**2, rel=0.1)


def test_layers_together_are_the_layers_side_by_side() -> None:
    generator = np.random.default_rng(1)
    left, right = generator.normal(1, 1, (300, 4)), generator.normal(0, 2, (300, 6))
    *_, both = signals({"a": left, "b": right})
    (whole, _) = signals({"ab": np.hstack([left, right])})
    assert both.signal == pytest.approx(whole.signal)
    assert both.noise == pytest.approx(whole.noise)


def test_nothing_is_said_of_a_single_sample() -> None:
    one, _ = signals({"line": np.ones((1, 2))})
    assert np.isnan(one.noise)
    assert signals_of({}, {}) == ()


def pulls(*norms: float) -> Pulls:
    values = np.array(norms)
    order = np.argsort(-values)[:2]
    return Pulls(values, order, values[order], values[order])


def test_shares_are_of_the_sum_of_all_norms() -> None:
    one = pulls(1.0, 6.0, 3.0)
    np.testing.assert_allclose(one.shares, [0.6, 0.3])
    assert one.share_of(1) == pytest.approx(0.6)
    assert one.share_of(3) == pytest.approx(1.0)
    assert np.isnan(pulls(0.0, 0.0).share_of(1))
    assert np.isnan(pulls(np.inf, 1.0).share_of(1))


def test_ranks_begin_at_one_with_the_greatest() -> None:
    ranks, norms = pulls(1.0, 6.0, 0.0, 3.0, np.nan).ranked
    assert ranks.tolist() == [1, 2, 3]
    assert norms.tolist() == [6.0, 3.0, 1.0]
