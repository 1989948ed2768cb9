"""Records are frozen data with an identity; a rubric's lock is its content and nothing else."""

from __future__ import annotations

import hashlib
import json
import math
import os
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from coreact.rubric import (
    CHECK_KINDS,
    Action,
    ArgumentContains,
    ArgumentEquals,
    ArgumentsFitSchema,
    Budget,
    Check,
    Criterion,
    DoesNotStop,
    Finding,
    NotRepeat,
    Observation,
    Provenance,
    Rubric,
    State,
    Step,
    Stops,
    ToolCall,
    ToolContract,
    ToolIs,
    ToolIsNot,
    UnknownCheck,
)

FULL = Rubric(
    criteria=(
        Criterion(id="a", text="Search first.", weight=0.4, check=ToolIs(tools=("search",))),
        Criterion(
            id="b",
            text="搜索“河”",
            weight=2,
            polarity="forbid",
            kind="safety",
            stage="gather",
            visibility="judge_only",
            check=ArgumentContains(argument="q", terms=("x", "y"), at_least=2),
            veto=True,
            depends_on=("a",),
            provenance=Provenance(source="someone", parent="p", evidence=("m1",)),
        ),
    ),
    scope="answer",
    threshold=0.75,
)


def one(**fields: Any) -> Rubric:
    return Rubric(criteria=(Criterion(**{"id": "a", "text": "Search first.", **fields}),))


GOLDEN = [
    (one(), "68e050c1b852a755"),
    (one(weight=0.4), "1b6be3a55b56c1d9"),
    (one(check=NotRepeat()), "860ee59edfe7d1a6"),
    (one(check=ArgumentEquals(argument="n", value={"b": [1, 2.5, None], "a": "é"})), "9a1149948fcfe0ec"),
    (FULL, "87d324e9f5360f05"),
]


@pytest.mark.parametrize(("rubric", "lock"), GOLDEN, ids=range(len(GOLDEN)))
def test_locks_stay_what_they_are(rubric: Rubric, lock: str) -> None:
    assert rubric.lock.startswith(f"coreact.json.1:{lock}")


def test_a_lock_is_the_hash_of_bytes_that_anyone_can_write() -> None:
    written = b'{"criteria":[{"check":{"kind":"not_repeat"},"id":"a","text":"Search first."}]}'
    assert one(check=NotRepeat()).lock == f"coreact.json.1:{hashlib.sha256(written).hexdigest()}"


def test_locks_agree_across_processes() -> None:
    program = (
        "import sys\nfrom coreact.rubric import Rubric\nprint(Rubric.model_validate_json(sys.argv[1]).lock)"
    )
    for seed in ("0", "7"):
        done = subprocess.run(
            [sys.executable, "-c", program, FULL.model_dump_json()],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        )
        assert done.stdout.strip() == FULL.lock


