"""The queue's order, and what a person's judgement becomes."""

from __future__ import annotations

import pytest

from coreact.errors import ConfigError
from coreact.rubric import Rubric
from coreact.trace import RunFilter, RunRecord, SQLiteTraceStore, Trajectory
from coreact.view.review import Item, KeptItems, human_judgement, item_at, items_of, queue
from coreact.view.timeline import disagreement

BEFORE = {"river": "met", "source": "met", "brief": "met"}


@pytest.fixture
def item(showcase: Trajectory) -> Item:
    return item_at(showcase, 2, 0, 0)


def test_disputed_ones_come_first_then_unknown_ones_then_close_ones(store: SQLiteTraceStore) -> None:
    waiting = queue(store, RunFilter(question="Passau"))
    assert [(one.step, one.attempt) for one in waiting] == [(2, 0), (0, 1), (0, 0), (1, 0)]
    assert waiting[0].disputed == {"source"}
    assert "judges disagree on 1" in waiting[0].why


def test_what_a_person_judged_waits_no_more(store: SQLiteTraceStore, item: Item) -> None:
    where = RunFilter(question="Passau")
    store.judgement(human_judgement(item, reviewer="Grace", statuses=BEFORE, note="", accept=True))
    assert (item.step, item.attempt) not in [(one.step, one.attempt) for one in queue(store, where)]


def test_only_runs_that_were_added_to_are_read_anew(
    store: SQLiteTraceStore, item: Item, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, everything = KeptItems(store), RunFilter()
    read: list[str] = []
    real = store.trajectory

    def trajectory(run: str) -> Trajectory:
        read.append(run)
        return real(run)

    monkeypatch.setattr(store, "trajectory", trajectory)

    def read_again() -> set[str]:
        read.clear()
        found = queue(store, everything, kept=kept)
        again = set(read)
        assert found == queue(store, everything)
        return again

    assert read_again() == {"sample-1", "showcase-1"}
    assert read_again() == set()
    store.judgement(human_judgement(item, reviewer="Grace", statuses=BEFORE, note="", accept=True))
    assert read_again() == {"showcase-1"}
    store.step(real("sample-1").steps[0])  # decided again
    assert read_again() == {"sample-1"}
    store.start(RunRecord(id="new", question="q"))
    assert read_again() == {"new"}


def test_accepting_keeps_the_verdicts_under_the_persons_name(item: Item, rubric: Rubric) -> None:
    record = human_judgement(item, reviewer="Grace", statuses=BEFORE, note="", accept=True)
    assert record.evaluator.model_dump() == {"name": "Grace", "version": "", "kind": "human", "model": ""}
    assert record.place == (2, 0, 0)
    assert record.judged_ns == item.recorded_ns
    assert (record.judgement.score, record.judgement.passed) == (1.0, True)
    assert {one.decided_by for one in record.judgement.verdicts} == {"Grace"}
    assert record.judgement.verdicts[0].evidence == item.judgement.verdicts[0].evidence
    assert record.supersedes is None


def test_an_override_counts_anew_and_keeps_no_evidence_of_the_old_verdict(item: Item) -> None:
    record = human_judgement(
        item, reviewer="Grace", statuses=BEFORE | {"river": "unmet"}, note=" wrong river ", accept=False
    )
    assert (record.judgement.score, record.judgement.passed) == (0.5, False)  # the veto
    assert (record.judgement.verdicts[0].reason, record.judgement.verdicts[0].evidence) == ("wrong river", ())
    assert record.note == "wrong river"


def test_a_second_judgement_by_a_person_corrects_the_first(store: SQLiteTraceStore, item: Item) -> None:
    first = human_judgement(item, reviewer="Grace", statuses=BEFORE, note="", accept=True)
    store.judgement(first)
    again = item_at(store.trajectory(item.run), 2, 0, 0)
    second = human_judgement(
        again, reviewer="Ada", statuses=BEFORE | {"brief": "unmet"}, note="too long", accept=False
    )
    store.judgement(second)
    whole = store.trajectory(item.run)
    assert second.supersedes == first.id
    assert first.id in [one.id for one in whole.judgements]
    assert first.id not in [one.id for one in whole.standing]


@pytest.mark.parametrize(
    ("statuses", "note", "accept", "said"),
    [
        (BEFORE | {"river": "unmet"}, "why", True, "1 verdicts were changed"),
        (BEFORE | {"river": "unmet"}, "  ", False, "needs a reason"),
        (BEFORE | {"river": "splendid"}, "why", False, "'splendid'"),
        ({"river": "met"}, "", True, "None"),
    ],
)
def test_what_a_person_cannot_say(
    item: Item, statuses: dict[str, str], note: str, accept: bool, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        human_judgement(item, reviewer="Grace", statuses=statuses, note=note, accept=accept)


def test_only_whole_judgements_can_be_reviewed(store: SQLiteTraceStore) -> None:
    sample = store.trajectory("sample-1")  # its retries have no verdicts, one step has no rubric
    assert {(one.step, one.attempt) for one in items_of(sample)} == {(0, 0), (2, 0)}
    with pytest.raises(ConfigError, match="no judged action"):
        item_at(sample, 1, 0, 0)


def test_who_could_not_tell_takes_no_side(showcase: Trajectory, item: Item) -> None:
    said = item.judgement
    unsure = said.verdicts[0].model_copy(update={"status": "unknown"})
    other = said.model_copy(update={"verdicts": (unsure, *said.verdicts[1:])})
    assert disagreement([(item.rubric, said), (item.rubric, other)]) == set()
    against = other.verdicts[0].model_copy(update={"status": "unmet"})
    other = other.model_copy(update={"verdicts": (against, *other.verdicts[1:])})
    assert disagreement([(item.rubric, said), (item.rubric, other)]) == {"river"}
