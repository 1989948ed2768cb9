"""Faithfulness: a check is kept where it agrees with labels of its sentence, otherwise it is dropped."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from coreact.generate.compiling import compiled
from coreact.generate.compiling.model import ModelCompiler
from coreact.generate.faithfulness import (
    Labelled,
    alabel_with,
    faithfulness,
    form_agreement,
    kept,
    label_with,
)
from coreact.rubric import (
    Action,
    ArgumentContains,
    Criterion,
    State,
    ToolCall,
    ToolContract,
    ToolIs,
)
from coreact.testing import ScriptedJudge, ScriptedModel


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CASES = _module("faithfulness_cases").CASES

# form: labels the check decided on, labels on which it did not, agreement in percent
TABLE = """
not read                   0  12     -
address_is                11   1   91%
address_unvisited         16   0  100%
answer_cites_observed      4   0  100%
answer_observed            9   0   78%
argument_at_least          8   0  100%
argument_at_most           9   0  100%
argument_between           4   0  100%
argument_contains         37   0  100%
argument_equals           24   1  100%
argument_matches           3   0  100%
argument_traced            9   1  100%
arguments_fit              6   0  100%
arguments_traced           5   0  100%
does_not_stop             24   0  100%
new_call                  10   0  100%
new_query                 20   1   95%
query_contains            25   2   96%
query_names               18   0   89%
stops                     28   0  100%
tool_is                   50   0  100%
tool_is+does_not_stop      3   0  100%
tool_is_not               16   0  100%
"""


def table() -> str:
    rows = []
    for form, found in form_agreement(CASES).items():
        share = "-" if found.agreement is None else f"{found.agreement:.0%}"
        rows.append(f"{form or 'not read':<24}{found.n:>4}{found.silent:>4}{share:>6}")
    return "\n".join(rows)


def test_the_patterns_agree_with_readers_form_by_form() -> None:
    assert len(CASES) >= 150
    assert table() == TABLE.strip("\n")


def test_the_patterns_agree_with_readers_on_the_whole() -> None:
    found = form_agreement(CASES).values()
    decided = sum(one.n for one in found)
    wrong = sum(len(one.disagreements) for one in found)
    assert wrong / decided < 0.05


# --- one check ------------------------------------------------------------------------------------

TEXT = {"type": "string"}
TOOLS = (
    ToolContract(
        name="search",
        role="search",
        read_only=True,
        parameters={"type": "object", "properties": {"query": TEXT}, "required": ["query"]},
    ),
    ToolContract(name="add", parameters={"type": "object", "properties": {"x": {"type": "number"}}}),
)
STATE = State.start("Who?", tools=TOOLS)
CRITERION = Criterion(
    id="c1", text='Ask for "Ada".', check=ArgumentContains(argument="query", terms=("Ada",))
)


def searched(query: str) -> Action:
    return Action(call=ToolCall(name="search", arguments={"query": query}))


def label(query: str, status: Any) -> Labelled:
    return Labelled(action=searched(query), state=STATE, status=status)


GOOD = [label(f"Ada {n}", "met") for n in range(4)] + [label(f"Bob {n}", "unmet") for n in range(4)]


def test_agreement_counts_what_the_check_decides() -> None:
    silent = Labelled(action=Action(answer="Ada"), state=STATE, status="unmet")
    found = faithfulness(CRITERION, [*GOOD, label("Lovelace", "met"), silent])
    assert (found.n, found.silent, found.agreement) == (9, 1, 8 / 9)
    assert found.disagreements == (label("Lovelace", "met"),)


def test_a_forbidden_condition_is_met_where_it_does_not_hold() -> None:
    forbidden = CRITERION.model_copy(update={"polarity": "forbid"})
    assert faithfulness(forbidden, GOOD).agreement == 0
    turned = [one.model_copy(update={"status": "met" if one.status == "unmet" else "unmet"}) for one in GOOD]
    assert faithfulness(forbidden, turned).agreement == 1


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_kappa_is_cohens(pairs: list[tuple[bool, bool]]) -> None:
    labels = [label("Ada" if said else "Bob", "met" if true else "unmet") for true, said in pairs]
    found = faithfulness(CRITERION, labels).kappa
    if found is not None:
        wanted = cohen_kappa_score(
            [true for true, _ in pairs], [said for _, said in pairs], labels=[True, False]
        )
        assert found == pytest.approx(wanted)
    else:
        assert len(set(pairs)) == 1


def test_a_check_that_agrees_is_kept_and_one_that_does_not_stays_prose() -> None:
    good = kept(CRITERION, GOOD)
    assert (good.criterion, good.remark.deed, good.tested) == (CRITERION, "kept", True)
    wrong = CRITERION.model_copy(update={"check": ArgumentContains(argument="query", terms=("0",))})
    bad = kept(wrong, GOOD)
    assert bad.criterion == CRITERION.model_copy(update={"check": None})
    assert (bad.remark.deed, bad.remark.problem, bad.tested) == ("dropped", "unfaithful", True)
    assert "50% of 8 labels" in bad.remark.reason
    assert kept(wrong, GOOD, minimum_agreement=0.5).criterion.check is not None


@pytest.mark.parametrize("labels", [[], GOOD[:2], [*GOOD[:4], *GOOD[:4]], GOOD[:4] * 3])
def test_too_few_labels_or_labels_of_one_kind_test_nothing(labels: list[Labelled]) -> None:
    found = kept(CRITERION, labels)
    assert not found.tested
    assert found.criterion == CRITERION
    assert "untested" in found.remark.reason
    assert found.remark.problem is None


def test_a_criterion_without_a_check_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="has no check"):
        faithfulness(CRITERION.model_copy(update={"check": None}), GOOD)


# --- labels from a judge --------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_judge_labels_by_the_prose_alone(way: str) -> None:
    seen: list[Criterion] = []

    def decide(criterion: Criterion, action: Action) -> Any:
        seen.append(criterion)
        query = "" if action.call is None else action.call.arguments["query"]
        return {"Ada": "met", "Bob": "unmet"}.get(query, "unknown")

    actions = [searched("Ada"), searched("Bob"), searched("?")]
    judge = ScriptedJudge(decide, name="judge")
    if way == "sync":
        labels = label_with(judge, CRITERION, actions, STATE)
    else:
        labels = asyncio.run(alabel_with(judge, CRITERION, actions, STATE))
    assert [one.status for one in labels.labelled] == ["met", "unmet"]
    assert {criterion.check for criterion in seen} == {None}
    assert labels.cost.calls == 3


# --- a model that compiles ------------------------------------------------------------------------

PROSE = Criterion(id="c1", text="Only Ada is of interest.")
RIGHT = (
    '{"reason": "names her", "check": {"kind": "argument_contains", "argument": "query", "terms": ["Ada"]}}'
)


def compile_with(way: str, reply: Any, labels: Any = GOOD, criterion: Criterion = PROSE) -> Any:
    compiler = ModelCompiler(ScriptedModel(script=reply if isinstance(reply, list) else [reply]))
    if way == "sync":
        return compiler.compiled(criterion, STATE, labels)
    return asyncio.run(compiler.acompiled(criterion, STATE, labels))


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_model_compiles_what_no_pattern_reads_and_labels_prove_it(way: str) -> None:
    found = compile_with(way, RIGHT)
    assert found.criterion.check == CRITERION.check
    assert found.criterion.text == PROSE.text
    assert (found.remark.deed, found.cost.calls) == ("kept", 1)


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_check_of_a_model_is_not_used_untested_or_unfaithful(way: str) -> None:
    for labels, told in (
        ((), "untested"),
        (GOOD[:4], "untested"),
        ([*GOOD[4:], label("x", "met")] * 2, "untested"),
    ):
        found = compile_with(way, RIGHT, labels)
        assert found.criterion == PROSE or told not in found.remark.reason
    wrong = RIGHT.replace("Ada", "Bob")
    found = compile_with(way, wrong)
    assert found.criterion == PROSE
    assert found.remark.problem == "unfaithful"


@pytest.mark.parametrize(
    "check",
    [
        '{"kind": "tool_is", "tools": ["browse"]}',
        '{"kind": "argument_contains", "argument": "name", "terms": ["Ada"]}',
        '{"kind": "argument_matches", "argument": "query", "pattern": "("}',
        '{"kind": "predicate", "name": "os.system"}',
        '{"kind": "made_up"}',
    ],
)
def test_a_check_that_the_tools_do_not_know_is_asked_for_again_and_then_left(check: str) -> None:
    reply = f'{{"reason": "r", "check": {check}}}'
    found = compile_with("sync", [reply, reply])
    assert found.criterion == PROSE
    assert found.cost.calls == 2
    assert compile_with("sync", [reply, RIGHT]).criterion.check == CRITERION.check


def test_no_check_is_an_answer_and_a_pattern_needs_no_model() -> None:
    assert compile_with("sync", '{"reason": "taste", "check": null}').criterion == PROSE
    plain = Criterion(id="c1", text="Use the search tool.")
    found = compile_with("sync", [], (), criterion=plain)
    assert (found.criterion.check, found.cost.calls) == (ToolIs(tools=("search",)), 0)
    assert compile_with("sync", [], criterion=CRITERION).criterion == CRITERION


def test_what_is_compiled_and_what_is_kept_fit_together() -> None:
    read = compiled(Criterion(id="c1", text='Search for "Ada".'), STATE)
    assert kept(read, GOOD).remark.deed == "kept"
