"""kashika shows what a PyTorch network learned, and what is wrong with its training."""

from kashika.diagnosis import Diagnosis
from kashika.distribution import Distribution
from kashika.errors import KashikaError, LoadError, MismatchError, Missing
from kashika.history import History, Series
from kashika.notebook import analyze, boundary, curves, features, gradients, predictions, weights
from kashika.observation import Observation
from kashika.report import Report
from kashika.run import Arrays, Checkpoint, Network, Run, Samples
from kashika.texts import speaking
from kashika.view import Evidence, Finding, Level, Picture, Section, Setting, Table, View

__all__ = [
    "Arrays",
    "Checkpoint",
    "Diagnosis",
    "Distribution",
    "Evidence",
    "Finding",
    "History",
    "KashikaError",
    "Level",
    "LoadError",
    "MismatchError",
    "Missing",
    "Network",
    "Observation",
    "Picture",
    "Report",
    "Run",
    "Samples",
    "Section",
    "Series",
    "Setting",
    "Table",
    "View",
    "analyze",
    "boundary",
    "curves",
    "features",
    "gradients",
    "predictions",
    "speaking",
    "weights",
]
