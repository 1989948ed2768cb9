"""A stored experiment replayed without a model: guided arms run again, others are measured again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from coreact.bench.arms import known_arms
from coreact.bench.experiment import Outcome, replay, this_session
from coreact.bench.experiment.journal import EPISODES
from coreact.bench.records import Arm
from coreact.errors import ConfigError, ExperimentMismatchError, ReplayDivergenceError
from coreact.testing import ScriptedModel

ARMS = ("plain", "guided", "rubric only", "vote of 3")


def replayed(bench: Any, arms: Mapping[str, Arm] | None = None, target: str = "again") -> Any:
    return asyncio.run(
        replay(
            bench.folder,
            bench.folder.with_name(target),
            suite=bench.suite,
            arms=known_arms(bench.recipes) if arms is None else arms,
            session=this_session(["coreact"]),
        )
    )


def figures(outcomes: tuple[Outcome, ...]) -> list[Any]:
    return [(o.key, o.metrics, o.episode) for o in outcomes]


def test_every_figure_comes_out_again_and_no_model_is_asked(bench: Any) -> None:
    live = bench.outcomes(*ARMS, n=3, traces=True, concurrency=3)
    again = replayed(bench)
    assert figures(again.outcomes) == figures(live)
    origins = {(o.arm, o.origin) for o in again.outcomes}
    assert origins == {
        ("plain", "measured"),
        ("guided", "rerun"),
        ("rubric only", "rerun"),
        ("vote of 3", "measured"),
    }
    assert again.manifest is not None
    assert again.manifest.settings["tool_calls"] == 3


def test_arms_that_ask_models_beside_their_judged_run_are_only_measured_again(bench: Any) -> None:
    live = bench.outcomes("self-refine+rubric", "deep research+rubric", "step-back+rubric", n=2, traces=True)
    assert any(len(outcome.episode.runs) == 1 for outcome in live)
    again = replayed(bench)
    assert figures(again.outcomes) == figures(live)
    assert {outcome.origin for outcome in again.outcomes} == {"measured"}


def test_calls_that_were_refused_for_the_budget_are_refused_again(bench: Any) -> None:
    def at_once(messages: Sequence[BaseMessage]) -> AIMessage:
        ran = sum(isinstance(message, ToolMessage) for message in messages)
        calls = [
            {"name": "search", "args": {"query": f"capital {at}"}, "id": f"c{at}", "type": "tool_call"}
            for at in range(5)
        ]
        return AIMessage("Nobody.") if ran else AIMessage("", tool_calls=calls)

    bench.model = lambda seed: ScriptedModel(script=at_once)
    live = bench.outcomes("guided", "rubric only", "best of 3", n=1, traces=True)
    assert [outcome.episode.usage.tool_calls for outcome in live] == [3, 3, 3]
    again = replayed(bench)
    assert figures(again.outcomes) == figures(live)
    assert {outcome.origin for outcome in again.outcomes} == {"rerun"}


def test_an_episode_that_could_not_be_measured_has_not_failed_once_it_can(bench: Any) -> None:
    class Broken:
        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

        def measure(self, task: Any, episode: Any) -> Any:
            raise ValueError("the judge is drunk")

    inner = bench.suite
    bench.suite = Broken()
    (live,) = bench.outcomes("guided", n=1, traces=True)
    assert live.excluded == "measure"
    bench.suite = inner
    (again,) = replayed(bench).outcomes
    assert (again.excluded, again.unmeasured, again.episode.error, again.origin) == (
        None,
        None,
        None,
        "rerun",
    )
    assert "gold_share" in again.metrics


def test_runs_of_an_episode_are_in_the_store_when_its_line_is(bench: Any) -> None:
    from contextlib import closing

    from coreact.trace import SQLiteTraceStore

    ends = []

    def look(outcome: Outcome) -> None:
        with closing(SQLiteTraceStore(bench.folder / "traces.db")) as other:
            ends.extend(other.trajectory(run).end for run in outcome.episode.runs)

    live = bench.outcomes("guided", "plain", n=3, traces=True, on_outcome=look)
    assert [len(o.episode.runs) for o in live] == [1 if o.arm == "guided" else 0 for o in live]
    assert len(ends) == 3
    assert None not in ends


def test_an_arm_whose_code_has_changed_is_told(bench: Any) -> None:
    bench.run("guided", n=2, traces=True)
    changed = Arm(name="guided", about="", build=known_arms(bench.recipes)["feedback only"].build)
    with pytest.raises(ReplayDivergenceError, match="did not repeat"):
        replayed(bench, {"guided": changed})


def test_a_record_that_was_changed_is_told(bench: Any) -> None:
    bench.run("guided", n=1, traces=True)
    path = bench.folder / EPISODES
    line = json.loads(path.read_text())
    line["episode"]["messages"][-1]["data"]["content"] = "another answer"
    path.write_text(json.dumps(line) + "\n")
    with pytest.raises(ReplayDivergenceError, match="other messages"):
        replayed(bench)


def test_a_metric_that_is_new_is_measured_without_running_anything(bench: Any) -> None:
    from coreact.bench.records import Metric

    live = bench.outcomes("plain", n=2)

    class More:
        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

        @property
        def metrics(self) -> Any:
            return (*inner.metrics, Metric(name="words", about="Words of the answer."))

        def measure(self, task: Any, episode: Any) -> Any:
            return {**inner.measure(task, episode), "words": len(episode.answer.split())}

    inner = bench.suite
    bench.suite = More()
    again = replayed(bench)
    assert [o.metrics["words"] for o in again.outcomes] == [len(o.episode.answer.split()) for o in live]
    assert {o.origin for o in again.outcomes} == {"measured"}


def test_another_suite_or_the_same_folder_is_refused(bench: Any) -> None:
    bench.run("plain", n=1)
    with pytest.raises(ConfigError, match="its source"):
        replayed(bench, target="out")

    class Other:
        version = "sha256:other"

        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

    inner = bench.suite
    bench.suite = Other()
    with pytest.raises(ExperimentMismatchError, match="suite"):
        replayed(bench)


def test_a_replay_that_was_stopped_goes_on(bench: Any) -> None:
    bench.run("plain", "guided", n=2, traces=True)
    first = replayed(bench)
    path = first.folder / EPISODES
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))
    assert figures(replayed(bench).outcomes) == figures(first.outcomes)
