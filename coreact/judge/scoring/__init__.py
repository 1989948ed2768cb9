"""From verdicts to numbers: pure arithmetic in code, never a model's own score or pass.

`judgement` is what a running agent uses: one rule, one pass. The others turn the same verdicts into
the score a benchmark or a trainer reports, through one interface: rubric and verdicts in, `Score` out,
always with its scale and with how much of the rubric it rests on.

Polarity is stored on the criterion, and `met` is good for both: on a `forbid` criterion it says that
the bad thing is absent. Published conventions for it differ, and so do their numbers on the same
verdicts:

| rule | a bad thing | divided by | scale |
| --- | --- | --- | --- |
| `weighted_mean` (RaR; also the reward-hacking study) | earns its weight when absent | all weights | [0, 1] |
| `healthbench`, `researchrubrics` | loses its weight when it happened | required weights | [-x, 1] |
| `points` (SedarEval) | loses its points when it happened | nothing, clipped at 0 | [0, points] |
| `halving` (ProImage-Bench) | is a failed check | groups | (0, 1] |
| `soft_min` (RVPO) | is a credit of 0 | all weights, in the exponent | [0, 1] |

`capped` puts a veto over any of them, `abstaining` and `binary` say what unknown and partial verdicts
do, `pairwise` compares two answers, and `training_label` decides apart from all that whether an item
may be learned from.
"""

from coreact.judge.scoring.hierarchy import halving
from coreact.judge.scoring.means import RAR_WEIGHTS, Category, categorical, implicit, weighted_mean
from coreact.judge.scoring.pairwise import Preference, Vote, pairwise
from coreact.judge.scoring.passing import judgement
from coreact.judge.scoring.policies import Abstention, PartialCredit, abstaining, binary, capped
from coreact.judge.scoring.rules import RULES, scoring_rule
from coreact.judge.scoring.score import Score, ScoringRule
from coreact.judge.scoring.signed import clipped_mean, healthbench, points, researchrubrics
from coreact.judge.scoring.softmin import soft_min, soft_minimum
from coreact.judge.scoring.training import TrainingPolicy, training_label

__all__ = [
    "RAR_WEIGHTS",
    "RULES",
    "Abstention",
    "Category",
    "PartialCredit",
    "Preference",
    "Score",
    "ScoringRule",
    "TrainingPolicy",
    "Vote",
    "abstaining",
    "binary",
    "capped",
    "categorical",
    "clipped_mean",
    "halving",
    "healthbench",
    "implicit",
    "judgement",
    "pairwise",
    "points",
    "researchrubrics",
    "scoring_rule",
    "soft_min",
    "soft_minimum",
    "training_label",
    "weighted_mean",
]
