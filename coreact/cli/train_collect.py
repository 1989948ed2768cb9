"""`coreact train collect`: decisions, what could be done at each, and what it turned out worth."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from coreact.cli.models import open_model
from coreact.cli.run import INTERRUPTED
from coreact.cli.worlds import GAZETTEER, known_worlds, open_world
from coreact.errors import ConfigError, MissingExtraError, StoreError

if TYPE_CHECKING:  # a command line that starts quickly imports LangChain only to run
    from langchain_core.language_models import BaseChatModel

    from coreact.judge.failure import Throttle
    from coreact.trace import SQLiteTraceStore
    from coreact.train.branch.choice import Choice
    from coreact.train.branch.collecting import CollectSettings, Report
    from coreact.train.branch.environment import WorldEnvironment
    from coreact.train.branch.labelling import Labeller
    from coreact.train.branch.looking import Looker, Teacher
    from coreact.train.branch.roll_in import Schedule
    from coreact.train.branch.sampling import Sampler
    from coreact.train.branch.summary import Collected
    from coreact.worlds import World

_QUESTIONS = 100
"""Questions of a live collection, unless told otherwise."""

IDEAL = "ideal"
"""The scripted searcher that knows the proof, as a teacher."""

_LIVE = {"roll_in": "--roll-in", "beta": "--beta", "steps": "--steps"}
"""Options that say what a live run does next; a stored run did what it did."""


def collect(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder of the collection; an interrupted one goes on there.")],
    world: Annotated[
        str, typer.Option(help="`gazetteer`, or a folder of questions and passages.")
    ] = GAZETTEER,
    n: Annotated[
        int | None,
        typer.Option("--n", min=1, help="Most questions, default 100; of a store, most runs, default all."),
    ] = None,
    half: Annotated[
        Literal["train", "dev"],
        typer.Option(help="Questions to train on, or to measure on; of a store, its runs that asked these."),
    ] = "train",
    model: Annotated[
        list[str] | None,
        typer.Option(help="Who proposes, as in `coreact run`; may be given several times."),
    ] = None,
    temperatures: Annotated[
        str, typer.Option(help="Temperatures of each model, one proposal at each.")
    ] = "0.1,0.4,0.7,1",
    policies: Annotated[
        bool, typer.Option(help="Let scripted policies propose, good actions and bad.")
    ] = True,
    guesses: Annotated[
        int, typer.Option(min=0, help="Searches for names that were met, right and wrong, at a decision.")
    ] = 0,
    roll_in: Annotated[
        Literal["best", "random", "teacher"],
        typer.Option(help="What is followed: the best candidate, one drawn, or by turns model and teacher."),
    ] = "best",
    beta: Annotated[
        str, typer.Option(help="The teacher's share: `0.5`, or `1:0` to go from 1 to 0.")
    ] = "1:0",
    teacher: Annotated[
        str | None,
        typer.Option(help="`ideal`, which knows the proof, or a model; its action is stored everywhere."),
    ] = None,
    judge: Annotated[
        list[str] | None,
        typer.Option(help="Judges, two or more, that rank in the place of measured gains."),
    ] = None,
    store: Annotated[
        Path | None, typer.Option(help="Look at the decisions of this trace store's runs, not at live ones.")
    ] = None,
    base_url: Annotated[str | None, typer.Option(help="Root of an OpenAI-compatible server.")] = None,
    k: Annotated[int, typer.Option(min=2, max=26, help="Candidates to keep at a decision.")] = 4,
    steps: Annotated[int, typer.Option(min=1, help="Tool calls that a run may take.")] = 4,
    concurrency: Annotated[int, typer.Option(min=1, help="Calls of models at the same time.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Draws questions, candidates and coins.")] = 0,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the embedded server.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
) -> None:
    """Collect branching points: states, candidate actions, and what each of them is worth."""
    try:
        from coreact.judge.failure import Throttle
        from coreact.train.branch.choice import Choice
        from coreact.train.branch.collecting import CollectSettings, collect_live
        from coreact.train.branch.environment import WorldEnvironment
        from coreact.train.branch.guesses import Guesses
        from coreact.train.branch.labelling import Measured
        from coreact.train.branch.looking import Looker
        from coreact.train.branch.policies import Policies
        from coreact.train.branch.roll_in import RollIn
        from coreact.train.branch.sampling import Policy
        from coreact.train.branch.scripted import parts
    except ImportError as error:
        raise MissingExtraError("Collecting", extra="bench") from error
    if store is not None:
        _refuse_live(context)
    if not (policies or model or guesses):
        raise ConfigError("Nobody proposes anything.", remedy="Name a --model, or leave the policies on.")
    schedule, warmth = _schedule(beta), _temperatures(temperatures)
    loaded = open_world(world)
    console = Console(stderr=as_json, soft_wrap=True)
    with ExitStack() as servers:
        opened = _Opened(servers, loaded, Throttle(concurrency), base_url, seed, threads)
        environment = WorldEnvironment(loaded)
        samplers: list[Sampler] = [opened.sampler(name, warmth) for name in model or ()]
        if policies:
            samplers.append(Policy("scripted", Policies(environment).of))
        if guesses:
            guessing = Guesses(guesses)
            samplers.append(Policy(guessing.id, guessing.of))
        taught = teacher or (IDEAL if roll_in == "teacher" else None)
        looker = Looker(
            samplers,
            labeller=opened.panel(judge) if judge else Measured(environment),
            teacher=None if taught is None else _teacher(opened, environment, taught),
            k=k,
        )
        settings = CollectSettings(
            roll_in=RollIn(rule=roll_in, beta=schedule), steps=steps, seed=seed, concurrency=2 * concurrency
        )
        try:
            if store is not None:
                choice = Choice(half, worlds=known_worlds(world, loaded), n=n)
                found = _stored(store, out, looker, environment, settings, console, choice)
            else:
                drawn = parts(loaded, n=n or _QUESTIONS, seed=seed)
                ids = [question.id for question in getattr(drawn, half)]
                with progress(console, len(ids)) as report:
                    live = collect_live(
                        environment, ids, out, looker=looker, settings=settings, report=report
                    )
                    found = asyncio.run(live)
        except KeyboardInterrupt:
            raise interrupted() from None
    tell(console, found, out, as_json=as_json)


def _refuse_live(context: typer.Context) -> None:
    """Refuse options that were given and mean nothing of stored runs."""
    given = [
        option
        for name, option in _LIVE.items()
        if (source := context.get_parameter_source(name)) is not None and source.name != "DEFAULT"
    ]
    if given:
        raise ConfigError(
            f"{' and '.join(given)} say what live runs do next; the runs of a --store did what they did.",
            remedy=f"Leave out {' and '.join(given)}, or --store.",
        )


class _Opened(NamedTuple):
    """Chat models of this command, opened for as long as it runs."""

    servers: ExitStack
    world: World
    throttle: Throttle
    base_url: str | None
    seed: int
    threads: int

    def chat(self, name: str) -> BaseChatModel:
        opening = open_model(
            name, base_url=self.base_url, seed=self.seed, threads=self.threads, world=self.world
        )
        return self.servers.enter_context(opening)

    def sampler(self, name: str, temperatures: Sequence[float]) -> Sampler:
        from coreact.train.branch.sampling import ModelSampler

        return ModelSampler(
            self.chat(name), name, temperatures=temperatures, throttle=self.throttle, seed=self.seed
        )

    def panel(self, names: Sequence[str]) -> Labeller:
        from coreact.judge.panel import ListwiseRanker
        from coreact.judge.structured import StructuredModel
        from coreact.train.branch.labelling import Panel

        asked = [StructuredModel(self.chat(name), throttle=self.throttle) for name in names]
        return Panel([ListwiseRanker(model) for model in asked])


def _teacher(opened: _Opened, environment: WorldEnvironment, name: str) -> Teacher:
    from coreact.train.branch.looking import Teacher
    from coreact.train.branch.policies import Policies
    from coreact.train.branch.sampling import Policy

    if name == IDEAL:
        return Teacher(Policy(IDEAL, Policies(environment).ideal))
    return Teacher(opened.sampler(name, (0.0,)))


def _stored(
    store: Path,
    out: Path,
    looker: Looker,
    environment: WorldEnvironment,
    settings: CollectSettings,
    console: Console,
    choice: Choice,
) -> Collected:
    from coreact.train.branch.collecting import collect_stored

    with stored_runs(store) as trace, progress(console) as report:
        return asyncio.run(
            collect_stored(
                trace.trajectories(),
                out,
                looker=looker,
                environment=environment,
                choice=choice,
                seed=settings.seed,
                concurrency=settings.concurrency,
                report=report,
            )
        )


@contextmanager
def stored_runs(path: Path) -> Iterator[SQLiteTraceStore]:
    """A trace store that is there.

    Raises:
        StoreError: it is not, or cannot be read.
    """
    from coreact.trace import SQLiteTraceStore

    if not path.exists():  # opening it would make an empty one
        raise StoreError(f"There is no trace store {path}.", path=path, remedy="Name one that is there.")
    trace = SQLiteTraceStore(path)
    try:
        yield trace
    finally:
        trace.close()


def interrupted() -> typer.Exit:
    """Say what an interrupted collection has kept, and how the command ends."""
    Console(stderr=True).print("Interrupted. Every decision so far is kept; the same command goes on.")
    return typer.Exit(INTERRUPTED)


@contextmanager
def progress(console: Console, total: int | None = None) -> Iterator[Report]:
    """A bar that grows by questions and counts decisions.

    Args:
        console: where it is shown.
        total: how many questions there are; None: nobody knows. Which runs of a store belong to a half is
            only known once their prompts are read.
    """
    from coreact.train.branch.visits import Ended, Visit

    columns = (
        TextColumn("questions"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[visits]} decisions"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=total, visits=0)
        visits = 0

        def report(event: Visit | Ended) -> None:
            nonlocal visits
            visits += isinstance(event, Visit)
            bar.update(task, advance=isinstance(event, Ended), visits=visits)

        yield report


def _temperatures(text: str) -> list[float]:
    try:
        return [float(one) for one in text.split(",") if one.strip()]
    except ValueError as error:
        raise ConfigError(
            f"--temperatures {text!r} is no list of numbers.", remedy="Write, e.g., 0.1,0.7."
        ) from error


def _schedule(text: str) -> Schedule:
    from coreact.train.branch.roll_in import Schedule

    start, _, end = text.partition(":")
    try:
        return Schedule(start=float(start), end=float(end or start))
    except ValueError as error:  # pydantic's included
        raise ConfigError(
            f"--beta {text!r} is no share in [0, 1], nor two.", remedy="Write, e.g., 0.5 or 1:0."
        ) from error


def tell(console: Console, found: Collected, out: Path, *, as_json: bool) -> None:
    """Print what a collection holds, for people or as one JSON object."""
    if as_json:
        print(found.model_dump_json())
        return
    lines = [
        f"{found.points} branching points ({found.contrast} with contrast) of {found.visits} decisions,"
        f" {found.questions} questions, in {out}",
        f"Proposals  {found.proposed}; dropped: {_counts(found.dropped)}",
        f"Worth      {_counts(found.worth)}",
        f"Ended      {_counts(found.ended)}",
        f"Followed   {_counts(found.drivers)}",
    ]
    if found.unlabelled:
        lines.append(f"Unknown    {_counts(found.unlabelled)}")
    if found.errors:
        worst = max(found.errors, key=found.errors.__getitem__)
        lines.append(f"Failed     {found.errors[worst]} of {found.ended['failed']} with {worst}")
        lines.append("           The same command tries failed questions again.")
    if found.passed_over:
        lines.append(f"Passed     {_counts(found.passed_over)}")
    if found.other_half:
        lines.append(f"Left out   {found.other_half} runs of questions of the other half")
    if found.delivered is not None:
        lines.append(f"Teacher    acted in {found.delivered:.0%} of decisions; meant: {found.beta:.0%}")
    for line in lines:
        console.print(line, markup=False, highlight=False)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in counts.items()) or "none"
