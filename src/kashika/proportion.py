"""A share of a finite number of samples is known only within an interval."""


def interval(successes: int, trials: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Return the Clopper-Pearson interval of a share; 100 of 100 gives 0.964 to 1.

    Raises
    ------
    ValueError
        If there are no trials, or more successes than trials.

    References
    ----------
    Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the
    binomial", Biometrika 26, 1934.
    """
    from scipy.special import betaincinv

    if not 0 <= successes <= trials or not trials:
        raise ValueError(f"expected 0 <= successes <= trials > 0, found {successes} of {trials}")
    tail = (1 - confidence) / 2
    failures = trials - successes
    low = betaincinv(successes, failures + 1, tail) if successes else 0.0
    high = betaincinv(successes + 1, failures, 1 - tail) if failures else 1.0
    return float(low), float(high)
