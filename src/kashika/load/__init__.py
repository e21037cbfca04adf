"""What a training leaves behind -> Run."""

from kashika.load.options import Options
from kashika.load.rundir import load

__all__ = ["Options", "load"]
