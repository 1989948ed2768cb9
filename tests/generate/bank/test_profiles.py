from __future__ import annotations

import asyncio
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from coreact.errors import ConfigError
from coreact.generate.bank.profiles import Profile, ProfiledGenerator, apply
from coreact.judge import Status
from coreact.judge.ordering import judged, standing
from coreact.rubric import Action, ArgumentsFitSchema, Criterion, CriterionKind, Rubric, State
from coreact.testing import ScriptedGenerator, ScriptedJudge

STATE = State.start("Which currency does Chile use?", limit=5)
HARD = Criterion(id="fits", text="Fit the schema.", kind="hard", weight=2, check=ArgumentsFitSchema())
FACT = Criterion(id="fact", text="State where it says so.", kind="fact", weight=3)
STYLE = Criterion(id="short", text="Answer in one word.", kind="style", weight=3)
SAFE = Criterion(id="safe", text="Promise nothing.", kind="safety", weight=2, veto=True)
RUBRIC = Rubric(criteria=(HARD, FACT, STYLE, SAFE), threshold=0.7)

CORRECT = Profile(name="auditor", kind={"fact": 4.0})
BRIEF = Profile(name="commuter", kind={"style": 4.0})


def by_script(criterion: Criterion, action: Action) -> Status:
    long = len(action.answer or "") > 10
    return {"fact": "met" if long else "unmet", "style": "unmet" if long else "met"}.get(
        criterion.kind, "met"
    )  # type: ignore[return-value]


def chosen(profile: Profile, candidates: list[Action]) -> int:
    rubric = ProfiledGenerator(ScriptedGenerator(RUBRIC), profile).write(STATE).rubric
    scores = standing(judged(rubric, candidates, STATE, judge=ScriptedJudge(by_script)))
    known = [score for score in scores if score is not None]
    assert len(known) == len(candidates)
    return known.index(max(known))


def test_two_profiles_choose_different_actions_among_the_same_candidates() -> None:
    candidates = [Action(answer="The peso, says the register."), Action(answer="Peso.")]
    assert chosen(CORRECT, candidates) == 0
    assert chosen(BRIEF, candidates) == 1
    assert chosen(CORRECT, candidates[::-1]) == 1


def test_weights_are_as_worked_by_hand() -> None:
    # Hard and veto keep 0.2 each; of the other 0.6 the fact gets 4 of 5 parts.
    shifted = apply(RUBRIC, CORRECT)
    assert [c.weight for c in shifted] == [pytest.approx(w) for w in (0.2, 0.48, 0.12, 0.2)]
    assert shifted.threshold == 0.7
    for before, after in zip(RUBRIC, shifted, strict=True):
        assert after.model_copy(update={"weight": before.weight}) == before


def test_stage_and_id_count_before_kind() -> None:
    criteria = (
        Criterion(id="a", text="A.", kind="fact", stage="late"),
        Criterion(id="b1", text="B.", kind="fact"),
        Criterion(id="c", text="C."),
    )
    profile = Profile(name="x", kind={"fact": 9}, stage={"late": 2}, id={"b*": 5})
    assert [c.weight for c in apply(Rubric(criteria=criteria), profile)] == [
        pytest.approx(w) for w in (2 / 8, 5 / 8, 1 / 8)
    ]


KINDS: tuple[CriterionKind, ...] = ("hard", "principle", "fact", "process", "style", "safety")
FACTORS = st.floats(min_value=0.001, max_value=1000)


@given(
    st.lists(
        st.tuples(st.sampled_from(KINDS), st.booleans(), st.floats(min_value=5e-324, max_value=1e308)),
        min_size=1,
        max_size=6,
    ),
    st.dictionaries(st.sampled_from(KINDS[1:]), FACTORS),
    st.dictionaries(st.sampled_from(["c0", "c?", "*"]), FACTORS),
)
def test_no_weight_is_lost_and_no_hard_one_changed(
    drawn: list[tuple[CriterionKind, bool, float]], kinds: dict[CriterionKind, float], names: dict[str, float]
) -> None:
    rubric = Rubric(
        criteria=tuple(
            Criterion(id=f"c{n}", text="T.", kind=kind, veto=veto, weight=weight)
            for n, (kind, veto, weight) in enumerate(drawn)
        )
    )
    shifted = apply(rubric, Profile(name="x", kind=kinds, id=names))
    assert sum(c.weight for c in shifted) == pytest.approx(1)
    for before, after in zip(rubric, shifted, strict=True):
        assert after.weight > 0
        if before.veto or before.kind == "hard":
            assert after.weight == pytest.approx(rubric.share(before))
            assert (after.veto, after.kind, after.check) == (before.veto, before.kind, before.check)


def test_a_profile_without_factors_changes_no_share() -> None:
    plain = apply(RUBRIC, Profile(name="nobody"))
    assert [c.weight for c in plain] == [RUBRIC.share(c) for c in RUBRIC]


@pytest.mark.parametrize("how", ["sync", "async"])
def test_a_profile_may_be_chosen_for_each_call(how: str) -> None:
    whose: ContextVar[Profile | None] = ContextVar("whose", default=None)
    generator = ProfiledGenerator(ScriptedGenerator(RUBRIC), lambda _: whose.get())

    def write() -> Any:
        return generator.write(STATE) if how == "sync" else asyncio.run(generator.awrite(STATE))

    assert write().rubric is RUBRIC
    whose.set(BRIEF)
    assert write().rubric == apply(RUBRIC, BRIEF)
    assert [one.reason for one in write().remarks] == [f"for profile 'commuter' (version {BRIEF.version})"]
    assert write().cost.calls == 1


def test_a_profile_is_loaded_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "auditor.toml"
    path.write_text('name = "auditor"\n[kind]\nfact = 4.0\n', encoding="utf-8")
    assert Profile.load(path) == CORRECT
    assert (
        ProfiledGenerator(ScriptedGenerator(RUBRIC), CORRECT).id
        == f"profiled(scripted,auditor@{CORRECT.version})"
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[kind]\nfact = 2", "name"),
        ('name = "x"\n[kinds]\nfact = 2', "Did you mean 'kind'"),
        ('name = "x"\n[kind]\nhard = 2', "hard criteria"),
        ('name = "x"\n[kind]\nfact = 0', "kind.fact"),
        ('name = "x"\n[kind]\nfact = inf', "kind.fact"),
    ],
)
def test_a_wrong_file_is_an_error_with_key_and_file(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "profile.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        Profile.load(path)
    assert told in str(caught.value)
    assert str(path) in str(caught.value)


def test_hard_criteria_are_no_business_of_a_profile() -> None:
    with pytest.raises(ValidationError, match="hard criteria"):
        Profile(name="x", kind={"hard": 2.0})
