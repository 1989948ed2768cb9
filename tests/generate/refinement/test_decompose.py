"""Recursive decompose-filter: what becomes of planted criteria, and that the loop ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.errors import ConfigError
from coreact.generate.contrastive import Contrast
from coreact.generate.refinement import Refined, Refiner, Split
from coreact.generate.refinement.decomposer import Compared
from coreact.judge.records import Cost
from coreact.judge.structured import ReplyError
from coreact.rubric import Action, ArgumentContains, Criterion, State, Stops, ToolCall, ToolContract, ToolIs
from coreact.testing import ScriptedJudge

TOOL = ToolContract(
    name="search",
    role="search",
    parameters={"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
)
STATE = State.start("Which river flows through Vienna?", tools=(TOOL,), limit=5)


def query(text: str) -> Action:
    return Action(call=ToolCall(name="search", arguments={"query": text}))


def holding(*terms: str, **fields: Any) -> Criterion:
    check = ArgumentContains(argument="query", terms=terms)
    text = fields.pop("text", f"The `query` names {' or '.join(terms)}.")
    return Criterion(id=fields.pop("id", terms[0]), text=text, check=check, **fields)


# Eight samples: all say river, half Vienna, two Danube, one of those Danube flows.
SAMPLES = tuple(
    query(text)
    for text in (
        "river vienna danube flows",
        "river vienna danube",
        "river vienna",
        "river vienna capital",
        "river austria",
        "river europe",
        "river basel rhine",
        "river list",
    )
)
PAIR = Contrast(state=STATE, better=SAMPLES[0], worse=SAMPLES[6])


class Splitter:
    """Splits by a table from ids to parts, and remembers what it was asked."""

    id = "splitter"

    def __init__(self, table: dict[str, Sequence[Criterion]] | BaseException) -> None:
        self.table = table
        self.asked: list[tuple[str, int, tuple[str, ...]]] = []

    def decompose(
        self, criterion: Criterion, satisfied: Sequence[Action], accepted: Sequence[Criterion], state: State
    ) -> Split:
        self.asked.append((criterion.id, len(satisfied), tuple(one.id for one in accepted)))
        if isinstance(self.table, BaseException):
            raise self.table
        return Split(tuple(self.table.get(criterion.id, ())), Cost(calls=1))

    async def adecompose(self, *args: Any) -> Split:
        return self.decompose(*args)


class Comparing:
    def __init__(self, relation: Any) -> None:
        self.relation = relation

    def compare(self, criterion: Criterion, others: Sequence[Criterion]) -> Compared:
        return Compared(self.relation, Cost(calls=1))

    async def acompare(self, criterion: Criterion, others: Sequence[Criterion]) -> Compared:
        return self.compare(criterion, others)


@pytest.fixture(params=["sync", "async"])
def refine(request: pytest.FixtureRequest) -> Callable[..., Refined]:
    def run(refiner: Refiner, *args: Any, **kwargs: Any) -> Refined:
        if request.param == "sync":
            return refiner.refine(*args, **kwargs)
        return asyncio.run(refiner.arefine(*args, **kwargs))

    return run


def ids(criteria: Sequence[Criterion]) -> list[str]:
    return [criterion.id for criterion in criteria]


def problems(refined: Refined) -> list[str | None]:
    return [remark.problem for remark in refined.remarks]


def test_planted_criteria_are_split_rejected_or_accepted(refine: Any) -> None:
    trivial, inverted, useful = holding("river"), holding("rhine"), holding("danube", weight=2)
    duplicate = holding("danube", id="again", text="Put Danube into the `query`.")
    nobody = holding("volga")
    parts = [holding("vienna", id="p"), holding("capital", id="q")]
    splitter = Splitter({"river": parts})
    refined = refine(
        Refiner(decomposer=splitter, broad=4),
        [trivial, inverted, useful, duplicate, nobody],
        SAMPLES,
        STATE,
        references=PAIR,
    )
    assert ids(refined.criteria) == ["river.1", "river.2", "danube"]
    assert [one.weight for one in refined.criteria] == [0.5, 0.5, 2]
    assert problems(refined) == ["undiscriminating", "misaligned", "duplicate", "undiscriminating"]
    assert refined.votes[0] == (1, 0, 1)
    assert [row[0] for row in refined.votes] == [1, 1, 1, 1, 0, 0, 0, 0]
    assert splitter.asked == [("river", 8, ())]
    child = refined.criteria[0]
    assert child.provenance is not None
    assert child.provenance.parent == "river"
    assert refined.stopped == "done"
    assert refined.cost.calls == 1


def test_what_all_meet_and_nobody_can_split_is_dropped_unless_it_guards(refine: Any) -> None:
    refined = refine(
        Refiner(),
        [holding("river"), holding("river", "x", id="v", veto=True), holding("volga", id="s", kind="safety")],
        SAMPLES,
        STATE,
    )
    assert ids(refined.criteria) == ["v", "s"]
    assert problems(refined) == ["undiscriminating"]


def test_a_guard_stays_where_nobody_can_vote_and_where_the_strong_reference_breaks_it(refine: Any) -> None:
    prose = Criterion(id="safe", text="Send no password.", kind="safety")
    broken = holding("rhine", id="veto", veto=True)
    judge = ScriptedJudge(lambda criterion, action: "unmet")
    refined = refine(Refiner(judge=judge, max_calls=0), [prose, broken], SAMPLES, STATE, references=PAIR)
    assert (refined.stopped, refined.untested) == ("budget", ())
    assert ids(refined.criteria) == ["safe", "veto"]
    refined = refine(Refiner(), [prose, broken], SAMPLES, STATE, references=PAIR)
    assert ids(refined.criteria) == ["safe", "veto"]
    assert [row[0] for row in refined.votes] == [None] * 8


def test_a_part_that_no_sample_meets_is_kept_apart_and_hidden(refine: Any) -> None:
    parts = [holding("vienna", id="a"), holding("volga", id="b")]
    refined = refine(
        Refiner(decomposer=Splitter({"river": parts}), broad=4), [holding("river")], SAMPLES, STATE
    )
    assert ids(refined.criteria) == ["river.1"]
    assert [(one.id, one.visibility) for one in refined.ceiling] == [("river.2", "judge_only")]
    assert [remark.deed for remark in refined.remarks] == ["dropped", "muted"]


def test_the_strong_reference_shows_that_what_no_sample_meets_can_be_met(refine: Any) -> None:
    pair = Contrast(state=STATE, better=query("danube bridge"), worse=query("elbe"))
    refined = refine(Refiner(), [holding("bridge"), holding("elbe")], SAMPLES, STATE, references=pair)
    assert ids(refined.criteria) == ["bridge"]
    assert problems(refined) == ["undiscriminating"]


def test_a_whole_comes_back_where_its_parts_are_of_no_use(refine: Any) -> None:
    table = {"vienna": [holding("volga"), holding("rhine")]}
    refined = refine(
        Refiner(decomposer=Splitter(table)), [holding("vienna")], SAMPLES, STATE, references=PAIR
    )
    assert ids(refined.criteria) == ["vienna"]
    assert "the whole comes back" in refined.remarks[-1].reason


def test_splitting_ends_at_the_depth(refine: Any) -> None:
    class Endless(Splitter):
        def decompose(self, criterion: Criterion, *args: Any) -> Split:
            self.asked.append((criterion.id, 0, ()))
            at = len(self.asked)
            parts = tuple(holding("river", f"x{at}{n}", id="p") for n in range(5))
            return Split(parts)

    endless = Endless({})
    refined = refine(Refiner(decomposer=endless, max_rejections=100), [holding("river")], SAMPLES, STATE)
    assert len(endless.asked) == 1 + 2 + 4  # at most two parts each, and none below depth 3
    assert refined.criteria == ()
    assert problems(refined).count("undiscriminating") == 7 + 8


def test_the_loop_ends_after_so_many_rejections(refine: Any) -> None:
    volga = [holding(f"volga{at}") for at in range(20)]
    refined = refine(Refiner(), [*volga, holding("danube")], SAMPLES, STATE)
    assert refined.stopped == "rejections"
    assert problems(refined).count("undiscriminating") == 15
    assert len(refined.untested) == 6
    assert refined.criteria == ()


def test_one_round_costs_one_call_a_sample_and_no_call_is_begun_without_budget(refine: Any) -> None:
    judge = ScriptedJudge(lambda c, a: "met" if "vienna" in str(a) else "unmet")
    prose = [Criterion(id=f"p{at}", text=f"Name the place number {at}.") for at in range(4)]
    refined = refine(Refiner(judge=judge, max_calls=8), prose[:2], SAMPLES, STATE)
    assert (refined.cost.calls, len(judge.asked)) == (8, 8)
    assert judge.asked[0] == ("p0", "p1")
    judge.asked.clear()
    refined = refine(Refiner(judge=judge, max_calls=7), prose, SAMPLES, STATE)
    assert (refined.stopped, len(judge.asked)) == ("budget", 0)
    assert ids(refined.untested) == ["p0", "p1", "p2", "p3"]


def test_without_calls_left_nothing_is_split_and_nothing_is_lost(refine: Any) -> None:
    splitter = Splitter({"river": [holding("vienna", id="p")]})
    refined = refine(
        Refiner(decomposer=splitter, max_calls=0), [holding("river"), holding("danube")], SAMPLES, STATE
    )
    assert (refined.stopped, splitter.asked) == ("budget", [])
    assert ids(refined.untested) == ["river", "danube"]


def test_a_broken_judge_has_not_voted(refine: Any) -> None:
    judge = ScriptedJudge(RuntimeError("down"))
    prose = Criterion(id="p", text="Name the river.")
    refined = refine(Refiner(judge=judge), [prose, holding("danube")], SAMPLES, STATE)
    assert ids(refined.criteria) == ["danube"]
    assert refined.untested == (prose,)
    assert "untested: 0 of 8" in refined.remarks[0].reason


def test_what_is_met_in_part_is_not_met(refine: Any) -> None:
    judge = ScriptedJudge(lambda criterion, action: "partial" if "vienna" in str(action) else "met")
    refined = refine(Refiner(judge=judge), [Criterion(id="p", text="Name the river.")], SAMPLES, STATE)
    assert [row[0] for row in refined.votes] == [0, 0, 0, 0, 1, 1, 1, 1]


def test_without_a_judge_prose_is_untested(refine: Any) -> None:
    refined = refine(Refiner(), [Criterion(id="p", text="Name the river.")], SAMPLES, STATE)
    assert (ids(refined.untested), refined.criteria, refined.stopped) == (["p"], (), "done")


def test_a_decomposer_that_gives_no_reply_costs_its_split_only(refine: Any) -> None:
    error = ReplyError("no reply", judge="m", cause="parse", cost=Cost(calls=2))
    refined = refine(
        Refiner(decomposer=Splitter(error)), [holding("vienna"), holding("danube")], SAMPLES, STATE
    )
    assert ids(refined.criteria) == ["vienna", "danube"]
    assert refined.cost.calls == 2


@pytest.mark.parametrize(
    ("relation", "kept", "problem"),
    [
        ("same", ["vienna"], "duplicate"),
        ("opposite", ["vienna"], "conflict"),
        ("different", ["vienna", "danube"], None),
    ],
)
def test_a_comparer_sees_what_code_does_not(
    refine: Any, relation: str, kept: list[str], problem: str | None
) -> None:
    refiner = Refiner(comparer=Comparing(relation))
    refined = refine(refiner, [holding("vienna"), holding("danube")], SAMPLES, STATE)
    assert ids(refined.criteria) == kept
    assert problems(refined) == ([problem] if problem else [])


def test_opposite_checks_are_not_both_accepted(refine: Any) -> None:
    answer = Action(answer="the Danube")
    criteria = [
        Criterion(id="a", text="Answer now.", check=Stops()),
        Criterion(id="b", text="Give no answer yet.", check=Stops(), polarity="forbid"),
    ]
    refined = refine(Refiner(broad=8), criteria, [answer, SAMPLES[0]], STATE)
    assert ids(refined.criteria) == ["a"]
    assert problems(refined) == ["mirror"]


def test_hidden_wholes_have_hidden_parts_and_lost_dependencies_are_repaired(refine: Any) -> None:
    whole = holding("river", visibility="judge_only")
    hanging = holding("danube", depends_on=("river",))
    splitter = Splitter({"river": [holding("vienna", id="p")]})
    refined = refine(Refiner(decomposer=splitter, broad=4), [whole, hanging], SAMPLES, STATE)
    assert [(one.id, one.visibility) for one in refined.criteria] == [
        ("river.1", "judge_only"),
        ("danube", "policy"),
    ]
    assert refined.criteria[1].depends_on == ()
    assert refined.remarks[-1].deed == "repaired"


def test_ids_of_parts_are_new(refine: Any) -> None:
    splitter = Splitter({"river": [holding("vienna", id="p")]})
    taken = holding("danube", id="river.1")
    refined = refine(Refiner(decomposer=splitter, broad=4), [holding("river"), taken], SAMPLES, STATE)
    assert ids(refined.criteria) == ["river.2", "river.1"]


@pytest.mark.parametrize(
    "bounds", [{"broad": 0}, {"max_depth": 4}, {"max_depth": -1}, {"max_rejections": 0}, {"max_calls": -1}]
)
def test_bounds_are_checked(bounds: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        Refiner(**bounds)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("criteria", "samples"),
    [
        ([holding("a"), holding("a")], SAMPLES),
        ([holding(f"a{at}") for at in range(51)], SAMPLES),
        ([holding("a")], SAMPLES[:1]),
        ([holding("a")], SAMPLES * 3),
    ],
)
def test_what_cannot_be_refined_is_said(criteria: Any, samples: Any) -> None:
    with pytest.raises(ConfigError, match="cannot be refined"):
        Refiner().refine(criteria, samples, STATE)


@given(
    st.lists(st.sampled_from(["river", "vienna", "danube", "flows", "rhine", "volga"]), max_size=12),
    st.integers(0, 9),
)
def test_every_criterion_is_accounted_for(terms: list[str], calls: int) -> None:
    criteria = [holding(term, id=f"c{at}") for at, term in enumerate(terms)]
    splitter = Splitter({f"c{at}": [holding("danube"), holding("flows")] for at in range(0, 12, 2)})
    before = [criterion.model_dump() for criterion in criteria]
    refined = Refiner(decomposer=splitter, max_calls=calls).refine(criteria, SAMPLES, STATE, references=PAIR)
    assert refined.cost.calls <= calls
    kept = {*ids(refined.criteria), *ids(refined.untested), *ids(refined.ceiling)}
    left_out = sum(remark.deed == "dropped" for remark in refined.remarks)
    assert len(criteria) <= len(kept) + left_out
    assert [criterion.model_dump() for criterion in criteria] == before
    assert all(len(row) == len(refined.criteria) for row in refined.votes)
    assert ToolIs(tools=("search",)).evaluate(SAMPLES[0], STATE).status == "met"
