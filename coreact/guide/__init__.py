"""The loop around each decision, and its adapters to LangChain and LangGraph."""

from coreact.guide.forking import Fork
from coreact.guide.loop import Decision, decide
from coreact.guide.middleware import CoReActMiddleware
from coreact.guide.nodes import arefuse_held, guide, refuse_held
from coreact.guide.redeciding import ReplayReport, redecide
from coreact.guide.replay import Replay
from coreact.guide.requests import (
    Announce,
    CallModel,
    Failed,
    JudgeCriteria,
    Judged,
    Proposal,
    RubricWritten,
    Together,
    WriteRubric,
)
from coreact.guide.settings import Fallback, GuideSettings, Limits, Policy
from coreact.guide.status import CoReActState, HeldCall, StepStatus
from coreact.guide.tools import ToolCalls
from coreact.host.messages import StateReader, actions_of, contract
from coreact.host.state import STATUS_KEY

__all__ = [
    "STATUS_KEY",
    "Announce",
    "CallModel",
    "CoReActMiddleware",
    "CoReActState",
    "Decision",
    "Failed",
    "Fallback",
    "Fork",
    "GuideSettings",
    "HeldCall",
    "JudgeCriteria",
    "Judged",
    "Limits",
    "Policy",
    "Proposal",
    "Replay",
    "ReplayReport",
    "RubricWritten",
    "StateReader",
    "StepStatus",
    "Together",
    "ToolCalls",
    "WriteRubric",
    "actions_of",
    "arefuse_held",
    "contract",
    "decide",
    "guide",
    "redecide",
    "refuse_held",
]
