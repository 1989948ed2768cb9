"""Several judges: voting panels, consensus of rankings, the best of several analyses, cascades."""

from coreact.judge.panel.agreement import (
    Agreement,
    cohen_kappa,
    kendall_w,
    krippendorff_alpha,
    mean_spearman,
    spearman,
)
from coreact.judge.panel.analyses import Analysis, BestAnalysis, Choice, Compare, Selection, choose
from coreact.judge.panel.cascade import JudgeCascade, OperatingPoint, Stage, cheapest, replay
from coreact.judge.panel.consensus import Consensus, aconsensus, consensus
from coreact.judge.panel.family import Kinship, SharedFamilyWarning, check_families, family, model_names
from coreact.judge.panel.groundedness import Sources, groundedness
from coreact.judge.panel.listwise import ListwiseRanker, Ranker, Ranking
from coreact.judge.panel.members import Failed
from coreact.judge.panel.panel import JudgePanel, Poll
from coreact.judge.panel.ranking import Ranks, average_ranks, borda, kemeny, ranks_of_groups
from coreact.judge.panel.voting import Ballot, Vote, tally

__all__ = [
    "Agreement",
    "Analysis",
    "Ballot",
    "BestAnalysis",
    "Choice",
    "Compare",
    "Consensus",
    "Failed",
    "JudgeCascade",
    "JudgePanel",
    "Kinship",
    "ListwiseRanker",
    "OperatingPoint",
    "Poll",
    "Ranker",
    "Ranking",
    "Ranks",
    "Selection",
    "SharedFamilyWarning",
    "Sources",
    "Stage",
    "Vote",
    "aconsensus",
    "average_ranks",
    "borda",
    "cheapest",
    "check_families",
    "choose",
    "cohen_kappa",
    "consensus",
    "family",
    "groundedness",
    "kemeny",
    "kendall_w",
    "krippendorff_alpha",
    "mean_spearman",
    "model_names",
    "ranks_of_groups",
    "replay",
    "spearman",
    "tally",
]
