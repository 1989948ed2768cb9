"""Who decides: running checks, asking a judge about the rest, and scoring the verdicts."""

from coreact.judge.records import Cost, Evidence, Fault, Judgement, Status, Verdict
from coreact.judge.runner import Checked, Judge, run_checks, undecided
from coreact.judge.scoring import judgement

__all__ = [
    "Checked",
    "Cost",
    "Evidence",
    "Fault",
    "Judge",
    "Judgement",
    "Status",
    "Verdict",
    "judgement",
    "run_checks",
    "undecided",
]
