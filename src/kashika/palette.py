"""Which colour, line and marker stand for what, everywhere.

Okabe and Ito's colours, which readers with any colour vision can tell apart. Lines use only those
with a contrast of 3:1 on white and on near-black (WCAG 1.4.11).
"""

SPLIT_COLOUR = {"train": "#0072B2", "valid": "#D55E00", "test": "#009E73"}
SPLIT_LINE = {"train": "-", "valid": "--", "test": ":"}
SPLIT_MARKER = {"train": "o", "valid": "s", "test": "^"}

_CLASS_COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9",
    "#E69F00", "#8C6BB1", "#A6761D", "#666666", "#B8A800",
)  # fmt: skip
_CLASS_MARKERS = "osD^vPX*<>"

INK = "#222324"
"""Text and lines on the ground of the page; the page puts its own colour in its place."""

RINGS = 100
"""Up to so many misclassified samples are ringed; more rings would hide the points."""

_WIDE_RINGS = 20

BLACK = "#0b0b0b"
"""Text and lines on a picture's own light ground; it stays as it is."""

VALUES = "#0072B2"
REFERENCE = "#D55E00"
"""What values are compared with: an initial distribution, a limit, a perfect calibration."""


def class_colour(index: int) -> str:
    """Return the colour of a class; with the marker it is unique for the first hundred classes."""
    return _CLASS_COLOURS[index % len(_CLASS_COLOURS)]


def ring_size(count: int) -> tuple[float, float]:
    """Return diameter and width of so many rings, in points: many wide ones hide the samples."""
    return (9.0, 1.3) if count <= _WIDE_RINGS else (6.0, 0.9)


def class_marker(index: int) -> str:
    """Return the marker of a class."""
    return _CLASS_MARKERS[(index + index // len(_CLASS_COLOURS)) % len(_CLASS_MARKERS)]


ALARM = "#d03b3b"
"""The place of a finding: 4:1 on white and on the page's dark ground."""
