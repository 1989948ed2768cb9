"""The methods to compare with, as drop-ins: runnables that wrap an agent and keep its messages.

Each runs without any rubric, and with guidance inside of its agent (`CoReActMiddleware`) its own decision
rule stays what it is. ReAct is not here: it is the agent itself. Our own loop over answers is
`coreact.refine.verify_and_refine`, and no baseline.
"""

from coreact.refine.baselines.acceptance import Acceptance, Judged, acceptance
from coreact.refine.baselines.best_of import BestOfN
from coreact.refine.baselines.critic import Critic
from coreact.refine.baselines.plain_rag import PlainRAG
from coreact.refine.baselines.record import RECORD_KEY, BaselineRecord, BaselineRemark, Tried
from coreact.refine.baselines.reflexion import Reflexion
from coreact.refine.baselines.runnable import Baseline
from coreact.refine.baselines.runs import Agent, AgentBuilder
from coreact.refine.baselines.scored import RubricScorer
from coreact.refine.baselines.self_refine import SelfRefine
from coreact.refine.baselines.step_back import StepBack
from coreact.refine.baselines.tree_search import TreeSearch
from coreact.refine.baselines.vote import SelfConsistency

__all__ = [
    "RECORD_KEY",
    "Acceptance",
    "Agent",
    "AgentBuilder",
    "Baseline",
    "BaselineRecord",
    "BaselineRemark",
    "BestOfN",
    "Critic",
    "Judged",
    "PlainRAG",
    "Reflexion",
    "RubricScorer",
    "SelfConsistency",
    "SelfRefine",
    "StepBack",
    "TreeSearch",
    "Tried",
    "acceptance",
]
