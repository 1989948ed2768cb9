"""Live collection: what a visit holds, who is followed, which errors stay local, going on after a kill."""

from __future__ import annotations

import asyncio
import errno
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import ToolMessage

from coreact.errors import (
    ConfigError,
    ExperimentMismatchError,
    JudgingError,
    LabelFileError,
    ModelCallError,
    StoreError,
)
from coreact.judge.panel import Ranking
from coreact.rubric import Action, ToolCall
from coreact.trace.journal import Journal, held
from coreact.train.branch.collecting import CollectSettings, collect_live
from coreact.train.branch.environment import WorldEnvironment
from coreact.train.branch.labelling import Measured, Panel
from coreact.train.branch.looking import Looker, Teacher
from coreact.train.branch.policies import Policies
from coreact.train.branch.roll_in import RollIn, Schedule
from coreact.train.branch.sampling import Decision, ModelSampler, Policy
from coreact.train.branch.visits import ENDS, SETTINGS, VISITS, Ended, Visit, read_visits
from coreact.train.points import by_one_panel, read_points
from coreact.worlds.searcher import StochasticSearcher

Collecting = Any


class Killed(BaseException):
    """The process is gone."""


def search(query: str) -> Action:
    return Action(call=ToolCall(name="search", arguments={"query": query}))


def ideal(environment: WorldEnvironment) -> Teacher:
    return Teacher(Policy("ideal", Policies(environment).ideal), patience=3)


def test_a_visit_holds_state_candidates_gains_and_what_was_followed(
    collecting: Collecting, scripted: Policy
) -> None:
    done = collecting.run(scripted, teacher=ideal(collecting.environment), k=5)
    visits = collecting.visits()
    assert done.questions == 6
    assert done.visits == done.points == len(visits)
    assert done.worth == {"gain": len(visits)}
    first = visits[0]
    assert (first.question_id, first.step, first.rolled_in) == ("q0", 0, ())
    assert first.point is not None
    assert first.point.world == "songs"
    assert {one.source: one.gain for one in first.point.candidates} == {
        "bridge": 0.5,  # one passage a search, and the song's is one of two
        "entity": 0.5,
        "verbatim": 0.5,
        "off topic": 0.0,
        "answer": 0.0,
    }
    assert first.teacher is not None
    assert str(first.teacher) == "search(query='Omaha Song sung')"
    assert first.followed_candidate is not None
    assert first.point.candidates[first.followed_candidate].action == first.followed
    assert first.driver == "best"
    second = visits[1]
    assert second.state.steps[0].call.key == first.followed.call.key  # type: ignore[union-attr]
    assert second.rolled_in == ("best",)
    assert [visit.step for visit in visits if visit.question_id == "q0"] == [0, 1, 2]
    assert done.ended == {"answered": 6}, "found, found, answered"


def test_the_numbers_of_proposals_add_up(collecting: Collecting, scripted: Policy) -> None:
    def bad(decision: Decision) -> list[Action]:
        return [search("Omaha Song"), search(" omaha song! "), Action(answer=""), search("")]

    done = collecting.run(scripted, Policy("bad", bad), teacher=ideal(collecting.environment), k=3)
    for visit in collecting.visits():
        kept = 0 if visit.point is None else len(visit.point.candidates)
        assert kept == 3
        assert visit.proposed == kept + sum(visit.dropped.values())
        assert visit.dropped["empty"] == 2
    assert done.proposed == 3 * done.points + sum(done.dropped.values())


def test_a_point_with_one_candidate_is_skipped_and_the_run_goes_on(collecting: Collecting) -> None:
    one = Policy("one", lambda decision: [search(f"Song {len(decision.state.steps)}")] * 3)
    done = collecting.run(one, steps=3)
    assert (done.points, done.single, done.visits) == (0, 18, 18)
    assert done.dropped == {"duplicate": 36}
    assert done.ended == {"budget": 6}
    visit = collecting.visits()[-1]
    assert visit.point is None
    assert visit.alone is not None
    assert len(visit.state.steps) == 2


def test_a_question_without_any_usable_proposal_is_stuck(collecting: Collecting) -> None:
    done = collecting.run(Policy("mute", lambda decision: []))
    assert (done.ended, done.visits, done.single) == ({"stuck": 6}, 6, 6)


# --- roll-in -------------------------------------------------------------------------------------


def test_random_roll_in_reaches_states_that_the_best_does_not(
    collecting: Collecting, scripted: Policy, tmp_path: Path
) -> None:
    collecting.run(scripted, folder=tmp_path / "best")
    collecting.run(scripted, folder=tmp_path / "random", roll_in=RollIn(rule="random"))
    states = {
        rule: {visit.state.digest for visit in read_visits(tmp_path / rule)} for rule in ("best", "random")
    }
    assert len(states["random"] - states["best"]) > 6
    assert all(visit.driver == "random" for visit in read_visits(tmp_path / "random"))


