"""Feeds a monitor from a trainer of TRL, and ends training when the monitor says so.

Most figures stand in TRL's own log under names of its own; which is which is one table here. What TRL does
not know (the panel's score, the referee's, the self-internalisation gap) is measured by a probe that the
caller gives, every so many steps. On several processes all see the same log, so that training ends on all
of them; a probe must give the same on each. Only the main one writes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from math import isfinite
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from coreact.errors import ConfigError, MissingExtraError
from coreact.train.monitor.figures import FigureName, Figures
from coreact.train.monitor.rules import Alarm
from coreact.train.monitor.watching import Monitor

try:
    from transformers import TrainerCallback
except ImportError as missing:
    raise MissingExtraError("Watching a trainer", extra="train") from missing

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState, TrainingArguments

LOG_NAMES: Mapping[FigureName, str] = MappingProxyType(
    {
        "length": "completions/mean_length",
        "entropy": "entropy",
        "kl": "kl",
        "zero_variance": "frac_reward_zero_std",
        "criteria": "rubric/criteria",
        "repeated": "rubric/repetition",
        "masked": "rubric/masked",
    }
)
"""Where a figure stands in the log of `GRPOTrainer` (TRL 1.16). The last three are logged by our own reward
(`coreact.train.rewards.trl`). A name that the log does not hold is passed over.

Not here: the proxy, which is the mean of the only reward (`rewards/NAME/mean`), of the samples that have one.
Where several rewards are added up it is TRL's `reward`, which counts one that is masked as 0."""

_MEAN = re.compile(r"rewards/.+/mean")

Probe = Callable[[Any, Any], Mapping[FigureName, float | None]]
"""Measures figures that the log does not hold; it is given the model and its tokenizer, which it may use to
generate and must leave as they were."""


class MonitorCallback(TrainerCallback):
    """Feeds `monitor` and stops the trainer with its alarm; `stopped` then holds it.

    Each stage of a fit counts its steps anew, so that a monitor forgets the stage before.

    Args:
        monitor: what is fed. A run that goes on from a checkpoint needs one on the same folder.
        probe: measures what the log does not hold.
        every: optimiser steps from one probe to the next; the paper measures every 25.
        log_names: where in the log each figure stands, see `LOG_NAMES`; it may name the proxy as well.
        report: told of each alarm as it comes.

    Raises:
        ConfigError: `every` is below 1.
    """

    def __init__(
        self,
        monitor: Monitor,
        *,
        probe: Probe | None = None,
        every: int = 25,
        log_names: Mapping[FigureName, str] = LOG_NAMES,
        report: Callable[[Alarm], None] | None = None,
    ) -> None:
        if every < 1:
            raise ConfigError(f"A probe every {every} steps is none.", remedy="Give 1 or more.")
        self.monitor = monitor
        self._probe = probe
        self._every = every
        self._log_names = dict(log_names)
        self._report = report

    @property
    def stopped(self) -> Alarm | None:
        """The alarm that ended training; None where none did."""
        return self.monitor.stopped

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Forget the stage before, and measure once, so that there is something to compare with."""
        if state.global_step == 0:
            self.monitor.feed(Figures(step=0), write=state.is_world_process_zero)
            self._measure(state, control, kwargs)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Measure what the log does not hold, where it is time."""
        if state.global_step % self._every == 0:
            self._measure(state, control, kwargs)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Take from the log what it holds."""
        told = logs or {}
        means = [value for name, value in told.items() if _MEAN.fullmatch(name)]
        held: dict[FigureName, Any] = {"proxy": means[0] if len(means) == 1 else told.get("reward")}
        held |= {figure: told.get(name) for figure, name in self._log_names.items()}
        self._feed(held, state, control)

    def _measure(self, state: TrainerState, control: TrainerControl, given: Mapping[str, Any]) -> None:
        if self._probe is not None:
            self._feed(self._probe(given.get("model"), given.get("processing_class")), state, control)

    def _feed(
        self, measured: Mapping[FigureName, float | None], state: TrainerState, control: TrainerControl
    ) -> None:
        known = {name: value for name, value in measured.items() if value is not None and isfinite(value)}
        if not known:
            return
        try:
            figures = Figures.model_validate({"step": state.global_step, **known})
        except ValidationError as failure:
            raise ConfigError(
                f"A figure of step {state.global_step} does not fit: {failure.errors()[0]['msg']} "
                f"({'.'.join(map(str, failure.errors()[0]['loc']))}).",
                remedy="Correct the probe, or the names that the figures have in the log.",
            ) from failure
        for alarm in self.monitor.feed(figures, write=state.is_world_process_zero):
            if self._report is not None:
                self._report(alarm)
        if self.monitor.stopped is not None:
            control.should_training_stop = True
            # Whoever goes on from a checkpoint of this step would take one more.
            control.should_save = False
