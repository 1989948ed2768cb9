"""The files `results.json` and `card.md` of a generator's folder, as the evaluation writes them.

A second world, or another experiment with agents, is added to what is there; the same one again replaces it.
The card's figures are written from `results.json`, so that the two cannot differ, and by nobody's hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from coreact.bench.experiment.records import Session
from coreact.bench.generators.evaluation import SCRIPTED, TRAINED, Evaluation
from coreact.bench.report import Report
from coreact.errors import LabelFileError
from coreact.rubric import Record
from coreact.trace.lines import read_bytes, write_whole

RESULTS, CARD = "results.json", "card.md"
"""Names of the two files."""

HEADING = "## Measured"
"""Where the figures begin in the card; all behind it is written anew."""

_SHOWN = ("exact", "all_gold", "model_calls", "seconds")
"""Metrics of agents in the card, where the suite has them; the others stand in `results.json`."""


class Ranked(Record):
    """Held-out points of one world."""

    evaluation: Evaluation
    session: Session


class Agents(Record):
    """One experiment with agents."""

    report: Report
    session: Session


class Results(Record):
    """All that was measured of one generator."""

    generator: str
    """Its id; figures of another one are not kept."""
    ranking: tuple[Ranked, ...] = ()
    agents: tuple[Agents, ...] = ()

    def adding(self, *, ranked: Ranked | None = None, agents: Agents | None = None) -> Results:
        """With one more measurement; one of the same points, or of the same suite and model, is replaced."""
        ranking, experiments = self.ranking, self.agents
        if ranked is not None:
            kept = (one for one in ranking if _points(one.evaluation) != _points(ranked.evaluation))
            ranking = (*kept, ranked)
        if agents is not None:
            kept_too = (one for one in experiments if _about(one.report) != _about(agents.report))
            experiments = (*kept_too, agents)
        return self.model_copy(update={"ranking": ranking, "agents": experiments})


def read_results(folder: Path, generator: str) -> Results:
    """What is known of this generator; nothing, where the folder has no figures or those of another.

    Raises:
        LabelFileError: `results.json` holds something else.
    """
    path = folder / RESULTS
    if not path.is_file():
        return Results(generator=generator)
    try:
        found = Results.model_validate_json(read_bytes(path))
    except ValidationError as error:
        first = error.errors()[0]
        raise LabelFileError(
            f"{path} holds no results: {'.'.join(map(str, first['loc']))}: {first['msg']}.",
            path=path,
            remedy="Remove it and measure again.",
        ) from error
    return found if found.generator == generator else Results(generator=generator)


def write_results(folder: Path, results: Results) -> None:
    """Write `results.json`, and the figures into `card.md`.

    Raises:
        OSError: a file cannot be written; what was there before still is.
    """
    write_whole(folder / RESULTS, results.model_dump_json(indent=1) + "\n")
    card = folder / CARD
    text = card.read_text(encoding="utf-8") if card.is_file() else f"# {folder.name}\n"
    above = text.partition(f"\n{HEADING}\n")[0].rstrip()
    write_whole(card, f"{above}\n\n{HEADING}\n\n" + "\n".join(_lines(results)).rstrip() + "\n")


def _lines(results: Results) -> Iterator[str]:
    yield f"By `coreact train eval`, of `{results.generator}`. Intervals: 95 % bootstrap, by question."
    for one in results.ranking:
        yield ""
        yield from _ranking(one.evaluation)
        yield f"Measured {_when(one.session)}."
    for agents in results.agents:
        yield ""
        yield from _agents(agents.report)
        yield f"Measured {_when(agents.session)}."


def _ranking(found: Evaluation) -> Iterator[str]:
    verdict = "better than" if found.beats_heuristic else "not shown to be better than"
    yield f"### Ranking on {found.world}: {verdict} the heuristic"
    yield ""
    yield (
        f"{found.points} branching points of {found.questions} held-out questions{_drawn(found)},"
        f" {found.dropped} more without contrast; candidates by {found.proposed_by}. Spearman of each"
        " rubric's order, decided by checks alone, with the measured gains; in [-1, 1], higher is better."
        " What verifying gains: the expected gain of the action that a loop with two retries takes, less that"
        " of a first proposal."
    )
    yield ""
    yield (
        "| who writes | Spearman | trained minus this | verifying gains | trained minus this | best on top"
        " | compiled |"
    )
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for arm in found.arms:
        own = arm.arm == TRAINED
        less = "" if own else str(found.differences[arm.arm])
        taken = "" if arm.taken is None else str(arm.taken)
        less_taken = str(found.taken_differences.get(arm.arm, ""))
        compiled = "" if arm.compiled is None else f"{arm.compiled:.0%}"
        yield (
            f"| {arm.arm} | {arm.spearman} | {less} | {taken} | {less_taken} | {arm.top.mean:.2f}"
            f" | {compiled} |"
        )
    yield ""
    trained = found.trained
    if found.context is not None:
        yield (
            f"- Shown another question's state instead: {found.context.shuffled}; what looking adds:"
            f" {found.context.difference}."
        )
    written = "unknown" if trained.written is None else f"{trained.written:.0%}"
    yield f"- A rubric was written at {written} of the points; passes the gate without labels: {found.gate}."
    if found.latency is not None:
        yield (
            f"- Seconds to a rubric: median {found.latency.median:.3f}, 95th percentile"
            f" {found.latency.p95:.3f}."
        )
    if found.outsider is not None:
        yield (
            f"- Judge `{found.outsider.judge}` on {found.outsider.points} points: with the gains"
            f" {found.outsider.with_gains}, with the rubrics {found.outsider.with_rubrics}."
        )
    else:
        yield "- No outside judge was asked; gains are measured by executing each candidate."


def _agents(report: Report) -> Iterator[str]:
    yield f"### Agents on {report.suite}"
    yield ""
    yield (
        f"{report.tasks} tasks, seeds {', '.join(map(str, report.seeds))}; model"
        f" `{report.settings.get('model', 'unknown')}`, {report.settings.get('tool_calls')} tool calls for"
        f" every arm; differences to `{report.control}`, paired by task."
    )
    yield ""
    names = {metric.name for arm in report.arms for metric in report.metrics if metric.name in arm.figures}
    shown = [name for name in _SHOWN if name in names] or sorted(names)[:4]
    yield f"| arm | {' | '.join(shown)} | difference in {shown[0]} |"
    yield f"| --- |{' --- |' * (len(shown) + 1)}"
    for arm in report.arms:
        cells = [str(arm.figures[name]) if name in arm.figures else "" for name in shown]
        difference = report.difference(arm.name, shown[0])
        yield f"| {arm.name} | {' | '.join(cells)} | {'' if difference is None else difference} |"
    yield ""


def _points(found: Evaluation) -> tuple[str, str, int | None]:
    return found.world, found.proposed_by, found.collection_seed


def _drawn(found: Evaluation) -> str:
    """The seed that the points were drawn with, where it is known."""
    if found.proposed_by == SCRIPTED:
        return f" (seed {found.seed})"
    return "" if found.collection_seed is None else f" (collected with seed {found.collection_seed})"


def _about(report: Report) -> tuple[str, object]:
    return report.suite, report.settings.get("model")


def _when(session: Session) -> str:
    return f"{session.began[:10]}, revision {session.revision or 'unknown'}"
