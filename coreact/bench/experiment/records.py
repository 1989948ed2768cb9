"""What an experiment writes down: its manifest once, an outcome for every episode."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from pydantic import Field

from coreact.bench.records import Episode, Metric
from coreact.rubric import Record

COSTS: tuple[Metric, ...] = (
    Metric(
        name="tool_calls", about="Tool calls that ran, of everything the arm started.", higher_is_better=None
    ),
    Metric(
        name="model_calls",
        about="Model calls: rejected attempts, writers, judges and other samples included.",
        higher_is_better=None,
    ),
    Metric(
        name="input_tokens",
        about="Tokens read by models; left out where a model did not say.",
        higher_is_better=False,
    ),
    Metric(
        name="output_tokens",
        about="Tokens written by models; left out where a model did not say.",
        higher_is_better=False,
    ),
    Metric(
        name="usd",
        about="Money by the price table; left out where a price is not known.",
        higher_is_better=False,
    ),
    Metric(name="seconds", about="From start to end of an episode.", higher_is_better=False),
)
"""What an episode costs, measured by the bench itself on every suite."""

Origin = Literal["live", "rerun", "measured"]
"""`live`: the arm ran; `rerun`: it ran again, its calls answered from the record, and came to the same
messages; `measured`: only the metrics were taken anew from the stored episode."""


class Key(NamedTuple):
    """Which episode."""

    arm: str
    seed: int
    task: str


class Outcome(Record):
    """One episode and its figures: one line of the file."""

    arm: str
    seed: int
    task: str
    """Task id."""
    cluster: str
    """What the task is resampled with; its own id where it stands alone."""
    episode: Episode
    metrics: dict[str, float] = Field(default_factory=dict)
    """By metric name; what could not be told is left out."""
    excluded: str | None = None
    """Why it counts in no metric: the instrument failed (`transport`, `rate_limit`), the arm broke the rules
    (`over budget`), it could not be measured (`measure`). None: it counts, also where the agent failed."""
    unmeasured: str | None = None
    """What failed where measuring did; the agent's own failure stands in the episode."""
    origin: Origin = "live"

    @property
    def key(self) -> Key:
        """Which episode it is."""
        return Key(self.arm, self.seed, self.task)

    @property
    def passing(self) -> bool:
        """Whether what excluded it may be gone at another time, so that a resume tries again."""
        return self.excluded in PASSING


PASSING = frozenset({"transport", "rate_limit"})
"""Exclusions that are tried again."""


class Session(Record):
    """One start of the command."""

    command: tuple[str, ...]
    began: str
    """ISO 8601, UTC."""
    python: str
    packages: dict[str, str]
    """Version of each package that decides results, by name."""
    revision: str | None = None
    """Git revision of the working directory's code, with `+changes` where it was changed; None: no git."""


class ArmNote(Record):
    """An arm as the report names it."""

    about: str
    settings: dict[str, Any] = Field(default_factory=dict)


class Manifest(Record):
    """What an experiment is. Two sessions with different settings are two experiments."""

    suite: str
    suite_version: str
    metrics: tuple[Metric, ...]
    settings: dict[str, Any]
    """Model, tool calls and all else that must be equal in every session, as plain JSON."""
    arms: dict[str, ArmNote]
    control: str
    """The arm that the others are compared with."""
    seeds: tuple[int, ...]
    tasks: int
    """Tasks of each seed."""
    sessions: tuple[Session, ...] = ()
