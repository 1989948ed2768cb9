"""Is the evidence enough? Answer, go on or decline, by a light critic fitted on the agent's own runs.

    practised = practise(prefixes(state), drafts, right, question="q1", run="r1")
    critic = fit(examples)  # measured on held-out questions
    threshold = choose(moments(critic, others), critic=critic.version, target_risk=0.1)
    Sufficiency(critic, threshold).decide(state, draft)  # Decision(kind=…, reasons=…)

Deliberately not here: writing the draft, searching for what is missing (`coreact.research.gaps`), and any
loop. Numbers of the trace say that evidence is *spoken of*; whether an answer is true is a judge's matter.
"""

from coreact.judge.sufficiency.asked import ModelCritic
from coreact.judge.sufficiency.critic import Critic, LogisticCritic, load_critic
from coreact.judge.sufficiency.deciding import Decision, Sufficiency
from coreact.judge.sufficiency.features import FEATURES, features
from coreact.judge.sufficiency.fitting import fit, parted
from coreact.judge.sufficiency.measuring import Estimate, Foretold, Quality, quality
from coreact.judge.sufficiency.practice import Example, Practised, pooled, practise, prefixes
from coreact.judge.sufficiency.signals import Signals, Weights, preferred, retrieves, signals, utility
from coreact.judge.sufficiency.stopping import (
    CoverageRisk,
    Moment,
    Point,
    Threshold,
    choose,
    coverage_risk,
    moments,
)

__all__ = [
    "FEATURES",
    "CoverageRisk",
    "Critic",
    "Decision",
    "Estimate",
    "Example",
    "Foretold",
    "LogisticCritic",
    "ModelCritic",
    "Moment",
    "Point",
    "Practised",
    "Quality",
    "Signals",
    "Sufficiency",
    "Threshold",
    "Weights",
    "choose",
    "coverage_risk",
    "features",
    "fit",
    "load_critic",
    "moments",
    "parted",
    "pooled",
    "practise",
    "preferred",
    "prefixes",
    "quality",
    "retrieves",
    "signals",
    "utility",
]