@pytest.mark.parametrize(("beta", "who"), [(0.0, "student"), (1.0, "teacher")])
def test_without_and_with_the_teacher_alone(
    collecting: Collecting, scripted: Policy, beta: float, who: str
) -> None:
    roll_in = RollIn(rule="teacher", beta=Schedule.constant(beta))
    done = collecting.run(scripted, teacher=ideal(collecting.environment), roll_in=roll_in)
    assert done.drivers == {who: done.visits}
    assert (done.beta, done.delivered) == (beta, beta)
    # Whoever acted, the teacher's action is the label.
    assert done.taught == done.visits or who == "student"
    assert done.taught > 6


def test_the_teachers_share_goes_from_the_first_question_to_the_last(
    collecting: Collecting, scripted: Policy
) -> None:
    done = collecting.run(scripted, teacher=ideal(collecting.environment), roll_in=RollIn(rule="teacher"))
    betas = {visit.question_id: visit.beta for visit in collecting.visits()}
    assert list(betas.values()) == pytest.approx([1, 0.8, 0.6, 0.4, 0.2, 0])
    assert done.delivered is not None
    assert 0 < done.delivered < 1


def test_one_failed_call_of_the_teacher_degrades_one_step(collecting: Collecting, scripted: Policy) -> None:
    ideally = Policies(collecting.environment).ideal
    asked = []

    def flaky(decision: Decision) -> list[Action]:
        asked.append(decision.id)
        if len(asked) == 2:
            raise ConnectionError("gone for a moment")
        return ideally(decision)

    roll_in = RollIn(rule="teacher", beta=Schedule.constant(1))
    done = collecting.run(
        scripted, teacher=Teacher(Policy("flaky", flaky)), roll_in=roll_in, concurrency=1, ids=["q0", "q1"]
    )
    failed = [visit for visit in collecting.visits() if visit.teacher_failed.startswith("ConnectionError")]
    assert [visit.driver for visit in failed] == ["student"]
    assert failed[0].teacher is None
    assert done.beta == 1
    assert done.delivered == pytest.approx(1 - 1 / done.visits), "what was delivered, not what was meant"
    assert "failed" not in done.ended


def test_a_dead_teacher_stops_the_run_and_loses_nothing(
    collecting: Collecting, scripted: Policy, tmp_path: Path
) -> None:
    def dead(decision: Decision) -> list[Action]:
        raise ConnectionError("refused")

    teacher = Teacher(Policy("ideal", dead), patience=3)
    with pytest.raises(ModelCallError, match="'ideal' failed 3 times in a row, last with ConnectionError"):
        collecting.run(scripted, teacher=teacher, roll_in=RollIn(rule="teacher"), concurrency=1)
    visits = collecting.visits()
    assert len(visits) == 2
    collecting.run(
        scripted, teacher=ideal(collecting.environment), roll_in=RollIn(rule="teacher"), concurrency=1
    )
    assert collecting.visits()[:2] == visits
    assert {visit.question_id for visit in collecting.visits()} == set(collecting.ids)


def test_a_dead_model_stops_the_run(collecting: Collecting, songs: WorldEnvironment) -> None:
    from coreact.testing import ScriptedModel

    model = ModelSampler(ScriptedModel(script=lambda _: ValueError("no such model")), "agent", patience=4)
    with pytest.raises(ModelCallError, match="'agent' failed 4 times in a row"):
        collecting.run(model)


# --- labels --------------------------------------------------------------------------------------


class Judge:
    """Prefers long queries; fails as often as it is told."""

    def __init__(self, name: str, *, fails: int = 0, sign: int = 1) -> None:
        self.id = name
        self.fails = fails
        self._sign = sign

    async def arank(self, state: Any, candidates: Sequence[Action], **_: Any) -> Ranking:
        if self.fails:
            self.fails -= 1
            raise ConnectionError("refused")
        lengths = [self._sign * len(str(one)) for one in candidates]
        order = sorted(lengths, reverse=True)
        return Ranking(tuple(float(order.index(one) + 1) for one in lengths))


LONG = Policy(
    "three", lambda decision: [search("x" * at * (1 + decision.state.budget.used)) for at in (1, 2, 3)]
)


def test_a_panel_ranks_and_the_winner_is_followed(collecting: Collecting) -> None:
    panel = Panel([Judge("a"), Judge("b"), Judge("c", sign=-1)])
    done = collecting.run(LONG, labeller=panel, ids=["q0"], steps=2)
    assert done.worth == {"panel": 2}
    for visit in collecting.visits():
        assert visit.point is not None
        by_length = sorted(visit.point.candidates, key=lambda one: len(str(one.action)))
        assert [one.gain for one in by_length] == [pytest.approx(-g) for g in (7 / 3, 2, 5 / 3)] or [
            one.gain for one in by_length
        ] == [-3, -2, -1]
        assert [one.judge for one in visit.point.rankings] == ["a", "b", "c"]
        assert visit.followed == by_length[-1].action


