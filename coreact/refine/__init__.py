"""Loops over whole answers: verify an answer, name what failed, have it revised, return the best one."""

from coreact.refine.diagnosis import (
    Case,
    Diagnosed,
    Diagnosis,
    Diagnostician,
    Failure,
    ModelDiagnostician,
    failures_by_code,
)
from coreact.refine.drivers import Parties, adrive, drive
from coreact.refine.feedback import Advice, Demand, Feedback, feedback_of
from coreact.refine.follow_up import Finding, FollowUp, Found, Inquiry, Investigator, investigator
from coreact.refine.function import averify_and_refine, verify_and_refine
from coreact.refine.graph import verify_graph
from coreact.refine.loop import Method, Refined, refine, review
from coreact.refine.middleware import VerifyAnswerMiddleware
from coreact.refine.preserve import facts, lost
from coreact.refine.requests import Revised, Revision
from coreact.refine.reviewers import Reviewers
from coreact.refine.revise import Reviser, reviser
from coreact.refine.rounds import Ended, Outcome, Progress, Round, ended
from coreact.refine.settings import RefineSettings
from coreact.refine.status import AnswerCheck, AnswerCheckState, RoundStatus
from coreact.refine.taxonomy import DEEP_VERIFIER, FailureCode, FailureTaxonomy
from coreact.refine.verifier import AnswerVerifier

__all__ = [
    "DEEP_VERIFIER",
    "Advice",
    "AnswerCheck",
    "AnswerCheckState",
    "AnswerVerifier",
    "Case",
    "Demand",
    "Diagnosed",
    "Diagnosis",
    "Diagnostician",
    "Ended",
    "Failure",
    "FailureCode",
    "FailureTaxonomy",
    "Feedback",
    "Finding",
    "FollowUp",
    "Found",
    "Inquiry",
    "Investigator",
    "Method",
    "ModelDiagnostician",
    "Outcome",
    "Parties",
    "Progress",
    "RefineSettings",
    "Refined",
    "Reviewers",
    "Revised",
    "Reviser",
    "Revision",
    "Round",
    "RoundStatus",
    "VerifyAnswerMiddleware",
    "adrive",
    "averify_and_refine",
    "drive",
    "ended",
    "facts",
    "failures_by_code",
    "feedback_of",
    "investigator",
    "lost",
    "refine",
    "review",
    "reviser",
    "verify_and_refine",
    "verify_graph",
]
