"""Runs arms on the tasks of a suite and keeps what came of it, for resuming, reports and replay.

Every arm has the same tasks, seeds, tools and number of tool calls; each episode is an agent of its own. What
the episodes say about the arms is not decided here: see `coreact.bench.report`.
"""

from __future__ import annotations

from coreact.bench.experiment.drawing import draw
from coreact.bench.experiment.journal import Notebook, read_notebook
from coreact.bench.experiment.prices import Price, Prices, read_prices
from coreact.bench.experiment.records import COSTS, Manifest, Outcome, Session
from coreact.bench.experiment.replay import replay
from coreact.bench.experiment.running import Ended, Experiment, run_experiment
from coreact.bench.experiment.session import this_session

__all__ = [
    "COSTS",
    "Ended",
    "Experiment",
    "Manifest",
    "Notebook",
    "Outcome",
    "Price",
    "Prices",
    "Session",
    "draw",
    "read_notebook",
    "read_prices",
    "replay",
    "run_experiment",
    "this_session",
]
