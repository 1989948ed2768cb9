"""The monitor: it is fed the figures of a run, holds the rules against them, and says when to stop.

It measures nothing itself and knows no trainer (`callback` feeds it from TRL). Figures go to a file of JSON
lines as they come, so that a run that is killed leaves what it saw, and one that goes on from a checkpoint
goes on with it. Alarms follow from the figures alone; their file beside it is for readers, and is written
anew whenever they change.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from pydantic import Field

from coreact.errors import ConfigError
from coreact.rubric import Record
from coreact.trace.journal import Journal
from coreact.trace.lines import write_whole
from coreact.train.monitor.figures import FigureName, Figures, History
from coreact.train.monitor.rules import DEFAULT_RULES, Alarm, Divergence, Rule

FIGURES_FILE = "figures.jsonl"
ALARMS_FILE = "alarms.jsonl"


class Course(Record):
    """How one figure went."""

    figure: FigureName
    first: float
    last: float
    least: float
    most: float
    measured: int = Field(ge=1)
    """Steps at which it was measured."""


class MonitorSummary(Record):
    """What a model card says about the run."""

    steps: int = Field(ge=0)
    """The last step that was measured."""
    courses: tuple[Course, ...]
    alarms: tuple[Alarm, ...]
    stopped: Alarm | None
    """The alarm that ended training; None where none did."""
    watched: tuple[str, ...]
    """Names of the rules whose figures were measured at all; the others could not have spoken."""


class Monitor:
    """Watches one run.

    Args:
        rules: what is looked for; names must differ.
        folder: where `figures.jsonl` and `alarms.jsonl` are written; the figures that stand there are gone on
            with. None: nothing is written.

    Raises:
        ConfigError: two rules have one name.
        LabelFileError: the file of figures cannot be used.
    """

    def __init__(self, rules: Sequence[Rule] = DEFAULT_RULES, *, folder: Path | None = None) -> None:
        names = [rule.name for rule in rules]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ConfigError(
                f"Two rules of a monitor are called {twice[0]!r}.", remedy="Give each a name of its own."
            )
        self.rules = tuple(rules)
        self.folder = folder
        self._history = History()
        self._alarms: list[Alarm] = []
        self._holding: set[str] = set()
        self._journal = Journal(folder / FIGURES_FILE, Figures) if folder else None
        for figures in self._journal.records if self._journal else ():
            self._take_in(figures)

    @property
    def history(self) -> tuple[Figures, ...]:
        """What was measured, one entry a step."""
        return self._history.entries

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """What was found, in order."""
        return tuple(self._alarms)

    @property
    def stopped(self) -> Alarm | None:
        """The first alarm that ends training; None where there is none."""
        return next((alarm for alarm in self._alarms if alarm.stop), None)

    def feed(self, figures: Figures, *, write: bool = True) -> tuple[Alarm, ...]:
        """Take in what was measured at a step, and say which rules begin to hold.

        Several calls for one step complete each other. An earlier step than the last means that the run went
        back to a checkpoint: figures and alarms from there on are forgotten. A rule that goes on holding is
        told once; one that ceases and begins again is told again.

        Args:
            figures: what was measured.
            write: False on all but one of several processes that watch the same run.

        Raises:
            OSError: the folder cannot be written.
        """
        before = self.alarms
        if self._journal and write:
            self._journal.add(figures)
        found = self._take_in(figures)
        if self.folder and write and self.alarms != before:
            lines = "".join(f"{alarm.model_dump_json()}\n" for alarm in self._alarms)
            write_whole(self.folder / ALARMS_FILE, lines)
        return found

    def _take_in(self, figures: Figures) -> tuple[Alarm, ...]:
        if figures.step < self._history.step:
            self._history.go_back(figures.step)
            self._alarms = [alarm for alarm in self._alarms if alarm.step < figures.step]
            self._holding = {rule.name for rule in self.rules if rule.finding(self._history)}
        self._history.add(figures)
        found: list[Alarm] = []
        measured = figures.measured.keys()
        for rule in self.rules:
            if measured.isdisjoint(_reads(rule)):
                continue
            reason = rule.finding(self._history)
            if reason is None:
                self._holding.discard(rule.name)
            elif rule.name not in self._holding:
                self._holding.add(rule.name)
                found.append(
                    Alarm(rule=rule.name, step=figures.step, reason=reason, stop=rule.stop, fault=rule.fault)
                )
        self._alarms += found
        return tuple(found)

    def summary(self) -> MonitorSummary:
        """What happened, for the model card."""
        names: tuple[FigureName, ...] = get_args(FigureName)
        found = {name: [point.value for point in self._history.series(name)] for name in names}
        return MonitorSummary(
            steps=self._history.step,
            courses=tuple(
                Course(
                    figure=name,
                    first=values[0],
                    last=values[-1],
                    least=min(values),
                    most=max(values),
                    measured=len(values),
                )
                for name, values in found.items()
                if values
            ),
            alarms=self.alarms,
            stopped=self.stopped,
            watched=tuple(rule.name for rule in self.rules if all(found[name] for name in _reads(rule))),
        )


def _reads(rule: Rule) -> tuple[FigureName, ...]:
    return (rule.rising, rule.reference) if isinstance(rule, Divergence) else (rule.figure,)
