"""`python -m kashika` is `kashika`."""

from kashika.cli import run

run()
