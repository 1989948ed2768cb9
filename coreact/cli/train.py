"""`coreact train`: collect branching points, fit a rubric generator, measure it; train the searcher."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from coreact.cli.models import open_model
from coreact.cli.recipes import load_agent
from coreact.cli.train_attempts import attempts
from coreact.cli.train_collect import collect
from coreact.cli.train_eval import evaluate
from coreact.cli.train_fit import fit
from coreact.errors import MissingExtraError

if TYPE_CHECKING:  # a command line that starts quickly imports LangChain only to run
    from langchain_core.language_models import BaseChatModel
    from langchain_core.tools import BaseTool

    from coreact.train.searcher.card import Measured

train_app = typer.Typer(
    help="From judged decisions to a rubric generator: collect, fit, eval. And the searcher.",
    no_args_is_help=True,
)
train_app.command()(collect)
train_app.command()(attempts)
train_app.command()(fit)
train_app.command("eval")(evaluate)

_BUDGETS = (2, 4)  # tool calls
_NEEDED = ("torch", "transformers", "gguf")


@train_app.command()
def searcher(
    folder: Annotated[
        Path, typer.Option(help="Demonstrations, checkpoints and log; an interrupted run goes on there.")
    ] = Path(".coreact/searcher"),
    out: Annotated[
        Path | None, typer.Option(help="Where searcher.gguf and card.md go; default: the folder.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps of training in all.")] = None,
    worlds: Annotated[int | None, typer.Option(min=1, help="Worlds to learn from.")] = None,
    questions: Annotated[int | None, typer.Option(min=1, help="Questions asked in each.")] = None,
    measure: Annotated[int, typer.Option(min=0, help="Held-out questions to measure on; 0: none.")] = 100,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
) -> None:
    """Train the small searcher of the gazetteer, write it as a model file, and measure it."""
    if any(
        find_spec(package) is None for package in _NEEDED
    ):  # before the demonstrations, which take minutes
        raise MissingExtraError("Training the searcher", extra="train")
    from coreact.trace.folders import make_folder
    from coreact.train.searcher.card import write_card
    from coreact.train.searcher.entity_split import by_country
    from coreact.train.searcher.loop import Schedule, read_log
    from coreact.train.searcher.making import LICENCE, NAME, Settings, count_parameters, export, fit, prepare
    from coreact.worlds import gazetteer

    chosen = {"worlds": worlds, "questions": questions, "seed": seed}
    settings = Settings(**{name: value for name, value in chosen.items() if value is not None})
    schedule = Schedule(seed=seed, **({} if steps is None else {"steps": steps}))
    console = Console(stderr=as_json, soft_wrap=True)
    target = out or folder
    make_folder(target)  # before the training, which takes hours
    prepare(_agents(), settings, folder, lambda line: console.print(line, markup=False, highlight=False))
    for line in fit(settings, schedule, folder):
        console.print(
            f"step {line.step} of {schedule.steps}: loss {line.loss:.3f}, prompts {line.prompt_loss:.3f},"
            f" held-out replies right {line.right:.0%}, {line.tokens} tokens, {line.seconds:.0f} s",
            markup=False,
            highlight=False,
        )
    gguf = export(settings, folder, target / "searcher.gguf")
    measured = list(_measure(gguf, measure, seed, folder)) if measure else []
    log = read_log(folder)
    card = write_card(
        settings,
        schedule,
        log,
        measured,
        name=NAME,
        licence=LICENCE,
        parameters=count_parameters(settings, folder),
        held_out=sorted(by_country(gazetteer()).countries),
        size_bytes=gguf.stat().st_size,
    )
    (target / "card.md").write_text(card, encoding="utf-8")
    if as_json:
        last = log[-1].model_dump()
        print(
            json.dumps({"gguf": str(gguf), "last": last, "measured": [one.model_dump() for one in measured]})
        )
    else:
        console.print(f"Model: {gguf}", markup=False, highlight=False)


def _agents() -> Any:
    """Makes the agent of `agents/react`, plain or guided."""
    from coreact import CoReActMiddleware

    recipe = load_agent("react")

    def build(model: BaseChatModel, tools: Sequence[BaseTool], guided: bool, tool_calls: int) -> Any:
        middleware = [CoReActMiddleware(step_budget=tool_calls)] if guided else []
        return recipe.build(model, tools, middleware=middleware, tool_calls=tool_calls)

    return build


def _measure(gguf: Path, n: int, seed: int, folder: Path) -> Iterator[Measured]:
    """Plain and guided on two-hop questions about held-out countries, with each budget of tool calls."""
    from coreact.bench.statistics import interval
    from coreact.train.searcher.card import Measured
    from coreact.train.searcher.making import held_out_world
    from coreact.train.searcher.measuring import FIGURES, choose, measure

    world = held_out_world()
    chosen = choose(world, n=n, seed=seed)
    with open_model(gguf=gguf) as model, (folder / "outcomes.jsonl").open("w", encoding="utf-8") as file:
        for tool_calls in _BUDGETS:
            outcomes = []
            for outcome in measure(_agents(), model, world, chosen, tool_calls=tool_calls):
                outcomes.append(outcome)
                file.write(outcome.model_dump_json() + "\n")
            for guided in (False, True):
                of_arm = [one for one in outcomes if one.guided == guided]
                yield Measured(
                    arm="guided" if guided else "plain",
                    tool_calls=tool_calls,
                    questions=len(of_arm),
                    figures={name: str(interval([getattr(one, name) for one in of_arm])) for name in FIGURES},
                )
