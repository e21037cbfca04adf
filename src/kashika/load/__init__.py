"""What a training leaves behind -> Run."""

from kashika.load.rundir import Options, load

__all__ = ["Options", "load"]
