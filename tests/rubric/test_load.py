"""Loading rubrics: whole or refused, with the place that is to blame, and nothing raised but that."""

from __future__ import annotations

import copy
import json
import random
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coreact.errors import RubricParseError, UserError
from coreact.rubric import ArgumentContains, Criterion, NotRepeat, Rubric, ToolIs, UnknownCheck, render_rubric
from coreact.rubric.load import RubricWarning, load_rubric


def one(name: str, /, **fields: Any) -> dict[str, Any]:
    return {"id": name, "text": f"Text of {name}.", **fields}


def rubric(*criteria: Any, **fields: Any) -> dict[str, Any]:
    return {"criteria": list(criteria), **fields}


def ids(loaded: Rubric) -> list[str]:
    return [criterion.id for criterion in loaded]


WHOLE = Rubric(
    criteria=(
        Criterion(id="a", text="Search.", weight=0.4, check=ToolIs(tools=("search",)), veto=True),
        Criterion(id="b", text="Name it.", check=ArgumentContains(argument="q", terms=("x",)), kind="fact"),
        Criterion(id="c", text="来源 ½", polarity="forbid", depends_on=("a", "b"), visibility="judge_only"),
        Criterion(id="d", text="New.", check=NotRepeat(similarity=0.5)),
    ),
    scope="answer",
    threshold=0.7,
)


# --- what is loaded --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        WHOLE.model_dump_json(),
        WHOLE.model_dump_json(indent=2).encode(),
        "\ufeff \n" + WHOLE.model_dump_json(),
        b"\xef\xbb\xbf" + WHOLE.model_dump_json(exclude_defaults=True).encode(),
        WHOLE.model_dump(mode="json"),
        WHOLE.model_dump(),
    ],
    ids=["text", "bytes", "mark", "marked bytes", "object", "python"],
)
def test_a_rubric_in_json_is_the_same_rubric(source: Any, tmp_path: Path) -> None:
    assert load_rubric(source) == WHOLE
    assert load_rubric(source).lock == WHOLE.lock
    if isinstance(source, bytes):
        file = tmp_path / "rubric.json"
        file.write_bytes(source)
        assert load_rubric(file) == WHOLE


def test_the_text_form_is_loaded_too(tmp_path: Path) -> None:
    text = render_rubric(WHOLE)
    assert [c.text for c in load_rubric(text)] == [c.text for c in WHOLE]
    file = tmp_path / "rubric.txt"
    file.write_text(text, encoding="utf-8")
    assert load_rubric(file) == load_rubric(text) == load_rubric(text.encode())
    assert ids(load_rubric("[0.4] {braces} inside of text\n[1] x")) == ["c1", "c2"]


def test_an_object_that_was_handed_over_is_left_as_it_was() -> None:
    given_ = rubric(one("a", depends_on=["b"]), one("b"), scope="answer")
    before = copy.deepcopy(given_)
    load_rubric(given_)
    assert given_ == before


# --- what is refused -------------------------------------------------------------------------

CIRCLE = (one("w"), one("x", depends_on=["z"]), one("y", depends_on=["x"]), one("z", depends_on=["w", "y"]))


