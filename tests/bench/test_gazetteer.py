"""The quality suite: paired arms, equal budgets, and a file that survives interruptions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from coreact_tools import corpus_tools
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.runnables import Runnable

from coreact.bench import gazetteer as suite
from coreact.bench.gazetteer import Outcome, against_control, choose, read_outcomes, run_suite, summary
from coreact.cli.recipes import load_agent
from coreact.testing import ScriptedModel, call
from coreact.worlds import World, gazetteer


@pytest.fixture(scope="module")
def world() -> World:
    return gazetteer(questions=400)


# --- which questions ------------------------------------------------------------------------------


@pytest.mark.parametrize("hops", [2, 3])
def test_questions_are_bridges_from_the_dev_split(world: World, hops: int) -> None:
    chosen = choose(world, n=10, seed=0, hops=hops)
    assert len({question.id for question in chosen}) == 10
    assert {(q.split, q.kind, q.hops) for q in chosen} == {("dev", "bridge", hops)}


def test_the_seed_draws_the_questions(world: World) -> None:
    first = choose(world, n=10, seed=0)
    assert choose(world, n=10, seed=0) == first
    assert choose(world, n=10, seed=1) != first


def test_no_more_questions_than_there_are(world: World) -> None:
    everything = choose(world, n=10**6, seed=0)
    offered = [q for q in world.questions if (q.split, q.kind, q.hops) == ("dev", "bridge", 2)]
    assert sorted(q.id for q in everything) == sorted(q.id for q in offered)


# --- running --------------------------------------------------------------------------------------


USAGE = {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}


class Obedient(ScriptedModel):
    """Knows whether its tools are forbidden, as a server does."""

    forbidden: bool = False

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, AIMessage]:
        self.forbidden = kwargs.get("tool_choice") == "none"
        return super().bind_tools(tools, **kwargs)


class Lab:
    """Runs the suite with a scripted model and remembers what happened."""

    def __init__(self, world: World, out: Path) -> None:
        self.world = world
        self.out = out
        self.seeds: list[int] = []
        self.models: list[Obedient] = []
        self.script: Callable[[Sequence[BaseMessage]], AIMessage] = self.search_for_ever
        self.transcripts: list[list[BaseMessage]] = []

    def search_for_ever(self, messages: Sequence[BaseMessage]) -> AIMessage:
        """A new search each time: only the budget ends it."""
        done = sum(isinstance(message, AIMessage) for message in messages)
        if self.models[-1].forbidden:
            return AIMessage("Nobody knows.", usage_metadata=USAGE)
        assert done < 10, "nothing ends this run"
        question = str(messages[1].text)
        reply = call("search", query=f"{question} {done}", id=f"c{done}")
        return reply.model_copy(update={"usage_metadata": USAGE})

    def model(self, seed: int) -> Obedient:
        self.seeds.append(seed)
        self.models.append(Obedient(script=self.script))
        return self.models[-1]

    def run(
        self, *, n: int = 2, seeds: Sequence[int] = (0,), arms: str = "plain,guided"
    ) -> Iterator[Outcome]:
        return run_suite(
            self.model,
            load_agent("react").build,
            lambda corpus: corpus_tools(corpus)[:1],
            self.world,
            n=n,
            seeds=seeds,
            arms=("plain", "guided"),
            hops=2,
            tool_calls=3,
            out=self.out,
        )

    @property
    def calls(self) -> int:
        return sum(len(model.requests) for model in self.models)


@pytest.fixture
def lab(world: World, tmp_path: Path) -> Lab:
    return Lab(world, tmp_path / "new folder" / "out.jsonl")


def test_every_arm_gets_every_question_and_the_same_budget(lab: Lab) -> None:
    outcomes = list(lab.run(seeds=(0, 1)))
    asked = {(seed, q.id) for seed in (0, 1) for q in choose(lab.world, n=2, seed=seed)}
    for arm in ("plain", "guided"):
        assert {(o.seed, o.question) for o in outcomes if o.arm == arm} == asked
    assert Counter(o.arm for o in outcomes) == {"plain": 4, "guided": 4}
    assert lab.seeds == [0, 1]
    for outcome in outcomes:
        assert outcome.error is None
        assert outcome.tool_calls == 3
        assert outcome.seconds > 0
        assert (outcome.exact, outcome.contains) == (0, 0)
        assert 0 <= outcome.gold_share <= 1
        assert outcome.all_gold == float(outcome.gold_share == 1)
        assert outcome.input_tokens == 7 * outcome.model_calls
        assert outcome.output_tokens == 3 * outcome.model_calls
    assert {o.model_calls for o in outcomes if o.arm == "plain"} == {4}
    assert all(o.model_calls >= 4 for o in outcomes if o.arm == "guided")


def test_rejected_calls_count_as_model_calls_and_not_as_tool_calls(lab: Lab) -> None:
    def repeat(messages: Sequence[BaseMessage]) -> AIMessage:
        ran = sum(isinstance(message, ToolMessage) for message in messages)
        return AIMessage("Nobody.") if ran >= 3 else call("search", query="always the same", id=f"c{ran}")

    lab.script = repeat
    plain, guided = lab.run(n=1)
    assert plain.model_calls == 4
    assert guided.model_calls > plain.model_calls
    assert guided.tool_calls == plain.tool_calls == 3


def test_arms_of_one_question_run_side_by_side(lab: Lab) -> None:
    assert [o.arm for o in lab.run()] == ["plain", "guided", "plain", "guided"]


def test_the_right_answer_is_seen(lab: Lab) -> None:
    (question,) = choose(lab.world, n=1, seed=0)
    plan = [call("search", query=hop.query, id=hop.passage_id) for hop in question.chain]

    def expert(messages: Sequence[BaseMessage]) -> AIMessage:
        done = sum(isinstance(message, AIMessage) for message in messages)
        return plan[done] if done < len(plan) else AIMessage(question.answer)

    lab.script = expert
    for outcome in lab.run(n=1):
        assert (outcome.gold_share, outcome.all_gold, outcome.exact, outcome.contains) == (1, 1, 1, 1)


def test_an_interrupted_suite_goes_on_where_it_stopped(lab: Lab) -> None:
    suite_run = lab.run()
    first = next(suite_run), next(suite_run), next(suite_run)
    suite_run.close()
    assert tuple(read_outcomes(lab.out)) == first
    before = lab.calls
    everything = list(lab.run())
    assert tuple(everything[:3]) == first
    assert lab.calls - before == everything[3].model_calls
    assert read_outcomes(lab.out) == everything

    before = lab.calls
    assert list(lab.run()) == everything
    assert lab.calls == before


def test_a_torn_last_line_costs_its_run_and_no_other(lab: Lab) -> None:
    everything = list(lab.run())
    whole = lab.out.read_bytes()
    lab.out.write_bytes(whole[:-20])
    assert read_outcomes(lab.out) == everything[:3]
    again = list(lab.run())
    assert [o.model_copy(update={"seconds": 0.0}) for o in again] == [
        o.model_copy(update={"seconds": 0.0}) for o in everything
    ]
    before = lab.calls
    assert list(lab.run()) == again
    assert lab.calls == before


def test_there_is_nothing_in_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert read_outcomes(tmp_path / "none.jsonl") == []


def test_a_failed_run_is_a_datum(lab: Lab) -> None:
    def fails_when_guided(messages: Sequence[BaseMessage]) -> AIMessage:
        if any("Next step:" in str(message.text) for message in messages):
            raise RuntimeError("out of memory")
        return lab.search_for_ever(messages)

    lab.script = fails_when_guided
    plain, guided = lab.run(n=1)
    assert plain.error is None
    assert guided.error == "RuntimeError: out of memory"
    assert (guided.gold_share, guided.exact, guided.tool_calls) == (0, 0, 0)
    assert read_outcomes(lab.out)[1] == guided


def test_ctrl_c_is_no_datum(lab: Lab) -> None:
    def interrupted(messages: Sequence[BaseMessage]) -> AIMessage:
        raise KeyboardInterrupt

    lab.script = interrupted
    with pytest.raises(KeyboardInterrupt):
        list(lab.run(n=1))
    assert read_outcomes(lab.out) == []


# --- adding up ------------------------------------------------------------------------------------


def outcome(arm: str, question: str, gold: float, *, seed: int = 0) -> Outcome:
    numbers = dict.fromkeys(suite.METRICS, 0) | {"gold_share": gold}
    return Outcome.model_validate(
        {"arm": arm, "seed": seed, "question": question, "hops": 2, "error": None, **numbers}
    )


def test_seeds_of_a_question_are_averaged_before_questions_are() -> None:
    found = summary([outcome("plain", "a", 1), outcome("plain", "a", 0, seed=1), outcome("plain", "b", 0.5)])
    assert found["plain"]["gold_share"] == (0.5, 0.5, 0.5)  # two questions, each 0.5
    assert set(found["plain"]) == set(suite.METRICS)


def test_differences_pair_by_question_and_leave_out_what_has_no_partner() -> None:
    outcomes = [outcome("plain", q, gold) for q, gold in {"a": 0.0, "b": 0.5, "alone": 1.0}.items()]
    outcomes += [outcome("guided", q, gold) for q, gold in {"b": 1.0, "a": 0.5, "other": 0.0}.items()]
    found = against_control(outcomes)
    assert set(found) == {"guided"}
    assert found["guided"]["gold_share"] == (0.5, 0.5, 0.5)
    assert against_control([o for o in outcomes if o.arm != "plain"]) == {}


def test_the_command_prints_both_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With every outcome in the file no model is asked, so none is needed."""
    from typer.testing import CliRunner

    from coreact.cli.bench import bench_app

    out = tmp_path / "out.jsonl"
    questions = choose(gazetteer(), n=2, seed=0)
    rows = [outcome(arm, q.id, gold) for q in questions for arm, gold in (("plain", 0.0), ("guided", 0.5))]
    out.write_text("".join(row.model_dump_json() + "\n" for row in rows), encoding="utf-8")
    arguments = ["gazetteer", "--n", "2", "--seeds", "1", "--out", str(out)]
    arguments += ["--base-url", "http://127.0.0.1:9/v1", "--model", "none"]
    done = CliRunner().invoke(bench_app, [*arguments, "--json"], catch_exceptions=False)
    assert done.exit_code == 0
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["means"]["guided"]["gold_share"] == [0.5, 0.5, 0.5]
    assert found["differences"]["guided"]["gold_share"] == [0.5, 0.5, 0.5]
    monkeypatch.setenv("COLUMNS", "120")
    shown = CliRunner().invoke(bench_app, arguments, catch_exceptions=False).stdout
    assert "0.500 [0.500, 0.500]" in shown
    assert "Difference to plain" in shown
