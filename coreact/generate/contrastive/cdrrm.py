"""Profile first, then synthesise: criteria from what each side alone gets right and wrong.

After CDRRM (arXiv 2603.08035). Each action is diagnosed by itself, by a model that does not know that
there is another one: what it does, how severe that is, and a verbatim quote. A planner then writes hard
rules and principles from both diagnoses.

What differs from the paper: quotes are looked up, and a finding whose quote stands nowhere never reaches the
planner. The planner sees no action and is not told the label: the label enters with the consistency test
alone (`consistency`), so that a rubric which recovers it says something. A planner that names a winner, a
side or a place all the same has its whole reply refused, since then nothing in it can be trusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from langchain_core.language_models import BaseChatModel

from coreact.generate.admission import Proposed
from coreact.generate.contrastive.contrast import Contrast, Side, shown
from coreact.generate.contrastive.nuisance import names_winner
from coreact.generate.contrastive.writer import Draft, Reading, Reply, identified, question
from coreact.generate.generator import Written
from coreact.generate.prompt import trajectory
from coreact.judge.asking import Asking, aserve, serve
from coreact.judge.quotes import find_all
from coreact.judge.structured import Asked, Output, ReplyError, StructuredModel
from coreact.judge.transcript import Section, told
from coreact.rubric import State

MOST = 8
"""Criteria of one contrast."""

MOST_FINDINGS = 12
"""Findings of one side that the planner gets to read, the most severe first."""

_TEMPLATES = ("cdrrm_diagnose", "cdrrm_synthesise")


class Diagnosis(Reply):
    """One thing that an action does well, in part, or badly."""

    criterion: str
    """What is asked of the action."""
    claim: str
    """What it does about it."""
    quote: str
    """Verbatim; from the action, or for a failure from what it failed to heed."""
    outcome: Literal["pass", "partial", "fail"]
    severity: Literal[0, 1, 2, 3]
    """How much it matters: 0 not at all, 3 decisive."""


class DiagnosisReply(Reply):
    """All findings on one action."""

    findings: list[Diagnosis]


class HardRule(Reply):
    """Something that must, or must not, be the case."""

    derived_from: list[str]
    """Names of the findings it comes from."""
    text: str


class SynthesisedPrinciple(Reply):
    """What makes actions of this kind good beyond these two."""

    derived_from: list[str]
    """Names of the findings it comes from."""
    text: str


class SynthesisReply(Reply):
    """What the planner writes. There is no place for a winner."""

    hard_rules: list[HardRule]
    principles: list[SynthesisedPrinciple]


class Profile(NamedTuple):
    """The findings on one side whose quotes were found, by name."""

    side: Side
    findings: dict[str, Diagnosis]

    def section(self) -> Section:
        """The findings as text for the planner: what a model wrote, so fenced like any other."""
        lines = [
            f"{name}. [{one.outcome}, severity {one.severity}] {_line(one.criterion)}: {_line(one.claim)}"
            f' - "{_line(one.quote)}"'
            for name, one in self.findings.items()
        ]
        label = self.side.label
        return Section(
            label, f"findings on candidate {label}", "\n".join(lines) or "none", f"findings-{label}"
        )


class CdrrmGenerator:
    """Writes criteria from two diagnoses. Safe to share between threads and event loops.

    Args:
        model: the chat model that diagnoses and plans. It should not be the judge's.
        output: see `StructuredModel`.
        attempts: see `StructuredModel`.
    """

    def __init__(self, model: BaseChatModel, *, output: Output = "auto", attempts: int = 3) -> None:
        self._model = StructuredModel(model, output=output, attempts=attempts)
        self.id = identified("cdrrm", self._model, _TEMPLATES)

    @property
    def model_name(self) -> str:
        """The model's name, as its provider knows it."""
        return self._model.name

    def write(self, contrast: Contrast) -> Written:
        """Write the criteria in three calls, blocking.

        Raises:
            NoRubricError: the model failed, nothing in the diagnoses could be found, or the planner wrote
                nothing that may be used; it has cost and remarks.
        """
        return serve(self._writing(contrast))

    async def awrite(self, contrast: Contrast) -> Written:
        """The same, without blocking the event loop."""
        return await aserve(self._writing(contrast))

    def _writing(self, contrast: Contrast) -> Asking[Written]:
        reading = Reading(self.id, contrast.state, contrast.sides, most=MOST)
        seen = trajectory(contrast.state)
        profiles: list[Profile] = []
        try:
            for side, section in zip(contrast.sides, shown(contrast.sides), strict=True):
                alone = section._replace(label="p", title="the action to diagnose")
                found: Asked[DiagnosisReply] = yield question(
                    self._model, "cdrrm_diagnose", (*seen, alone), "Diagnose the action now.", DiagnosisReply
                )
                reading.spent += found.cost
                profiles.append(_profile(found.value.findings, side, contrast.state, reading))
            known = frozenset(name for profile in profiles for name in profile.findings)
            if not known:
                raise reading.failure("no diagnosis has a quote that could be found.", "unsupported")
            planned: Asked[SynthesisReply] = yield question(
                self._model,
                "cdrrm_synthesise",
                (*seen, *(profile.section() for profile in profiles)),
                "Write the hard rules and principles now.",
                SynthesisReply,
                lambda reply: _refused(reply, contrast, reading) or reading.let_in(_drafts(reply, known)),
            )
        except ReplyError as error:
            raise reading.broken(error) from error
        reading.spent += planned.cost
        return reading.written()


def _profile(found: Sequence[Diagnosis], side: Side, state: State, reading: Reading) -> Profile:
    supported = []
    for one in found:
        if _quoted(one, side, state):
            supported.append(one)
        else:
            reading.drop(one.criterion, f"its quote stands nowhere: {_line(one.quote)[:80]}", "unsupported")
    telling = sorted((one for one in supported if one.severity), key=lambda one: -one.severity)
    named = {f"{side.label}{at}": one for at, one in enumerate(telling[:MOST_FINDINGS], 1)}
    return Profile(side, named)


def _quoted(diagnosis: Diagnosis, side: Side, state: State) -> bool:
    if find_all(diagnosis.quote, side.text):
        return True
    # What was left undone can only be quoted from where it was asked for or observed.
    heeds_nothing = diagnosis.outcome == "fail"
    return heeds_nothing and any(find_all(diagnosis.quote, section.text) for section in told(state))


def _refused(reply: SynthesisReply, contrast: Contrast, reading: Reading) -> str | None:
    rules: list[HardRule | SynthesisedPrinciple] = [*reply.hard_rules, *reply.principles]
    for rule in rules:
        named = names_winner(rule.text, contrast.sides)
        if named is not None:
            reading.drop(rule.text, f"the whole plan is refused: {named}", "nuisance")
            return "it names a candidate, a place or a winner; criteria must not"
    return None


def _drafts(reply: SynthesisReply, known: frozenset[str]) -> list[Draft]:
    def draft(rule: HardRule | SynthesisedPrinciple, kind: Literal["hard", "principle"]) -> Draft:
        evidence = tuple(name for name in dict.fromkeys(rule.derived_from) if name in known)
        problem = "" if evidence else "it comes from no finding whose quote was found"
        return Draft(Proposed(rule.text, kind=kind, evidence=evidence), problem)

    return [
        *(draft(rule, "hard") for rule in reply.hard_rules),
        *(draft(principle, "principle") for principle in reply.principles),
    ]


def _line(text: str) -> str:
    return " ".join(text.split())
