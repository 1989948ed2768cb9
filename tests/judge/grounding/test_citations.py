"""Audits of citations: golden figures, what code decides, what a judge is shown, what contradicts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.judge.grounding.citations import CitationAudit, aaudit, audit
from coreact.judge.model import ModelJudge
from coreact.judge.records import Cost, Status
from coreact.judge.runner import Judge, Ruling
from coreact.rubric import Action, Criterion, Observation, State, Step, ToolCall, ToolContract
from coreact.testing import ScriptedJudge, ScriptedModel

TOOLS = (
    ToolContract(name="search", role="search"),
    ToolContract(name="read", role="read"),
    ToolContract(name="compute", role="compute"),
)
A, B, C = "https://a.org/dam", "https://b.org/dam", "https://c.org/dam"
RESULTS = f"{A}\nThe dam of Elbstadt was finished in 1936.\n\n{C}\nThe dam of Elbstadt cost 9 million."
PAGE_A = "Elbstadt. The dam of Elbstadt was finished in 1936. It is 50 m high and stands on the Elbe."
PAGE_B = "The dam of Elbstadt was finished in 1938. It was designed by Ito."


def step(tool: str, argument: str, text: str, *, failed: bool = False) -> Step:
    return Step(
        call=ToolCall(name=tool, arguments={"x": argument}), observation=Observation(text=text, failed=failed)
    )


SEARCHED, READ_A, READ_B = step("search", "dam", RESULTS), step("read", A, PAGE_A), step("read", B, PAGE_B)


def state(*steps: Step) -> State:
    return State.start("When was the dam of Elbstadt finished?", tools=TOOLS).after(*steps)


RUN = state(SEARCHED, READ_A, READ_B)

Audit = Callable[..., CitationAudit]


@pytest.fixture(params=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Audit:
    if request.param == "sync":
        return audit
    return lambda *given: asyncio.run(aaudit(*given))


def always(status: Status) -> ScriptedJudge:
    return ScriptedJudge(lambda criterion, action: status)


class Reading:
    """A judge that says met where a word of its list stands in what it was shown; it keeps what it saw."""

    id = "reading"

    def __init__(self, *telling: str) -> None:
        self._telling = telling
        self.seen: list[tuple[tuple[str, ...], list[str]]] = []

    def judge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        shown = [s.observation.text for s in state.steps if s.observation]
        self.seen.append((tuple(criterion.text for criterion in criteria), shown))
        ruled = ScriptedJudge(
            lambda criterion, action: (
                "met"
                if any(word in criterion.text and word in text for word in self._telling for text in shown)
                else "unmet"
            )
        )
        return ruled.judge(criteria, action, state)

    async def ajudge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        return self.judge(criteria, action, state)


# --- golden figures ------------------------------------------------------------------------------


def test_four_claims_three_cited_two_supported(run: Audit) -> None:
    answer = f"It stands in Elbstadt ({A}). It spans the Elbe ({A}). Ito built it for fun ({B}). It is nice."
    found = run(answer, RUN, Reading("Elbstadt", "Elbe"))
    assert (len(found.claims), found.cited, found.supported, found.unknown) == (4, 3, 2, 0)
    assert found.faithful == 2 / 3
    assert found.grounded == 3 / 4
    assert found.faithful_bounds == (2 / 3, 2 / 3)
    assert [audited.verdict.status for audited in found.claims] == ["met", "met", "unmet", "not_applicable"]


def test_unknown_claims_bound_the_figure_and_do_not_enter_it(run: Audit) -> None:
    answer = f"The dam of Elbstadt was finished in 1936 ({A}). It spans a river ({A}). It is nice."
    found = run(answer, RUN)
    assert (found.cited, found.supported, found.judged, found.unknown) == (2, 1, 1, 1)
    assert found.faithful == 1.0
    assert found.faithful_bounds == (0.5, 1.0)
    assert found.claims[1].verdict.decided_by == "nobody"


def test_a_report_without_citations_is_reported(run: Audit) -> None:
    found = run("It is old. It is nice.", RUN, always("met"))
    assert found.uncited
    assert found.grounded == 0.0
    assert (found.faithful, found.faithful_bounds) == (None, None)
    assert found.cost == Cost()


def test_an_answer_that_claims_nothing(run: Audit) -> None:
    found = run("Why?", RUN, always("met"))
    assert (found.claims, found.grounded, found.faithful, found.uncited) == ((), None, None, False)


def test_a_broken_judge_supports_nothing_and_refutes_nothing(run: Audit) -> None:
    found = run(f"It spans a river ({A}).", RUN, ScriptedJudge(TimeoutError("late")))
    (audited,) = found.claims
    assert (audited.verdict.status, audited.verdict.fault, audited.verdict.cause) == (
        "unknown",
        "instrument",
        "transport",
    )
    assert found.faithful is None
    assert found.faithful_bounds == (0.0, 1.0)


def test_a_part_is_not_support_in_full(run: Audit) -> None:
    found = run(f"It spans a river ({A}).", RUN, always("partial"))
    assert found.claims[0].verdict.status == "partial"
    assert found.faithful == 0.0


# --- references ----------------------------------------------------------------------------------


def test_references_are_named_by_what_the_agent_did_with_them(run: Audit) -> None:
    answer = f"""It is high [1]. It is old [2][9]. It is grey ({C}).