@pytest.mark.parametrize(
    ("source", "where", "reason"),
    [
        (rubric(one("a"), one("b"), one("a")), "criteria[2].id", "the id 'a' is that of criteria[0] already"),
        (rubric(*CIRCLE), "criteria[1].depends_on", "'x' → 'z' → 'y' → 'x'"),
        (rubric(one("a", depends_on=["a"])), "criteria[0].depends_on", "'a' → 'a'"),
        (rubric(one("a"), one("b", depends_on=["aa"])), "criteria[1].depends_on", "no criterion 'aa'"),
        (rubric(one("a", weight=0), one("b", weight=0.0)), "criteria", "all weights are zero"),
        (rubric(one("a", weight=0), one("b")), "criteria[0].weight", "greater than 0 (got '0')"),
        (rubric(one("a", weight="much")), "criteria[0].weight", "valid number"),
        (rubric(one("a", weight=float("inf"))), "criteria[0].weight", "finite"),
        (rubric(one("a"), one("b", text=" ")), "criteria[1].text", "a criterion needs a text"),
        (rubric(one("a", text="x" * 700)), "criteria[0].text", "at most 600"),
        (rubric({"id": "a"}), "criteria[0].text", "field required"),
        (rubric(one("a", wieght=1)), "criteria[0].wieght", "no such field"),
        (rubric(one("a"), treshold=1), "treshold", "no such field"),
        (rubric(one("a"), threshold=2), "threshold", "less than or equal to 1"),
        (rubric(one("a"), scope="all"), "scope", "'step', 'answer' or 'trajectory'"),
        (rubric(one("a", check={"kind": "tool_is", "tools": []})), "criteria[0].check.tools", "at least 1"),
        (
            rubric(one("a", check={"kind": "tool_is", "tools": ["x", 3]})),
            "criteria[0].check.tools[1]",
            "valid string",
        ),
        (
            rubric(one("a", check={"kind": "argument_matches", "pattern": "("})),
            "criteria[0].check.pattern",
            "not an RE2 pattern",
        ),
        (rubric(one("a", check={"kind": "stops", "surplus": 1})), "criteria[0].check.surplus", "no such"),
        (rubric(one("a", check={"tools": ["x"]})), "criteria[0].check.kind", "required"),
        (rubric(one("a", check="stops")), "criteria[0].check", "'stops'"),
        (rubric(one("a", **{"odd name\x1b[31m": 1})), "criteria[0]['odd name\\x1b[31m']", "no such field"),
        (rubric(one("a", text="\ud800")), "criteria[0].text", "'\\ud800'"),
        (rubric(), "criteria", "at least one criterion"),
        ({"criteria": "a"}, "criteria", "at least one criterion"),
        ({"criteria": [1]}, "criteria[0]", "'1'"),
        ({}, "criteria", "at least one criterion"),
    ],
    ids=range(27),
)
@pytest.mark.parametrize("form", ["object", "text", "file"])
def test_bad_rubrics_are_refused_with_their_place(
    source: Any, where: str, reason: str, form: str, tmp_path: Path
) -> None:
    given_: Any = source if form == "object" else json.dumps(source)
    if form == "file":
        (tmp_path / "bad.json").write_text(given_, encoding="utf-8")
        given_ = tmp_path / "bad.json"
    with pytest.raises(RubricParseError) as caught:
        load_rubric(given_)
    error = caught.value
    assert (error.where, error.line) == (where, None)
    assert reason in error.reason
    assert f"The rubric's {where}: " in str(error)
    assert error.path == (given_ if form == "file" else None)
    assert str(error).startswith(str(given_)) is (form == "file")
    assert str(error).isprintable()
    assert isinstance(error, UserError)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ('{"criteria": [\n {"id": "a"\n}', 3, "no valid JSON"),
        ("{", 1, "no valid JSON"),
        ('{"criteria": []} {', 1, "Extra data"),
        ("", 1, "no criterion"),
        (" \n ", 1, "no criterion"),
        ("It is fine as it is.", 1, "no criterion"),
        ("1. [1] One.\n2. [0] Two.", 2, "not a positive number"),
        ("1. [0] One.\n2. [0] Two.", 1, "not a positive number"),
        (b"1. [1] One.\n\xff", 2, "not UTF-8"),
        (b'{"criteria": [\n"\xff', 2, "not UTF-8"),
    ],
    ids=range(10),
)
def test_bad_text_is_refused_with_its_line(text: str | bytes, line: int, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "rubric"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    for source in (text, file):
        with pytest.raises(RubricParseError, match=reason) as caught:
            load_rubric(source)
        assert (caught.value.line, caught.value.where) == (line, "")
        assert caught.value.path == (file if source is file else None)


@pytest.mark.parametrize(
    ("text", "where", "reason"),
    [
        ('[{"id": "a", "text": "x"}]', "", "no object"),
        ('{"criteria": [{"id": "a", "text": "x", "id": "b"}]}', "criteria[0]", "'id' stands twice"),
        ('{"criteria": [], "criteria": []}', "", "'criteria' stands twice"),
        ('{"a": {"b c": [1, {"x": 1, "x": 1}]}}', "a['b c'][1]", "'x' stands twice"),
        ('{"criteria":' * 5000, "", "recursion"),
        ('{"weight": ' + "1" * 5000 + "}", "", "4300 digits"),
    ],
    ids=range(6),
)
def test_json_that_readers_would_read_differently_is_refused(text: str, where: str, reason: str) -> None:
    with pytest.raises(RubricParseError, match=reason) as caught:
        load_rubric(text)
    assert (caught.value.where, caught.value.line) == (where, None)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(RubricParseError, match="cannot be read") as caught:
            load_rubric(path)
        assert (caught.value.path, caught.value.where) == (path, "file")


def test_remedies_name_what_was_probably_meant() -> None:
    for source, meant in (
        (rubric(one("a", wieght=1)), "'weight'"),
        (rubric(one("river"), one("b", depends_on=["rivr"])), "'river'"),
        (rubric(one("a"), treshold=1), "'threshold'"),
    ):
        with pytest.raises(RubricParseError) as caught:
            load_rubric(source)
        assert caught.value.remedy == f"Did you mean {meant}?"


# --- unknown checks --------------------------------------------------------------------------

STRANGE = rubric(one("a"), one("b", check={"kind": "tool_iz", "tools": ["x"]}))


def test_checks_that_this_version_does_not_know_are_kept_with_a_warning(tmp_path: Path) -> None:
    with pytest.warns(
        RubricWarning, match=r"^criteria\[1\].check: .*'tool_iz'. Did you mean 'tool_is'\?$"
    ) as seen:
        loaded = load_rubric(STRANGE)
    assert seen[0].filename == __file__
    assert isinstance(loaded.criteria[1].check, UnknownCheck)
    assert load_rubric_quietly(loaded.model_dump_json()) == loaded, "and they survive"
    file = tmp_path / "r.json"
    file.write_text(json.dumps(STRANGE))
    with pytest.warns(RubricWarning, match="r.json: criteria"):
        load_rubric(file)


def load_rubric_quietly(source: Any) -> Rubric:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RubricWarning)
        return load_rubric(source)


