"""The prompts of the model-written generators: templates beside the code, and the material they are about.

One builder serves the running agent and the training of a generator, so that a model is trained on the
bytes it will meet. Templates are files, versioned by the hash of their text. The material begins with the
question and grows at its end as a run goes on; what changes from step to step (phase, budget, the task)
stands last, so that a serving engine's prefix cache works. All of it is untrusted and stands in fences;
only names of tools and arguments are repeated outside of them, and only where they are plain names.

Nothing here calls a model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any, Literal, NamedTuple

from coreact.control_tokens import without_control_tokens
from coreact.generate.sheet import SHEET, sheet
from coreact.judge.transcript import UNTRUSTED, Section, excerpt, fenced, told
from coreact.rubric import State, ToolContract
from coreact.rubric.canonical import digest
from coreact.rubric.rubric import Rubric
from coreact.rubric.text import render_rubric
from coreact.rubric.words import words

Form = Literal["records", "lines", "sheet"]
"""How a model writes criteria. `records`: JSON by schema, each with its check where one exists; `lines`:
`1. [0.4] …`, one criterion a line, whose checks are read off the sentences; `sheet`: lines as well, for a
small model, which is shown one page instead of the trajectory and points at what stands there."""

BUILDER = 2
"""Version of the code below, part of every prompt's version: raise it when bytes change."""

EXAMPLE_NAMES = ("Ada Blom", "Lund")
"""Names in the templates' example: small models copy them, and they are no part of any task."""

_GIVEN_CHARS = 1_000
_DESCRIPTION_CHARS = 240
_EXAMPLE_CHARS = 600  # of an example's question
_EXAMPLE_CRITERIA = 8
_SHORTENED = 160  # characters of an old observation, where not all fits
_BLOCK = 4  # steps that are shortened together, so that prompts in between share their beginning
_PLAIN_NAME = re.compile(r"[A-Za-z_][\w.-]{0,63}\Z")
_PHASES = {
    "early": "The run has just begun.",
    "middle": "The run is under way.",
    "late": "The run is about to end: if what was observed suffices, the next action should be the answer.",
}


class Template(NamedTuple):
    """A trusted text beside the code."""

    name: str
    text: str
    version: str
    """Short hash of the text."""


class Exemplar(NamedTuple):
    """A rubric that served another question well, to write a new one by."""

    question: str
    rubric: Rubric


class Prompt(NamedTuple):
    """What a model is asked: trusted instructions, and material whose untrusted parts are fenced."""

    instructions: str
    material: str
    version: str
    """Short hash of templates and builder; equal for all prompts built in one way."""


def chat(prompt: Prompt) -> list[dict[str, str]]:
    """The prompt as the messages that a model gets, in a running agent and in training alike."""
    return [
        {"role": "system", "content": prompt.instructions},
        {"role": "user", "content": prompt.material},
    ]


@lru_cache(maxsize=64)
def template(name: str) -> Template:
    """The template `prompts/NAME.md`.

    Raises:
        FileNotFoundError: there is none of this name.
    """
    text = (files(__package__) / "prompts" / f"{name}.md").read_text(encoding="utf-8").strip()
    return Template(name, text, _short(text))


def step_prompt(
    state: State,
    *,
    form: Form = "lines",
    exemplars: Sequence[Exemplar] = (),
    observation_chars: int = 1_200,
    max_chars: int = 12_000,
) -> Prompt:
    """Ask for the criteria of ONE next action.

    Args:
        state: the state that the action is taken in.
        form: how the criteria are to be written; a sheet is of one size, and takes no examples.
        exemplars: rubrics of similar questions; of a long one the question and the criteria are cut.
        observation_chars: most characters of one observation.
        max_chars: characters of the trajectory from which on its oldest observations are shortened.
    """
    written = template(f"step_{form}")
    if form == "sheet":
        return Prompt(written.text, without_control_tokens(sheet(state).text), step_version(form))
    sections = trajectory(state, observation_chars=observation_chars, max_chars=max_chars)
    shown = [*sections, *_examples(exemplars, frozenset(words(state.question)))]
    return Prompt(
        instructions=f"{UNTRUSTED}\n\n{written.text}",
        material=f"{fenced(shown)}\n\n{_task(state, form, exemplars)}",
        version=step_version(form),
    )


def step_version(form: Form) -> str:
    """Version of the prompts that `step_prompt` builds in this form."""
    if form == "sheet":
        return _short(json.dumps([SHEET, template("step_sheet").version]))
    return _short(json.dumps([BUILDER, template(f"step_{form}").version, UNTRUSTED]))


