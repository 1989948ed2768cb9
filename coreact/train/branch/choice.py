"""Which stored runs may be collected from: those whose question is not held out for measuring.

A store holds whatever was run, questions that a generator is measured on too. A run belongs to a half by its
question, so all runs of a question lie on one side, and no run to train on holds a question that is held out:

- a question of a known world belongs where `parts` puts it (`scripted.splits`), compared without case and
  blanks; whether the run asked it or the user asked it earlier in its conversation, which prompts hold. If
  several are known, one that is held out counts;
- any other goes by the hash of what the conversation began with, one in five is held out. Exports deal their
  runs by the same hash (`coreact.trace.export.splitting`), so what is held out here is in no `train` split of
  theirs with a share of up to 0.8.

A run that was forked from another, or checks the answer of another, is held out if that one is. Other runs
of an agent that works in several, each with a question of its own making, are dealt one by one: nobody knows
that they belong together. Nothing is read but the runs given, and nothing is collected here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice

from coreact.errors import ConfigError, MessagesError
from coreact.rubric.canonical import text_digest
from coreact.trace.export.splitting import dealt_by, folded, split_of, users_said
from coreact.trace.records import Trajectory
from coreact.train.branch.scripted import splits
from coreact.worlds import Split, World

SHARES: tuple[tuple[Split, float], ...] = (("train", 0.8), ("dev", 0.2))
"""Halves of the questions of no known world, and their shares."""


def begun_with(trajectory: Trajectory) -> str:
    """What a run's conversation began with; the run's question where its messages cannot be read."""
    try:
        return dealt_by(trajectory)
    except (MessagesError, RecursionError):
        return trajectory.run.question


def asked_id(trajectory: Trajectory) -> str:
    """The id of the question of a run that no known world has."""
    return f"asked-{text_digest(begun_with(trajectory))[-16:]}"


class Choice:
    """Stored runs of one half of the questions.

    Args:
        half: `train`: what may be learned from; `dev`: what is held out for measuring.
        worlds: worlds whose questions are known. A question that several have is held out if one holds it
            out.
        n: at most so many runs, the oldest; None: all.

    Raises:
        ConfigError: `n` is below 1.
    """

    def __init__(self, half: Split, *, worlds: Sequence[World] = (), n: int | None = None) -> None:
        if n is not None and n < 1:
            raise ConfigError(f"{n} runs are none.", remedy="Take 1 or more.")
        self.half: Split = half
        self.n = n
        self.left_out = 0
        """Runs passed by so far, since their question belongs to the other half."""
        self.settings: dict[str, object] = {
            "half": half,
            "known": {world.name: world.version for world in worlds},
        }
        """What decides who belongs where: part of a collection's settings. `n` is not: more runs of a store
        may always be added."""
        self._held_out: set[str] = set()  # ids of runs
        self._known: dict[str, Split] = {}
        for world in worlds:
            split = splits(world)
            for question in world.questions:
                key = folded(question.question)
                if self._known.get(key) != "dev":
                    self._known[key] = split[question.id]

    def half_of(self, trajectory: Trajectory) -> Split:
        """The half that a run belongs to; asked of runs in order, since a fork may follow its parent."""
        run = trajectory.run
        known = {self._known.get(folded(text)) for text in (run.question, *_asked(trajectory))} - {None}
        held_out = "dev" in known if known else split_of(begun_with(trajectory), SHARES) == "dev"
        if held_out or run.parent in self._held_out:
            self._held_out.add(run.id)
            return "dev"
        return "train"

    def of(self, trajectories: Iterable[Trajectory]) -> Iterator[Trajectory]:
        """The runs chosen, in their order, each read when it is asked for."""
        self.left_out = 0
        return islice(self._mine(trajectories), self.n)

    def _mine(self, trajectories: Iterable[Trajectory]) -> Iterator[Trajectory]:
        for trajectory in trajectories:
            if self.half_of(trajectory) == self.half:
                yield trajectory
            else:
                self.left_out += 1


def _asked(trajectory: Trajectory) -> list[str]:
    """What users said in the prompts of a run, as far as its messages can be read."""
    said: list[str] = []
    with suppress(MessagesError, RecursionError):
        for step in trajectory.steps:
            for text in users_said(step.prompt_added):
                said.append(text)  # one by one, so that what stands before an unreadable one counts
    return said
