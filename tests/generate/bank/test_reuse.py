from __future__ import annotations

import asyncio
from typing import Any

import pytest

from coreact.errors import ConfigError
from coreact.generate.bank.records import BankEntry
from coreact.generate.bank.reuse import ReusingGenerator
from coreact.generate.bank.store import RubricBank
from coreact.generate.constraining import constraint
from coreact.generate.generator import NoRubricError, Written
from coreact.generate.heuristic import HeuristicGenerator
from coreact.rubric import (
    AnswerFitsSchema,
    ArgumentContains,
    ArgumentEquals,
    Criterion,
    NotRepeat,
    PredicateHolds,
    Rubric,
    State,
    Stops,
    ToolContract,
    ToolIs,
    UrlSeenUnvisited,
)
from coreact.testing import ScriptedGenerator

STRING = {"type": "string"}
SEARCH = ToolContract(
    name="search",
    parameters={"type": "object", "properties": {"query": STRING}, "required": ["query"]},
    role="search",
)
ATLAS = ToolContract(
    name="atlas", parameters={"type": "object", "properties": {"code": STRING}, "required": ["code"]}
)
OLD = "Which currency does Peru use?"
NEW = "Which currency does Chile use?"
DOMAIN = Criterion(id="atlas", text="Look it up in the atlas.", check=ToolIs(tools=("atlas",)), weight=3)
OTHER = Criterion(id="new", text="Make a new call.", check=NotRepeat(), weight=1)
INNER = Rubric(criteria=(Criterion(id="a", text="Search.", weight=2, check=ToolIs(tools=("search",))),))


def state(*, tools: tuple[ToolContract, ...] = (SEARCH, ATLAS), question: str = NEW) -> State:
    return State.start(question, tools=tools, limit=10)


@pytest.fixture
def bank() -> Any:
    with RubricBank() as opened:
        yield opened


def add(bank: RubricBank, *criteria: Criterion, question: str = OLD) -> str:
    return bank.append(BankEntry(question=question, rubric=Rubric(criteria=criteria), source="run.1"))


def ids(written: Written) -> list[str]:
    return [criterion.id for criterion in written.rubric]


@pytest.mark.parametrize("how", ["sync", "async"])
def test_the_domain_criterion_of_a_neighbour_appears_only_with_the_bank(bank: RubricBank, how: str) -> None:
    key = add(bank, DOMAIN, OTHER)
    inner = HeuristicGenerator()
    generator = ReusingGenerator(bank, inner)
    written = generator.write(state()) if how == "sync" else asyncio.run(generator.awrite(state()))
    plain = inner.write(state())
    assert DOMAIN.text in [criterion.text for criterion in written.rubric]
    assert DOMAIN.text not in [criterion.text for criterion in plain.rubric]
    assert ids(written)[: len(plain.rubric)] == ids(plain)
    assert written.rubric.threshold == plain.rubric.threshold
    assert "bank_new" not in ids(written)  # the heuristic rubric has that check already
    found = bank.get(key)
    assert found is not None
    assert found.outcomes.uses == 1
    taken = written.rubric.criterion("bank_atlas")
    assert taken.provenance is not None
    assert (taken.provenance.source, taken.provenance.parent) == ("run.1", "atlas")
    assert taken.provenance.evidence == (key,)


def test_a_criterion_weighs_against_the_others_what_it_weighed_before(bank: RubricBank) -> None:
    add(bank, DOMAIN, OTHER)
    written = ReusingGenerator(bank, ScriptedGenerator(INNER)).write(state())
    assert [criterion.weight for criterion in written.rubric] == pytest.approx([1, 0.75, 0.25])


@pytest.mark.parametrize("weights", [(1.7e308, 1.7e308), (5e-324, 1.7e308), (5e-324, 5e-324)])
def test_weights_stay_numbers_whatever_they_were(bank: RubricBank, weights: tuple[float, float]) -> None:
    first, second = (
        c.model_copy(update={"weight": w}) for c, w in zip((DOMAIN, OTHER), weights, strict=True)
    )
    add(bank, first, second)
    own = (
        Criterion(id="a", text="Apples.", weight=weights[0]),
        Criterion(id="b", text="Pears.", weight=weights[1]),
    )
    written = ReusingGenerator(bank, ScriptedGenerator(Rubric(criteria=own))).write(state())
    assert ids(written) == ["a", "b", "bank_atlas", "bank_new"]
    assert all(1e-9 <= criterion.weight <= 1 for criterion in written.rubric)
    assert Rubric.model_validate_json(written.rubric.model_dump_json()) == written.rubric


def test_what_nobody_vouches_for_does_not_constrain_the_decoder(bank: RubricBank) -> None:
    hard = DOMAIN.model_copy(update={"kind": "hard", "veto": True})
    add(bank, hard, OTHER.model_copy(update={"kind": "style"}))
    rubric = ReusingGenerator(bank).write(state()).rubric
    assert [(c.kind, c.veto) for c in rubric] == [("process", False), ("style", False)]
    made = constraint(Rubric(criteria=(hard,)), state()).constraint
    assert made is not None
    assert made.criteria == ("atlas",)
    assert constraint(rubric, state()).constraint is None


def test_without_an_inner_generator_the_bank_alone_guides(bank: RubricBank) -> None:
    add(bank, DOMAIN)
    written = ReusingGenerator(bank).write(state())
    assert ids(written) == ["bank_atlas"]
    assert written.cost.calls == 0