def test_a_failed_panel_is_no_label(collecting: Collecting) -> None:
    panel = Panel([Judge("a"), Judge("b", fails=1)])
    done = collecting.run(LONG, labeller=panel, ids=["q0"], steps=3)
    first, *others = collecting.visits()
    assert done.worth == {"none": 1, "panel": 2}
    assert list(done.unlabelled) == ["too few valid judges (b: transport)"]
    assert first.point is not None
    assert set(first.point.gains) == {0.0}, "no contrast: it can train nothing"
    assert not first.point.has_contrast
    assert first.point.rankings == ()
    assert first.driver == "random"
    assert {visit.driver for visit in others} == {"best"}
    assert len(list(by_one_panel(read_points(collecting.folder)))) == 3, "no other label, hence no mixture"


def test_a_panel_that_is_down_stops_the_run(collecting: Collecting) -> None:
    panel = Panel([Judge("a"), Judge("b", fails=99)], patience=3)
    with pytest.raises(JudgingError, match="no consensus 3 times in a row, last since b: transport") as told:
        collecting.run(LONG, labeller=panel, concurrency=1)
    assert told.value.cause == "transport"
    assert len(collecting.visits()) == 2


def test_points_that_nobody_labels_say_so(collecting: Collecting) -> None:
    done = collecting.run(LONG, labeller=None, ids=["q0"])
    assert done.unlabelled == {"nobody was asked": 4}
    assert done.contrast == 0


@pytest.mark.parametrize("judges", [["a"], ["a", "a"]])
def test_less_than_two_judges_are_no_panel(judges: list[str]) -> None:
    with pytest.raises(ConfigError, match="no panel"):
        Panel([Judge(one) for one in judges])


# --- errors, kills, disks ------------------------------------------------------------------------


class Breaking(WorldEnvironment):
    """Its tool breaks at the third question."""

    broken, fails = True, "Berg"

    async def execute(self, call: ToolCall, call_id: str) -> ToolMessage:
        if self.broken and self.fails in str(call.arguments):
            raise RuntimeError("the index is gone")
        return await super().execute(call, call_id)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def samplers(environment: WorldEnvironment) -> list[Any]:
    """Scripted policies and a model that is seeded: what it draws depends on no order."""
    return [
        Policy("scripted", Policies(environment).of),
        ModelSampler(StochasticSearcher(world=environment.world), "searcher", temperatures=(0.1, 0.7)),
    ]


def collect(environment: WorldEnvironment, folder: Path, **settings: Any) -> Any:
    report = settings.pop("report", None)
    looker = Looker(samplers(environment), labeller=Measured(environment), teacher=ideal(environment))
    chosen = CollectSettings(**({"roll_in": RollIn(rule="teacher"), "concurrency": 4} | settings))
    return asyncio.run(
        collect_live(
            environment, list(environment.questions), folder, looker=looker, settings=chosen, report=report
        )
    )


def test_an_error_costs_one_question_and_is_mended_by_going_on(
    songs: WorldEnvironment, tmp_path: Path
) -> None:
    collect(songs, tmp_path / "whole")
    environment = Breaking(songs.world, k=1)
    done = collect(environment, tmp_path / "mended")
    assert done.ended.pop("failed") == 1
    assert sum(done.ended.values()) == 5
    (failed,) = [one for one in Journal(tmp_path / "mended" / ENDS, Ended).records if one.how == "failed"]
    assert failed.question_id == "q2"
    assert failed.error == "RuntimeError: the index is gone"
    environment.broken = False
    collect(environment, tmp_path / "mended")
    assert files(tmp_path / "mended") == files(tmp_path / "whole")


@pytest.mark.parametrize("kept", [1, 5, 11])
def test_a_killed_collection_goes_on_to_the_same_bytes(
    songs: WorldEnvironment, tmp_path: Path, kept: int
) -> None:
    collect(songs, tmp_path / "whole")
    seen = []

    def kill(event: Visit | Ended) -> None:
        seen.append(event)
        if len(seen) == kept:
            raise Killed

    with pytest.raises(Killed):
        collect(songs, tmp_path / "killed", report=kill)
    assert (tmp_path / "killed" / VISITS).read_bytes() != (tmp_path / "whole" / VISITS).read_bytes()
    with (tmp_path / "killed" / VISITS).open("ab") as file:
        file.write(b'{"question_id": "q1", "st')  # torn
    collect(songs, tmp_path / "killed", concurrency=2)
    assert files(tmp_path / "killed") == files(tmp_path / "whole")


