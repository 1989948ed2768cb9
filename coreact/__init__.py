"""Co-ReAct: step-level rubrics for LangGraph agents.

Before each decision of a running agent a rubric says what a good next step is; each proposed
step is checked against it before it runs; the judged record is kept and can be trained on.

The names below are the ones most users need. They are imported on first use, so that
`import coreact` stays cheap and pulls in no framework that the caller does not use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coreact.generate import HeuristicGenerator
    from coreact.guide import CoReActMiddleware, CoReActState, GuideSettings
    from coreact.judge.model import ModelJudge
    from coreact.judge.panel import JudgePanel
    from coreact.refine import VerifyAnswerMiddleware, averify_and_refine, verify_and_refine, verify_graph
    from coreact.rubric import Criterion, Rubric, load_rubric, parse_rubric

__version__ = "0.1.0"

__all__ = [
    "CoReActMiddleware",
    "CoReActState",
    "Criterion",
    "GuideSettings",
    "HeuristicGenerator",
    "JudgePanel",
    "ModelJudge",
    "Rubric",
    "VerifyAnswerMiddleware",
    "__version__",
    "averify_and_refine",
    "load_rubric",
    "parse_rubric",
    "verify_and_refine",
    "verify_graph",
]

_HOMES = {
    "CoReActMiddleware": "coreact.guide",
    "CoReActState": "coreact.guide",
    "GuideSettings": "coreact.guide",
    "HeuristicGenerator": "coreact.generate",
    "JudgePanel": "coreact.judge.panel",
    "ModelJudge": "coreact.judge.model",
    "VerifyAnswerMiddleware": "coreact.refine",
    "averify_and_refine": "coreact.refine",
    "verify_and_refine": "coreact.refine",
    "verify_graph": "coreact.refine",
    "Criterion": "coreact.rubric",
    "Rubric": "coreact.rubric",
    "load_rubric": "coreact.rubric",
    "parse_rubric": "coreact.rubric",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'coreact' has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
