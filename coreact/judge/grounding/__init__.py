"""What an answer and the path to it rest on: citations, evidence chains, nuggets, soundness.

One idea throughout: code decides what can be looked up in the trajectory, any judge is asked about the
rest, and what nobody could tell is counted apart and never filled in.
"""

from coreact.judge.grounding.chain import (
    Chain,
    ChainAudit,
    CheckedFact,
    Fact,
    Filling,
    aaudit_chain,
    afill,
    audit_chain,
    fill,
)
from coreact.judge.grounding.citations import AuditedClaim, Citation, CitationAudit, aaudit, audit
from coreact.judge.grounding.claims import Claim, Reference, Report, sentences, split
from coreact.judge.grounding.conflicts import Conflict, Side
from coreact.judge.grounding.disagreement import Disagreement, disagreement
from coreact.judge.grounding.nuggets import Nugget, arecall, nugget_rubric, recall, short_answer
from coreact.judge.grounding.soundness import Soundness, StepSupport, asoundness, soundness
from coreact.judge.grounding.sources import Passage, Source, Sources, Standing

__all__ = [
    "AuditedClaim",
    "Chain",
    "ChainAudit",
    "CheckedFact",
    "Citation",
    "CitationAudit",
    "Claim",
    "Conflict",
    "Disagreement",
    "Fact",
    "Filling",
    "Nugget",
    "Passage",
    "Reference",
    "Report",
    "Side",
    "Soundness",
    "Source",
    "Sources",
    "Standing",
    "StepSupport",
    "aaudit",
    "aaudit_chain",
    "afill",
    "arecall",
    "asoundness",
    "audit",
    "audit_chain",
    "disagreement",
    "fill",
    "nugget_rubric",
    "recall",
    "sentences",
    "short_answer",
    "soundness",
    "split",
]
