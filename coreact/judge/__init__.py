"""Who decides: running checks, asking a judge about the rest, and scoring the verdicts."""

from coreact.judge.records import Cause, Cost, Evidence, Fault, Judgement, Status, Verdict
from coreact.judge.runner import Bench, Checked, Judge, Ruling, run_checks, undecided
from coreact.judge.scoring import judgement

__all__ = [
    "Bench",
    "Cause",
    "Checked",
    "Cost",
    "Evidence",
    "Fault",
    "Judge",
    "Judgement",
    "Ruling",
    "Status",
    "Verdict",
    "judgement",
    "run_checks",
    "undecided",
]