def test_they_can_be_refused_as_well() -> None:
    with pytest.raises(RubricParseError, match="tool_iz") as caught:
        load_rubric(STRANGE, unknown_checks="refuse")
    assert caught.value.where == "criteria[1].check"
    assert load_rubric(WHOLE.model_dump_json(), unknown_checks="refuse") == WHOLE


# --- order -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "loaded"),
    [
        ([("a", "b"), ("b", "")], "ba"),
        ([("a", ""), ("b", "d"), ("c", ""), ("d", "")], "acdb"),
        ([("a", "bc"), ("b", "c"), ("c", "")], "cba"),
        ([("a", ""), ("b", "a"), ("c", ""), ("d", "b")], "abcd"),
    ],
)
def test_each_criterion_comes_to_stand_behind_what_it_depends_on(written: Any, loaded: str) -> None:
    source = rubric(*(one(name, depends_on=list(needs)) for name, needs in written))
    assert "".join(ids(load_rubric(source))) == loaded


@st.composite
def dependent(draw: st.DrawFn) -> Rubric:
    count = draw(st.integers(1, 7))
    criteria = []
    for at in range(count):
        needs = draw(st.sets(st.integers(0, at - 1))) if at else set()
        weight = draw(st.floats(1e-9, 1e9))
        criteria.append(Criterion(id=f"c{at}", text="x", weight=weight, depends_on=[f"c{n}" for n in needs]))
    return Rubric(criteria=tuple(criteria))


@given(dependent(), st.integers())
def test_any_order_of_the_same_criteria_can_be_loaded(whole: Rubric, seed: int) -> None:
    assert load_rubric(whole.model_dump_json()) == whole, "an order that is right stays"
    shuffled = whole.model_dump(mode="json")
    random.Random(seed).shuffle(shuffled["criteria"])
    loaded = load_rubric(shuffled)
    assert {c.id: c for c in loaded} == {c.id: c for c in whole}
    assert load_rubric(loaded.model_dump()) == loaded


def test_a_long_chain_is_no_matter_of_recursion() -> None:
    chain = [one(f"c{n}", depends_on=[f"c{n + 1}"]) for n in range(3000)]
    loaded = load_rubric(rubric(*chain, one("c3000")))
    assert ids(loaded)[0] == "c3000"
    with pytest.raises(RubricParseError, match="in a circle"):
        load_rubric(rubric(*chain, one("c3000", depends_on=["c0"])))


# --- totality --------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    ["id", "text", "weight", "check", "depends_on", "veto", "provenance", "kind", "surplus"]
)
CRITERIA = st.builds(
    lambda name, changes: {"id": name, "text": "x", **changes},
    st.sampled_from("abc"),
    st.dictionaries(FIELDS, JSON | st.lists(st.sampled_from("abcd"), max_size=2), max_size=2),
)
SOURCES = JSON | st.builds(
    lambda criteria, rest: {**rest, "criteria": criteria},
    st.lists(CRITERIA | JSON, max_size=4),
    st.dictionaries(st.sampled_from(["scope", "threshold", "x"]), JSON, max_size=1),
)


def outcome(source: Any) -> tuple[Rubric | None, RubricParseError | None]:
    try:
        return load_rubric_quietly(source), None
    except RubricParseError as error:
        return None, error


@settings(max_examples=300)
@given(SOURCES)
def test_whatever_stands_in_it_a_rubric_or_one_typed_error_comes_out(value: Any) -> None:
    sources: list[Any] = [json.dumps(value)]
    if isinstance(value, dict):
        sources.append(value)
    for source in sources:
        loaded, error = outcome(source)
        if error is None:
            assert loaded is not None
            assert len({c.id for c in loaded}) == len(loaded) >= 1
        else:
            assert error.line is not None or error.where or "object" in error.reason
            assert str(error).isprintable() or error.line is not None


@given(st.text(st.characters(codec=None)) | st.binary())
def test_any_text_is_a_rubric_or_one_typed_error(source: str | bytes) -> None:
    loaded, error = outcome(source)
    assert loaded is not None or error is not None
