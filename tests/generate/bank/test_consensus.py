from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.errors import GraphInterrupt

from coreact.errors import ConfigError
from coreact.generate.bank.consensus import ConsensusGenerator
from coreact.generate.generator import NoRubricError, RubricGenerator, Written
from coreact.judge import Cost
from coreact.rubric import ArgumentContains, Criterion, Provenance, Rubric, State, Stops, ToolIs
from coreact.rubric.remarks import Remark

STATE = State.start("Which currency does Chile use?", limit=5)


class Writer:
    """Writes one rubric, or raises; remembers the thread it ran in."""

    def __init__(
        self, name: str, *criteria: Criterion | str, error: BaseException | None = None, **rubric: Any
    ):
        self.id = name
        self._criteria = tuple(
            Criterion(id=f"{name}{n}", text=one) if isinstance(one, str) else one
            for n, one in enumerate(criteria)
        )
        self._rubric = rubric
        self._error = error
        self.thread: int | None = None

    def write(self, state: State) -> Written:
        self.thread = threading.get_ident()
        if self._error is not None:
            raise self._error
        rubric = Rubric(criteria=self._criteria, **self._rubric)
        return Written(rubric, Cost(calls=1), (Remark(deed="found", reason=f"by {self.id}"),))

    async def awrite(self, state: State) -> Written:
        await asyncio.sleep(0)
        return self.write(state)


both = pytest.mark.parametrize("how", ["sync", "async"])


def run(writers: list[RubricGenerator], how: str = "sync", **options: Any) -> Written:
    generator = ConsensusGenerator(writers, **options)
    return generator.write(STATE) if how == "sync" else asyncio.run(generator.awrite(STATE))


def texts(written: Written) -> list[str]:
    return [criterion.text for criterion in written.rubric]


@both
def test_what_only_one_writer_proposed_is_dropped(how: str) -> None:
    written = run(
        [
            Writer("a", "Search for Chile.", "Use the archive."),
            Writer("b", "Search for Chile!", "Ask a person."),
            Writer("c", "Read slowly."),
        ],
        how,
    )
    assert texts(written) == ["Search for Chile."]
    dropped = {one.criterion: one.reason for one in written.remarks if one.deed == "dropped"}
    assert set(dropped) == {"Use the archive.", "Ask a person.", "Read slowly."}
    assert dropped["Use the archive."] == "proposed by 1 of 3 writers; 2 are needed"
    assert written.cost.calls == 3
    assert [one.reason for one in written.remarks[:3]] == ["by a", "by b", "by c"]


def test_with_m_of_one_everything_stays_and_with_all_only_what_all_say() -> None:
    writers = [Writer("a", "Search for Chile.", "Read."), Writer("b", "Search for Chile.")]
    assert texts(run([*writers], m=1)) == ["Search for Chile.", "Read."]
    assert texts(run([*writers], m=2)) == ["Search for Chile."]
    with pytest.raises(NoRubricError):
        run([*writers, Writer("c", "Wait.")], m=3)


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("Search for Chile.", "search for CHILE", True),
        ("Search the register of currencies first.", "First search the register for currencies.", True),
        ("Search for Chile.", "Search for Peru.", False),
        ("Search the register of 1990 again.", "Search the register of 1991 again.", False),
        ("Answer with the register now.", "Do not answer with the register now.", False),
        ("Search the register.", "Ask the librarian.", False),
    ],
)
def test_when_two_sentences_say_the_same(left: str, right: str, same: bool) -> None:
    writers: list[RubricGenerator] = [Writer("a", left, "Wait."), Writer("b", right, "Wait.")]
    assert texts(run(writers)) == ([left, "Wait."] if same else ["Wait."])
    assert (len(run(writers[::-1]).rubric) == 2) is same


