"""Finished trainings, healthy and with one known fault each, to measure how far a diagnosis goes.

Not shipped with kashika. `python -m clinic make` trains, `run` checks, `table` counts.
"""