@pytest.mark.parametrize(
    ("record", "field"),
    [
        (FULL, "scope"),
        (FULL.criteria[0], "weight"),
        (ToolIs(tools=("a",)), "tools"),
        (UnknownCheck(kind="x"), "kind"),
        (Finding(reason="", status="met"), "status"),
        (State.start("q"), "steps"),
        (Action(answer=""), "answer"),
        (ToolCall(name="a"), "name"),
        (Step(call=ToolCall(name="a")), "call"),
        (Observation(text=""), "text"),
        (ToolContract(name="a"), "role"),
        (Budget(), "used"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else value,
)
def test_records_are_frozen_and_closed(record: Any, field: str) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(record, field, getattr(record, field))
    if not isinstance(record, UnknownCheck):
        with pytest.raises(ValidationError, match="Extra inputs"):
            type(record).model_validate({**record.model_dump(), "surplus": 1})


def test_every_field_and_every_character_counts() -> None:
    variants = [
        one(),
        one(text="Search first"),
        one(text="search first."),
        one(id="b"),
        one(weight=2),
        one(weight=2.0000000001),
        one(polarity="forbid"),
        one(kind="fact"),
        one(stage="a"),
        one(visibility="judge_only"),
        one(veto=True),
        one(provenance=Provenance(source="x")),
        one(provenance=Provenance(source="x", parent="y")),
        one().model_copy(update={"scope": "answer"}),
        one().model_copy(update={"threshold": 0.61}),
        Rubric(criteria=(*one(), *one(id="b"))),
        Rubric(criteria=(*one(id="b"), *one())),
    ]
    assert len({rubric.lock for rubric in variants}) == len(variants)


def test_checks_that_differ_in_kind_alone_give_different_locks() -> None:
    checks = [
        Stops(),
        DoesNotStop(),
        ArgumentsFitSchema(),
        NotRepeat(),
        ToolIs(tools=("a",)),
        ToolIsNot(tools=("a",)),
        UnknownCheck(kind="later"),
        UnknownCheck(kind="later_still"),
    ]
    assert len({one(check=check).lock for check in checks}) == len(checks)
    assert one(check=Stops()).lock != one().lock


def test_defaults_written_out_do_not_move_a_lock() -> None:
    assert one(weight=1.0, polarity="require", depends_on=()).lock == one().lock
    assert one(check={"kind": "not_repeat", "similarity": 0.95}).lock == one(check=NotRepeat()).lock


def test_a_lock_knows_no_time_and_no_instance() -> None:
    assert one().lock == one().lock
    assert Rubric.model_validate(FULL.model_dump()).lock == FULL.lock
    assert Rubric.model_validate_json(FULL.model_dump_json()).lock == FULL.lock
    assert FULL.model_copy(deep=True).lock == FULL.lock


def test_odd_values_in_a_check_do_not_crash_and_stay_apart() -> None:
    values: list[Any] = [
        None,
        True,
        1,
        "1",
        1.5,
        math.nan,
        math.inf,
        -math.inf,
        2**60,
        2**60 + 1,
        "\ud800",
        "\\ud800",
        {"$int": "0x1000000000000000"},
        [],
        {},
        [[]],
        {"": None},
        object(),
    ]
    locks = [one(check=ArgumentEquals(argument="a", value=value)).lock for value in values]
    assert len(set(locks)) == len(values)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.text(min_size=1).filter(lambda kind: kind not in CHECK_KINDS),
    st.dictionaries(st.text(), JSON, max_size=4),
)
def test_checks_of_a_later_version_survive_unchanged(kind: str, fields: dict[str, Any]) -> None:
    stored = {**fields, "kind": kind}
    check = TypeAdapter(Check).validate_json(json.dumps(stored))
    assert isinstance(check, UnknownCheck)
    assert check.model_dump(mode="json") == stored
    assert json.loads(check.model_dump_json()) == stored
    rubric = one(check=stored)
    again = Rubric.model_validate_json(rubric.model_dump_json())
    assert again.lock == rubric.lock
    assert again.criteria[0].check == check
    finding = check.evaluate(Action(answer=""), State.start(""))
    assert (finding.status, finding.fault) == ("unknown", "instrument")
    assert repr(kind) in finding.reason
    assert repr(kind) in check.explain()


@pytest.mark.parametrize("stored", [{}, {"kind": None}, {"kind": 3}, {"kind": ["tool_is"]}, 7, "tool_is", []])
def test_a_check_without_a_kind_is_refused(stored: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Check).validate_python(stored)


def test_a_known_kind_with_wrong_fields_is_refused() -> None:
    with pytest.raises(ValidationError):
        one(check={"kind": "tool_is"})
    with pytest.raises(ValidationError):
        one(check={"kind": "stops", "surplus": 1})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"text": " \n "}, "a criterion needs a text"),
        ({"text": ""}, "at least 1"),
        ({"text": "x" * 601}, "at most 600"),
        ({"id": ""}, "at least 1"),
        ({"weight": 0}, "greater than 0"),
        ({"weight": -1}, "greater than 0"),
        ({"weight": math.nan}, "finite"),
        ({"weight": math.inf}, "finite"),
        ({"text": "\ud800"}, "unicode"),
        ({"depends_on": ("a",)}, "do not stand before it"),
        ({"depends_on": ("z",)}, "do not stand before it"),
    ],
)
def test_wrong_criteria_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        one(**fields)


def test_a_rubric_is_never_empty_and_ids_are_unique() -> None:
    with pytest.raises(ValidationError, match="at least 1"):
        Rubric(criteria=())
    with pytest.raises(ValidationError, match="unique"):
        Rubric(criteria=(*one(), *one(text="other")))


def test_criterion_text_is_one_line() -> None:
    assert one(text=" a\n\tb\u2028c ").criteria[0].text == "a b c"


def test_access_by_id_and_order() -> None:
    assert len(FULL) == 2
    assert [criterion.id for criterion in FULL] == ["a", "b"]
    assert FULL.criterion("b").veto
    with pytest.raises(KeyError):
        FULL.criterion("c")


@given(st.lists(st.floats(min_value=0, exclude_min=True, allow_infinity=False), min_size=1, max_size=6))
def test_shares_add_up_to_one_at_any_size(weights: list[float]) -> None:
    rubric = Rubric(
        criteria=tuple(Criterion(id=str(n), text="x", weight=weight) for n, weight in enumerate(weights))
    )
    assert sum(rubric.share(criterion) for criterion in rubric) == pytest.approx(1)
    assert all(0 <= rubric.share(criterion) <= 1 for criterion in rubric)


def test_share_of_plain_weights() -> None:
    assert FULL.share(FULL.criterion("a")) == pytest.approx(0.4 / 2.4)


def test_a_changed_copy_has_a_lock_of_its_own() -> None:
    rubric = Rubric(criteria=(Criterion(id="a", text="Search"),))
    before = rubric.lock
    changed = rubric.model_copy(update={"threshold": 0.9})
    assert changed.lock != before
    assert changed.lock == Rubric(criteria=rubric.criteria, threshold=0.9).lock
    assert rubric.model_copy().lock == rubric.lock == before
