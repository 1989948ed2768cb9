from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coreact.errors import JudgingError
from coreact.generate import ContractGenerator, HeuristicGenerator
from coreact.generate.gate import (
    Gate,
    Thresholds,
    adiscrimination,
    compliant,
    contract_agreement,
    discrimination,
    executable,
    lint,
    perturbed,
)
from coreact.rubric import (
    Action,
    ArgumentContains,
    ArgumentEquals,
    ArgumentMatches,
    Criterion,
    DoesNotStop,
    NotRepeat,
    Observation,
    Rubric,
    State,
    Step,
    Stops,
    ToolCall,
    ToolContract,
    ToolIs,
    ToolIsNot,
)
from coreact.rubric.checks import AnswerFitsSchema
from coreact.testing import ScriptedJudge

# --- candidates --------------------------------------------------------------------------------


def test_the_perturbed_candidates_of_a_step(case: Any) -> None:
    found = {one.source: one.action for one in perturbed(case.state)}
    assert found == {
        "repeat": case.search("ISO JAM"),
        "question": case.search(case.state.question),
        "entity": case.search("Jamaica"),
        "off_topic": case.search("weather forecast for the weekend"),
        "argument_dropped": Action(call=ToolCall(name="search")),
        "answer": Action(answer="I do not know."),
    }
    assert perturbed(case.state) == perturbed(case.state)


def test_an_address_that_was_seen_is_a_candidate() -> None:
    read = ToolContract(
        name="open", role="read", parameters={"type": "object", "properties": {"url": {"type": "string"}}}
    )
    state = State.start("See https://a.example/x and https://b.example/y", tools=(read,))
    assert perturbed(state)[0].action == Action(
        call=ToolCall(name="open", arguments={"url": "https://a.example/x"})
    )


def test_other_required_arguments_are_filled_as_the_schema_allows() -> None:
    tool = ToolContract(
        name="find",
        role="search",
        parameters={
            "type": "object",
            "properties": {
                "query": {"type": "string"},
                "kind": {"enum": ["web", "news"]},
                "page": {"type": "integer", "minimum": 1},
                "safe": {"type": "boolean", "default": True},
                "since": {"type": "string", "format": "date"},
            },
            "required": ["query", "kind", "page", "safe"],
        },
    )
    state = State.start("Who is Ada Lovelace?", tools=(tool,))
    first = perturbed(state)[0].action.call
    assert first is not None
    assert first.arguments == {"query": "Who is Ada Lovelace?", "kind": "web", "page": 1, "safe": True}


