from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from coreact.errors import StoreError
from coreact.generate.bank.records import MAX_COUNT, BankEntry, Outcomes
from coreact.generate.bank.store import BankWarning, RubricBank
from coreact.rubric import ArgumentContains, ArgumentEquals, Criterion, Rubric, State, Stops, ToolContract


def rubric(text: str = "Search the register.", **fields: Any) -> Rubric:
    return Rubric(criteria=(Criterion(id="c1", text=text, **fields),))


def entry(question: str = "Which river crosses Gabon?", text: str = "Search.", **fields: Any) -> BankEntry:
    return BankEntry(question=question, rubric=rubric(text), **{"source": "test", **fields})


def test_an_entry_is_its_content_and_not_its_outcomes() -> None:
    one = entry()
    assert one.key == entry(outcomes=Outcomes(fixed=3)).key
    others = [
        entry("Which river crosses Congo?"),
        entry(text="Read."),
        entry(stage="late"),
        entry(tools=("search",)),
        entry(source="other"),
        entry(origin="human"),
    ]
    assert len({one.key, *(other.key for other in others)}) == 7
    assert entry(tools=("b", "a", "b")).key == entry(tools=("a", "b")).key


def test_an_entry_is_made_of_the_state_it_was_written_in() -> None:
    state = State.start("Who?", tools=(ToolContract(name="search"), ToolContract(name="read")), limit=3)
    made = BankEntry.of(state, rubric(), source="heuristic.1", origin="code")
    assert (made.question, made.stage, made.tools) == ("Who?", "early", ("read", "search"))
    assert BankEntry.of(state, rubric(), source="x", stage="plan").stage == "plan"


@pytest.mark.parametrize("fields", [{"question": " "}, {"outcomes": {"uses": -1}}, {"source": ""}])
def test_an_impossible_entry_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        BankEntry.model_validate({"question": "Who?", "rubric": rubric(), "source": "x", **fields})


@pytest.fixture(params=["memory", "file"])
def bank(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    with RubricBank(None if request.param == "memory" else tmp_path / "deep" / "bank.db") as opened:
        yield opened


def test_what_is_appended_comes_back_in_order(bank: RubricBank) -> None:
    entries = [
        entry(f"Question {n}?", outcomes=Outcomes(uses=n, fixed=n, spoiled=1), stage="late") for n in range(5)
    ]
    keys = [bank.append(one) for one in entries]
    assert list(bank) == entries
    assert len(bank) == 5
    assert bank.get(keys[3]) == entries[3]
    assert bank.get("nothing") is None
    assert bank.broken() == ()


def test_equal_content_is_one_entry_whose_counts_add_up(bank: RubricBank) -> None:
    key = bank.append(entry(outcomes=Outcomes(uses=2, fixed=1)))
    assert bank.append(entry(outcomes=Outcomes(uses=3, spoiled=4))) == key
    (only,) = bank
    assert only.outcomes == Outcomes(uses=5, fixed=1, spoiled=4)
    assert only.outcomes.net == -3


def test_outcomes_are_added(bank: RubricBank) -> None:
    key = bank.append(entry())
    assert bank.record_outcome(key, uses=1)
    assert bank.record_outcome(key, fixed=2, spoiled=1)
    (only,) = bank
    assert only.outcomes == Outcomes(uses=1, fixed=2, spoiled=1)
    assert not bank.record_outcome("gone", uses=1)
    with pytest.raises(ValueError, match="-1"):
        bank.record_outcome(key, fixed=-1)


def test_counts_stop_at_the_largest(bank: RubricBank) -> None:
    key = bank.append(entry(outcomes=Outcomes(uses=MAX_COUNT)))
    bank.record_outcome(key, uses=MAX_COUNT)
    (only,) = bank
    assert only.outcomes.uses == MAX_COUNT


def test_a_removed_entry_is_gone(bank: RubricBank) -> None:
    key, other = bank.append(entry()), bank.append(entry("Other?"))
    assert bank.remove(key)
    assert not bank.remove(key)
    assert [one.key for one in bank] == [other]


def test_the_revision_moves_with_the_entries_and_not_with_their_counts(bank: RubricBank) -> None:
    key = bank.append(entry())
    before = bank.revision()
    bank.record_outcome(key, uses=1)
    bank.append(entry())
    assert bank.revision() == before
    bank.append(entry("Other?"))
    grown = bank.revision()
    assert grown > before
    bank.remove(key)
    assert bank.revision() > grown


VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))


@given(text=st.text(st.characters(exclude_categories=("Cs",)), min_size=1), value=VALUES)
def test_any_rubric_survives_the_file(text: str, value: Any) -> None:
    if not text.split():
        return
    checked = Criterion(id="c1", text="Fit.", check=ArgumentEquals(argument="a", value=value))
    stored = BankEntry(question=text, rubric=Rubric(criteria=(checked,)), source="test")
    with RubricBank() as bank:
        bank.append(stored)
        (back,) = bank
    assert back.key == stored.key


def test_a_file_keeps_everything(tmp_path: Path) -> None:
    path = tmp_path / "bank.db"
    with RubricBank(path) as bank:
        key = bank.append(entry())
        bank.record_outcome(key, fixed=1)
    with RubricBank(path) as bank:
        (only,) = bank
    assert only.outcomes.fixed == 1
    assert only == entry(outcomes=Outcomes(fixed=1))


