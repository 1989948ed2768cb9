"""The quality suite: a real small model answers gazetteer questions, plain and guided.

Every arm runs the same agent with the same prompt, tools, tool-call budget, questions and sampler
seeds; only the middleware differs. Measured is what guidance is for (are the proving passages
found), what the user sees (is the answer right) and what it costs (tool calls, model calls, tokens,
seconds). Results are written as they come, one JSON line a run, and an interrupted suite goes on
where it stopped. Seconds depend on the machine and on what else it does; the rest repeats.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, ToolMessage

from coreact.bench.statistics import Interval, interval, paired_difference
from coreact.bench.writers import prompted
from coreact.generate import ContractGenerator, HeuristicGenerator, RubricGenerator, Written
from coreact.generate.gate.gate import Gate
from coreact.generate.gate.gated import GatedGenerator
from coreact.guide import CoReActMiddleware
from coreact.rubric import Record, State
from coreact.worlds import Corpus, Question, World, contains_answer, exact_answer, gold_share

CONTROL = "plain"
"""The arm without guidance."""

ARMS: dict[str, dict[str, Any] | None] = {
    CONTROL: None,
    "guided": {"retries": 2},
    "feedback only": {"retries": 2, "show_rubric": False},
    "rubric only": {"retries": 0},
    "best of 3": {"retries": 0, "candidates": 3, "show_rubric": False},
    "untrained": {"retries": 2, "generator": "prompted", "fallback": "none"},
    "untrained rubric only": {"retries": 0, "generator": "prompted", "fallback": "none"},
    "gated": {"retries": 2, "generator": "gated", "fallback": "none"},
    "gated rubric only": {"retries": 0, "generator": "gated", "fallback": "none"},
    "gated or heuristic": {"retries": 2, "generator": "gated"},
    "insisting": {"retries": 2, "generator": "insisting"},
    "constrained": {"retries": 2, "generator": "insisting", "constrain": True},
}
"""Settings of the middleware in each arm; None: no middleware. `generator` is a name in `GENERATORS`; without
one the heuristic writes. Arms with retries verify: a step that its rubric rejects is proposed again. The
ablation of Co-ReAct (arXiv 2605.23590, table of ablations) is `plain` (none), `untrained`, `gated` and
`guided` (heuristic), each with verification and as `rubric only` without. `insisting` and `constrained` have
one rubric, the heuristic's with its search term as a veto; in the second the decoder is held to it too."""


def _gated(model: BaseChatModel) -> RubricGenerator:
    # Every question takes several calls of the one tool.
    return GatedGenerator(prompted(model), Gate(contracts=ContractGenerator(plan_length=2)))


class InsistingGenerator(HeuristicGenerator):
    """The heuristic's rubrics, in which the name to search for is a veto: a decoder can be held to it."""

    id = "insisting.1"

    def write(self, state: State) -> Written:
        """Write the rubric."""
        written = super().write(state)
        criteria = [
            one.model_copy(update={"veto": True}) if one.id == "entity" else one for one in written.rubric
        ]
        return Written(written.rubric.model_copy(update={"criteria": tuple(criteria)}), written.cost)


GENERATORS: dict[str, Callable[[BaseChatModel], RubricGenerator]] = {
    "prompted": prompted,
    "gated": _gated,
    "insisting": lambda _: InsistingGenerator(),
}
"""The generators that are not the default, by name; some ask the model."""

METRICS = (
    "gold_share",
    "all_gold",
    "exact",
    "contains",
    "tool_calls",
    "model_calls",
    "input_tokens",
    "output_tokens",
    "seconds",
)
"""What is reported of each run; the first four lie in [0, 1], higher is better."""

Build = Callable[..., Any]
"""An agent recipe's `build(model, tools, *, middleware, tool_calls)`."""


class Outcome(Record):
    """One run of one arm on one question."""

    arm: str
    seed: int
    question: str
    """Question id."""
    hops: int
    gold_share: float
    """Share of the proving passages that were found, in [0, 1]."""
    all_gold: float
    """1 where all of them were found."""
    exact: float
    """1 where the answer, normalised, is the gold answer or an alias."""
    contains: float
    """1 where the answer contains it."""
    tool_calls: int
    model_calls: int
    input_tokens: int
    output_tokens: int
    seconds: float
    error: str | None = None
    """The failure that ended the run, if one did; it counts as nothing found."""


def choose(world: World, *, n: int, seed: int, hops: int = 2) -> list[Question]:
    """`n` bridge questions with that many hops from the world's dev split, drawn by `seed`."""
    offered = [q for q in world.questions if q.split == "dev" and q.kind == "bridge" and q.hops == hops]
    return Random(seed).sample(offered, min(n, len(offered)))


def run_suite(
    model: Callable[[int], BaseChatModel],
    build: Build,
    tools: Callable[[Corpus], Sequence[Any]],
    world: World,
    *,
    n: int,
    seeds: Iterable[int],
    arms: Sequence[str],
    hops: int,
    tool_calls: int,
    out: Path,
    writer: Callable[[int], BaseChatModel] | None = None,
) -> Iterator[Outcome]:
    """Run every arm on every question and seed, and yield each outcome as it comes.

    Args:
        model: gives the model for a sampler seed.
        build: the agent recipe's `build`.
        tools: makes the agent's tools over the corpus.
        world: corpus and questions.
        n: questions a seed.
        seeds: each draws its own questions and seeds the sampler.
        arms: names from `ARMS`.
        hops: hops of the questions.
        tool_calls: tool calls an agent may make before it has to answer.
        out: JSON lines file; outcomes in it are not run again.
        writer: gives for a sampler seed the model that writes rubrics, in the arms where one does; None: the
            agent's own. Its calls and tokens count.
    """
    done = {(o.arm, o.seed, o.question): o for o in read_outcomes(out)}
    equipment = tools(Corpus(world.passages))
    out.parent.mkdir(parents=True, exist_ok=True)
    _end_last_line(out)
    for seed in seeds:
        chat = model(seed)
        author = chat if writer is None else writer(seed)
        for question in choose(world, n=n, seed=seed, hops=hops):
            for arm in arms:  # arms side by side, so that a drift of the machine hits all alike
                outcome = done.get((arm, seed, question.id))
                if outcome is None:
                    outcome = _run(
                        chat, author, build, equipment, question, arm=arm, seed=seed, tool_calls=tool_calls
                    )
                    with out.open("a", encoding="utf-8") as file:
                        file.write(outcome.model_dump_json() + "\n")
                yield outcome


