"""Ask a judge about labelled cases and their variants, and keep every ruling as it comes.

The file of rulings is JSON lines: first the settings (`Settings`) with their digest, then one line
a ruling. An interrupted run goes on where it stopped; a last line torn by a kill is cut off. A file
of another judge or of other data is refused, because mixing them would measure neither. What a judge
was shown is hashed into each line, so a ruling on anything else is never reused; rulings that failed
for want of a connection, tokens or a valid setup are asked for again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import ValidationError

from coreact.bench.qualify.cases import CaseSet, JudgeCase, Label, label_credit
from coreact.bench.qualify.variants import CHANGES, Variant
from coreact.errors import ConfigError, JudgingError
from coreact.judge.calibration import Scored, criteria_digest, verdict_score
from coreact.judge.failure import classify
from coreact.judge.records import Cause, Cost, Verdict
from coreact.judge.runner import Judge, undecided
from coreact.rubric import Record
from coreact.rubric.canonical import digest
from coreact.trace.folders import make_folder
from coreact.trace.lines import json_lines, read_bytes

_PASSING: frozenset[Cause | None] = frozenset({"transport", "rate_limit", "budget", "bug"})
_HOPELESS: frozenset[Cause | None] = frozenset({"transport", "rate_limit", "bug"})
_GIVE_UP = 5  # rulings in a row of which nothing came


class Settings(Record):
    """What a file of rulings is about; a run with other settings needs another file."""

    format: Literal[1] = 1
    """Version of the file's shape."""
    judge: str
    """Id of the judge."""
    version: str
    """Hash of its prompt, reply schema, parser, model and sampling; the id where it has none."""
    dataset: str
    data: str
    """Hash of the file of labelled cases."""
    criteria: str
    """Hash of all criteria in it, see `coreact.judge.calibration.criteria_digest`."""


class Ruled(Record):
    """One line: what the judge said about one case."""

    case: str
    """Id of the case."""
    variant: Variant
    asked: str
    """Hash of what the judge was shown."""
    group: str
    labels: dict[str, Label]
    """What people said, by criterion id."""
    verdicts: tuple[Verdict, ...]
    cost: Cost = Cost()


class Ask(NamedTuple):
    """One thing to ask the judge."""

    case: JudgeCase
    """The case as it is shown."""
    variant: Variant


def settings_of(judge: Judge, data: CaseSet) -> Settings:
    """The settings of a run of this judge on this data."""
    return Settings(
        judge=judge.id,
        version=str(getattr(judge, "version", judge.id)),
        dataset=data.name,
        data=data.digest,
        criteria=criteria_digest(criterion for case in data.cases for criterion in case.criteria),
    )


def scored(ruled: Iterable[Ruled]) -> list[Scored]:
    """What a calibration is fitted on: decided verdicts on plain cases whose label has a credit."""
    return [
        Scored(score, credit, one.group)
        for one in ruled
        if one.variant == "plain"
        for verdict in one.verdicts
        if (score := verdict_score(verdict)) is not None
        and (credit := label_credit(one.labels[verdict.criterion])) is not None
    ]


def plan(cases: Sequence[JudgeCase], *, probes: int = 0) -> list[Ask]:
    """What to ask: every case as it is, then each variant of the first `probes` cases that have it."""
    asks = [Ask(case, "plain") for case in cases]
    for variant, change in CHANGES.items():
        changed = (Ask(made, variant) for case in cases if (made := change(case)) is not None)
        asks += islice(changed, probes)
    return asks


def collect(judge: Judge, asks: Iterable[Ask], *, settings: Settings, out: Path) -> Iterator[Ruled]:
    """Ask the judge, or take what the file already holds, and yield each ruling as it comes.

    Args:
        judge: it must not remember verdicts, or asking it again tells nothing.
        asks: see `plan`.
        settings: see `settings_of`.
        out: the file of rulings; made where there is none.

    Raises:
        ConfigError: the file belongs to other settings, or its folder cannot be made.
        LabelFileError: the file is broken before its last line.
        JudgingError: several rulings in a row failed for want of a connection or a valid setup.
    """
    known = _open(out, settings)
    failed = 0
    with out.open("a", encoding="utf-8") as file:
        for ask in asks:
            ruled = known.get((ask.case.id, ask.variant))
            if ruled is None or ruled.asked != ask.case.asked or _lacks(ruled, _PASSING):
                ruled = _rule(judge, ask)
                file.write(ruled.model_dump_json() + "\n")
                file.flush()
                failed = failed + 1 if _lacks(ruled, _HOPELESS) else 0
            yield ruled
            if failed == _GIVE_UP:
                verdict = ruled.verdicts[0]
                raise JudgingError(
                    f"The judge {judge.id} failed {failed} times in a row: {verdict.reason}",
                    judge=judge.id,
                    cause=verdict.cause or "bug",
                    remedy="Mend its connection or its settings; the run goes on where it stopped.",
                )