def test_two_banks_on_one_file_see_each_other(tmp_path: Path) -> None:
    with RubricBank(tmp_path / "bank.db") as one, RubricBank(tmp_path / "bank.db") as other:
        assert len(other) == 0
        key = one.append(entry())
        assert len(other) == 1
        revision = other.revision()
        one.record_outcome(key, uses=1)
        other.record_outcome(key, uses=1)
        assert [[e.outcomes.uses for e in bank] for bank in (one, other)] == [[2], [2]]
        assert other.revision() == revision
        one.remove(key)
        assert list(other) == []


def test_threads_lose_no_count(bank: RubricBank) -> None:
    key = bank.append(entry())

    def work(number: int) -> None:
        for turn in range(20):
            bank.record_outcome(key, uses=1)
            bank.append(entry(f"Question {number} {turn}?"))
            len(bank)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = bank.get(key)
    assert found is not None
    assert found.outcomes.uses == 80
    assert len(bank) == 81


# --- files that are not as they should be ----------------------------------------------------------


def changed(path: Path, *statements: str, **values: Any) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        for statement in statements:
            connection.execute(statement, values)


@pytest.mark.parametrize(
    "content",
    [b"not a database, but long enough to be looked at " * 40, b"SQLite format 3\0" + b"\xff" * 200],
)
def test_a_file_that_is_no_database_is_an_error_with_its_path(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bank.db"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"bank\.db") as caught:
        RubricBank(path)
    assert caught.value.path == path
    assert path.read_bytes() == content


def test_a_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        RubricBank(tmp_path)


@pytest.mark.parametrize("statement", ["CREATE TABLE theirs (x)", "PRAGMA application_id = 7"])
def test_the_database_of_another_application_is_left_alone(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "bank.db"
    changed(path, "CREATE TABLE other (x)", statement)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another application"):
        RubricBank(path)
    assert path.read_bytes() == before


def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bank.db"
    RubricBank(path).close()
    changed(path, "PRAGMA user_version = 9")
    with pytest.raises(StoreError, match="version 9"):
        RubricBank(path)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE entry SET rubric = '{' WHERE id = 2", "cannot be read"),
        ("UPDATE entry SET rubric = '{\"criteria\": []}' WHERE id = 2", "criteria"),
        ("UPDATE entry SET question = 'Changed?' WHERE id = 2", "not what its key says"),
        ("UPDATE entry SET question = '' WHERE id = 2", "question"),
        ("UPDATE entry SET tools = '5' WHERE id = 2", "array"),
        ("UPDATE entry SET uses = -4 WHERE id = 2", "counts"),
        ("UPDATE entry SET origin = 'alien' WHERE id = 2", "origin"),
        ("UPDATE entry SET question = CAST(x'ff41' AS TEXT) WHERE id = 2", ""),
        ("UPDATE entry SET rubric = '" + "[" * 20_000 + "' WHERE id = 2", "cannot be read"),
    ],
)
def test_a_broken_row_is_named_and_costs_itself_alone(tmp_path: Path, statement: str, reason: str) -> None:
    path = tmp_path / "bank.db"
    with RubricBank(path) as bank:
        for number in range(3):
            bank.append(entry(f"Question {number}?"))
    changed(path, statement)
    with pytest.warns(BankWarning, match="Row 2 of the rubric bank"):
        bank = RubricBank(path)
    with bank:
        assert [one.question for one in bank] == ["Question 0?", "Question 2?"]
        (broken,) = bank.broken()
        assert broken.row == 2
        assert reason in broken.reason
        assert len(bank) == 2
        if reason != "counts":
            bank.append(entry("Question 1?"))  # written again, it is mended
            assert [one.question for one in bank] == ["Question 0?", "Question 1?", "Question 2?"]
            assert bank.broken() == ()


def test_a_check_of_a_later_version_survives(tmp_path: Path) -> None:
    path = tmp_path / "bank.db"
    with RubricBank(path) as bank:
        later = Rubric.model_validate(
            {"criteria": [{"id": "c1", "text": "Fly.", "check": {"kind": "flies", "height": 3}}]}
        )
        bank.append(BankEntry(question="Who?", rubric=later, source="x"))
    with RubricBank(path) as bank:
        assert [one.rubric for one in bank] == [later]


def test_what_cannot_be_written_is_an_error_and_leaves_the_bank_usable(tmp_path: Path) -> None:
    path = tmp_path / "bank.db"
    with RubricBank(path, lock_seconds=0.01) as bank, closing(sqlite3.connect(path)) as other:
        key = bank.append(entry())
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="cannot be written"):
            bank.append(entry("Other?"))
        with pytest.raises(StoreError, match="locked"):
            bank.record_outcome(key, uses=1)
        assert list(bank) == [entry()]
        other.rollback()
        bank.append(entry("Other?"))
        assert len(bank) == 2


def test_the_file_is_strict_and_marked(tmp_path: Path) -> None:
    path = tmp_path / "bank.db"
    with RubricBank(path) as bank:
        bank.append(
            BankEntry(
                question="Who?",
                rubric=Rubric(
                    criteria=(
                        Criterion(id="c1", text="A.", check=ArgumentContains(argument="q", terms=("x",))),
                        Criterion(id="c2", text="B.", check=Stops(), depends_on=("c1",)),
                    )
                ),
                source="x",
            )
        )
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            assert connection.execute("PRAGMA application_id").fetchone() == (0x436F5242,)
            with pytest.raises(sqlite3.IntegrityError):
                connection.execute("UPDATE entry SET uses = 'many'")
            (stored,) = connection.execute("SELECT rubric FROM entry").fetchone()
    assert json.loads(stored)["criteria"][1]["check"] == {"kind": "stops"}