def _run(
    model: BaseChatModel,
    writer: BaseChatModel,
    build: Build,
    tools: Sequence[Any],
    question: Question,
    *,
    arm: str,
    seed: int,
    tool_calls: int,
) -> Outcome:
    middleware = _middleware(ARMS[arm], writer, tool_calls)
    agent = build(model, tools, middleware=middleware, tool_calls=tool_calls)
    tally = _Tally()
    started = time.perf_counter()
    error: str | None = None
    messages: list[Any] = []
    try:
        result = agent.invoke(
            {"messages": [{"role": "user", "content": question.question}]}, {"callbacks": [tally.handler()]}
        )
        messages = result["messages"]
    except Exception as failure:  # noqa: BLE001 - one failed run is a datum, not the end of the suite
        error = f"{type(failure).__name__}: {failure}"
    seconds = time.perf_counter() - started
    found = [i for m in messages if isinstance(m, ToolMessage) for i in (m.artifact or [])]
    last = messages[-1] if messages else None
    answer = str(last.text) if isinstance(last, AIMessage) else ""
    share = gold_share(found, question)
    return Outcome(
        arm=arm,
        seed=seed,
        question=question.id,
        hops=question.hops,
        gold_share=share,
        all_gold=float(share == 1),
        exact=float(exact_answer(answer, question)),
        contains=float(contains_answer(answer, question)),
        tool_calls=sum(isinstance(m, ToolMessage) for m in messages),
        model_calls=tally.calls,
        input_tokens=tally.input_tokens,
        output_tokens=tally.output_tokens,
        seconds=seconds,
        error=error,
    )


def _middleware(
    settings: Mapping[str, Any] | None, writer: BaseChatModel, tool_calls: int
) -> list[CoReActMiddleware]:
    if settings is None:
        return []
    others = {name: value for name, value in settings.items() if name != "generator"}
    named = settings.get("generator")
    generator = None if named is None else GENERATORS[named](writer)
    return [CoReActMiddleware(step_budget=tool_calls, generator=generator, **others)]


class _Tally:
    """Counts every model call of a run, the rejected ones too."""

    def __init__(self) -> None:
        self.calls = self.input_tokens = self.output_tokens = 0

    def handler(self) -> Any:
        from langchain_core.callbacks import BaseCallbackHandler

        tally = self

        class Count(BaseCallbackHandler):
            def on_llm_end(self, response: Any, **_: Any) -> None:
                tally.calls += 1
                usage = getattr(response.generations[0][0].message, "usage_metadata", None) or {}
                tally.input_tokens += usage.get("input_tokens", 0)
                tally.output_tokens += usage.get("output_tokens", 0)

        return Count()


def _end_last_line(path: Path) -> None:
    """Keep a line torn by a kill from swallowing the next outcome."""
    if path.exists() and (content := path.read_bytes()) and not content.endswith(b"\n"):
        with path.open("ab") as file:
            file.write(b"\n")


def read_outcomes(path: Path) -> list[Outcome]:
    """The outcomes in a JSON lines file; a torn line is left out. Empty where there is no file."""
    if not path.exists():
        return []
    outcomes = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            outcomes.append(Outcome.model_validate(json.loads(line)))
        except ValueError:
            continue
    return outcomes


def summary(outcomes: Sequence[Outcome]) -> dict[str, dict[str, Interval]]:
    """For each arm and metric the mean over questions with its interval."""
    return {
        arm: {metric: interval(list(values.values())) for metric, values in by_metric.items()}
        for arm, by_metric in _by_question(outcomes).items()
    }


def against_control(outcomes: Sequence[Outcome]) -> dict[str, dict[str, Interval]]:
    """For each arm but the control and each metric the paired difference to the control."""
    table = _by_question(outcomes)
    control = table.get(CONTROL, {})
    differences: dict[str, dict[str, Interval]] = {}
    for arm, by_metric in table.items():
        if arm == CONTROL or not control:
            continue
        differences[arm] = {}
        for metric, values in by_metric.items():
            shared = [key for key in values if key in control[metric]]
            if shared:
                differences[arm][metric] = paired_difference(
                    [values[key] for key in shared], [control[metric][key] for key in shared]
                )
    return differences


def _by_question(outcomes: Sequence[Outcome]) -> Mapping[str, Mapping[str, Mapping[str, float]]]:
    """Arm -> metric -> question -> mean over its seeds."""
    raw: dict[str, dict[str, dict[str, list[float]]]] = defaultdict(
        lambda: {metric: defaultdict(list) for metric in METRICS}
    )
    for outcome in outcomes:
        for metric in METRICS:
            raw[outcome.arm][metric][outcome.question].append(float(getattr(outcome, metric)))
    return {
        arm: {m: {q: sum(v) / len(v) for q, v in values.items()} for m, values in by_metric.items()}
        for arm, by_metric in raw.items()
    }
