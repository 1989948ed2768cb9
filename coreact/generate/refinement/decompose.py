"""Recursive decompose-filter: criteria that tell samples apart, and none that favours the weaker one.

RRD (arXiv 2602.05125) on the candidates of one state. Every criterion is voted on by checks and a judge, on
each sample by itself. What too many samples meet is split into finer criteria, which are voted on in turn;
what none meets, what the weak reference meets and the strong one does not, and what an accepted criterion
says already or contradicts is dropped. The loop ends when nothing is left, after so many rejections, or when
the budget for calls is spent, and every criterion that was left out has a remark that says why.

What differs from the paper, and why:

- The queue is worked off depth by depth, so that all criteria of one depth are judged together: one call a
  sample and depth instead of one a sample and criterion.
- An instrument that failed has not voted. Where fewer than half of the samples have a vote, or the loop had
  to end before, a criterion is returned as `untested`, neither accepted nor rejected.
- A part that no sample meets is not thrown away. It may be what separates better samples than these, and
  just as well something that nothing can meet. So it is returned apart (`ceiling`), hidden from the agent,
  and is not accepted; where the strong reference meets it, that settles it, and it is.
- A whole of which no part is accepted comes back if it tells the samples apart itself: a poor split must
  not cost what was there before.
- What all samples meet and nobody can split is dropped, where the paper keeps it at the last depth: it has
  weight and decides nothing. Vetoes and criteria of safety are there for what samples do not show, so they
  stay unless another one says the same.
- Repeats and contradictions are found by code first (`coreact.rubric.lint`), by a model if one is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from coreact.errors import ConfigError
from coreact.generate.contrastive.contrast import Contrast
from coreact.generate.refinement.decomposer import Comparer, Decomposer
from coreact.generate.refinement.loop import Loop, Means, Refined
from coreact.judge.asking import Asking, aserve, serve
from coreact.judge.runner import Judge
from coreact.rubric import Action, Criterion, State

MAX_SAMPLES = 16
"""Most samples that criteria are voted on over (the paper has 8)."""

MAX_CRITERIA = 50
"""Most criteria to begin with."""


class Refiner:
    """Decomposes and filters criteria. Safe to share between threads and event loops.

    Args:
        judge: votes where no check decides; None: such criteria stay untested.
        decomposer: splits criteria; None: nothing is split.
        comparer: says whether criteria repeat or contradict each other where code cannot see it.
        broad: a criterion that more samples than this meet is split; the paper's 2 is for 8 samples.
        max_depth: splits above a criterion at which it is split no further; the paper's is 3.
        max_rejections: rejections after which the loop ends; the paper's is 15.
        max_calls: calls to judges and models that the loop may cost. None is begun that is not covered,
            but one that is under way may retry.

    Raises:
        ConfigError: a bound is out of range.
    """

    def __init__(
        self,
        *,
        judge: Judge | None = None,
        decomposer: Decomposer | None = None,
        comparer: Comparer | None = None,
        broad: int = 2,
        max_depth: int = 3,
        max_rejections: int = 15,
        max_calls: int = 200,
    ) -> None:
        if broad < 1 or not 0 <= max_depth <= 3 or max_rejections < 1 or max_calls < 0:
            raise ConfigError(
                f"broad={broad}, max_depth={max_depth}, max_rejections={max_rejections} and"
                f" max_calls={max_calls} cannot be used.",
                remedy="broad and max_rejections begin at 1, max_calls at 0, and max_depth is 0 to 3.",
            )
        self._means = Means(judge, decomposer, comparer, broad, max_depth, max_rejections, max_calls)

    def refine(
        self,
        criteria: Iterable[Criterion],
        samples: Sequence[Action],
        state: State,
        *,
        references: Contrast | None = None,
    ) -> Refined:
        """Refine criteria, blocking. They stay as they are; new ones are returned.

        Args:
            criteria: a rubric, or criteria with ids of their own; at most `MAX_CRITERIA`.
            samples: 2 to `MAX_SAMPLES` actions of this state.
            state: the state they are taken in.
            references: a strong and a weak action of the same state, for the test of alignment; None: it
                is not made.

        Raises:
            ConfigError: there are too many criteria, too few or too many samples, or ids stand twice.
        """
        return serve(self._run(criteria, samples, state, references))

    async def arefine(
        self,
        criteria: Iterable[Criterion],
        samples: Sequence[Action],
        state: State,
        *,
        references: Contrast | None = None,
    ) -> Refined:
        """The same, without blocking the event loop."""
        return await aserve(self._run(criteria, samples, state, references))

    def _run(
        self,
        criteria: Iterable[Criterion],
        samples: Sequence[Action],
        state: State,
        references: Contrast | None,
    ) -> Asking[Refined]:
        listed = tuple(criteria)
        ids = {criterion.id for criterion in listed}
        if len(ids) != len(listed) or len(listed) > MAX_CRITERIA or not 2 <= len(samples) <= MAX_SAMPLES:
            raise ConfigError(
                f"{len(listed)} criteria with {len(ids)} ids and {len(samples)} samples cannot be refined.",
                remedy=f"Give at most {MAX_CRITERIA} criteria of different ids, 2 to {MAX_SAMPLES} samples.",
            )
        return Loop(self._means, tuple(samples), state, references).run(listed)
