"""DAgger's reason on a toy: who imitates only the teacher's states is lost where the teacher never was."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from coreact.rubric import Action, State, Step
from coreact.train.branch.collecting import CollectSettings, collect_live
from coreact.train.branch.labelling import Measured
from coreact.train.branch.looking import Looker, Teacher
from coreact.train.branch.roll_in import RollIn, Schedule, coin
from coreact.train.branch.sampling import Decision, Policy
from coreact.train.branch.visits import read_visits

LENGTH, STEPS, SLIPS = 4, 10, 0.25
QUESTIONS, ROUNDS = 8, 3


class Student:
    """A table from where it is to what the teacher did there; elsewhere it strays, and it slips at times."""

    def __init__(self, rooms: Any) -> None:
        self._rooms = rooms
        self._table: dict[tuple[int, bool], Action] = {}

    def act(self, state: State, name: str) -> Action:
        strays = self._rooms.going("aside")
        if coin(name, len(state.steps), 7) < SLIPS:
            return strays  # type: ignore[no-any-return]
        return self._table.get(self._rooms.room(state), strays)

    def learn(self, folder: Path) -> int:
        visits = list(read_visits(folder))
        for visit in visits:
            assert visit.teacher is not None, "whoever acted, the teacher's action is there"
            self._table[self._rooms.room(visit.state)] = visit.teacher
        return len(visits)

    def reaches(self, name: str) -> bool:
        """Whether a run of its own gets to the last room."""
        state = State.start("Reach the last room.", tools=self._rooms.tools, limit=STEPS)
        for _ in range(STEPS):
            call = self.act(state, name).call
            assert call is not None
            state = state.after(Step(call=call))
        return bool(self._rooms.room(state)[0] >= LENGTH)


def trained(rooms: Any, folder: Path, betas: list[float]) -> tuple[Student, int, list[float]]:
    """A student taught in rounds, how many labels it had, and the teacher's delivered share of each round."""
    student, labels, delivered = Student(rooms), 0, []
    for number, beta in enumerate(betas):
        sampler = Policy("student", lambda decision: [student.act(decision.state, decision.id)])
        looker = Looker(
            [sampler],
            labeller=Measured(rooms),
            teacher=Teacher(Policy("teacher", lambda decision: [rooms.right(decision.state)])),
        )
        settings = CollectSettings(
            roll_in=RollIn(rule="teacher", beta=Schedule.constant(beta)), steps=STEPS, seed=number
        )
        of_round = folder / f"round-{number}"
        done = asyncio.run(collect_live(rooms, rooms.ids, of_round, looker=looker, settings=settings))
        assert done.delivered is not None
        delivered.append(done.delivered)
        labels += student.learn(of_round)
    return student, labels, delivered


def test_mixed_collection_beats_pure_imitation(rooms: Callable[[int, int], Any], tmp_path: Path) -> None:
    chain = rooms(LENGTH, QUESTIONS)
    schedule = Schedule()
    betas = [schedule.at(number / (ROUNDS - 1)) for number in range(ROUNDS)]
    assert betas == [1, 0.5, 0]
    mixed, labels, delivered = trained(chain, tmp_path / "mixed", betas)
    imitating, as_many, alone = trained(chain, tmp_path / "pure", [1.0] * ROUNDS)
    assert labels == as_many == QUESTIONS * STEPS * ROUNDS
    assert alone == [1, 1, 1]
    assert delivered[0] == 1
    assert abs(delivered[1] - 0.5) < 0.2
    assert delivered[2] == 0
    names = [f"test {number}" for number in range(100)]
    rates = [sum(map(student.reaches, names)) / len(names) for student in (mixed, imitating)]
    # By hand: imitation gets through only where four draws in a row do not slip, 0.75 ** 4 = 0.32.
    assert 0.2 < rates[1] < 0.45
    # One step in four slips and costs two, so ten steps are enough for four nearly always.
    assert rates[0] > 0.75


def test_the_states_of_the_student_are_visited_only_where_it_acts(
    rooms: Callable[[int, int], Any], tmp_path: Path
) -> None:
    chain = rooms(LENGTH, QUESTIONS)
    trained(chain, tmp_path, [1.0, 0.0])
    lost = [
        sum(chain.room(visit.state)[1] for visit in read_visits(tmp_path / f"round-{number}"))
        for number in (0, 1)
    ]
    assert lost[0] == 0
    assert lost[1] > QUESTIONS


def test_a_decision_is_what_the_sampler_is_shown(rooms: Callable[[int, int], Any], tmp_path: Path) -> None:
    chain = rooms(2, 1)
    seen: list[Decision] = []

    def watching(decision: Decision) -> list[Action]:
        seen.append(decision)
        return [chain.right(decision.state), chain.going("aside")]

    looker = Looker([Policy("watching", watching)], labeller=Measured(chain))
    asyncio.run(collect_live(chain, chain.ids, tmp_path, looker=looker, settings=CollectSettings(steps=2)))
    kinds = [[message.type for message in one.messages] for one in seen]
    assert kinds == [["system", "human"], ["system", "human", "ai", "tool"]]
    assert [one.state.given for one in seen] == [(str(seen[0].messages[0].text),)] * 2
    assert str(seen[1].messages[-1].text) == "You went forth."
    assert len({one.id for one in seen}) == 2