def trajectory(
    state: State, *, observation_chars: int = 1_200, max_chars: int = 12_000
) -> tuple[Section, ...]:
    """The question, given text, the tools, then calls and observations in order, as sections.

    The beginning of what a state gives is what the state before it gave, but where the oldest
    observations had to be shortened.

    Args:
        state: the state.
        observation_chars: most characters of one observation; of a longer one head, tail and what is near.
        max_chars: characters of all sections from which on the oldest observations are shortened.
    """
    wanted = frozenset(words(state.question))
    limits = {"q": max_chars // 2, "g": _GIVEN_CHARS}
    sections = [
        one._replace(text=excerpt(one.text, limits.get(one.label[0], observation_chars), wanted))
        for one in told(state)
    ]
    if state.tools:
        before = next((at for at, one in enumerate(sections) if one.label[0] == "c"), len(sections))
        sections.insert(before, Section("t", "the tools", tools_text(state.tools), "tools"))
    return tuple(_shortened(sections, max_chars, wanted))


def _shortened(sections: list[Section], most: int, wanted: frozenset[str]) -> list[Section]:
    observed = [at for at, one in enumerate(sections) if one.label[0] == "o"]
    done = 0
    while done < len(observed) and sum(len(one.text) for one in sections) > most:
        for at in observed[done : done + _BLOCK]:
            sections[at] = sections[at]._replace(text=excerpt(sections[at].text, _SHORTENED, wanted))
        done += _BLOCK
    return sections


def tools_text(tools: Sequence[ToolContract]) -> str:
    """One line a tool: name, arguments with their types, what it is for."""
    return "\n".join(_tool_line(tool) for tool in tools)


def _tool_line(tool: ToolContract) -> str:
    required = tool.parameters.get("required")
    needed = set(required) if isinstance(required, list) else set()
    arguments = ", ".join(
        f"{name}{'' if name in needed else '?'}: {_type(schema)}" for name, schema in tool.properties.items()
    )
    description = " ".join(tool.description.split())
    if len(description) > _DESCRIPTION_CHARS:
        description = description[: _DESCRIPTION_CHARS - 1] + "…"
    return f"{tool.name}({arguments})" + (f" - {description}" if description else "")


def _type(schema: Any) -> str:
    if not isinstance(schema, Mapping):
        return "any"
    if isinstance(choices := schema.get("enum"), list):
        return " | ".join(json.dumps(choice, ensure_ascii=False, default=str) for choice in choices[:8])
    kind = schema.get("type")
    return kind if isinstance(kind, str) else "any"


def plain_names(state: State) -> dict[str, tuple[str, ...]]:
    """Tools and their arguments by name, as far as the names are plain enough to stand among instructions."""
    return {
        tool.name: tuple(filter(_PLAIN_NAME.match, tool.properties))
        for tool in state.tools
        if _PLAIN_NAME.match(tool.name)
    }


def _examples(exemplars: Sequence[Exemplar], wanted: frozenset[str]) -> list[Section]:
    found = []
    for at, example in enumerate(exemplars, 1):
        question = excerpt(example.question, _EXAMPLE_CHARS, wanted)
        found.append(Section(f"e{at}", f"example {at}: another question", question, f"example-{at}"))
        # The first ones: none of them depends on a later one.
        criteria = render_rubric(Rubric(criteria=example.rubric.criteria[:_EXAMPLE_CRITERIA]))
        found.append(
            Section(f"r{at}", f"example {at}: criteria that served it well", criteria, f"rubric-{at}")
        )
    return found


def _task(state: State, form: Form, exemplars: Sequence[Exemplar]) -> str:
    lines = [_PHASES[state.phase]]
    if state.budget.left is not None:
        lines.append(f"Calls left: {state.budget.left}.")
    if exemplars:
        lines.append(
            "The examples are about other questions: take over their manner, never their names or addresses."
        )
    if form == "lines":
        lines.append("Write the criteria for the next action, each in a form like these:")
        # Numbered and weighted like the reply: small models copy the last lines they read.
        return "\n".join([*lines, *_manner(state)])
    return "\n".join([*lines, "Write the criteria for the next action now."])


def _manner(state: State) -> list[str]:
    """Sentences that code can check, with the names of the tools at hand, as lines of a rubric."""
    named = plain_names(state)
    known = [tool for tool in state.tools if tool.name in named]
    texts = dict.fromkeys(one.text_argument for one in known if one.text_argument in named[one.name])
    sentences = [f'The `{argument}` contains "…".' for argument in texts]
    if len(named) > 1:
        sentences += [f"Use `{name}`." for name in named]
    if named:
        sentences += ["Do not answer yet.", "Do not repeat an earlier call."]
    sentences.append("Answer now.")
    weight = round(1 / len(sentences), 2)
    return [f"{at}. [{weight}] {sentence}" for at, sentence in enumerate(sentences, 1)]


def _short(text: str) -> str:
    return digest(text).rsplit(":", 1)[-1][:8]
