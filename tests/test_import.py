"""The public surface: what an import costs, which names there are, and that each module explains itself."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import coreact

SOURCE = Path(coreact.__file__).parent

HEAVY = (
    "torch",
    "transformers",
    "starlette",
    "fastapi",
    "uvicorn",
    "langchain",
    "langchain_core",
    "langgraph",
)
"""Packages that `import coreact` must not pull in."""

COREACT = {
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
}

GUIDE = {
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
}


def imported_by(statement: str) -> set[str]:
    """The top-level packages that are loaded after a statement in a fresh interpreter."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stderr == ""
    return set(done.stdout.split())


def test_importing_the_package_is_cheap() -> None:
    assert imported_by("import coreact").isdisjoint({*HEAVY, "pydantic", "httpx"})


@pytest.mark.parametrize("name", ["coreact.rubric", "coreact.judge", "coreact.generate", "coreact.trace"])
def test_the_lower_floors_import_no_framework(name: str) -> None:
    assert imported_by(f"import {name}").isdisjoint(HEAVY)


def test_guidance_imports_no_trainer_and_no_server() -> None:
    assert imported_by("import coreact.guide").isdisjoint(
        {"torch", "starlette", "fastapi", "uvicorn", "deepagents"}
    )


@pytest.mark.parametrize(("name", "public"), [("coreact", COREACT), ("coreact.guide", GUIDE)])
def test_public_names_are_pinned_and_exist(name: str, public: set[str]) -> None:
    module = importlib.import_module(name)
    assert set(module.__all__) == public
    assert len(module.__all__) == len(public)
    for exported in public:
        assert getattr(module, exported) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Guided'"):
        coreact.Guided  # noqa: B018
    assert set(dir(coreact)) == COREACT


MODULES = sorted(path.relative_to(SOURCE) for path in SOURCE.rglob("*.py") if "_recipes" not in path.parts)


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_every_module_says_why_it_exists(path: Path) -> None:
    words = ast.get_docstring(ast.parse((SOURCE / path).read_text(encoding="utf-8")))
    assert words
    assert len(words.splitlines()[0]) > len("A module.")
