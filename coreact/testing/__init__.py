"""Test helpers that are public API: scripted stand-ins and conformance suites for replaceable parts.

Imported on first use, so that checking a store does not import LangChain.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coreact.testing.scripted import Reply, ScriptedGenerator, ScriptedJudge, ScriptedModel, call
    from coreact.testing.store_suite import (
        STORE_CHECKS,
        StoreFactory,
        check_store,
        record_into,
        sample_trajectory,
    )

__all__ = [
    "STORE_CHECKS",
    "Reply",
    "ScriptedGenerator",
    "ScriptedJudge",
    "ScriptedModel",
    "StoreFactory",
    "call",
    "check_store",
    "record_into",
    "sample_trajectory",
]

_SCRIPTED = frozenset({"Reply", "ScriptedGenerator", "ScriptedJudge", "ScriptedModel", "call"})


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'coreact.testing' has no attribute {name!r}")
    home = "coreact.testing.scripted" if name in _SCRIPTED else "coreact.testing.store_suite"
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