def test_what_is_done_is_not_asked_for_again(songs: WorldEnvironment, tmp_path: Path) -> None:
    collect(songs, tmp_path / "out")
    before = files(tmp_path / "out")
    events: list[Any] = []
    collect(songs, tmp_path / "out", report=events.append)
    assert events == []
    assert files(tmp_path / "out") == before


def test_a_full_disk_is_told_and_loses_nothing(
    songs: WorldEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collect(songs, tmp_path / "whole")
    add, count = Journal.add, []

    def full(self: Any, record: Any) -> None:
        count.append(record)
        if len(count) > 6:
            with self.path.open("ab") as file:
                file.write(b'{"half')
            raise OSError(errno.ENOSPC, "No space left on device")
        add(self, record)

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "add", full)
        with pytest.raises(StoreError, match=r"cannot be written: No space left on device.*make room"):
            collect(songs, tmp_path / "full")
    assert len(count) == 7, "after half a line nothing is written behind it"
    collect(songs, tmp_path / "full")
    assert files(tmp_path / "full") == files(tmp_path / "whole")


def test_a_torn_line_and_nothing_but_errors_behind_it(songs: WorldEnvironment, tmp_path: Path) -> None:
    collect(songs, tmp_path / "whole")
    collect(songs, tmp_path / "torn")
    lines = (tmp_path / "torn" / VISITS).read_bytes().splitlines(keepends=True)
    first = b"".join(line for line in lines if json.loads(line)["step"] == 0)
    (tmp_path / "torn" / VISITS).write_bytes(first + b'{"question_id": "q')
    (tmp_path / "torn" / ENDS).unlink()
    environment = Breaking(songs.world, k=1)
    environment.fails = ""  # every search
    done = collect(environment, tmp_path / "torn")
    assert done.ended["failed"] >= 4
    assert done.errors == {"RuntimeError: the index is gone": done.ended["failed"]}
    collect(songs, tmp_path / "torn")
    assert files(tmp_path / "torn") == files(tmp_path / "whole")


def test_a_setting_that_no_question_can_do_with_ends_it(collecting: Collecting) -> None:
    panel = Panel([Judge("a"), Judge("b")], rule="kemeny")
    many = Policy("many", lambda decision: [search(f"Omaha {at}") for at in range(20)])
    with pytest.raises(ConfigError, match="Kemeny"):
        collecting.run(many, labeller=panel, k=20)


def test_a_folder_is_collected_into_by_one_session(collecting: Collecting, scripted: Policy) -> None:
    def again(_: object) -> None:
        with pytest.raises(ConfigError, match="Another session"), held(collecting.folder):
            pass

    with held(collecting.folder), pytest.raises(ConfigError, match="Another session"):
        collecting.run(scripted)
    collecting.run(scripted, report=again)
    collecting.run(scripted)


def test_other_settings_are_another_collection(songs: WorldEnvironment, tmp_path: Path) -> None:
    collect(songs, tmp_path / "out")
    with pytest.raises(ExperimentMismatchError, match="seed was 0, not 1"):
        collect(songs, tmp_path / "out", seed=1)
    collect(songs, tmp_path / "out", concurrency=1)  # changes no result
    settings = json.loads((tmp_path / "out" / SETTINGS).read_text())
    assert settings["version"] == songs.world.version
    assert settings["samplers"] == ["scripted", "searcher 0.1 0.7"]
    (tmp_path / "out" / SETTINGS).write_text("{")
    with pytest.raises(LabelFileError, match="no JSON"):
        collect(songs, tmp_path / "out")


def test_questions_run_side_by_side_and_no_more_than_asked_for(collecting: Collecting) -> None:
    class Waiting:
        id = "waiting"
        now = most = 0

        async def propose(self, decision: Decision) -> Any:
            self.now += 1
            self.most = max(self.most, self.now)
            await asyncio.sleep(0.002)
            self.now -= 1
            return await LONG.propose(decision)

    waiting = Waiting()
    collecting.run(waiting, concurrency=3)
    assert waiting.most == 3


def test_settings_that_cannot_work_are_refused(collecting: Collecting, scripted: Policy) -> None:
    with pytest.raises(ConfigError, match="needs one"):
        collecting.run(scripted, roll_in=RollIn(rule="teacher"))
    with pytest.raises(ConfigError, match="2 questions, 1 different"):
        collecting.run(scripted, ids=["q0", "q0"])
    with pytest.raises(ConfigError, match="no branching point"):
        collecting.run()
    with pytest.raises(ConfigError, match="no branching point"):
        collecting.run(scripted, scripted)


def test_a_broken_line_is_named(collecting: Collecting, scripted: Policy) -> None:
    collecting.run(scripted)
    path = collecting.folder / VISITS
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], '{"question_id": "q"}\n', *lines[1:]]))
    with pytest.raises(LabelFileError, match=r"visits\.jsonl, line 2"):
        collecting.visits()
