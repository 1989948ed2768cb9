"""What is added to TRL's trainers: they stop where something broke, with a typed error, and lose nothing.

A loss or gradient that is no number stops the run before the optimiser has seen it. A disk that fills while
a checkpoint is written leaves the checkpoint before. Rewards that instruments could not give are left out by
TRL itself (their advantage is 0, and the group's mean and deviation are taken without them); here they are
counted, and a run whose judge is down for several batches stops, since its steps would only drift.

The order of rows is drawn anew for each pass from (seed, pass), so that a run that is resumed in a later pass
reads them in the order in which it would have (TRL 1.16 begins again with the order of the first one).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from coreact.errors import TrainingDivergedError, TrainingPausedError
from coreact.train.fitting.checkpoints import checkpoint_folder, last_whole, mark
from coreact.train.saving import saving


class Tally:
    """Counts of a stage's rewards, over all its processes."""

    def __init__(self, *, scored: int = 0, masked: int = 0, patience: int = 1) -> None:
        self.scored = scored
        self.masked = masked
        self.row = 0
        """Batches without one valid reward, the last ones."""
        self.patience = patience

    def saw(self, scored: int, masked: int) -> bool:
        """Count a batch; whether there were too many without a valid reward."""
        self.scored += scored
        self.masked += masked
        self.row = self.row + 1 if scored and masked == scored else 0
        return self.row >= self.patience


def guarded(trainer: type[Any], tally: Tally) -> type[Any]:
    """The trainer's class with the guards of this module."""

    class Guarded(trainer):  # type: ignore[misc]
        """A trainer of TRL that stops where something broke."""

        def training_step(self, *args: Any, **kwargs: Any) -> Any:
            loss = super().training_step(*args, **kwargs)
            self._stop_unless_finite(loss, "loss")
            return loss

        def _get_grad_norm(self, *args: Any, **kwargs: Any) -> Any:
            norm = super()._get_grad_norm(*args, **kwargs)
            if norm is not None:
                self._stop_unless_finite(norm, "gradient")
            return norm

        def _stop_unless_finite(self, value: Any, what: str) -> None:
            import torch

            if torch.isfinite(torch.as_tensor(value)).all():
                return
            step = int(self.state.global_step)
            found = last_whole(Path(self.args.output_dir))
            raise TrainingDivergedError(
                f"The {what} of step {step + 1} is no number ({float(value)}); the step was not taken.",
                step=step,
                checkpoint=found[0] if found else None,
                remedy="Lower the rate of learning in the recipe and fit into another folder; "
                + (f"the last good checkpoint is {found[0]}." if found else "there is no checkpoint yet."),
            )

        def _save_checkpoint(self, model: Any, trial: Any) -> None:
            place = checkpoint_folder(Path(self.args.output_dir), int(self.state.global_step))
            with saving(place):
                super()._save_checkpoint(model, trial)
                if self.is_world_process_zero():
                    mark(place, int(self.state.global_step), scored=tally.scored, masked=tally.masked)

        def create_model_card(self, *args: Any, **kwargs: Any) -> None:
            """None of TRL's: the generator's folder has its own."""

        def _send_telemetry(self) -> None:
            """Nothing is sent anywhere."""

        def _calculate_rewards(self, *args: Any, **kwargs: Any) -> Any:
            rewards = super()._calculate_rewards(*args, **kwargs)
            lost = rewards.isnan().all(dim=1)
            if self.model.training:
                self._metrics["train"]["masked"].append(lost.float().mean().item())
                if tally.saw(lost.numel(), int(lost.sum())):
                    self._pause()
            return rewards

        def _pause(self) -> None:
            found = last_whole(Path(self.args.output_dir))
            raise TrainingPausedError(
                f"No reward could be given for {tally.row} batches in a row, up to step"
                f" {int(self.state.global_step) + 1}: the judge is down, or every point lacks contrast.",
                step=int(self.state.global_step),
                checkpoint=found[0] if found else None,
                remedy="Mend the judge; the same command goes on from the last checkpoint.",
            )

        def _get_train_sampler(self, *args: Any, **kwargs: Any) -> Any:
            return _by_pass(super()._get_train_sampler(*args, **kwargs))

    Guarded.__name__ = trainer.__name__  # TRL looks it up in its messages
    return Guarded


def _by_pass(sampler: Any) -> Any:
    """A sampler of TRL's that is told the pass; others have their own way to be exact."""
    if type(sampler).__name__ != "RepeatSampler":
        return sampler

    def set_epoch(epoch: int) -> None:
        sampler.generator.manual_seed(sampler.seed + epoch)

    sampler.set_epoch = set_epoch  # accelerate calls it before every pass
    return sampler
