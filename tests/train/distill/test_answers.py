"""A teacher's answers: asked once, kept, gone on with, and nobody asked afterwards."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import BaseMessage

from coreact.errors import ConfigError
from coreact.judge.failure import Throttle
from coreact.testing import ScriptedModel
from coreact.train.distill.answers import AnswerBook, TeacherAnswers, collect_answers, prompt_key


def prompt(text: str) -> list[dict[str, str]]:
    return [{"role": "system", "content": "Answer."}, {"role": "user", "content": text}]


def echo(messages: list[BaseMessage]) -> str:
    return f"on {messages[-1].text}"


def collected(prompts: list[Any], teacher: ScriptedModel, path: Path, **settings: Any) -> Any:
    return asyncio.run(collect_answers(prompts, teacher, path, **settings))


def test_each_prompt_is_asked_n_times_as_it_is(tmp_path: Path) -> None:
    path, teacher = tmp_path / "answers.jsonl", ScriptedModel(script=echo)
    told = collected([prompt("a"), prompt("b"), prompt("a")], teacher, path, n=3)
    assert (told.asked, told.known, dict(told.left_out)) == (2, 0, {})
    assert len(teacher.requests) == 6
    assert [message.type for message in teacher.requests[0]] == ["system", "human"]
    book = AnswerBook.read(path)
    assert book.of(prompt("a")) == ("on a",) * 3
    assert prompt("b") in book
    assert prompt("c") not in book


def test_a_second_call_asks_only_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    collected([prompt("a"), prompt("b")], ScriptedModel(script=echo), path, n=2)
    before = path.read_bytes()
    again = ScriptedModel(script=echo)
    told = collected([prompt("a"), prompt("b"), prompt("c")], again, path, n=2)
    assert (told.asked, told.known) == (1, 2)
    assert len(again.requests) == 2
    assert path.read_bytes().startswith(before)


def test_a_kill_in_the_middle_loses_the_torn_line_only(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    collected([prompt("a"), prompt("b")], ScriptedModel(script=echo), path, n=2)
    path.write_bytes(path.read_bytes()[:-20])
    told = collected([prompt("a"), prompt("b")], ScriptedModel(script=echo), path, n=2)
    assert (told.asked, told.known) == (1, 1)
    assert AnswerBook.read(path).of(prompt("b")) == ("on b", "on b")


def test_what_fails_is_counted_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"

    def sometimes(messages: list[BaseMessage]) -> str | BaseException:
        text = messages[-1].text
        return ConnectionError("down") if text == "b" else "  " if text == "c" else "said"

    told = collected([prompt(t) for t in "abc"], ScriptedModel(script=sometimes), path, n=2, attempts=1)
    assert told.left_out == {"transport": 1, "empty": 1}
    book = AnswerBook.read(path)
    with pytest.raises(ConfigError, match="has no answer") as error:
        book.of(prompt("b"))
    assert "Collect its answers before training" in error.value.remedy


def test_teachers_are_not_mixed(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    collected([prompt("a")], ScriptedModel(script=echo), path)
    strong = TeacherAnswers(prompt=prompt_key(prompt("b")), teacher="strong@1", answers=("x",))
    with path.open("a") as file:
        file.write(strong.model_dump_json() + "\n")
    with pytest.raises(ConfigError, match="2 teachers"):
        AnswerBook.read(path)
    with pytest.raises(ConfigError, match=r"holds answers of strong@1"):
        collected([prompt("c")], ScriptedModel(script=echo), path)
    with pytest.raises(ConfigError, match="teach nothing"):
        collected([], ScriptedModel(script=echo), tmp_path / "other.jsonl", n=0)


def test_no_more_calls_at_once_than_allowed(tmp_path: Path) -> None:
    running, most = 0, 0

    class Slow(ScriptedModel):
        async def ainvoke(self, *args: Any, **kwargs: Any) -> Any:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.002)
            running -= 1
            return self._reply(args[0])

    prompts = [prompt(str(at)) for at in range(20)]
    told = collected(prompts, Slow(script=echo), tmp_path / "a.jsonl", n=2, throttle=Throttle(3))
    assert told.asked == 20
    assert most == 3
