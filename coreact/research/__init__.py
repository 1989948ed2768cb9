"""Parts of a research agent: plan, citations, evidence graph, stages, share of tool calls, checkpoints."""

from coreact.research import nodes, outcome, prompts
from coreact.research.checkpoints import aopen_checkpointer, open_checkpointer
from coreact.research.citing import Document, Resolved, documents, numbered, resolve
from coreact.research.evidence import EvidenceEdge, EvidenceGraph, EvidenceNode, evidence_graph
from coreact.research.gaps import Fixed, Gap, GapDriven, Gathered, QueryWriter
from coreact.research.plan import (
    Plan,
    PlanChange,
    PlanDraft,
    PlanRemark,
    PlanReplyError,
    ReviewDraft,
    SubQuestion,
    fallback_plan,
    read_plan,
    read_review,
)
from coreact.research.reports import JUDGED_REPORT_RUBRIC, REPORT_RUBRIC, Issue, issue_counts, issues
from coreact.research.rerank import ModelScorer, Ranked, Reranked
from coreact.research.revising import report_reviser
from coreact.research.spending import CallBudget, ShareState, cost_of
from coreact.research.stages import research_generator, staged_prompt, told_stage

__all__ = [
    "JUDGED_REPORT_RUBRIC",
    "REPORT_RUBRIC",
    "CallBudget",
    "Document",
    "EvidenceEdge",
    "EvidenceGraph",
    "EvidenceNode",
    "Fixed",
    "Gap",
    "GapDriven",
    "Gathered",
    "Issue",
    "ModelScorer",
    "Plan",
    "PlanChange",
    "PlanDraft",
    "PlanRemark",
    "PlanReplyError",
    "QueryWriter",
    "Ranked",
    "Reranked",
    "Resolved",
    "ReviewDraft",
    "ShareState",
    "SubQuestion",
    "aopen_checkpointer",
    "cost_of",
    "documents",
    "evidence_graph",
    "fallback_plan",
    "issue_counts",
    "issues",
    "nodes",
    "numbered",
    "open_checkpointer",
    "outcome",
    "prompts",
    "read_plan",
    "read_review",
    "report_reviser",
    "research_generator",
    "resolve",
    "staged_prompt",
    "told_stage",
]