names = st.text(max_size=12)
schemas = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), names, st.sampled_from(["string", "object", "array"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(names | st.just("type"), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(names, schemas, names, st.lists(st.tuples(names, names), max_size=2))
def test_any_state_has_distinct_candidates_of_which_one_answers(
    question: str, properties: Any, name: str, steps: list[tuple[str, str]]
) -> None:
    tool = ToolContract(
        name=name, parameters={"type": "object", "properties": properties, "required": ["query", "type"]}
    )
    state = State.start(question, tools=(tool,))
    for query, text in steps:
        state = state.after(
            Step(call=ToolCall(name=name, arguments={"query": query}), observation=Observation(text=text))
        )
    found = [one.action for one in perturbed(state)]
    assert any(action.stops for action in found)
    assert len({str(action) for action in found}) == len(found) <= 8
    rubric = Rubric(criteria=(Criterion(id="a", text="Do not stop.", check=DoesNotStop()),))
    compliant(rubric, state)
    contract_agreement(rubric, state)


# --- discrimination ----------------------------------------------------------------------------


def test_the_share_of_pairs_told_apart(case: Any) -> None:
    found = discrimination(case.informative, case.point.actions, case.state)
    assert (found.value, found.passed) == (1.0, True)
    one_stands_out = discrimination(case.misleading, case.point.actions, case.state)
    assert one_stands_out.value == 0.5  # the answer against each of three: it need not be the right way round
    tied = discrimination(
        case.rubric(("Search.", 1.0, ToolIs(tools=("search",)))), case.point.actions[:3], case.state
    )
    assert (tied.value, tied.passed, tied.problem) == (0.0, False, "undiscriminating")


def test_one_candidate_cannot_be_told_apart(case: Any) -> None:
    for actions in ((), case.point.actions[:1]):
        found = discrimination(case.informative, actions, case.state)
        assert (found.value, found.passed) == (0.0, None)


def test_prose_needs_a_judge(case: Any) -> None:
    assert discrimination(case.prose, case.point.actions, case.state).passed is None
    judge = ScriptedJudge(lambda _, action: "unmet" if action.stops else "met")
    found = discrimination(case.prose, case.point.actions, case.state, judge=judge)
    assert (found.value, found.passed) == (0.5, True)
    assert asyncio.run(adiscrimination(case.prose, case.point.actions, case.state, judge=judge)) == found
    down = ScriptedJudge(JudgingError("down", judge="j", cause="transport"))
    broken = discrimination(case.prose, case.point.actions, case.state, judge=down)
    assert (broken.passed, broken.cause) == (None, "transport")


# --- lint, executable --------------------------------------------------------------------------


def test_a_serious_problem_fails_whatever_the_threshold(case: Any) -> None:
    mild = Thresholds(lint=1.0)
    found = lint(case.unknown_tool, case.state, thresholds=mild)
    assert (found.passed, found.problem) == (False, "unknown_tool")
    secret = case.rubric(("Search for Kingston in the query.", 1.0, None))
    assert lint(secret, case.state, secrets=["Kingston"], thresholds=mild).problem == "leaking"
    assert lint(secret, case.state, thresholds=mild).passed is True


def test_the_share_of_criteria_with_a_lesser_problem_counts(case: Any) -> None:
    vague = case.rubric(("Be thorough.", 0.5, None), ("Search for the capital.", 0.5, None))
    found = lint(vague, case.state)
    assert (found.value, found.passed) == (0.5, True)
    assert lint(vague, case.state, thresholds=Thresholds(lint=0.4)).passed is False
    assert lint(case.informative, case.state, thresholds=Thresholds(lint=0.0)).passed is True


def test_the_share_of_the_weight_that_checks_decide(case: Any) -> None:
    mixed = case.rubric(("Search.", 3.0, DoesNotStop()), ("Ask well.", 1.0, None))
    assert executable(mixed).value == 0.75
    assert executable(mixed, thresholds=Thresholds(executable=0.75)).passed is True
    assert executable(mixed, thresholds=Thresholds(executable=0.8)).problem == "vague"


# --- contracts ---------------------------------------------------------------------------------


def forbid(check: Any) -> Rubric:
    return Rubric(criteria=(Criterion(id="a", text="Not that.", polarity="forbid", check=check),))


def test_what_can_be_followed_agrees_with_the_contracts(case: Any) -> None:
    for rubric in (
        case.informative,
        case.prose,
        HeuristicGenerator().write(case.state).rubric,
        ContractGenerator().write(case.state).rubric,
        case.rubric(("Search for tea.", 1.0, ArgumentContains(argument="query", terms=("tea", "Ceylon")))),
        case.rubric(("Match it.", 1.0, ArgumentMatches(argument="query", pattern="^site:gov"))),
        case.rubric(("Search again for JAM.", 1.0, ArgumentContains(argument="query", terms=("ISO", "JAM")))),
    ):
        assert contract_agreement(rubric, case.state).passed is True


@pytest.mark.parametrize(
    ("contradiction", "why"),
    [
        (Rubric(criteria=(Criterion(id="a", text="Fly.", check=ToolIs(tools=("fly",))),)), "does not exist"),
        (forbid(ToolIsNot(tools=("fly",))), "does not exist"),
        (forbid(NotRepeat()), "repeat"),
        (
            Rubric(
                criteria=(
                    Criterion(
                        id="a",
                        text="Again.",
                        check=ArgumentEquals(argument="query", value="ISO JAM"),
                        weight=0.1,
                    ),
                    Criterion(id="b", text="Call.", check=DoesNotStop()),
                )
            ),
            "repeat",
        ),
        (  # a number that stands nowhere breaks the provenance of every call that holds it
            Rubric(
                criteria=(
                    Criterion(
                        id="a", text="Code.", check=ArgumentContains(argument="query", terms=("9917",))
                    ),
                )
            ),
            "rejects all",
        ),
        (
            Rubric(
                criteria=(
                    Criterion(id="a", text="Call.", check=DoesNotStop()),
                    Criterion(id="b", text="Answer.", check=Stops()),
                ),
                threshold=1.0,
            ),
            "rejects all",
        ),
    ],
)
def test_what_cannot_be_followed_contradicts_them(case: Any, contradiction: Rubric, why: str) -> None:
    found = contract_agreement(contradiction, case.state)
    assert (found.passed, found.problem) == (False, "conflict")
    assert why in found.reason


def test_what_says_nothing_contradicts_nothing(case: Any) -> None:
    assert contract_agreement(case.vacuous, case.state).passed is None


def test_where_the_budget_is_spent_a_rubric_that_wants_a_call_contradicts(case: Any) -> None:
    spent = case.state.model_copy(update={"budget": case.state.budget.model_copy(update={"used": 6})})
    two = spent.model_copy(update={"tools": (*spent.tools, ToolContract(name="open"))})
    assert contract_agreement(case.rubric(("Call.", 1.0, DoesNotStop())), two).passed is False
    assert contract_agreement(case.misleading, two).passed is True
    form = case.rubric(("Fit.", 1.0, AnswerFitsSchema(json_schema={"type": "integer", "minimum": 5})))
    assert contract_agreement(form, two).passed is True  # no answer is built to fit it


def test_a_given_candidate_counts_as_well(case: Any) -> None:
    rubric = case.rubric(("Match it.", 1.0, ArgumentContains(argument="query", terms=("9917",))))
    willing = case.state.after(
        Step(
            call=ToolCall(name="search", arguments={"query": "number"}),
            observation=Observation(text="The number is 9917."),
        )
    )
    assert contract_agreement(rubric, willing, [case.search("number 9917")]).passed is True


def test_of_many_tools_the_ones_that_a_rubric_names_are_tried(case: Any) -> None:
    tools = (*(ToolContract(name=f"t{at}") for at in range(50)), *case.state.tools)
    many = case.state.model_copy(update={"tools": tools})
    rubric = case.rubric(
        ("Call `search`.", 0.5, ToolIs(tools=("search",))),
        ("Ask for tea.", 0.5, ArgumentContains(argument="query", terms=("tea",))),
    )
    assert case.search("tea") in compliant(rubric, many)
    assert len(compliant(rubric, many)) <= 3 * 8
    assert contract_agreement(rubric, many).passed is True


some_check = st.one_of(
    st.builds(ToolIs, tools=st.just(("search",)) | st.tuples(names)),
    st.builds(ToolIsNot, tools=st.tuples(names)),
    st.builds(Stops),
    st.builds(DoesNotStop),
    st.builds(NotRepeat),
    st.builds(
        ArgumentContains,
        argument=st.sampled_from(["", "query", "a.b"]),
        terms=st.tuples(names),
        at_least=st.just(1),
    ),
    st.builds(ArgumentEquals, argument=st.sampled_from(["", "query", "a.b"]), value=schemas),
    st.none(),
)
criteria = st.lists(
    st.tuples(some_check, st.sampled_from(["require", "forbid"]), st.booleans()), min_size=1, max_size=4
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(criteria, st.booleans())
def test_no_rubric_breaks_the_gate_and_equal_ones_fare_equally(case: Any, drawn: Any, tools: bool) -> None:
    rubric = Rubric(
        criteria=tuple(
            Criterion(id=f"c{at}", text=f"Criterion {at}.", check=check, polarity=polarity, veto=veto)
            for at, (check, polarity, veto) in enumerate(drawn)
        )
    )
    state = case.state if tools else State.start("Why?")
    one, two = Gate().examine(rubric, state), Gate().examine(rubric.model_copy(deep=True), state)
    assert one == two
    assert one.admitted == (not one.failed)
    for result in one.results:
        if result.value is not None:
            assert 0 <= result.value <= 1
