"""Checkpoints by address: real SQLite files, and addresses that lead nowhere."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

from coreact.errors import ConfigError, MissingExtraError, StoreError
from coreact.research import aopen_checkpointer, open_checkpointer

THREAD = {"configurable": {"thread_id": "1"}}


class Count(TypedDict, total=False):
    n: int
    said: str


def counting(saver: Any) -> Any:
    """A graph that waits for a human behind its first node."""
    builder = StateGraph(Count)
    builder.add_node("one", lambda state: {"n": state["n"] + 1})
    builder.add_node("ask", lambda state: {"said": interrupt("And?")})
    builder.add_edge(START, "one")
    builder.add_edge("one", "ask")
    builder.add_edge("ask", END)
    return builder.compile(checkpointer=saver)


def goes_on(url: str) -> None:
    with open_checkpointer(url) as saver:
        assert counting(saver).invoke({"n": 1}, THREAD)["__interrupt__"]
    with open_checkpointer(url) as saver:
        assert counting(saver).invoke(Command(resume="on"), THREAD) == {"n": 2, "said": "on"}


async def goes_on_async(url: str) -> None:
    async with aopen_checkpointer(url) as saver:
        assert (await counting(saver).ainvoke({"n": 1}, THREAD))["__interrupt__"]
    async with aopen_checkpointer(url) as saver:
        assert await counting(saver).ainvoke(Command(resume="on"), THREAD) == {"n": 2, "said": "on"}


def test_memory_holds_as_long_as_it_is_open() -> None:
    with open_checkpointer("memory:") as saver:
        graph = counting(saver)
        graph.invoke({"n": 1}, THREAD)
        assert graph.invoke(Command(resume="on"), THREAD)["said"] == "on"


def test_a_sqlite_file_outlives_the_process_that_wrote_it(tmp_path: Path) -> None:
    goes_on(f"sqlite:///{tmp_path / 'runs.db'}")


async def test_a_sqlite_file_for_async_graphs(tmp_path: Path) -> None:
    await goes_on_async(f"sqlite:///{tmp_path / 'runs.db'}")
    async with aopen_checkpointer("memory:") as saver:
        assert (await counting(saver).ainvoke({"n": 1}, THREAD))["n"] == 2


@pytest.mark.parametrize(
    "url", ["", "runs.db", "mysql://root:secret@host/x", "sqlite://runs.db", "sqlite:///", "postgresql://"]
)
def test_other_addresses_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigError, match="no checkpointer") as caught, open_checkpointer(url):
        pass
    assert "secret" not in str(caught.value)
    assert "sqlite:///PATH" in caught.value.remedy


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.db"
    broken.write_text("this is no database, whatever its name says" * 50)
    for path in (tmp_path / "nowhere" / "runs.db", broken):
        with pytest.raises(StoreError) as caught, open_checkpointer(f"sqlite:///{path}"):
            pass
        assert caught.value.path == path


async def test_a_file_that_cannot_be_opened_is_named_async(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "runs.db"
    with pytest.raises(StoreError):
        async with aopen_checkpointer(f"sqlite:///{path}"):
            pass


def test_a_server_that_is_down_is_no_leak() -> None:
    with (
        pytest.raises(StoreError) as caught,
        open_checkpointer("postgresql://me:secret@127.0.0.1:9/base?connect_timeout=2"),
    ):
        pass
    assert "secret" not in str(caught.value)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "langgraph.checkpoint.sqlite", None)
    with pytest.raises(MissingExtraError) as caught, open_checkpointer(f"sqlite:///{tmp_path / 'x.db'}"):
        pass
    assert caught.value.extra == "checkpoints"
