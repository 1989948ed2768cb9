"""The decision loop alone: served by hand with plain replies, no model, no framework."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coreact.errors import GenerationError, ModelCallError
from coreact.guide import (
    Announce,
    CallModel,
    Decision,
    Failed,
    GuideSettings,
    JudgeCriteria,
    Judged,
    Limits,
    Proposal,
    RubricWritten,
    Together,
    WriteRubric,
    decide,
)
from coreact.guide.wording import HEADING
from coreact.judge import Cost, Status, Verdict, undecided
from coreact.rubric import (
    Action,
    ArgumentContains,
    Criterion,
    NotRepeat,
    Observation,
    Rubric,
    State,
    Step,
    ToolCall,
    ToolContract,
)

SEARCH = ToolContract(
    name="search",
    role="search",
    read_only=True,
    parameters={"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
)
STATE = State.start("Where is gold?", tools=(SEARCH,))


def criterion(name: str, **fields: Any) -> Criterion:
    return Criterion(id=name, text=f"Text of {name}.", **fields)


def has(term: str, **fields: Any) -> Criterion:
    return criterion(term, check=ArgumentContains(argument="query", terms=(term,)), **fields)


GOLD = Rubric(
    criteria=(has("gold", weight=0.6), has("silver", weight=0.3), criterion("new", check=NotRepeat()))
)
"""`gold silver` scores 1.0, `gold` passes (0.84), `silver` (0.68) passes at 0.6, `mud` (0.53) fails."""


def search(query: str) -> Action:
    return Action(call=ToolCall(name="search", arguments={"query": query}, id=query))


def proposal(*actions: Action | str, cost: Cost | None = None) -> Proposal:
    made = tuple(search(action) if isinstance(action, str) else action for action in actions)
    return Proposal(actions=made, payload=actions, message={"type": "ai"}, cost=cost or Cost(calls=1))


ANSWER = Action(answer="42")
BROKEN = Failed(error=ModelCallError("The model is down."), cost=Cost(calls=1))


class Served:
    """A served loop: what it asked for, and how it ended."""

    def __init__(
        self,
        script: Iterable[Proposal | Failed],
        *,
        rubrics: Sequence[Rubric | Failed] = (GOLD,),
        verdict: Callable[[Criterion, Action], Status] | Judged | None = None,
        state: State = STATE,
        spent: Cost | None = None,
        last_rubric: Rubric | None = None,
        **settings: Any,
    ) -> None:
        self.requests: list[Any] = []
        replies, written = iter(script), iter(rubrics)
        loop = decide(
            state,
            GuideSettings(**settings),
            spent=spent,
            last_rubric=last_rubric,
            has_judge=verdict is not None,
        )
        reply: Any = None
        while True:
            try:
                request = loop.send(reply)
            except StopIteration as done:
                self.decision: Decision = done.value
                return
            self.requests.append(request)
            if isinstance(request, Together):
                self.requests += [request.write, request.call]
                reply = (self._written(request.write, written), self._proposed(request.call, replies))
            elif isinstance(request, WriteRubric):
                reply = self._written(request, written)
            elif isinstance(request, CallModel):
                reply = self._proposed(request, replies)
            elif isinstance(request, JudgeCriteria):
                reply = verdict if isinstance(verdict, Judged) else self._judged(request, verdict)
            else:
                reply = None

    @staticmethod
    def _written(request: WriteRubric, written: Iterator[Any]) -> Any:
        rubric = next(written)
        if isinstance(rubric, Failed):
            return rubric
        return RubricWritten(rubric=rubric, generator=request.writer, cost=Cost(calls=1))

    @staticmethod
    def _proposed(request: CallModel, replies: Iterator[Any]) -> Any:
        return tuple(next(replies) for _ in range(request.count))

    @staticmethod
    def _judged(request: JudgeCriteria, verdict: Any) -> Judged:
        return Judged(
            verdicts=tuple(
                Verdict(criterion=c.id, reason="seen", status=verdict(c, request.action), decided_by="hand")
                for c in request.criteria
            ),
            cost=Cost(calls=1, output_tokens=5),
        )

    def of(self, kind: type) -> list[Any]:
        return [request for request in self.requests if isinstance(request, kind)]

    @property
    def calls(self) -> list[CallModel]:
        return self.of(CallModel)


# --- attempts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("retries", [0, 1, 2, 3])
def test_every_attempt_is_judged_also_the_last_retry(retries: int) -> None:
    served = Served([proposal(f"mud {n}") for n in range(retries + 1)], retries=retries)
    attempts = served.decision.attempts
    assert len(served.calls) == len(attempts) == retries + 1
    assert all(len(attempt.judgements) == 1 for attempt in attempts)
    assert [attempt.source for attempt in attempts] == ["first"] + ["retry"] * retries
    assert len([a for a in served.of(Announce) if a.event == "attempt"]) == retries + 1


def test_a_good_first_attempt_is_not_tried_again() -> None:
    served = Served([proposal("gold")], retries=3)
    assert len(served.calls) == 1
    assert served.decision.dispositions == ("run",)
    assert served.decision.chosen.rejected_by is None


def test_the_best_attempt_wins_not_the_last() -> None:
    rubric = GOLD.model_copy(update={"threshold": 0.95})
    script = [proposal("mud"), proposal("gold"), proposal("silver")]
    served = Served(script, rubrics=[rubric], retries=2)
    assert served.decision.chosen.index == 1
    assert served.decision.proposal is script[1]
    assert [attempt.selected for attempt in served.decision.attempts] == [False, True, False]


def test_of_equal_attempts_the_first_is_kept() -> None:
    served = Served([proposal("mud"), proposal("dust")], retries=1)
    assert served.decision.chosen.index == 0


def test_retries_stop_as_soon_as_one_passes() -> None:
    served = Served([proposal("mud"), proposal("gold")], retries=5)
    assert [attempt.selected for attempt in served.decision.attempts] == [False, True]
    rejected = served.decision.attempts[0]
    assert rejected.rejected_by == "check"
    assert '"mud"' in rejected.reason


def test_a_model_that_repeats_itself_is_not_asked_a_third_time() -> None:
    served = Served([proposal("mud"), proposal("dust"), proposal("mud"), proposal("gold")], retries=3)
    assert len(served.calls) == 3
    assert served.decision.chosen.index == 0


def test_feedback_names_what_is_unmet_and_lists_what_holds() -> None:
    rubric = Rubric(criteria=(has("gold", weight=0.8), has("silver", weight=0.2)), threshold=0.6)
    served = Served([proposal("silver"), proposal("gold")], rubrics=[rubric])
    first, second = served.calls
    assert first.feedback == ""
    assert first.guidance == second.guidance
    assert "Text of gold." in first.guidance
    assert "Text of silver." in first.guidance
    keep, demand = second.feedback.split(HEADING)
    assert ("silver" in keep, "gold" in keep) == (True, False)
    assert ("silver" in demand, "gold" in demand) == (False, True)


def test_feedback_is_about_the_best_attempt_so_far() -> None:
    rubric = Rubric(criteria=(has("gold"), has("silver"), has("tin")), threshold=1.0)
    served = Served([proposal("gold silver"), proposal("mud"), proposal("x")], rubrics=[rubric], retries=2)
    assert served.calls[1].feedback == served.calls[2].feedback
    assert "Text of silver." in served.calls[2].feedback.split(HEADING)[0]


def test_judge_only_criteria_never_reach_the_model() -> None:
    secret = criterion("secret", visibility="judge_only", weight=5.0)
    rubric = Rubric(criteria=(secret, has("gold")))
    served = Served([proposal("gold"), proposal("gold")], rubrics=[rubric], verdict=lambda c, a: "unmet")
    assert len(served.calls) == 2
    for call in served.calls:
        assert "secret" not in call.guidance + call.feedback
    assert "Text of gold." in served.calls[1].feedback


def test_a_rubric_of_judge_only_criteria_adds_no_block() -> None:
    rubric = Rubric(criteria=(criterion("secret", visibility="judge_only"),))
    served = Served([proposal("gold")], rubrics=[rubric], verdict=lambda c, a: "met")
    assert served.calls[0].guidance == ""


def test_show_rubric_off_shows_feedback_only() -> None:
    served = Served([proposal("mud"), proposal("gold")], show_rubric=False)
    assert [call.guidance for call in served.calls] == ["", ""]
    assert served.calls[1].feedback


def test_a_rubric_that_is_not_shown_is_written_beside_the_first_proposal() -> None:
    served = Served([proposal("mud"), proposal("gold")], show_rubric=False)
    (both,) = served.of(Together)
    assert (both.write, both.call) == (WriteRubric(state=STATE), CallModel(guidance="", feedback=""))
    assert not Served([proposal("gold")]).of(Together), "what is shown has to be there first"
    assert not Served([proposal("gold")], show_rubric=False, own_rubric=True).of(Together)


def test_a_proposal_made_beside_a_rubric_that_failed_is_the_plain_one() -> None:
    served = Served([proposal("mud")], rubrics=[NO_RUBRIC], show_rubric=False, fallback="none", retries=2)
    assert len(served.calls) == 1
    assert served.decision.rubric is None
    assert served.decision.chosen.actions == (search("mud"),)


# --- failures -------------------------------------------------------------------------------------


NO_RUBRIC = Failed(
    error=GenerationError("No rubric today.", generator="g"), cost=Cost(calls=1, output_tokens=7)
)


def test_a_failed_generator_falls_back_to_the_heuristic_and_keeps_the_error() -> None:
    served = Served([proposal("gold")], rubrics=[NO_RUBRIC, GOLD])
    assert [request.writer for request in served.of(WriteRubric)] == ["generator", "heuristic"]
    assert served.decision.generator == "heuristic"
    assert served.decision.errors == ("GenerationError: No rubric today.",)
    assert served.decision.extra.output_tokens == 7
    assert served.calls[0].guidance


def test_a_failed_generator_falls_back_to_the_last_good_rubric() -> None:
    served = Served([proposal("gold")], rubrics=[NO_RUBRIC], fallback="last_good", last_rubric=GOLD)
    assert served.decision.rubric is GOLD
    assert served.decision.generator == "last_good"
    assert served.decision.errors


def test_an_equal_rubric_is_the_same_one() -> None:
    again = Rubric.model_validate(GOLD.model_dump())
    served = Served([proposal("gold")], rubrics=[again], last_rubric=GOLD)
    assert served.decision.rubric is GOLD
    assert served.decision.generator == "generator"


@pytest.mark.parametrize("fallback", ["none", "last_good"])
def test_without_a_fallback_the_request_is_plain_never_an_empty_block(fallback: str) -> None:
    served = Served([proposal("mud")], rubrics=[NO_RUBRIC], fallback=fallback)
    assert served.calls == [CallModel(guidance="", feedback="")]
    decision = served.decision
    assert (decision.rubric, decision.guidance, decision.dispositions) == (None, "", ("run",))
    assert decision.errors == ("GenerationError: No rubric today.",)
    assert not served.of(Announce)


def test_when_the_heuristic_fails_too_both_errors_are_kept() -> None:
    served = Served([proposal("mud")], rubrics=[NO_RUBRIC, NO_RUBRIC])
    assert len(served.decision.errors) == 2
    assert served.decision.rubric is None


@pytest.mark.parametrize(("policy", "expected"), [("allow", "run"), ("block", "blocked"), ("ask", "asked")])
def test_a_failed_judge_makes_unknown_and_a_policy_decides(policy: str, expected: str) -> None:
    rubric = Rubric(criteria=(criterion("taste"),))
    failed = Judged(
        verdicts=undecided(rubric.criteria, reason="No answer.", by="j1", broken=True, cause="transport"),
        cost=Cost(calls=1, seconds=2.0),
    )
    served = Served([proposal("gold")], rubrics=[rubric], verdict=failed, on_unknown=policy)
    decision = served.decision
    (verdict,) = decision.chosen.judgements[0].verdicts
    assert (verdict.status, verdict.fault, verdict.decided_by) == ("unknown", "instrument", "j1")
    assert decision.chosen.judgements[0].passed is None
    assert decision.dispositions == (expected,)
    assert decision.errors == ("No answer.",)
    assert decision.extra.seconds == 2.0
    assert len(served.calls) == 1, "a broken judge is no reason to sample again"


def test_without_a_judge_open_criteria_are_unknown_without_fault() -> None:
    served = Served([proposal("gold")], rubrics=[Rubric(criteria=(criterion("taste"),))])
    (verdict,) = served.decision.chosen.judgements[0].verdicts
    assert (verdict.status, verdict.fault, verdict.decided_by) == ("unknown", "none", "nobody")


def test_the_judge_is_asked_only_about_what_no_check_decides() -> None:
    rubric = Rubric(criteria=(has("gold"), criterion("taste")))
    served = Served([proposal("gold")], rubrics=[rubric], verdict=lambda c, a: "met")
    (asked,) = served.of(JudgeCriteria)
    assert [c.id for c in asked.criteria] == ["taste"]
    assert served.decision.chosen.judgements[0].cost.output_tokens == 5


def test_no_judge_is_asked_about_a_step_that_its_checks_fail_already() -> None:
    rubric = Rubric(criteria=(has("gold", veto=True), criterion("taste")))
    served = Served([proposal("mud"), proposal("gold")], rubrics=[rubric], verdict=lambda c, a: "met")
    (asked,) = served.of(JudgeCriteria)
    assert asked.action == search("gold")
    left = next(v for v in served.decision.attempts[0].judgements[0].verdicts if v.criterion == "taste")
    assert (left.status, left.fault, left.reason) == (
        "unknown",
        "none",
        "the step fails by its checks already",
    )


def test_a_judge_is_asked_where_its_verdict_can_still_save_the_step() -> None:
    rubric = Rubric(criteria=(has("gold", weight=0.2), criterion("taste", weight=0.8)))
    served = Served([proposal("mud")], rubrics=[rubric], verdict=lambda c, a: "met", retries=0)
    assert len(served.of(JudgeCriteria)) == 1
    assert served.decision.chosen.judgements[0].passed is True


def test_a_model_that_fails_in_the_first_call_raises() -> None:
    with pytest.raises(ModelCallError, match="down"):
        Served([BROKEN])


def test_a_model_that_fails_in_the_first_plain_call_raises() -> None:
    with pytest.raises(ModelCallError, match="down"):
        Served([BROKEN], rubrics=[NO_RUBRIC], fallback="none")


def test_a_model_that_fails_in_a_retry_keeps_the_first_attempt() -> None:
    served = Served([proposal("mud"), BROKEN], retries=3)
    assert len(served.calls) == 2
    assert served.decision.chosen.index == 0
    assert served.decision.errors == ("ModelCallError: The model is down.",)


# --- candidates -----------------------------------------------------------------------------------


def test_candidates_are_sampled_at_once_and_ranked() -> None:
    served = Served([proposal("mud"), proposal("gold"), proposal("gold silver")], candidates=3)
    (call,) = served.calls
    assert (call.count, call.attempt) == (3, 0)
    assert served.decision.chosen.index == 2
    assert [attempt.source for attempt in served.decision.attempts] == ["candidate"] * 3
    assert [attempt.rejected_by for attempt in served.decision.attempts] == ["check", "rank", None]


def test_candidates_that_fail_are_dropped() -> None:
    served = Served([BROKEN, proposal("gold")], candidates=2)
    assert [attempt.index for attempt in served.decision.attempts] == [0]
    assert served.decision.errors


def test_when_all_candidates_fail_their_error_is_raised() -> None:
    with pytest.raises(ModelCallError):
        Served([BROKEN, BROKEN], candidates=2)


def test_when_no_candidate_passes_there_is_a_retry() -> None:
    served = Served([proposal("mud"), proposal("dust"), proposal("gold")], candidates=2)
    assert [(call.count, call.attempt) for call in served.calls] == [(2, 0), (1, 2)]
    assert served.decision.chosen.index == 2


# --- the ladder ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spent", "rung"),
    [
        (0, "panel"),
        (49, "panel"),
        (50, "judge"),
        (74, "judge"),
        (75, "checks"),
        (99, "checks"),
        (100, "plain"),
    ],
)
def test_the_ladder_steps_down_by_what_was_spent(spent: int, rung: str) -> None:
    rubric = Rubric(criteria=(has("gold"), criterion("taste")))
    served = Served(
        [proposal("gold")] * 2,
        rubrics=[rubric],
        verdict=lambda c, a: "met",
        candidates=2,
        limits=Limits(tokens=100),
        spent=Cost(input_tokens=spent),
    )
    assert served.decision.rung == rung
    assert served.calls[0].count == (2 if rung == "panel" else 1)
    assert bool(served.of(JudgeCriteria)) == (rung in ("panel", "judge"))
    assert bool(served.of(WriteRubric)) == (rung != "plain")


@pytest.mark.parametrize("limits", [Limits(calls=0), Limits(tokens=0), Limits(seconds=0)])
def test_a_limit_of_nothing_is_the_plain_agent(limits: Limits) -> None:
    served = Served([proposal("mud")], limits=limits)
    assert served.requests == [CallModel(guidance="", feedback="")]
    assert served.decision.rung == "plain"


def test_the_tightest_limit_decides() -> None:
    limits = Limits(calls=100, tokens=100, seconds=1.0)
    assert limits.rung(Cost(calls=10, input_tokens=60, seconds=0.1)) == "judge"
    assert limits.rung(Cost(calls=10, input_tokens=60, seconds=0.8)) == "checks"


def test_no_retry_begins_once_the_budget_is_used_up() -> None:
    served = Served([proposal(f"mud {n}") for n in range(9)], retries=8, limits=Limits(calls=3))
    assert served.decision.extra.calls == 3  # the rubric and two retries
    assert len(served.calls) == 3


def test_extra_cost_is_everything_but_the_one_plain_call() -> None:
    served = Served(
        [
            proposal("mud", cost=Cost(calls=1, input_tokens=10)),
            proposal("gold", cost=Cost(calls=1, input_tokens=11)),
        ]
    )
    assert served.decision.extra == Cost(calls=2, input_tokens=11)  # the rubric and the retry
    assert served.decision.cost == Cost(calls=3, input_tokens=21)


# --- several actions in one message ------------------------------------------------------------------


def test_in_a_mixed_message_only_the_bad_call_is_handed_back() -> None:
    served = Served([proposal("gold", "mud", "silver gold")])
    assert len(served.calls) == 1
    assert served.decision.dispositions == ("run", "returned", "run")


def test_without_retries_a_mixed_message_runs_as_it_is() -> None:
    assert Served([proposal("gold", "mud")], retries=0).decision.dispositions == ("run", "run")


def test_a_mixed_message_obeys_the_policy() -> None:
    assert Served([proposal("gold", "mud")], on_unmet="block").decision.dispositions == ("run", "blocked")
    assert Served([proposal("gold", "mud")], on_unmet="ask").decision.dispositions == ("run", "asked")


def test_when_every_call_is_bad_the_message_is_tried_again() -> None:
    served = Served([proposal("mud", "dust"), proposal("gold")])
    assert len(served.calls) == 2
    assert served.calls[1].feedback.count(HEADING) == 2


def test_siblings_that_repeat_each_other_are_caught() -> None:
    rubric = Rubric(criteria=(has("gold"), criterion("new", check=NotRepeat(), veto=True)))
    served = Served([proposal("gold mine", "gold mine")], rubrics=[rubric])
    assert served.decision.dispositions == ("run", "returned")


def test_a_call_that_was_made_before_is_a_repeat() -> None:
    made = Step(call=ToolCall(name="search", arguments={"query": "gold"}), observation=Observation(text="x"))
    rubric = Rubric(criteria=(has("gold"), criterion("new", check=NotRepeat(), veto=True)))
    served = Served([proposal("gold"), proposal("gold mine")], rubrics=[rubric], state=STATE.after(made))
    assert served.decision.chosen.index == 1


# --- policies and answers ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "call", "answer"),
    [("allow", "run", "answered"), ("block", "blocked", "answered"), ("ask", "asked", "asked")],
)
def test_policies_for_what_stays_unmet(policy: str, call: str, answer: str) -> None:
    rubric = Rubric(criteria=(criterion("good"),))
    for action, expected in ((search("mud"), call), (ANSWER, answer)):
        served = Served(
            [proposal(action)] * 2, rubrics=[rubric], verdict=lambda c, a: "unmet", on_unmet=policy
        )
        assert served.decision.dispositions == (expected,)


def test_when_no_criterion_applies_nothing_is_judged_and_nothing_is_retried() -> None:
    served = Served([proposal(ANSWER)], rubrics=[Rubric(criteria=(has("gold"), has("silver")))])
    (judgement,) = served.decision.chosen.judgements
    assert (judgement.score, judgement.passed, judgement.judged, judgement.total) == (None, None, 0, 0)
    assert served.decision.dispositions == ("answered",)
    assert len(served.calls) == 1


def test_criteria_that_do_not_apply_to_an_answer_say_what_to_do_instead() -> None:
    rubric = Rubric(criteria=(criterion("on"), has("gold")))
    served = Served([proposal(ANSWER), proposal("gold")], rubrics=[rubric], verdict=lambda c, a: "unmet")
    assert '"gold"' in served.calls[1].feedback


# --- any script --------------------------------------------------------------------------------------

_ACTIONS = st.lists(st.sampled_from(["gold", "silver", "mud", "gold silver", ANSWER]), min_size=1, max_size=3)
_REPLIES = st.lists(
    _ACTIONS.map(lambda actions: proposal(*actions)) | st.just(BROKEN), min_size=12, max_size=12
)


@settings(deadline=None)
@given(
    script=_REPLIES,
    retries=st.integers(0, 4),
    candidates=st.integers(1, 4),
    on_unmet=st.sampled_from(["allow", "block", "ask"]),
    on_unknown=st.sampled_from(["allow", "block", "ask"]),
    rubric=st.sampled_from([GOLD, NO_RUBRIC]),
    fallback=st.sampled_from(["none", "last_good"]),
    taste=st.sampled_from(["met", "partial", "unmet", "unknown", "not_applicable"]),
    spent=st.integers(0, 12),
)
def test_any_script_of_replies_ends_within_its_bounds(
    script: list[Any],
    retries: int,
    candidates: int,
    on_unmet: str,
    on_unknown: str,
    rubric: Rubric | Failed,
    fallback: str,
    taste: Status,
    spent: int,
) -> None:
    if isinstance(rubric, Rubric):
        rubric = Rubric(criteria=(*rubric.criteria, criterion("taste")))
    try:
        served = Served(
            script,
            rubrics=[rubric],
            verdict=lambda c, a: taste,
            retries=retries,
            candidates=candidates,
            on_unmet=on_unmet,
            on_unknown=on_unknown,
            fallback=fallback,
            spent=Cost(calls=spent),
            limits=Limits(calls=10),
        )
    except ModelCallError:
        assert isinstance(script[0], Failed), "raised although the first reply was good"
        return
    decision = served.decision
    assert sum(call.count for call in served.calls) <= candidates + retries
    assert [attempt.selected for attempt in decision.attempts].count(True) == 1
    assert [attempt.index for attempt in decision.attempts] == list(range(len(decision.attempts)))
    assert len(decision.dispositions) == len(decision.proposal.actions)
    assert decision.proposal.actions == decision.chosen.actions
    if decision.rubric is not None:
        assert all(len(a.judgements) == len(a.actions) for a in decision.attempts)
        assert all(a.selected or a.rejected_by for a in decision.attempts)
        shares = [sum(j.passed is True for j in a.judgements) == len(a.judgements) for a in decision.attempts]
        assert not any(shares) or shares[decision.chosen.index], (
            "a passing attempt was left for a failing one"
        )
    for call in served.calls:
        assert not call.guidance or call.guidance.removeprefix(HEADING).strip(), "an empty rubric block"
    for disposition, action in zip(decision.dispositions, decision.chosen.actions, strict=True):
        assert (disposition in ("answered", "asked")) == action.stops or disposition == "asked"