def contains(*terms: str) -> Criterion:
    return Criterion(id="t", text="Search it.", check=ArgumentContains(argument="query", terms=terms))


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (contains("Chile"), contains("Chile").model_copy(update={"text": "Quite other words."}), True),
        (contains("Chile"), contains("Peru"), False),
        (contains("Chile"), Criterion(id="t", text="Search it.", check=Stops()), False),
        (contains("Chile"), Criterion(id="t", text="Search it."), True),
        (contains("Chile"), contains("Chile").model_copy(update={"polarity": "forbid"}), False),
    ],
)
def test_checks_say_more_than_words(left: Criterion, right: Criterion, same: bool) -> None:
    written = run([Writer("a", left, "Wait."), Writer("b", right, "Wait.")])
    assert (len(written.rubric) == 2) is same


def test_the_weight_is_the_mean_share_of_those_who_proposed_it() -> None:
    def weighed(name: str, *weights: tuple[str, float]) -> Writer:
        return Writer(name, *(Criterion(id=t[:1] + name, text=t, weight=w) for t, w in weights))

    written = run(
        [
            weighed("a", ("Search.", 3), ("Read.", 1)),  # 0.75, 0.25
            weighed("b", ("Search.", 10), ("Wait.", 10)),  # 0.5
            weighed("c", ("Read.", 1)),  # 1
        ]
    )
    assert [(c.id, c.text, c.weight) for c in written.rubric] == [
        ("c1", "Search.", pytest.approx(0.625)),
        ("c2", "Read.", pytest.approx(0.625)),
    ]


def test_one_writer_that_repeats_itself_has_one_vote() -> None:
    with pytest.raises(NoRubricError):
        run([Writer("a", "Search it now.", "Now search it."), Writer("b", "Wait.")])


@both
def test_a_failed_writer_does_not_vote_and_is_named(how: str) -> None:
    broken = Writer(
        "b", error=NoRubricError("It refused.", generator="b", cause="refusal", cost=Cost(calls=4))
    )
    written = run([Writer("a", "Search."), broken, Writer("c", "Search.")], how)
    assert texts(written) == ["Search."]
    assert written.cost.calls == 6
    (told,) = [remark.reason for remark in written.remarks if "failed" in remark.reason]
    assert told == "writer b failed: NoRubricError: It refused."


@both
def test_too_few_writers_left_is_no_rubric(how: str) -> None:
    writers = [
        Writer("a", "Search."),
        Writer("b", error=TimeoutError("late")),
        Writer("c", error=ValueError()),
    ]
    with pytest.raises(NoRubricError, match="1 of 3 writers") as caught:
        run([*writers], how)
    assert caught.value.cause == "transport"
    assert caught.value.cost.calls == 3
    assert len(caught.value.remarks) == 3


@both
def test_no_agreement_is_no_rubric(how: str) -> None:
    with pytest.raises(NoRubricError, match="No criterion") as caught:
        run([Writer("a", "Search."), Writer("b", "Read.")], how)
    assert len([one for one in caught.value.remarks if one.deed == "dropped"]) == 2
    assert caught.value.cost.calls == 2


@both
def test_control_flow_passes(how: str) -> None:
    with pytest.raises(GraphInterrupt):
        run([Writer("a", "Search."), Writer("b", error=GraphInterrupt()), Writer("c", "Search.")], how)


@both
def test_something_else_than_a_rubric_is_a_failed_writer(how: str) -> None:
    class Odd(Writer):
        def write(self, state: State) -> Any:
            return None

    with pytest.raises(NoRubricError) as caught:
        run([Writer("a", "Search."), Odd("b")], how)
    assert "NoneType" in caught.value.remarks[-1].reason


def test_writers_write_in_threads_of_their_own() -> None:
    barrier = threading.Barrier(2, timeout=20)

    class Waiting(Writer):
        def write(self, state: State) -> Written:
            barrier.wait()
            return super().write(state)

    assert texts(run([Waiting("a", "Search."), Waiting("b", "Search.")])) == ["Search."]


@both
def test_another_judge_of_equality_may_decide(how: str) -> None:
    threads: set[int] = set()

    def same(left: Criterion, right: Criterion) -> bool:
        threads.add(threading.get_ident())
        return {left.text, right.text} == {"Search.", "Query the index."}

    written = run([Writer("a", "Search."), Writer("b", "Query the index.")], how, same=same)
    assert texts(written) == ["Search."]
    if how == "async":
        assert threading.get_ident() not in threads


