"""The failure taxonomy as data: the default, and any other."""

from __future__ import annotations

from typing import Any

import pytest

from coreact.errors import ConfigError
from coreact.refine import DEEP_VERIFIER, FailureTaxonomy
from coreact.rubric import CHECK_KINDS


def test_the_default_has_five_groups_and_thirteen_codes_beside_running_out_of_steps() -> None:
    sizes = {
        group: sum(code.group == group for code in DEEP_VERIFIER.codes) for group in DEEP_VERIFIER.groups
    }
    assert list(sizes.values()) == [4, 3, 3, 3, 1]
    assert DEEP_VERIFIER.codes[-1].id == "max_steps"


def test_every_sign_of_the_default_is_a_check_or_a_named_one_and_points_at_one_code() -> None:
    signs = [sign for code in DEEP_VERIFIER.codes for sign in code.signs]
    assert len(signs) == len(set(signs))
    known = {*CHECK_KINDS, "nothing_observed", "steps_spent", "answer_fits_schema"}
    assert set(signs) <= known


OWN = {
    "name": "own",
    "groups": {"Style": {"rude": {"title": "Rude", "description": "It insults.", "advice": "Be kind."}}},
}


def test_another_taxonomy_is_read_from_a_mapping() -> None:
    own = FailureTaxonomy.of(OWN)
    assert (own.groups, own.code("rude").advice) == (("Style",), "Be kind.")
    assert own.seen_by("answer_observed") is None
    assert FailureTaxonomy.model_validate_json(own.model_dump_json()) == own
    with pytest.raises(KeyError):
        own.code("kind")


def code(**changed: Any) -> dict[str, Any]:
    return {"title": "t", "description": "d", "advice": "a", **changed}


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ({}, "groups"),
        ({"groups": {"g": {"c": code()}}}, "name"),
        ({"name": "x", "groups": {}}, "codes"),
        ({"name": "x", "groups": {"g": {"c": code(advice="")}}}, "codes.0.advice"),
        ({"name": "x", "groups": {"g": {"c": {"title": "t"}}}}, "codes.0"),
        ({"name": "x", "groups": {"g": {"c": code(colour="red")}}}, "codes.0.colour"),
        ({"name": "x", "groups": {"g": {"c": code()}, "h": {"c": code()}}}, "ids of their own"),
        ({"name": "x", "groups": {"g": {"none": code()}}}, "is no code"),
        ({"name": "x", "groups": ["g"]}, "AttributeError"),
        ({"name": "x", "groups": {"g": {"c": "text"}}}, "TypeError"),
    ],
)
def test_a_wrong_mapping_is_told_where(mapping: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        FailureTaxonomy.of(mapping)