def test_nothing_to_take_over_is_no_rubric_or_the_inner_one(bank: RubricBank) -> None:
    with pytest.raises(NoRubricError) as caught:
        ReusingGenerator(bank).write(state())
    assert [remark.reason for remark in caught.value.remarks] == ["the bank is empty"]
    written = ReusingGenerator(bank, ScriptedGenerator(INNER)).write(state())
    assert written.rubric == INNER
    assert [remark.reason for remark in written.remarks] == ["the bank is empty"]


UNFIT = [
    (Criterion(id="c", text="Look it up in the atlas."), "no check"),
    (Criterion(id="c", text="Look it up in Peru.", check=ToolIs(tools=("atlas",))), "peru"),
    (Criterion(id="c", text="Look.", check=ArgumentContains(argument="code", terms=("Peru",))), "peru"),
    (Criterion(id="c", text="Look.", check=ArgumentContains(argument="code", terms=("sol",))), "sol"),
    (Criterion(id="c", text="Look.", check=ArgumentEquals(argument="code", value="PE")), "PE"),
    (Criterion(id="c", text="Look up Lima first.", check=ToolIs(tools=("atlas",))), "Lima"),
    (Criterion(id="c", text="Use it.", check=ToolIs(tools=("map",))), "no tool"),
    (
        Criterion(id="c", text="Look.", check=ArgumentContains(argument="page", terms=("currency",))),
        "argument",
    ),
    (Criterion(id="c", text="Open https://a.example/1 now.", check=ToolIs(tools=("atlas",))), "a.example"),
    (Criterion(id="c", text="Answer.", check=AnswerFitsSchema(json_schema={"type": "string"})), "form"),
    (Criterion(id="c", text="Fit.", check=PredicateHolds(name="nobody.knows")), "cannot be evaluated"),
    (Criterion(id="c", text="Search.", check=ToolIs(tools=("search",))), "criterion"),
    (Criterion(id="c", text="Look.", check=ToolIs(tools=("atlas",)), visibility="judge_only"), "not for"),
]


@pytest.mark.parametrize(("criterion", "reason"), UNFIT, ids=range(len(UNFIT)))
def test_what_would_have_to_be_rewritten_is_left(bank: RubricBank, criterion: Criterion, reason: str) -> None:
    key = add(
        bank, criterion, Criterion(id="z", text="Open a new one.", check=UrlSeenUnvisited(argument="gone"))
    )
    written = ReusingGenerator(bank, ScriptedGenerator(INNER)).write(state())
    assert written.rubric == INNER
    dropped = [remark for remark in written.remarks if remark.deed == "dropped"]
    if criterion.visibility == "policy":
        assert reason in dropped[0].reason
    found = bank.get(key)
    assert found is not None
    assert found.outcomes.uses == 0


def test_names_that_the_new_question_holds_as_well_may_come(bank: RubricBank) -> None:
    shared = Criterion(id="c", text="Put ISO 4217 into it.", check=ToolIs(tools=("atlas",)))
    add(bank, shared, question="What is the ISO 4217 currency of Peru?")
    written = ReusingGenerator(bank).write(state(question="What is the ISO 4217 currency of Chile?"))
    assert ids(written) == ["bank_c"]
    with pytest.raises(NoRubricError):
        ReusingGenerator(bank).write(state(question="What is the currency of Chile?"))


def test_a_tool_that_is_missing_costs_its_criterion(bank: RubricBank) -> None:
    add(bank, DOMAIN, OTHER)
    written = ReusingGenerator(bank).write(state(tools=(SEARCH,)))
    assert ids(written) == ["bank_new"]


def test_a_dependency_comes_along_or_its_criterion_stays(bank: RubricBank) -> None:
    first = Criterion(id="first", text="Look in the atlas.", check=ToolIs(tools=("atlas",)), veto=True)
    then = Criterion(id="then", text="Make a new call.", check=NotRepeat(), depends_on=("first",))
    add(bank, first, then)
    written = ReusingGenerator(bank).write(state())
    assert ids(written) == ["bank_first", "bank_then"]
    assert written.rubric.criteria[1].depends_on == ("bank_first",)
    assert not any(criterion.veto for criterion in written.rubric)
    with pytest.raises(NoRubricError):
        ReusingGenerator(bank).write(state(tools=(SEARCH,)))


def test_at_most_so_many_are_taken_and_of_one_entry_only(bank: RubricBank) -> None:
    third = Criterion(id="stop", text="Answer now.", check=Stops())
    add(bank, DOMAIN, OTHER, third)
    add(bank, third, question="Which currency is it?")
    assert ids(ReusingGenerator(bank, most=1).write(state())) == ["bank_atlas"]
    assert ids(ReusingGenerator(bank).write(state())) == ["bank_atlas", "bank_new"]


def test_the_next_nearest_entry_is_looked_at_where_the_nearest_has_nothing(bank: RubricBank) -> None:
    add(bank, Criterion(id="prose", text="Be quick."))
    add(bank, DOMAIN, question="Which currency is it?")
    assert ids(ReusingGenerator(bank).write(state())) == ["bank_atlas"]
    with pytest.raises(NoRubricError):
        ReusingGenerator(bank, k=1).write(state())


def test_ids_never_clash(bank: RubricBank) -> None:
    add(bank, DOMAIN)
    inner = Rubric(criteria=(Criterion(id="bank_atlas", text="Search."),))
    assert ids(ReusingGenerator(bank, ScriptedGenerator(inner)).write(state())) == [
        "bank_atlas",
        "bank_atlas_",
    ]


def test_impossible_settings_are_refused(bank: RubricBank) -> None:
    with pytest.raises(ConfigError):
        ReusingGenerator(bank, most=0)
    with pytest.raises(ConfigError):
        ReusingGenerator(bank, k=0)
