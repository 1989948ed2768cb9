"""A real agent for demonstrations, and a small untrained model with a real tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool

from coreact import CoReActMiddleware
from coreact.cli.recipes import load_agent
from coreact.worlds import World, gazetteer


@pytest.fixture(scope="session")
def world() -> World:
    return gazetteer()


@pytest.fixture(scope="session")
def build() -> Any:
    recipe = load_agent("react")

    def agent(model: BaseChatModel, tools: Sequence[BaseTool], guided: bool, tool_calls: int) -> Any:
        middleware = [CoReActMiddleware(step_budget=tool_calls)] if guided else []
        return recipe.build(model, tools, middleware=middleware, tool_calls=tool_calls)

    return agent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "searcher"