@both
def test_a_judge_of_equality_that_fails_merges_nothing(how: str) -> None:
    def same(left: Criterion, right: Criterion) -> bool:
        raise ConnectionError("gone")

    with pytest.raises(NoRubricError) as caught:
        run([Writer("a", "Search."), Writer("b", "Search.")], how, same=same)
    assert any("ConnectionError" in one.reason for one in caught.value.remarks)

    def interrupts(left: Criterion, right: Criterion) -> bool:
        raise GraphInterrupt

    with pytest.raises(GraphInterrupt):
        run([Writer("a", "Search."), Writer("b", "Search.")], how, same=interrupts)


def test_a_merged_criterion_is_as_strict_as_all_and_as_secret_as_one() -> None:
    def one(**fields: Any) -> Criterion:
        return Criterion(id="x", text="Search.", **fields)

    loud = run([Writer("a", one(veto=True)), Writer("b", one(visibility="judge_only"))]).rubric.criteria[0]
    assert (loud.veto, loud.visibility) == (False, "judge_only")
    strict = run([Writer("a", one(veto=True)), Writer("b", one(veto=True))]).rubric.criteria[0]
    assert (strict.veto, strict.visibility) == (True, "policy")


def test_dependencies_follow_their_criteria() -> None:
    def pair(name: str, first: str) -> Writer:
        return Writer(
            name,
            Criterion(id=f"{name}1", text=first, check=ToolIs(tools=(first.lower(),))),
            Criterion(id=f"{name}2", text="Then read it.", depends_on=(f"{name}1",)),
        )

    written = run([pair("a", "Search"), pair("b", "Search"), Writer("c", "Wait.")])
    assert [(c.id, c.depends_on) for c in written.rubric] == [("c1", ()), ("c2", ("c1",))]
    with pytest.raises(NoRubricError) as caught:
        run([pair("a", "Search"), pair("b", "Browse")])
    assert any("depends on one that too few" in remark.reason for remark in caught.value.remarks)


def test_provenance_names_those_who_agreed() -> None:
    def by(name: str, *evidence: str) -> Writer:
        source = Provenance(source=name, evidence=evidence)
        return Writer(name, Criterion(id=name, text="Search.", provenance=source))

    generator = ConsensusGenerator([by("a", "m1"), by("b"), by("c", "m1", "m2")])
    (merged,) = generator.write(STATE).rubric
    assert merged.provenance == Provenance(
        source="consensus(a+b+c,m=2)", parent="a", evidence=("a", "m1", "b", "c", "m2")
    )


def test_the_threshold_is_the_mean() -> None:
    written = run([Writer("a", "Search.", threshold=0.5), Writer("b", "Search.", threshold=1.0)])
    assert written.rubric.threshold == 0.75


@pytest.mark.parametrize("options", [{"m": 0}, {"m": 3}, {"alike": 0.0}, {"alike": 1.5}])
def test_impossible_settings_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        ConsensusGenerator([Writer("a", "Search."), Writer("b", "Search.")], **options)


SENTENCES = st.sampled_from(["Search.", "Read the page.", "Wait.", "Answer now.", "Use the archive."])
DRAFTS = st.lists(st.lists(SENTENCES, min_size=1, max_size=4, unique=True), min_size=2, max_size=4)


@given(drafts=DRAFTS, m=st.integers(1, 4))
def test_a_criterion_stays_exactly_if_enough_writers_wrote_it(drafts: list[list[str]], m: int) -> None:
    m = min(m, len(drafts))
    counted = {text: sum(text in draft for draft in drafts) for draft in drafts for text in draft}
    expected = {text for text, votes in counted.items() if votes >= m}
    writers: list[RubricGenerator] = [Writer(f"w{n}x", *draft) for n, draft in enumerate(drafts)]
    generator = ConsensusGenerator(writers, m=m)
    if not expected:
        with pytest.raises(NoRubricError):
            generator.write(STATE)
        return
    assert set(texts(generator.write(STATE))) == expected
