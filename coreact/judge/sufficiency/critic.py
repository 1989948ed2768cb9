"""Critics that say how likely it is that answering now is right, and the artefact of the light one.

`LogisticCritic` is a logistic regression over trace features: coefficients in a JSON file with a lock,
microseconds a decision, no model call; it needs no scikit-learn to be loaded or asked. `ModelCritic` asks a
chat model to accept or reject. Neither decides anything: see `stopping`. Fitting is in `fitting`.

Sources: SIM-RAG (arXiv 2505.02811), where a separate small critic beats self-critique; Self-J, where the
score of a quality predictor is recalibrated before anything is declined by it. What differs: numbers of the
trace instead of a fine-tuned language model.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

from pydantic import Field, ValidationError, model_validator

from coreact.errors import ConfigError
from coreact.judge.calibration import Curve
from coreact.judge.records import Judgement
from coreact.judge.sufficiency.features import FEATURES, VERSION, features
from coreact.judge.sufficiency.measuring import Quality
from coreact.rubric import Record, State
from coreact.rubric.canonical import digest
from coreact.rubric.words import words

FORMAT = 2
"""Version of the file format."""


@runtime_checkable
class Critic(Protocol):
    """Whoever can say how likely an answer is right now. Safe to share between runs."""

    @property
    def version(self) -> str:
        """Hash of all that its probabilities depend on: thresholds chosen for another one are not for it."""

    def assess(
        self, state: State, draft: str, *, plan: Sequence[str] = (), judgement: Judgement | None = None
    ) -> float | None:
        """Probability that answering `draft` now is right, in [0, 1]; None where it cannot tell.

        Args:
            state: the trajectory so far.
            draft: the answer that would be given.
            plan: sub-questions, where the agent made a plan.
            judgement: the last one of the run, if any step was judged.
        """

    async def aassess(
        self, state: State, draft: str, *, plan: Sequence[str] = (), judgement: Judgement | None = None
    ) -> float | None:
        """The same, without blocking the event loop."""


class LogisticCritic(Record):
    """A logistic regression over standardised features, with a calibration map behind it."""

    format: int = FORMAT
    features_version: int = VERSION
    names: tuple[str, ...] = Field(min_length=1)
    """Features in the order of the numbers below."""
    means: tuple[float, ...]
    """Of the examples it was fitted on."""
    scales: tuple[float, ...]
    """Their standard deviations; 1 where a feature never varied."""
    coefficients: tuple[float, ...]
    """Of the standardised features: change of the log odds per standard deviation."""
    intercept: float
    curve: Curve | None = None
    """Non-decreasing map to calibrated probabilities; None where there were too few examples for one."""
    questions: int = Field(ge=1)
    """Questions that it was fitted on."""
    known: tuple[str, ...] = ()
    """Digests of the questions that it was fitted or calibrated on (`known_as`): what it makes of them says
    nothing about others."""
    dataset: str = ""
    """What it was fitted on, in words."""
    held_out: Quality
    """How good it was on questions that it was not fitted on."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        numbers = (*self.means, *self.scales, *self.coefficients, self.intercept)
        if not len(self.names) == len(self.means) == len(self.scales) == len(self.coefficients):
            raise ValueError("there must be a mean, a scale and a coefficient for each feature")
        if not all(map(math.isfinite, numbers)) or min(self.scales) <= 0:
            raise ValueError("the numbers must be finite, and the scales above 0")
        return self

    @property
    def version(self) -> str:
        """Content hash; there is no time in it."""
        return digest(self.model_dump())

    def assess(
        self, state: State, draft: str, *, plan: Sequence[str] = (), judgement: Judgement | None = None
    ) -> float | None:
        """Probability that answering now is right; None where no word of a draft is there to answer with."""
        if not words(draft):
            return None
        return self.probability(features(state, draft, plan=plan, judgement=judgement))

    async def aassess(
        self, state: State, draft: str, *, plan: Sequence[str] = (), judgement: Judgement | None = None
    ) -> float | None:
        """The same."""
        return self.assess(state, draft, plan=plan, judgement=judgement)

    def probability(self, numbers: Mapping[str, float]) -> float:
        """The probability for given features, in [0, 1]."""
        raw = sigmoid(
            self.intercept
            + sum(
                coefficient * (numbers[name] - mean) / scale
                for name, mean, scale, coefficient in zip(
                    self.names, self.means, self.scales, self.coefficients, strict=True
                )
            )
        )
        return raw if self.curve is None else self.curve.apply(raw)

    def artefact(self) -> str:
        """The text of the file that `load_critic` reads."""
        return json.dumps({"lock": self.version, "critic": self.model_dump()}, indent=1) + "\n"


def load_critic(path: Path) -> LogisticCritic:
    """Read a critic from a file of `LogisticCritic.artefact`.

    Raises:
        ConfigError: the file cannot be read, was changed, or was fitted on other features than there are.
    """
    again = "Fit it again with coreact.judge.sufficiency.fit."
    try:
        stored: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
        critic, lock = LogisticCritic.model_validate(stored["critic"]), stored["lock"]
    except OSError as error:
        raise ConfigError(f"The critic {path} cannot be read: {error.strerror}.", remedy=again) from error
    except (ValidationError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigError(f"{path} is no sufficiency critic.", remedy=again) from error
    if lock != critic.version:
        raise ConfigError(f"The critic {path} was changed after it was fitted.", remedy=again)
    unknown = sorted(set(critic.names) - set(FEATURES))
    if (critic.format, critic.features_version) != (FORMAT, VERSION) or unknown:
        raise ConfigError(
            f"The critic {path} was fitted on features of version {critic.features_version}, not {VERSION}.",
            remedy=again,
        )
    return critic


def known_as(question: str) -> str:
    """How a question's id stands in `LogisticCritic.known`."""
    return digest(question).rpartition(":")[2][:16]


def sigmoid(x: float) -> float:
    """The logistic function, without overflow."""
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