def _lacks(ruled: Ruled, causes: frozenset[Cause | None]) -> bool:
    return all(verdict.fault == "instrument" and verdict.cause in causes for verdict in ruled.verdicts)


def _rule(judge: Judge, ask: Ask) -> Ruled:
    case = ask.case
    cost = Cost()
    try:
        said, cost = judge.judge(case.criteria, case.action, case.state)
        by_id = {verdict.criterion: verdict for verdict in said}
    except JudgingError as error:  # the whole call failed; anything else is a bug and ends the run
        failures = undecided(
            case.criteria, reason=str(error), by=judge.id, broken=True, cause=classify(error)
        )
        by_id = {verdict.criterion: verdict for verdict in failures}
    silent = tuple(criterion for criterion in case.criteria if criterion.id not in by_id)
    for verdict in undecided(
        silent, reason="the judge said nothing about it", by=judge.id, broken=True, cause="parse"
    ):
        by_id[verdict.criterion] = verdict
    return Ruled(
        case=case.id,
        variant=ask.variant,
        asked=case.asked,
        group=case.cluster,
        labels=case.labels,
        verdicts=tuple(by_id[criterion.id] for criterion in case.criteria),
        cost=cost,
    )


# --- the file ----------------------------------------------------------------------------------


class Rulings(NamedTuple):
    """The content of a file of rulings."""

    settings: Settings
    ruled: tuple[Ruled, ...]
    """The newest ruling on each case and variant, in the order of the file."""


def read_rulings(path: Path) -> Rulings:
    """Read a file of rulings; a torn last line is left out.

    Raises:
        LabelFileError: it cannot be read, is no such file, or a line before the last is broken.
    """
    content = read_bytes(path)
    return _parse(path, content[: _whole(content)])


def _parse(path: Path, content: bytes) -> Rulings:
    settings: Settings | None = None
    ruled: dict[tuple[str, str], Ruled] = {}
    for line in json_lines(path, content):
        try:
            if settings is None:
                settings = Settings.model_validate(line.fields["settings"])
                if line.fields["digest"] != digest(settings.model_dump()):
                    raise line.error("the settings were changed", remedy="Start with a new file.")
            else:
                one = Ruled.model_validate(line.fields)
                ruled[one.case, one.variant] = one
        except (ValidationError, KeyError) as failure:
            raise line.misfit(failure) from failure
    if settings is None:
        raise ConfigError(f"{path} holds no rulings.", remedy="Give the rulings.jsonl of a run.")
    return Rulings(settings, tuple(ruled.values()))


def _whole(content: bytes) -> int:
    """Length of the content up to its last complete line."""
    return content.rfind(b"\n") + 1


def _open(path: Path, settings: Settings) -> Mapping[tuple[str, str], Ruled]:
    """Make the file ready to be appended to and give what it holds."""
    content = read_bytes(path) if path.exists() else b""
    whole = content[: _whole(content)]
    if not whole.strip():
        header = {"settings": settings.model_dump(), "digest": digest(settings.model_dump())}
        make_folder(path.parent)
        path.write_text(json.dumps(header) + "\n", encoding="utf-8")
        return {}
    stored = _parse(path, whole)
    if stored.settings != settings:
        differ = [
            f"{name} {getattr(stored.settings, name)!r} instead of {getattr(settings, name)!r}"
            for name in Settings.model_fields
            if getattr(stored.settings, name) != getattr(settings, name)
        ]
        raise ConfigError(
            f"The rulings in {path} are those of another run: {', '.join(differ)}.",
            remedy="Name another folder with --out, or delete the file.",
        )
    if len(whole) < len(content):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    return {(one.case, one.variant): one for one in stored.ruled}
