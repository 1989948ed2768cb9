"""Fitting: a recipe and branching points become a rubric generator.

TRL's trainers do the learning. What is here makes them exact to resume, stops them with typed errors, and
writes down what a run was made from. torch and TRL are imported when a run starts.
"""

from __future__ import annotations

from coreact.train.fitting.progress import METRICS, Progress, Report
from coreact.train.fitting.record import RunRecord, read_run
from coreact.train.fitting.run import Fitted, fit

__all__ = ["METRICS", "Fitted", "Progress", "Report", "RunRecord", "fit", "read_run"]
