"""Watching a training run: is what rises what was meant to rise?

The parts that need a trainer or numpy are imported by their own names: `coreact.train.monitor.callback` feeds
a monitor from TRL, `coreact.train.monitor.toy` is a policy in numpy to try rewards and rules on.
"""

from coreact.train.monitor.audit import (
    Audit,
    Credit,
    Disagreement,
    Exploitation,
    Scored,
    audit,
    credits_of,
    exploitation,
)
from coreact.train.monitor.exploits import Exploit, ExploitTag, exploit_shares, exploits
from coreact.train.monitor.figures import FigureName, Figures, History
from coreact.train.monitor.internalisation import Internalisation, internalisation_gap
from coreact.train.monitor.rules import DEFAULT_RULES, Alarm, Bound, Divergence, Patience, Rule
from coreact.train.monitor.verifier_errors import ErringJudge, VerifierError
from coreact.train.monitor.watching import Monitor, MonitorSummary

__all__ = [
    "DEFAULT_RULES",
    "Alarm",
    "Audit",
    "Bound",
    "Credit",
    "Disagreement",
    "Divergence",
    "ErringJudge",
    "Exploit",
    "ExploitTag",
    "Exploitation",
    "FigureName",
    "Figures",
    "History",
    "Internalisation",
    "Monitor",
    "MonitorSummary",
    "Patience",
    "Rule",
    "Scored",
    "VerifierError",
    "audit",
    "credits_of",
    "exploit_shares",
    "exploitation",
    "exploits",
    "internalisation_gap",
]
