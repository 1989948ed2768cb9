"""Reflexion: try again from the start, with what was learnt from the attempts before (arXiv 2303.11366).

The paper's evaluator knows the environment's reward. There is none here, so the model judges itself, or a
scorer does. What it learnt comes into the next attempt as fenced data before the question, never as an
instruction: it may quote any page.
"""

from __future__ import annotations

from typing import ClassVar

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig

from coreact.judge.asking import Asking
from coreact.judge.structured import Asked, StructuredModel
from coreact.refine.baselines.record import Ledger, best
from coreact.refine.baselines.runnable import Baseline, Finished
from coreact.refine.baselines.runs import Agent, Agents, Run, completed, put, state_of
from coreact.refine.baselines.scored import UNSCORED, RubricScorer, Scored
from coreact.refine.baselines.wording import Critique, lesson, reflection, with_memory
from coreact.rubric import Action, Rubric, State

MEMORY = 3
"""Lessons that an attempt is given at most, the newest (the paper keeps 1 to 3)."""


class Reflexion(Baseline):
    """Run an agent in episodes; after each rejected one a lesson is written for the next.

    It ends with the episode that is accepted, or after `episodes`. The last answer is returned; with a
    scorer the best one. An episode that fails teaches nothing and is followed by the next; a lesson that
    cannot be had ends it, since the next episode would be the same again.

    Args:
        agent: the agent, or how to build it for its share of the budget.
        model: who evaluates and reflects.
        episodes: attempts at most.
        scorer: who evaluates instead of the model: an answer that passes is accepted.
        tool_calls: tool calls in all, divided among the episodes; only where the agent is to be built.

    Raises:
        ConfigError: the budget does not go round, or the rubric is not for answers.
    """

    method: ClassVar[str] = "reflexion"

    def __init__(
        self,
        agent: Agent,
        model: BaseChatModel,
        *,
        episodes: int = 3,
        scorer: RubricScorer | None = None,
        tool_calls: int | None = None,
    ) -> None:
        super().__init__(Agents(agent, tool_calls=tool_calls, runs=episodes))
        if scorer is not None:
            scorer.check_scope("answer")
        self._model = StructuredModel(model)
        self._episodes = episodes
        self._scorer = scorer

    def _asking(
        self, messages: list[BaseMessage], config: RunnableConfig, ledger: Ledger
    ) -> Asking[Finished]:
        rubric: Rubric | None = None
        if self._scorer is not None:
            rubric = yield from self._scorer.rubric(state_of(messages, ledger), "answer", ledger)
        runs: list[Run] = []
        scores: list[Scored | None] = []
        lessons: list[str] = []
        why = "the last; the episodes are used up"
        for episode in range(self._episodes):
            given = with_memory(messages, lessons[-MEMORY:])
            run: Run = yield self._agents.run(given, config, sample=episode)
            runs.append(run)
            scores.append(None)
            is_last = episode == self._episodes - 1
            put(run, ledger)
            if run.error is not None:
                continue
            action, state = Action(answer=run.answer), state_of(run.messages, ledger)
            scored = UNSCORED
            if self._scorer is not None:
                scored = yield from self._scorer.score(rubric, action, state, ledger)
                scores[-1] = scored
                self._noted(ledger, score=scored.score, passed=scored.passed)
            if scored.passed is True:
                why = "the last; it passes"
                break
            if is_last:
                break
            try:
                said = yield from self._reflect(run.answer, state, scored, ledger)
            except Exception as error:  # noqa: BLE001 - a model may raise anything; what there is stands
                ledger.failed(f"reflection {episode}", error)
                why = "the last; no lesson could be drawn"
                break
            self._noted(ledger, note=said.text)
            if said.accepted:
                why = "the last; the reflection accepts it"
                break
            lessons.append(said.text)
        done = completed(runs)
        chosen = done[-1]
        if self._scorer is not None:
            chosen, why = best(scores, done)
        return Finished(runs[chosen].messages, ledger.record(chosen, why))

    def _reflect(self, answer: str, state: State, scored: Scored, ledger: Ledger) -> Asking[Critique]:
        asked: Asked[Critique]
        if self._scorer is None:
            asked = yield reflection(self._model, answer, state)
        else:
            asked = yield lesson(self._model, answer, state, scored.unmet)
        ledger.cost += asked.cost
        return asked.value

    @staticmethod
    def _noted(ledger: Ledger, **about: object) -> None:
        ledger.tried[-1] = ledger.tried[-1].model_copy(update=about)