## References
[1] Dams. http://www.a.org/dam/
[2] https://nobody.org/saw
[3] https://gone.org
[4] Never Written Book
"""
    found = run(answer, state(SEARCHED, READ_A, step("read", "https://gone.org", "404", failed=True)))
    assert found.standing("opened") == ("http://www.a.org/dam",)
    assert found.standing("never_opened") == (C,)
    assert found.standing("dead") == ("https://gone.org",)
    assert found.standing("invented") == ("https://nobody.org/saw", "[9]", "Never Written Book")
    assert len(found.references) == 6
    assert found.references[0].messages == ("observation-1", "observation-2")


def test_a_claim_on_invented_references_is_unsupported_without_a_judge(run: Audit) -> None:
    found = run("It is high (https://nobody.org/saw).", RUN, ScriptedJudge(AssertionError("asked")))
    assert found.claims[0].verdict.status == "unmet"
    assert found.claims[0].citations[0].standing == "invented"
    assert found.faithful == 0.0


def test_passages_of_a_local_corpus_are_cited_by_label(run: Audit) -> None:
    steps = (
        step("search", "dune", "[o1] Dune: Dune is a novel of 1965.\n[o2] Arrakis: Arrakis is a dry planet."),
        step("read", "o1", "[o1] Dune: Dune is a novel of 1965. It won the Hugo Award."),
    )
    found = run("It won the Hugo Award [o1]. Arrakis is a dry planet. [o2] It is odd [sic].", state(*steps))
    assert [[(c.key, c.standing) for c in audited.citations] for audited in found.claims] == [
        [("o1", "opened")],
        [("o2", "never_opened")],
        [],
    ]
    assert [audited.verdict.status for audited in found.claims] == ["met", "met", "not_applicable"]


# --- what code decides -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claim", "status"),
    [
        ("The dam of Elbstadt was finished in 1936", "met"),
        ("the  dam of ELBSTADT was finished in 1936", "met"),
        ("It is 50 m high and stands on the Elbe", "met"),
        ("The dam of Elbstadt was finished in 1937", "unmet"),
        ("It is 51 m high", "unmet"),
        ("It is 50 m high", "unknown"),  # only a part of a sentence
        ("The dam was finished in 1936", "unknown"),
        ("It is fifty metres high", "unknown"),
        ("Ito designed it", "unknown"),
        ("Elbstadt", "unknown"),
    ],
)
def test_code_decides_only_what_it_can_see(claim: str, status: Status) -> None:
    found = audit(f"{claim} ({A}).", RUN)
    assert found.claims[0].verdict.status == status
    if status in ("met", "unmet"):
        assert found.claims[0].verdict.decided_by == "check"


def test_a_verbatim_claim_is_evidence_with_its_place(run: Audit) -> None:
    (found,) = run(f"It is 50 m high and stands on the Elbe ({A}).", RUN).claims[0].verdict.evidence
    assert found.message_id == "observation-2"
    assert PAGE_A[found.start : found.end] == found.quote == "It is 50 m high and stands on the Elbe"


def test_a_sentence_that_denies_the_claim_is_no_evidence() -> None:
    page = "Some say the dam was finished in 1936, which is wrong."
    found = audit(f"The dam was finished in 1936 ({A}).", state(step("read", A, page)))
    assert found.claims[0].verdict.status == "unknown"


def test_several_sources_count_together() -> None:
    answer = (
        f"It was finished in 1936 or 1938 [1][2]. It was finished in 1936 or 1938 [1].\n\n[1] {A}\n[2] {B}"
    )
    assert [audited.verdict.status for audited in audit(answer, RUN).claims] == ["unknown", "unmet"]


def test_numbers_of_the_task_and_computed_ones_need_no_source() -> None:
    asked = State.start("What happened in 1900?", tools=TOOLS).after(READ_A, step("compute", "2*37", "74"))
    answer = f"In 1900 it was different ({A}). It is 74 years old ({A}). It is 75 years old ({A})."
    assert [audited.verdict.status for audited in audit(answer, asked).claims] == [
        "unknown",
        "unknown",
        "unmet",
    ]


def test_text_of_another_result_is_no_proof() -> None:
    mixed = f"One\n{A}\nShort.\nTwo\n{B}\nThe dam was finished in 1936."
    found = audit(f"The dam was finished in 1936 ({A}).", state(step("search", "dam", mixed)))
    assert found.claims[0].verdict.status == "unknown"


# --- what a judge is asked -------------------------------------------------------------------------


def test_a_judge_sees_only_what_the_claim_cites(run: Audit) -> None:
    judge = Reading()
    run(f"It spans a river ({A}). It was designed by a man ({B}).", RUN, judge)
    shown = sorted(texts for _, texts in judge.seen)
    assert shown == sorted([[RESULTS.split("\n\n")[0], PAGE_A], [PAGE_B]])
    assert all("river" in asked[0] or "a man" in asked[0] for asked, _ in judge.seen)


def test_claims_on_the_same_sources_share_calls_of_ten(run: Audit) -> None:
    judge = Reading()
    run(" ".join(f"It is of kind {chr(97 + n) * 3} ({A})." for n in range(12)), RUN, judge)
    assert [len(asked) for asked, _ in judge.seen] == [10, 2]


def test_a_model_judge_is_believed_by_its_quotes(run: Audit) -> None:
    def reply(messages: list[Any]) -> str:
        quotes = {"k1": "stands on the Elbe", "k2": "stands on the Rhine"}
        return json.dumps({k: {"reason": "r", "quotes": [q], "status": "met"} for k, q in quotes.items()})

    judge: Judge = ModelJudge(ScriptedModel(script=reply))
    found = run(f"It spans the Elbe ({A}). It spans the Rhine ({A}).", state(READ_A), judge)
    first, second = (audited.verdict for audited in found.claims)
    assert (first.status, first.evidence[0].message_id) == ("met", "observation-1")
    assert PAGE_A[first.evidence[0].start : first.evidence[0].end] == "stands on the Elbe"
    assert (second.status, second.cause, second.claimed) == ("unknown", "unsupported", "met")


def test_offsets_are_those_of_the_whole_message() -> None:
    class Quoting(Reading):
        def judge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
            from coreact.judge.records import Evidence, Verdict

            quoted = Evidence(message_id="observation-1", quote="cost 9 million", start=35, end=49)
            return Ruling(
                tuple(Verdict(criterion=c.id, reason="r", status="met", evidence=(quoted,)) for c in criteria)
            )

    found = audit(f"It was expensive ({C}).", state(SEARCHED), Quoting())
    (evidence,) = found.claims[0].verdict.evidence
    assert RESULTS[evidence.start : evidence.end] == "cost 9 million"


# --- conflicts -------------------------------------------------------------------------------------


def test_two_sources_that_differ_both_stand_in_the_audit(run: Audit) -> None:
    answer = f"The dam of Elbstadt was finished in 1936 ({A})."
    found = run(answer, state(READ_A, READ_B), always("met"))
    (conflict,) = found.conflicts
    assert conflict.claim == "c1"
    assert [(side.value, side.evidence.message_id) for side in conflict.sides] == [
        ("1936", "observation-1"),
        ("1938", "observation-2"),
    ]
    for side, page in zip(conflict.sides, (PAGE_A, PAGE_B), strict=True):
        assert page[side.evidence.start : side.evidence.end] == side.evidence.quote
    assert conflict.confirmed is True
    assert not conflict.mentioned


@pytest.mark.parametrize(("status", "confirmed"), [("met", True), ("unmet", False), ("unknown", None)])
def test_a_judge_confirms_a_conflict(status: Status, confirmed: bool | None) -> None:
    found = audit("The dam of Elbstadt was finished in 1936.", state(READ_A, READ_B), always(status))
    assert [conflict.confirmed for conflict in found.conflicts] == [confirmed]


def test_without_a_judge_a_conflict_is_a_candidate() -> None:
    found = audit("The dam of Elbstadt was finished in 1936.", state(READ_A, READ_B))
    assert [conflict.confirmed for conflict in found.conflicts] == [None]


def test_an_answer_that_gives_both_values_mentions_the_conflict() -> None:
    answer = "The dam of Elbstadt was finished in 1936. Others say 1938."
    assert [conflict.mentioned for conflict in audit(answer, RUN).conflicts] == [True]


def test_two_entries_of_one_list_of_results_can_differ() -> None:
    text = f"{A}\nThe dam of Elbstadt was finished in 1936.\n\n{B}\nThe dam of Elbstadt was finished in 1938."
    found = audit("The dam of Elbstadt was finished in 1936.", state(step("search", "dam", text)))
    assert [[side.value for side in conflict.sides] for conflict in found.conflicts] == [["1936", "1938"]]


@pytest.mark.parametrize(
    "other",
    [
        "The dam of Elbstadt was finished in 1936.",  # says the same
        "The dam of Rheinstadt was finished in 1938.",  # of something else
        "The dam of Elbstadt was finished by 38 men.",  # counts something else
        "It was finished in 1938.",  # of what?
        "The mayor of Elbstadt was born in 1938 to a poor family of weavers.",  # something else of it
        "The dam of Elbstadt was finished.",
    ],
)
def test_no_conflict(other: str) -> None:
    answer = "The dam of Elbstadt was finished in 1936."
    assert audit(answer, state(READ_A, step("read", B, other))).conflicts == ()


def test_one_page_does_not_contradict_itself_here() -> None:
    page = "The dam of Elbstadt was finished in 1936. The dam of Elbstadt was finished in 1938."
    assert audit("The dam of Elbstadt was finished in 1936.", state(step("read", A, page))).conflicts == ()


def test_a_failed_observation_contradicts_nothing() -> None:
    failed = step("read", B, PAGE_B, failed=True)
    assert audit("The dam of Elbstadt was finished in 1936.", state(READ_A, failed)).conflicts == ()


def test_units_must_agree() -> None:
    steps = state(
        step("read", A, "The Elbstadt dam is 50 m high."),
        step("read", B, "The Elbstadt dam is 60 m high."),
        step("read", C, "The Elbstadt dam is 70 years old and high."),
    )
    (conflict,) = audit("The Elbstadt dam is 50 m high.", steps).conflicts
    assert [side.evidence.message_id for side in conflict.sides] == ["observation-1", "observation-2"]


# --- laws ------------------------------------------------------------------------------------------

SENTENCES = st.sampled_from(
    [
        f"The dam of Elbstadt was finished in 1936 ({A}).",
        f"It is 7 m high ({B}).",
        "It is nice.",
        f"Grey ({C}).",
        "Odd (https://x.org).",
        f"It spans a river ({A}).",
        "Old [3].",
    ]
)
STATUSES: st.SearchStrategy[Status] = st.sampled_from(
    ["met", "partial", "unmet", "unknown", "not_applicable"]
)


@given(st.lists(SENTENCES, max_size=6), STATUSES)
def test_figures_are_shares_of_counts(parts: list[str], status: Status) -> None:
    found = audit(" ".join(parts), RUN, always(status))
    assert found.supported <= found.judged <= found.cited <= len(found.claims) == len(parts)
    if found.faithful is not None and found.faithful_bounds is not None:
        low, high = found.faithful_bounds
        assert low <= found.faithful <= high
    assert (found.grounded is None) == (not parts)
    assert CitationAudit.model_validate_json(found.model_dump_json()) == found


@given(st.text(max_size=200), st.lists(st.text(max_size=100), max_size=3))
def test_any_answer_and_any_observations_are_audited(answer: str, texts: list[str]) -> None:
    found = audit(answer, state(*(step("read", text[:10], text) for text in texts)), always("met"))
    assert len(found.claims) == found.cited + sum(not audited.citations for audited in found.claims)
