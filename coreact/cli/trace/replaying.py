"""`coreact trace replay` and `fork`: make a run's decisions again offline; begin runs in the middle of one.

Errors are not caught here: the main program turns them into messages and exit codes.
"""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from coreact.cli.display import one_line
from coreact.cli.models import LOCAL, open_model
from coreact.cli.recipes import agents, load_agent
from coreact.cli.trace.opening import StoreOption, as_line, open_store
from coreact.errors import ConfigError
from coreact.trace import SQLiteTraceStore, Trajectory

if TYPE_CHECKING:  # a command line that starts quickly imports LangChain only to run
    from langchain_core.language_models import BaseChatModel

    from coreact.generate import RubricGenerator
    from coreact.guide.forking import Fork

_CHARS = 60  # of what a sample did, in the table


def replay_run(
    run: Annotated[str, typer.Argument(help="Id of the run, or its beginning.")],
    *,
    store: StoreOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Make every decision of a run again, offline, and compare it with the record.

    Models and judges answer from the record, checks run anew. It ends with an error at the first decision
    that comes out otherwise.
    """
    from coreact.guide.redeciding import redecide

    with closing(open_store(store)) as opened:
        trajectory = opened.trajectory(run)
    report = redecide(trajectory)
    if as_json:
        typer.echo(as_line(report))
        return
    table = Table()
    for name in ("step", "rubric", "attempts", "verdicts", "of them checked anew"):
        table.add_column(name, justify="left" if name == "rubric" else "right")
    for step in report.steps:
        counts = (step.attempts, step.verdicts, step.checked)
        table.add_row(str(step.step), step.rubric, *map(str, counts))
    console = Console()
    console.print(Text(f"Run {one_line(report.run)}: every decision came out as recorded."))
    console.print(table)
    if report.answers == "attempts" and report.steps:
        console.print("The run was recorded without calls: its attempts and verdicts were taken as answers.")
    if report.unguided:
        console.print(f"Decided without a state, so not made again: {', '.join(map(str, report.unguided))}.")


def fork_run(
    place: Annotated[
        str, typer.Argument(metavar="RUN@STEP", help="Run id or its beginning, and a step from 0.")
    ],
    *,
    samples: Annotated[int, typer.Option(min=1, max=64, help="How many runs to begin there.")] = 1,
    model: Annotated[str, typer.Option(help="`local`, `provider:name`, or a server's model name.")] = LOCAL,
    base_url: Annotated[
        str | None, typer.Option(help="Root of an OpenAI-compatible server, ending in /v1.")
    ] = None,
    gguf: Annotated[Path | None, typer.Option(help="Another model file for the embedded server.")] = None,
    temperature: Annotated[
        float | None, typer.Option(min=0, max=2, help="[default: 0 for one sample, 0.8 for several]")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the first sample; each further one has the next.")] = 0,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the embedded server.")] = 1,
    rubric: Annotated[
        Path | None, typer.Option(help="Guide every step by the rubric in this file, JSON or text.")
    ] = None,
    world: Annotated[
        str, typer.Option(help="What the run searched: `gazetteer`, or a folder with passages.jsonl.")
    ] = "gazetteer",
    store: StoreOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a sample.")] = False,
) -> None:
    """Begin new runs in the middle of a recorded one: the same prompt byte for byte, then live.

    Agent, tools and settings are those of the run; model and rubric may be others. Each sample is stored as a
    run of its own, which says where it was forked.
    """
    from coreact.guide.forking import Fork

    run, step = _place(place)
    with closing(open_store(store)) as opened:
        fork = Fork(opened.trajectory(run), step)
        _know(fork.trajectory)
        generator = None if rubric is None else _fixed(rubric)
        warm = (0.0 if samples == 1 else 0.8) if temperature is None else temperature
        rows = []
        with open_model(
            model, base_url=base_url, gguf=gguf, temperature=warm, seed=seed, threads=threads
        ) as chat:
            for at in range(samples):
                sampled = _seeded(chat, seed + at)
                rows.append(_sample(fork, sampled, opened, generator, world=world, seed=seed + at))
                if as_json:
                    typer.echo(json.dumps(rows[-1], ensure_ascii=True))
    if not as_json:
        _show(rows, fork)


def _place(text: str) -> tuple[str, int]:
    run, at, step = text.rpartition("@")
    if not (at and run and step.isdecimal()):
        raise ConfigError(f"{text!r} names no place.", remedy="Write RUN@STEP, steps counted from 0.")
    return run, int(step)


def _know(trajectory: Trajectory) -> None:
    """Refuse a run whose agent is none of ours: its graph cannot be made here."""
    known = agents()
    if trajectory.run.agent not in known:
        raise ConfigError(
            f"Run {trajectory.run.id} is of the agent {trajectory.run.agent!r}, which cannot be made here.",
            remedy=f"It can make: {', '.join(known)}. In Python, coreact.guide.forking.Fork forks any run: "
            "agent.invoke(Fork(trajectory, step).begin(recorder, settings)).",
        )


def _fixed(path: Path) -> RubricGenerator:
    from coreact.generate.fixed import FixedGenerator
    from coreact.rubric import load_rubric

    return FixedGenerator(load_rubric(path))


def _seeded(chat: BaseChatModel, seed: int) -> BaseChatModel:
    return chat.model_copy(update={"seed": seed}) if "seed" in type(chat).model_fields else chat


def _sample(
    fork: Fork,
    chat: BaseChatModel,
    store: SQLiteTraceStore,
    generator: RubricGenerator | None,
    *,
    world: str,
    seed: int,
) -> dict[str, Any]:
    """Begin one run at the fork, and what became of it."""
    from coreact_tools import searching_tools

    from coreact import CoReActMiddleware
    from coreact.cli.run import _question
    from coreact.guide import STATUS_KEY
    from coreact.guide.settings import GuideSettings
    from coreact.host.messages import contract
    from coreact.trace import Recorder
    from coreact.worlds import Corpus

    parent, recorder = fork.trajectory.run, Recorder(store)
    settings = GuideSettings.of(**parent.settings)
    passages = _question(fork.question, world=world, number=0)[2].passages
    tools = searching_tools(Corpus(passages), passages)
    if tuple(contract(tool) for tool in tools) != fork.trajectory.tools(fork.step):
        raise ConfigError(
            f"The tools over the world {world!r} are not those that run {parent.id} had.",
            remedy="Name the world of the run with --world.",
        )
    guidance = CoReActMiddleware(
        generator=generator,
        recorder=recorder,
        agent=parent.agent,
        seed=seed,
        **{name: getattr(settings, name) for name in GuideSettings.model_fields},
    )
    made: dict[str, Any] = {} if settings.step_budget is None else {"tool_calls": settings.step_budget}
    graph = load_agent(parent.agent).build(chat, tools, middleware=[guidance], **made)
    given = fork.begin(recorder, settings, seed=seed)
    run = given[STATUS_KEY]["run"]
    _ended(graph, given, recorder, run)
    store.flush()
    begun = store.trajectory(run)
    first = begun.steps[0].chosen if begun.steps else None
    scores = [one.score for one in (first.outcomes if first else ()) if one.score is not None]
    return {
        "run": run,
        "parent": parent.id,
        "forked_at": fork.step,
        "seed": seed,
        "did": "; ".join(str(action) for action in first.actions) if first else "",
        "step_score": sum(scores) / len(scores) if scores else None,
        "steps": len(begun.steps),
        "score": begun.end.score if begun.end else None,
        "answer": begun.end.answer if begun.end else None,
    }


def _ended(graph: Any, given: dict[str, Any], recorder: Any, run: str) -> None:
    from coreact.trace import RunEnd

    try:
        graph.invoke(given)
    except KeyboardInterrupt:
        recorder.end(RunEnd(run=run, status="interrupted"))
        raise
    except Exception as error:
        recorder.end(RunEnd(run=run, status="failed", error=f"{type(error).__name__}: {error}"))
        raise


def _show(rows: list[dict[str, Any]], fork: Fork) -> None:
    table = Table()
    for name in ("run", "did", "step score", "steps", "score", "answer"):
        table.add_column(name, justify="right" if "score" in name or name == "steps" else "left")
    for row in rows:
        score, whole = ("" if row[name] is None else f"{row[name]:.2f}" for name in ("step_score", "score"))
        did, answer = (Text(one_line(row[name] or "")[:_CHARS]) for name in ("did", "answer"))
        table.add_row(Text(row["run"]), did, score, str(row["steps"]), whole, answer)
    console = Console()
    number = "1 run" if len(rows) == 1 else f"{len(rows)} runs"
    console.print(Text(f"{number} begun at step {fork.step} of run {one_line(fork.trajectory.run.id)}"))
    console.print(table)
