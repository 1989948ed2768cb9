"""The engine: everything counted, equal budgets, an experiment that survives stopping, failures as data."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain_core.callbacks import CallbackManager
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.runnables import Runnable, RunnableLambda

from coreact.bench.arms import arms_named
from coreact.bench.experiment import Price, Prices, draw, read_notebook, read_prices, run_experiment
from coreact.bench.experiment.journal import EPISODES
from coreact.bench.experiment.running import FAILURES
from coreact.bench.records import Arm, Setup
from coreact.errors import ConfigError, ExperimentMismatchError, LabelFileError
from coreact.testing import ScriptedModel, call

USAGE = {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}


class Talker(ScriptedModel):
    """Searches twice and answers; says what it is called and what it used."""

    told: bool = True

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, AIMessage]:
        return self.bind()

    def _reply(self, messages: list[BaseMessage]) -> AIMessage:
        self.requests.append(tuple(messages))
        done = sum(isinstance(message, ToolMessage) for message in messages)
        reply = (
            call("search", query=f"capital {done}", id=f"c{done}") if done < 2 else AIMessage("Nobody knows.")
        )
        if not self.told:
            return reply
        return reply.model_copy(
            update={"usage_metadata": USAGE, "response_metadata": {"model_name": "talker-1"}}
        )


def arm(name: str, do: Any, **about: Any) -> Arm:
    """An arm of one function from the setup to messages."""

    def build(setup: Setup) -> Runnable[Any, Any]:
        async def run(given: dict[str, Any]) -> dict[str, Any]:
            return {"messages": await do(setup, given)}

        return RunnableLambda(run)

    return Arm(name=name, about="Of the test.", build=build, **about)


async def answers(setup: Setup, given: Any) -> list[BaseMessage]:
    return [AIMessage("an answer")]


# --- counting -------------------------------------------------------------------------------------


def test_all_calls_of_an_episode_are_counted_and_what_they_gave_is_kept(bench: Any) -> None:
    bench.model = lambda seed: Talker()
    (outcome,) = bench.outcomes("plain", n=1, prices=Prices({"talker-*": Price(input=1e6, output=0)}))
    usage = outcome.episode.usage
    assert (usage.model_calls, usage.tool_calls) == (3, 2)
    assert (usage.input_tokens, usage.output_tokens, usage.unmetered) == (21, 9, 0)
    assert outcome.episode.models == ("talker-1",)
    assert [found.tool for found in outcome.episode.found] == ["search", "search"]
    assert all(len(found.documents) == 3 and found.text for found in outcome.episode.found)
    assert outcome.episode.answer == "Nobody knows."
    assert [message["type"] for message in outcome.episode.messages] == ["human", *["ai", "tool"] * 2, "ai"]
    assert outcome.metrics["tool_calls"] == 2
    assert outcome.metrics["seconds"] == 1


@pytest.mark.parametrize(("cost", "usd"), [(0.5, 21 + 2 * 0.5), (None, None)])
def test_money_is_known_only_where_every_price_is(bench: Any, cost: float | None, usd: float | None) -> None:
    class Priced:
        def __init__(self, inner: Any) -> None:
            self._inner = inner

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

        def tools(self, k: int | None = None) -> Any:
            update = {} if cost is None else {"cost": cost}
            return [
                tool.model_copy(update={"metadata": {"role": "search", **update}})
                for tool in self._inner.tools(k)
            ]

    bench.suite = Priced(bench.suite)
    bench.model = lambda seed: Talker()
    (outcome,) = bench.outcomes("plain", n=1, prices=Prices({"talker-1": Price(input=1e6, output=0)}))
    assert outcome.episode.usage.usd == usd
    assert outcome.metrics.get("usd") == usd


def test_tokens_that_nobody_reports_are_unknown_and_not_zero(bench: Any) -> None:
    bench.model = lambda seed: Talker(told=False)
    (outcome,) = bench.outcomes("plain", n=1)
    assert outcome.episode.usage.unmetered == 3
    assert outcome.episode.models == ()
    assert not {"input_tokens", "output_tokens", "usd"} & outcome.metrics.keys()
    assert outcome.metrics["model_calls"] == 3


def test_what_an_arm_calls_behind_the_configuration_counts_too(bench: Any) -> None:
    async def hidden(setup: Setup, given: Any) -> list[BaseMessage]:
        fresh: Any = {"callbacks": []}
        await setup.model.ainvoke("hello", fresh)
        await setup.writer.ainvoke("hello", fresh)
        await setup.tools[0].ainvoke({"query": "capital"}, fresh)
        await setup.tools_showing(5)[0].ainvoke(
            {"name": "search", "args": {"query": "capital"}, "id": "1", "type": "tool_call"}, fresh
        )
        return [AIMessage("done")]

    bench.model = lambda seed: Talker()
    (outcome,) = bench.outcomes(arm("hidden", hidden), n=1, writer=lambda seed: Talker())
    assert outcome.episode.usage.model_calls == 2
    assert outcome.episode.usage.tool_calls == 2
    assert len(outcome.episode.documents) == 5


def test_rejected_proposals_are_model_calls_and_no_tool_calls(bench: Any) -> None:
    def repeat(messages: Sequence[BaseMessage]) -> AIMessage:
        ran = sum(isinstance(message, ToolMessage) for message in messages)
        return AIMessage("Nobody.") if ran >= 3 else call("search", query="always the same", id=f"c{ran}")

    bench.model = lambda seed: ScriptedModel(script=repeat)
    guided, plain = bench.outcomes("plain", "guided", n=1)
    assert (plain.arm, guided.arm) == ("plain", "guided")
    assert plain.episode.usage.model_calls == 4
    assert guided.episode.usage.model_calls > 4
    assert guided.episode.usage.tool_calls == plain.episode.usage.tool_calls == 3


# --- budgets and failures -------------------------------------------------------------------------


def test_an_arm_that_cheats_the_budget_is_caught(bench: Any) -> None:
    async def cheats(setup: Setup, given: Any) -> list[BaseMessage]:
        for number in range(setup.tool_calls + 1):
            await setup.tools[0].ainvoke({"query": f"capital {number}"})
        return [AIMessage("found more than the others could")]

    bench.model = lambda seed: Talker()
    cheat, plain = bench.outcomes(arm("cheat", cheats), "plain", n=1)
    assert cheat.excluded == "over budget"
    assert cheat.metrics == {}
    assert "4 of 3 tool calls" in str(cheat.episode.error)
    assert plain.excluded is None


def test_a_failed_agent_is_a_datum_measured_by_what_it_left(bench: Any) -> None:
    async def fails(setup: Setup, given: Any) -> list[BaseMessage]:
        tool = setup.tools[0]
        await tool.ainvoke({"name": tool.name, "args": {"query": "capital"}, "id": "1", "type": "tool_call"})
        raise RuntimeError("lost its way")

    (outcome,) = bench.outcomes(arm("fails", fails), n=1)
    assert outcome.excluded is None
    assert outcome.episode.error == "RuntimeError: lost its way"
    assert "exact" not in outcome.metrics  # there is no answer to tell it by
    assert 0 <= outcome.metrics["gold_share"] <= 1
    assert outcome.metrics["tool_calls"] == 1


def test_a_broken_network_says_nothing_about_the_arm_and_is_tried_again(bench: Any) -> None:
    broken = [True]

    async def sometimes(setup: Setup, given: Any) -> list[BaseMessage]:
        if broken[0]:
            raise httpx.ConnectError("nobody there")
        return [AIMessage("an answer")]

    (first,) = bench.outcomes(arm("net", sometimes), n=1)
    assert (first.excluded, first.metrics) == ("transport", {})
    broken[0] = False
    (second,) = bench.outcomes(arm("net", sometimes), n=1)
    assert second.excluded is None
    assert len((bench.folder / EPISODES).read_text().splitlines()) == 2


def test_a_dead_server_ends_the_session_and_not_the_experiment(bench: Any) -> None:
    async def dead(setup: Setup, given: Any) -> list[BaseMessage]:
        raise httpx.ConnectError("nobody there")

    ended = bench.run(arm("dead", dead), seeds=(0, 1))
    assert ended.left == 20 - FAILURES
    assert "in a row failed" in str(ended.why)


def test_an_agent_that_asks_a_human_is_a_failure(bench: Any) -> None:
    waiting = Arm(
        name="waits",
        about="",
        build=lambda setup: RunnableLambda(lambda given: {"messages": [], "__interrupt__": ["?"]}),
    )
    (outcome,) = bench.outcomes(waiting, n=1)
    assert "waits for a human" in str(outcome.episode.error)


def test_an_arm_that_gives_back_something_else_has_failed(bench: Any) -> None:
    odd = Arm(name="odd", about="", build=lambda setup: RunnableLambda(lambda given: "an answer"))
    (outcome,) = bench.outcomes(odd, n=1)
    assert "gave back str" in str(outcome.episode.error)
    assert outcome.episode.answer == ""


def test_an_episode_may_take_only_so_long(bench: Any) -> None:
    async def sleeps(setup: Setup, given: Any) -> list[BaseMessage]:
        await asyncio.sleep(60)
        return []

    (outcome,) = bench.outcomes(arm("sleeps", sleeps), n=1, seconds=0.05)
    assert outcome.episode.error == "It was not done after 0.05 s."
    assert outcome.excluded is None
    assert outcome.metrics["gold_share"] == 0


def test_what_cannot_be_measured_is_excluded_with_its_cause(bench: Any) -> None:
    class Broken:
        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

        def measure(self, task: Any, episode: Any) -> Any:
            raise ValueError("the judge is drunk")

    inner = bench.suite
    bench.suite = Broken()
    (outcome,) = bench.outcomes(arm("a", answers), n=1)
    assert outcome.excluded == "measure"
    assert "the judge is drunk" in str(outcome.unmeasured)
    assert outcome.episode.error is None  # the agent did nothing wrong


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, "much"])
def test_a_figure_that_is_no_number_is_a_failure_of_measuring(bench: Any, value: Any) -> None:
    class Odd:
        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

        def measure(self, task: Any, episode: Any) -> Any:
            return {"exact": value}

    inner = bench.suite
    bench.suite = Odd()
    (outcome,) = bench.outcomes(arm("a", answers), n=1)
    assert (outcome.excluded, outcome.metrics) == ("measure", {})


def test_a_suite_that_measures_what_it_does_not_declare_is_refused(bench: Any) -> None:
    class Odd:
        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

        def measure(self, task: Any, episode: Any) -> Any:
            return {"made_up": 1.0}

    inner = bench.suite
    bench.suite = Odd()
    with pytest.raises(ConfigError, match="made_up"):
        bench.run(arm("a", answers), n=1)


# --- order, caps, resuming ------------------------------------------------------------------------


def test_arms_of_a_task_stand_side_by_side_and_none_is_always_first(bench: Any) -> None:
    seen: list[tuple[str, int, str]] = []
    bench.run(
        arm("a", answers),
        arm("b", answers),
        n=2,
        seeds=(0, 1),
        on_outcome=lambda o: seen.append((o.arm, o.seed, o.task)),
    )
    first, second = (task.id for task in bench.suite.tasks[:2])
    assert seen == [
        (a, seed, task) for seed in (0, 1) for task, arms in ((first, "ab"), (second, "ba")) for a in arms
    ]


def test_so_many_at_once_and_no_more(bench: Any) -> None:
    now = [0]
    most = [0]

    async def busy(setup: Setup, given: Any) -> list[BaseMessage]:
        now[0] += 1
        most[0] = max(most[0], now[0])
        await asyncio.sleep(0.01)
        now[0] -= 1
        return [AIMessage("done")]

    ended = bench.run(arm("busy", busy), concurrency=4)
    assert most[0] == 4
    assert len(ended.notebook.outcomes) == 10


def test_the_result_does_not_depend_on_how_many_run_at_once(bench: Any, tmp_path: Path) -> None:
    def figures(concurrency: int) -> list[Any]:
        bench.folder = tmp_path / str(concurrency)
        found = bench.outcomes("plain", "guided", n=5, concurrency=concurrency)
        drop = {"seconds"}
        return [(o.key, {k: v for k, v in o.metrics.items() if k not in drop}) for o in found]

    assert figures(1) == figures(5)


def test_a_cap_on_tokens_stops_new_episodes_and_a_higher_one_goes_on(bench: Any) -> None:
    bench.model = lambda seed: Talker()
    ended = bench.run("plain", max_tokens=60)
    assert len(ended.notebook.outcomes) == 2  # 30 tokens each
    assert ended.left == 8
    assert ended.why == "60 tokens of 60 are spent"
    ended = bench.run("plain", max_tokens=60)
    assert (len(ended.notebook.outcomes), ended.left) == (2, 8)
    assert bench.run("plain", max_tokens=1000).left == 0


def test_what_failed_and_was_tried_again_has_cost_something_too(bench: Any) -> None:
    broken = [True]

    async def sometimes(setup: Setup, given: Any) -> list[BaseMessage]:
        reply = await setup.model.ainvoke("hello")
        if broken[0]:
            raise httpx.ConnectError("nobody there")
        return [reply]

    bench.model = lambda seed: Talker()
    one = arm("net", sometimes)
    assert bench.run(one, n=2).notebook.outcomes[0].excluded == "transport"
    broken[0] = False
    # Two attempts of 10 tokens each failed; the one that is made again takes its place in the table only.
    ended = bench.run(one, n=2, max_tokens=25)
    assert (len(ended.notebook.attempts), ended.why) == (3, "30 tokens of 25 are spent")


def test_what_an_episode_with_one_failed_call_has_cost_counts_against_the_cap(bench: Any) -> None:
    async def fails(setup: Setup, given: Any) -> list[BaseMessage]:
        await setup.model.ainvoke("hello")

        def late(messages: Any) -> AIMessage:
            raise TimeoutError("too late")

        await ScriptedModel(script=late, callbacks=setup.model.callbacks).ainvoke("hello")
        return []

    bench.model = lambda seed: Talker()
    prices = Prices({"talker-1": Price(input=1e6, output=0)})
    ended = bench.run(arm("fails", fails), max_usd=10, prices=prices)
    usage = ended.notebook.outcomes[0].episode.usage
    assert (usage.usd, usage.usd_known) == (None, 7)
    assert (len(ended.notebook.outcomes), ended.why) == (2, "14.0000 USD of 10 are spent")


def test_a_model_with_a_callback_manager_of_its_own_is_counted_too(bench: Any) -> None:
    async def hidden(setup: Setup, given: Any) -> list[BaseMessage]:
        await setup.model.ainvoke("hello", {"callbacks": []})
        return [AIMessage("done")]

    bench.model = lambda seed: Talker(callbacks=CallbackManager(handlers=[]))
    (outcome,) = bench.outcomes(arm("hidden", hidden), n=1)
    assert outcome.episode.usage.model_calls == 1


async def test_two_sessions_do_not_run_in_one_folder(bench: Any) -> None:
    second: list[str] = []

    async def slow(setup: Setup, given: Any) -> list[BaseMessage]:
        try:
            await run_experiment(bench.experiment(arm("a", answers), n=1))
        except ConfigError as error:
            second.append(str(error))
        return [AIMessage("done")]

    await run_experiment(bench.experiment(arm("slow", slow), n=1))
    assert "Another session runs" in second[0]
    assert (await run_experiment(bench.experiment(arm("slow", slow), arm("a", answers), n=1))).left == 0


def test_a_report_does_not_touch_the_line_that_is_being_written(bench: Any) -> None:
    bench.run(arm("a", answers), n=2)
    path = bench.folder / EPISODES
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    assert len(read_notebook(bench.folder).outcomes) == 1
    with path.open("ab") as file:  # the writer goes on
        file.write(whole[-20:])
    assert len(read_notebook(bench.folder).outcomes) == 2


def test_a_cap_on_money_needs_prices_that_cover_the_model(bench: Any) -> None:
    bench.model = lambda seed: Talker()
    with pytest.raises(ConfigError, match="needs prices"):
        bench.run("plain", max_usd=1.0)
    other = Prices({"another model": Price(input=1, output=1)})
    ended = bench.run("plain", max_usd=1.0, prices=other)
    assert len(ended.notebook.outcomes) == 1
    assert "price" in str(ended.why)


def test_an_interrupted_experiment_goes_on_where_it_stopped(bench: Any) -> None:
    asked: list[str] = []
    stop_at = [3]

    async def counted(setup: Setup, given: Any) -> list[BaseMessage]:
        if len(asked) == stop_at[0]:
            raise KeyboardInterrupt
        asked.append(given["messages"][0]["content"])
        return [AIMessage("an answer")]

    with pytest.raises(KeyboardInterrupt):
        bench.run(arm("a", counted))
    assert len(read_notebook(bench.folder).outcomes) == 3
    stop_at[0] = -1
    assert len(bench.outcomes(arm("a", counted))) == 10
    assert Counter(asked) == Counter(task.prompt for task in bench.suite.tasks)
    before = len(asked)
    bench.run(arm("a", counted))
    assert len(asked) == before


def test_a_torn_last_line_costs_its_episode_and_no_other(bench: Any) -> None:
    bench.run(arm("a", answers), n=3)
    path = bench.folder / EPISODES
    path.write_bytes(path.read_bytes()[:-20])
    assert len(read_notebook(bench.folder).outcomes) == 2
    assert len(bench.outcomes(arm("a", answers), n=3)) == 3
    lines = path.read_text().splitlines()
    assert len(lines) == 3
    assert all(json.loads(line) for line in lines)


def test_a_broken_line_in_the_middle_is_an_error_with_its_number(bench: Any) -> None:
    bench.run(arm("a", answers), n=3)
    path = bench.folder / EPISODES
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], "{", lines[2], ""]))
    with pytest.raises(LabelFileError, match="line 2"):
        bench.run(arm("a", answers), n=3)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"tool_calls": 4}, "tool_calls: 3 there, 4 here"),
        ({"settings": {"model": "other"}}, "model: None there, 'other' here"),
        ({"seconds": 5.0}, "seconds: None there, 5.0 here"),
    ],
)
def test_a_resume_under_other_settings_is_refused(bench: Any, settings: Any, named: str) -> None:
    bench.run(arm("a", answers), n=1)
    before = (bench.folder / "manifest.json").read_text()
    with pytest.raises(ExperimentMismatchError) as caught:
        bench.run(arm("a", answers), n=1, **settings)
    assert caught.value.differences == (named,)
    assert named in str(caught.value)
    assert (bench.folder / "manifest.json").read_text() == before


def test_another_suite_or_arm_of_the_same_name_is_refused(bench: Any) -> None:
    bench.run(arm("a", answers, settings={"x": 1}), n=1)
    with pytest.raises(ExperimentMismatchError, match="arm 'a'"):
        bench.run(arm("a", answers, settings={"x": 2}), n=1)

    class Other:
        version = "sha256:other"

        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

    inner = bench.suite
    bench.suite = Other()
    with pytest.raises(ExperimentMismatchError, match="suite_version"):
        bench.run(arm("a", answers, settings={"x": 1}), n=1)


def test_more_of_the_same_is_the_same_experiment(bench: Any) -> None:
    bench.run(arm("a", answers), n=2)
    ended = bench.run(arm("a", answers), arm("b", answers), n=3, seeds=(0, 1))
    manifest = ended.notebook.manifest
    assert set(manifest.arms) == {"a", "b"}
    assert (manifest.seeds, manifest.tasks, len(manifest.sessions)) == ((0, 1), 3, 2)
    assert len(ended.notebook.outcomes) == 12


def test_two_arms_of_one_name_are_refused(bench: Any) -> None:
    with pytest.raises(ConfigError, match="Two arms"):
        bench.run(arm("a", answers), arm("a", answers))


def test_an_empty_folder_is_no_experiment(tmp_path: Path) -> None:
    with pytest.raises(LabelFileError, match="no experiment"):
        read_notebook(tmp_path)


# --- tasks and prices -----------------------------------------------------------------------------


def test_a_larger_draw_begins_with_the_smaller_one(bench: Any) -> None:
    few = draw(bench.suite, n=3, seeds=[0, 1])
    many = draw(bench.suite, n=7, seeds=[0, 1])
    assert few[0] == few[1] == many[0][:3]
    own = draw(bench.suite, n=3, seeds=[0, 1], own=True)
    assert own[0] != own[1]
    assert own[1] == draw(bench.suite, n=3, seeds=[1], own=True)[1]
    assert draw(bench.suite, n=None, seeds=[5])[5] == tuple(bench.suite.tasks)


def test_prices_are_read_from_toml_and_json(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text('["gpt*"]\ninput = 1.0\noutput = 2.0\n["gpt-mini"]\ninput=3\noutput=4\n')
    (tmp_path / "p.json").write_text('{"gpt*": {"input": 1, "output": 2}}')
    toml = read_prices(tmp_path / "p.toml")
    assert toml.of("gpt-mini") == Price(input=3, output=4)  # the longest that fits
    assert toml.of("gpt-x") == read_prices(tmp_path / "p.json").of("gpt-x") == Price(input=1, output=2)
    assert toml.of("other") is None
    assert Price(input=2, output=10).of(1_000_000, 500_000) == 7


@pytest.mark.parametrize("content", ["nonsense", "[m]\ninput = -1\noutput = 1", "m = 3", '["m"]\ninput=1'])
def test_a_broken_price_table_is_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "p.toml").write_text(content)
    with pytest.raises(ConfigError):
        read_prices(tmp_path / "p.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_prices(tmp_path / "none.toml")


def test_unknown_arms_are_refused_with_the_known_ones(bench: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        arms_named(["plain", "magic"], bench.recipes)
    assert "'magic'" in str(caught.value)
    assert "best of 3" in str(caught.value)


async def test_it_runs_inside_of_an_event_loop(bench: Any) -> None:
    ended = await run_experiment(bench.experiment(arm("a", answers), n=1))
    assert ended.left == 0
