"""Bundles: one content, one lock, on any day and in any process; and what changed between two rubrics."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.errors import RubricLockError, RubricParseError
from coreact.rubric import (
    ArgumentContains,
    ArgumentEquals,
    Criterion,
    NotRepeat,
    Rubric,
    RubricWarning,
    ToolIs,
    canonical_json,
)
from coreact.rubric.bundle import FORMAT, RubricBundle, is_bundle
from coreact.rubric.diff import CriterionChange, RubricDiff, ShareMove, diff


def criterion(name: str, text: str, **fields: Any) -> Criterion:
    return Criterion(id=name, text=text, **fields)


SEARCH = criterion("a", "Search for São Tomé.", weight=0.6, check=ArgumentContains(terms=("São Tomé",)))
NEW = criterion("b", "Make a new call.", weight=0.4, check=NotRepeat(), depends_on=("a",))
RUBRIC = Rubric(criteria=(SEARCH, NEW), threshold=0.7)
BUNDLE = RubricBundle(rubric=RUBRIC, parent="coreact.json.1:00", author="Ada", note="Sharper search.")
LOCK = "coreact.json.1:441b2a1bd1eb9469b177446e464e15f9d8f759eae77397b0738bf83e90fa007e"


# --- the lock ----------------------------------------------------------------------------------


def test_the_lock_is_the_same_in_another_process_on_another_day(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    BUNDLE.save(path)
    code = (
        "import sys, time; time.time = lambda: 0.0; time.time_ns = lambda: 0\n"
        "from pathlib import Path; from coreact.rubric.bundle import RubricBundle\n"
        "bundle = RubricBundle.load(Path(sys.argv[1])); bundle.save(Path(sys.argv[2])); print(bundle.lock)"
    )
    other = tmp_path / "b.json"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), str(other)],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C"},
    )
    assert done.stdout.strip() == BUNDLE.lock == LOCK
    assert other.read_bytes() == path.read_bytes()


def test_every_part_is_under_the_lock() -> None:
    variants = [
        BUNDLE,
        BUNDLE.model_copy(update={"author": "Eve"}),
        BUNDLE.model_copy(update={"note": "Sharper search"}),
        BUNDLE.model_copy(update={"parent": None}),
        BUNDLE.model_copy(update={"parent": "coreact.json.1:01"}),
        *(
            BUNDLE.model_copy(update={"rubric": rubric})
            for rubric in (
                Rubric(criteria=RUBRIC.criteria, threshold=0.71),
                Rubric(criteria=RUBRIC.criteria, threshold=0.7, scope="answer"),
                Rubric(
                    criteria=(SEARCH.model_copy(update={"text": "Search for São Tomé!"}), NEW), threshold=0.7
                ),
                Rubric(criteria=(SEARCH.model_copy(update={"polarity": "forbid"}), NEW), threshold=0.7),
                Rubric(criteria=(SEARCH, NEW.model_copy(update={"depends_on": ()})), threshold=0.7),
                Rubric(
                    criteria=(SEARCH.model_copy(update={"check": ToolIs(tools=("São Tomé",))}), NEW),
                    threshold=0.7,
                ),
            )
        ),
    ]
    # A copy must not carry the cached lock of what it was copied from.
    locks = [RubricBundle.model_validate(one.model_dump()).lock for one in variants]
    assert len(set(locks)) == len(locks)


def test_author_and_note_cannot_be_moved_into_one_another() -> None:
    one = RubricBundle(rubric=RUBRIC, author="ab", note="c")
    other = RubricBundle(rubric=RUBRIC, author="a", note="bc")
    assert one.lock != other.lock


def test_a_bundle_says_what_it_follows() -> None:
    child = RubricBundle(rubric=RUBRIC, parent=BUNDLE.lock)
    assert child.follows(BUNDLE)
    assert not BUNDLE.follows(child)


@given(st.text(max_size=20), st.text(max_size=20))
def test_what_is_saved_is_what_is_loaded(author: str, note: str) -> None:
    bundle = RubricBundle(rubric=RUBRIC, author=author, note=note)
    assert RubricBundle.read(bundle.artefact()) == bundle


# --- the file ----------------------------------------------------------------------------------


def test_the_file_is_canonical_json_with_the_lock_in_it(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    BUNDLE.save(path)
    fields = json.loads(path.read_bytes())
    assert canonical_json(fields) + b"\n" == path.read_bytes()
    assert fields["lock"] == BUNDLE.lock
    assert fields["format"] == FORMAT
    assert RubricBundle.load(path) == BUNDLE
    assert list(tmp_path.iterdir()) == [path]


def test_a_bundle_in_another_layout_is_the_same_bundle() -> None:
    fields = json.loads(BUNDLE.artefact())
    assert RubricBundle.read(json.dumps(dict(reversed(fields.items())), indent=2)) == BUNDLE


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"Ada"', b'"Adb"'),
        (b'"weight":0.6', b'"weight":0.61'),
        ("São Tomé.".encode(), "Sao Tomé.".encode()),
        (b'"kind":"not_repeat"', b'"kind":"stops"'),
        (b'"threshold":0.7', b'"threshold":0.6'),
        (b"json.1:00", b"json.1:01"),
        (b',"depends_on":["a"]', b""),
    ],
)
def test_a_changed_file_is_refused(tmp_path: Path, old: bytes, new: bytes) -> None:
    content = BUNDLE.artefact()
    assert old in content, content
    path = tmp_path / "a.json"
    path.write_bytes(content.replace(old, new, 1))
    with pytest.raises(RubricLockError, match="not what its lock says") as refused:
        RubricBundle.load(path)
    assert refused.value.stored == BUNDLE.lock != refused.value.computed
    assert refused.value.path == path
    assert str(path) in str(refused.value)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "no valid JSON"),
        (b"[]", "no bundle"),
        (b"{}", "format"),
        (b'{"format": "coreact.bundle.1"}', "lock"),
        (b'{"format": "coreact.bundle.1", "lock": "x", "rubric": []}', "rubric"),
        (b'{"format": "coreact.bundle.1", "lock": "x", "rubric": {"criteria": []}}', "rubric.criteria"),
        (b'{"format": "coreact.bundle.1", "lock": "x", "rubric": {}, "time": 1}', "'time'"),
        (b'{"format": "coreact.bundle.1", "lock": "x", "lock": "y"}', "stands twice"),
        (b"\xff", "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
        (
            b'{"format": "coreact.bundle.1", "lock": "x", "author": 1,'
            b' "rubric": {"criteria": [{"id": "a", "text": "b"}]}}',
            "author",
        ),
    ],
)
def test_what_is_no_bundle_is_refused_with_the_place(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(RubricParseError, match=complaint) as refused:
        RubricBundle.load(path)
    assert refused.value.path == path


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(RubricParseError, match="cannot be read"):
            RubricBundle.load(path)


@pytest.mark.parametrize("value", [math.inf, math.nan, 2**60])
def test_what_json_cannot_hold_is_not_written(tmp_path: Path, value: Any) -> None:
    odd = criterion("a", "It fits.", check=ArgumentEquals(argument="n", value=value))
    path = tmp_path / "a.json"
    path.write_text("before", encoding="utf-8")
    with pytest.raises(RubricParseError, match="no form for"):
        RubricBundle(rubric=Rubric(criteria=(odd,))).save(path)
    assert path.read_text(encoding="utf-8") == "before"


def test_a_check_of_a_later_version_keeps_its_lock() -> None:
    later = {"criteria": [{"id": "a", "text": "b", "check": {"kind": "later", "depth": 3}}]}
    bundle = RubricBundle(rubric=Rubric.model_validate(later))
    with pytest.warns(RubricWarning, match="later"):
        assert RubricBundle.read(bundle.artefact()) == bundle


def test_what_means_to_be_a_bundle() -> None:
    assert is_bundle(BUNDLE.artefact())
    assert not is_bundle(RUBRIC.model_dump_json())
    assert not is_bundle("1. [1] Search.")
    assert not is_bundle(b"\xff\xfe")


# --- what changed ------------------------------------------------------------------------------


def rubric(*criteria: Criterion, **fields: Any) -> Rubric:
    return Rubric(criteria=criteria, **fields)


def test_no_difference() -> None:
    assert diff(RUBRIC, RUBRIC) == RubricDiff()
    assert diff(RUBRIC, Rubric.model_validate(RUBRIC.model_dump())).empty


def test_an_edited_criterion_names_its_fields_and_moves_the_shares() -> None:
    a, b = criterion("a", "Search for Omaha.", weight=1), criterion("b", "Answer.", weight=1)
    c = criterion("c", "Cite a source.", weight=2)
    sharper = a.model_copy(update={"text": "Search for Omaha, Nebraska.", "weight": 3.0})
    found = diff(rubric(a, b), rubric(sharper, c, threshold=0.9))
    assert found.changed == (CriterionChange(before=a, after=sharper),)
    assert found.changed[0].fields == ("text", "weight")
    assert found.removed == (b,)
    assert found.added == (c,)
    assert found.shares == (ShareMove(criterion="a", before=0.5, after=0.6),)
    assert found.threshold == (0.6, 0.9)
    assert found.scope is None
    assert not found.reordered


def test_criteria_numbered_anew_are_told_apart_by_their_texts() -> None:
    """Without its first line, a rubric in text form gives every other criterion a new id."""
    texts = ("Search for Omaha.", "Cite a source.", "Do not repeat.")
    old = rubric(*(criterion(f"c{at}", text) for at, text in enumerate(texts, start=1)))
    new = rubric(*(criterion(f"c{at}", text) for at, text in enumerate(texts[1:], start=1)))
    found = diff(old, new)
    assert [one.text for one in found.removed] == ["Search for Omaha."]
    assert found.added == ()
    assert [change.fields for change in found.changed] == [("id",), ("id",)]


def test_a_renamed_and_reworded_criterion_is_found_by_its_likeness() -> None:
    old = rubric(criterion("x", "Cite the page that names the mayor."), criterion("y", "Answer briefly."))
    new = rubric(criterion("p", "Answer."), criterion("q", "Cite the page that names the old mayor."))
    found = diff(old, new)
    assert [(change.before.id, change.after.id) for change in found.changed] == [("y", "p"), ("x", "q")]
    assert found.reordered
    assert diff(old, rubric(criterion("p", "Search for Omaha."))).changed == ()


def test_order_alone_is_a_difference() -> None:
    a, b = criterion("a", "Search for Omaha."), criterion("b", "Answer.")
    found = diff(rubric(a, b), rubric(b, a))
    assert found == RubricDiff(reordered=True)
    assert not found.empty
