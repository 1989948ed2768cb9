"""`coreact run`: one guided agent on one question, shown live, judged and stored."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from coreact.cli.display import clean, one_line, show_attempt, show_end, show_observation, show_rubric
from coreact.cli.generators import ABOUT, ABOUT_FORM, HEURISTIC, chosen_generator
from coreact.cli.models import LOCAL, open_model
from coreact.cli.recipes import load_agent
from coreact.errors import ConfigError, StoreError, TelemetryError
from coreact.rubric import Rubric
from coreact.trace import (
    Attempt,
    Capture,
    ObservationRecord,
    Recorder,
    RunEnd,
    SQLiteTraceStore,
    Trajectory,
    default_store_path,
)
from coreact.trace.telemetry import OtlpTelemetry
from coreact.worlds import (
    Corpus,
    Question,
    World,
    contains_answer,
    exact_answer,
    gazetteer,
    gold_share,
    load_world,
)

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""

_DEMO = "Which currency is used in the country whose capital is"


def run(
    question: Annotated[
        str | None, typer.Argument(help="The question; without one, one of the world's.")
    ] = None,
    world: Annotated[
        str, typer.Option(help="`gazetteer`, or a folder with passages.jsonl and questions.jsonl.")
    ] = "gazetteer",
    number: Annotated[int, typer.Option(min=0, help="Which of the world's questions to ask.")] = 0,
    agent: Annotated[str, typer.Option(help="Which agent to run.")] = "react",
    model: Annotated[
        str,
        typer.Option(help="`local`, `searcher`, `scripted`, `provider:name`, or a server's model name."),
    ] = LOCAL,
    base_url: Annotated[
        str | None, typer.Option(help="Root of an OpenAI-compatible server, ending in /v1.")
    ] = None,
    gguf: Annotated[Path | None, typer.Option(help="Another model file for the embedded server.")] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Run the agent without guidance.")] = False,
    generator: Annotated[str, typer.Option(help=ABOUT)] = HEURISTIC,
    generator_form: Annotated[str | None, typer.Option(help=ABOUT_FORM)] = None,
    retries: Annotated[int, typer.Option(min=0, max=10, help="Further attempts after a rejected one.")] = 2,
    candidates: Annotated[int, typer.Option(min=1, max=32, help="Proposals sampled at once.")] = 1,
    tool_calls: Annotated[int, typer.Option(min=1, help="Tool calls before the agent has to answer.")] = 3,
    temperature: Annotated[float, typer.Option(min=0, max=2)] = 0.0,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the embedded server.")] = 1,
    store: Annotated[Path | None, typer.Option(help="Trace store; default: .coreact/traces.db here.")] = None,
    capture: Annotated[
        Capture, typer.Option(help="How much of the content is stored; `redacted`: all but secrets.")
    ] = "full",
    otlp: Annotated[
        str | None, typer.Option(help="Root of an OTLP/HTTP endpoint that the run is told to, too.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
) -> None:
    """Run a guided agent on a question and show every judged step."""
    from coreact_tools import searching_tools

    from coreact import CoReActMiddleware

    if plain and generator != HEURISTIC:
        raise ConfigError("--plain runs without guidance.", remedy="Leave out --plain or --generator.")
    console = Console(quiet=as_json)
    path = store or default_store_path()
    recipe = load_agent(agent)
    asked, gold, loaded = _question(question, world=world, number=number)
    telemetry = OtlpTelemetry(otlp) if otlp is not None else None
    with (
        chosen_generator(generator, form=generator_form, seed=seed, threads=threads) as writer,
        open_model(
            model,
            base_url=base_url,
            gguf=gguf,
            temperature=temperature,
            seed=seed,
            threads=threads,
            world=loaded,
        ) as chat,
    ):
        trace = SQLiteTraceStore(path)
        recorder = Recorder(trace, listeners=[telemetry] if telemetry else [], capture=capture)
        guidance = partial(
            CoReActMiddleware,
            generator=writer,
            recorder=recorder,
            agent=agent,
            seed=seed,
            retries=retries,
            candidates=candidates,
            step_budget=tool_calls,
        )
        tools = searching_tools(Corpus(loaded.passages), loaded.passages)
        if not plain and hasattr(recipe, "guided"):  # an agent of several stages, each guided by itself
            graph = recipe.guided(chat, tools, guidance, tool_calls=tool_calls)
        else:
            middleware = [] if plain else [guidance()]
            graph = recipe.build(chat, tools, middleware=middleware, tool_calls=tool_calls)
        console.print(Text(f"Question  {one_line(asked)}", style="bold"))
        live = _Live(console)
        started = time.perf_counter()
        try:
            answer = asyncio.run(live.follow(graph, asked))
        except KeyboardInterrupt:
            if live.run:
                recorder.end(RunEnd(run=live.run, status="interrupted"))
            trace.close()
            Console(stderr=True).print("Interrupted. Everything judged so far is stored.")
            with suppress(TelemetryError):  # the run is stored, and can be sent later
                _tell(telemetry)
            raise typer.Exit(INTERRUPTED) from None
        except Exception as error:
            if live.run:
                recorder.end(RunEnd(run=live.run, status="failed", error=f"{type(error).__name__}: {error}"))
            with suppress(StoreError):  # what ended the run matters more
                trace.close()
            with suppress(TelemetryError):
                _tell(telemetry)
            raise
        seconds = time.perf_counter() - started
    stored: Trajectory | None = None
    try:
        trace.close()
        stored = trace.trajectory(live.run) if live.run else None
    finally:  # the answer is not lost with the record
        _conclude(
            console,
            stored,
            answer=answer,
            gold=gold,
            seconds=seconds,
            path=path,
            found=live.found,
            as_json=as_json,
        )
    _tell(telemetry)


def _tell(telemetry: OtlpTelemetry | None) -> None:
    if telemetry is not None:
        telemetry.close()
        telemetry.flush()


class _Live:
    """Follows the stream of one run and shows each event as it comes."""

    def __init__(self, console: Console) -> None:
        self.run = ""
        self.found: list[str] = []
        self._console = console
        self._rubric: Rubric | None = None

    async def follow(self, graph: Any, question: str) -> str:
        """Run the graph and return the text of its last message.

        Async, because only a call that can be cancelled lets Ctrl-C end a run at once: threads
        would first wait for the model, and then for the retries.
        """
        answer = ""
        inputs = {"messages": [{"role": "user", "content": question}]}
        async for mode, chunk in graph.astream(inputs, stream_mode=["custom", "updates"]):
            if mode == "custom":
                self._event(chunk)
                continue
            for update in chunk.values():
                for message in (update or {}).get("messages", []):
                    answer = str(message.text)
                    self.found += getattr(message, "artifact", None) or []
        return answer

    def _event(self, event: dict[str, Any]) -> None:
        kind = event.get("type", "")
        if kind == "coreact.rubric":
            self.run = event["run"]
            self._rubric = Rubric.model_validate(event["rubric"])
            self._console.rule(Text(f"step {event['step'] + 1}"), align="left")
            self._console.print(show_rubric(self._rubric))
        elif kind == "coreact.attempt" and self._rubric is not None:
            self._console.print(show_attempt(Attempt.model_validate(event["attempt"]), self._rubric))
        elif kind == "coreact.observation":
            observation = ObservationRecord.model_validate(event["observation"])
            self._console.print(show_observation(observation))


def _question(text: str | None, *, world: str, number: int) -> tuple[str, Question | None, World]:
    if world == "gazetteer":
        loaded = gazetteer(questions=0 if text else None)
        offered = [q for q in loaded.questions if q.question.startswith(_DEMO)] or list(loaded.questions)
    else:
        loaded = load_world(Path(world))
        offered = list(loaded.questions)
    if text:
        return text, None, loaded
    if number >= len(offered):
        raise ConfigError(
            f"The world {world!r} has no question {number}.",
            remedy=f"Choose 0 to {len(offered) - 1}." if offered else "Give a question of your own.",
        )
    return offered[number].question, offered[number], loaded


def _conclude(
    console: Console,
    stored: Trajectory | None,
    *,
    answer: str,
    gold: Question | None,
    seconds: float,
    path: Path,
    found: list[str],
    as_json: bool,
) -> None:
    if as_json:
        cost = [step.cost for step in stored.steps] if stored else []
        print(
            json.dumps(
                {
                    "run": stored.run.id if stored else None,
                    "answer": answer,
                    "expected": gold.answer if gold else None,
                    "exact": exact_answer(answer, gold) if gold else None,
                    "gold_share": gold_share(found, gold) if gold else None,
                    "score": stored.end.score if stored and stored.end else None,
                    "steps": len(stored.steps) if stored else None,
                    "model_calls": sum(one.calls for one in cost),
                    "tokens": sum(one.tokens for one in cost),
                    "seconds": round(seconds, 3),
                    "store": str(path),
                },
                ensure_ascii=False,
            )
        )
        return
    console.rule()
    if stored is not None:
        console.print(show_end(stored, store=None if path == default_store_path() else path))
    told = stored.end.answer if stored is not None and stored.end is not None else None
    if told is None or told.strip() != answer.strip():  # an agent of several runs: the last is not the whole
        console.print(Text(f"Answer    {clean(answer)}"))
    if gold is not None:
        right = "the answer says so" if contains_answer(answer, gold) else "the answer says otherwise"
        share = f"{gold_share(found, gold):.0%} of the proving passages were found"
        console.print(Text(f"Expected  {one_line(gold.answer)} ({right}; {share})"))
