"""The model card of a searcher: what it was made from, what it was measured at, and what it cannot do.

Written from settings, log and figures alone, so that a card cannot say what a run did not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from coreact.rubric import Record

if TYPE_CHECKING:
    from coreact.train.searcher.loop import Progress, Schedule
    from coreact.train.searcher.making import Settings


class Measured(Record):
    """How an agent with the searcher did on questions about held-out countries."""

    arm: str
    """`plain` or `guided`."""
    tool_calls: int
    """Tool calls that it might make."""
    questions: int
    figures: Mapping[str, str]
    """By metric: mean and 95 % interval, as text."""


_CANNOT = """\
## What it cannot do

It knows one agent (`agents/react`), one kind of tool (`search` over short passages) and the sentences of
the gazetteer. It does not chat, follow instructions, read pages, use other tools, or know any fact. Under
other prompts than that agent's it may say anything. It errs: it copies names wrongly, takes the wrong name
from a passage, asks for the wrong relation, or answers too early. That is what it is for: something that
learned, errs, and is quick. It says nothing about larger models.
"""


def write_card(
    settings: Settings,
    schedule: Schedule,
    log: Sequence[Progress],
    measured: Sequence[Measured],
    *,
    name: str,
    licence: str,
    parameters: int,
    held_out: Sequence[str],
    size_bytes: int,
) -> str:
    """The card as Markdown."""
    shape, last = settings.shape, log[-1]
    lines = [
        f"# {name}",
        "",
        f"A Llama of {parameters / 1e6:.2f} million parameters that searches the gazetteer, hop by hop."
        " Trained by `coreact train searcher`; served like any model: `coreact run --gguf FILE`.",
        "",
        f"- Licence: {licence}. Data: the project's own gazetteer (facts: GeoNames, CC BY 4.0; Unicode CLDR;"
        " ISO lists by pycountry).",
        f"- File: GGUF, 16-bit floats, {size_bytes / 1e6:.1f} MB; byte-level BPE of {settings.vocabulary}"
        " tokens.",
        f"- Shape: width {shape.width}, {shape.layers} layers, {shape.heads} heads, feed-forward"
        f" {shape.feed_forward}, context {shape.context} tokens.",
        f"- Demonstrations: {settings.worlds} worlds, {settings.questions} questions each, two of three"
        " worlds under made-up names. An ideal searcher acts in the prompts of the real agent, plain and"
        " guided (a third of the demonstrations); a fifth of its steps are mistakes, which are not learned.",
        f"- Split: by country. {len(held_out)} countries are held out: no question or passage of training"
        " names one. Currencies, languages, scripts and continents are not split.",
        f"- Training: {last.step} of {schedule.steps} steps, {last.tokens:,} tokens, Muon and AdamW at"
        f" {schedule.rate:g}, seed {settings.seed}; loss {last.loss:.3f} nats a token of the replies.",
        f"- Held-out replies of which every token is the likeliest: {last.right:.0%} (ideal histories).",
        "",
        "## Held-out countries",
        "",
        ", ".join(sorted(held_out)) + ".",
        "",
    ]
    if measured:
        lines += ["## Measured on two-hop questions about held-out countries", ""]
        lines += _table(measured)
        lines.append("")
    return "\n".join([*lines, _CANNOT])


def _table(measured: Sequence[Measured]) -> list[str]:
    metrics = list(measured[0].figures)
    head = ["arm", "tool calls", "questions", *metrics]
    rows = [
        [one.arm, str(one.tool_calls), str(one.questions), *(one.figures.get(name, "") for name in metrics)]
        for one in measured
    ]
    return ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]
