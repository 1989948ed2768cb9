"""Capture `redacted`: records without secrets, and without hashes of them.

A hash of a text is as good as the text to somebody who can guess it. So the lock of a rubric is that of the
redacted one, the digest of a state is taken anew from the redacted messages (which is what `state_at` reads
it from later), and the key of a call, which cannot be taken anew, becomes a keyed one: from the first thing
that was replaced anywhere in the run, as a key covers prompts, arguments and guidance alike. A run in which
nothing was replaced so far keeps them all. The digest is taken incrementally: a step costs its new messages.
What is remembered of a run goes with its end, unless it was interrupted and may go on.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import is_
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, cast

from coreact.errors import CoReActError
from coreact.judge import Evidence, Judgement, Verdict
from coreact.rubric import Rubric, ToolContract
from coreact.trace.privacy.redactor import Redactor
from coreact.trace.privacy.remembering import Remembered
from coreact.trace.privacy.walking import rebuilt, redacted
from coreact.trace.records import Attempt, CallRecord, JudgementRecord, RunEnd, RunRecord, StepRecord
from coreact.trace.store import TraceRecord

if TYPE_CHECKING:
    from langchain_core.messages import AnyMessage

    from coreact.host.messages import StateReader

_RUNS: Final = 256


@dataclass
class _Run:
    """What is remembered of a run while its steps go by."""

    prompt: list[dict[str, Any]] = field(default_factory=list)
    """The last step's prompt, redacted."""
    tools: tuple[ToolContract, ...] | None = None
    """The agent's tools, redacted; None: not known."""
    touched: bool = False
    """Whether anything that a state is read from was replaced, or may have been."""
    replaced: bool = False
    """Whether anything at all was replaced."""
    decided: bool = False
    """Whether a step was seen."""
    read: list[AnyMessage] = field(default_factory=list)
    """The prompt as messages, as far as they were needed."""
    reader: StateReader | None = None


class Redaction:
    """Redacts the records of many runs, in the order in which they happen. Safe for several threads."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._runs: OrderedDict[str, _Run] = OrderedDict()
        self._rubric = Remembered[Rubric, Rubric](lambda rubric: redacted(rubric, redactor))
        self._lock = Lock()

    def __call__(self, record: TraceRecord) -> TraceRecord:
        """The record without secrets.

        Raises:
            RecursionError: something in it is nested deeper than the stack.
            Exception: whatever a user's finder raises.
        """
        if isinstance(record, RunRecord):
            capture = "off" if record.capture == "off" else "redacted"
            begun = redacted(record, self._redactor)
            self._note(record.id, replaced=begun is not record)
            return rebuilt(begun, {"capture": capture})
        if isinstance(record, StepRecord):
            with self._lock:
                return self._step(record)
        clean = redacted(record, self._redactor)
        if isinstance(record, RunEnd):
            if record.status != "interrupted":
                self.forget(record.run)
        elif not isinstance(record, JudgementRecord):  # those that come later say nothing of the run's calls
            self._note(record.run, replaced=clean is not record)
        if isinstance(clean, CallRecord) and clean.key and self._may_hold(clean.run):
            return rebuilt(clean, {"key": self._redactor.keyed(clean.key)})
        if isinstance(record, JudgementRecord) and isinstance(clean, JudgementRecord) and clean is not record:
            locks = {record.rubric.lock: clean.rubric.lock}
            judged = self._judgement(clean.judgement, locks, moved=clean.judgement is not record.judgement)
            return rebuilt(clean, {"judgement": judged})
        return clean

    def forget(self, run: str) -> None:
        """Forget a run: it ended, or one of its records could not be redacted, so nothing joins on to it."""
        with self._lock:
            self._runs.pop(run, None)

    def _note(self, run: str, *, replaced: bool) -> None:
        if replaced:
            with self._lock:
                self._run_of(run).replaced = True

    def _may_hold(self, run: str) -> bool:
        """Whether the key of one of the run's calls may be the hash of something that was replaced."""
        with self._lock:
            known = self._runs.get(run)
            return known is None or not known.decided or known.touched or known.replaced

    # --- a step -------------------------------------------------------------------------------

    def _step(self, step: StepRecord) -> StepRecord:
        rubric, locks = step.rubric, {}
        bare = step
        if step.rubric is not None:
            rubric = self._rubric(step.rubric)
            locks[step.rubric.lock] = rubric.lock
            bare = step.model_copy(update={"rubric": None})
        clean = redacted(bare, self._redactor)
        run = self._run_of(step.run)
        if not run.decided:
            # Of a run that is not known from its first prompt on nobody knows what was replaced before.
            run.decided, run.touched = True, bool(step.prompt_kept) or step.tools is None
        run.replaced |= clean is not bare or rubric is not step.rubric
        run.touched |= clean.prompt_added is not bare.prompt_added or clean.tools is not bare.tools
        digest = self._digest(run, clean)
        attempts = clean.attempts
        if run.replaced or run.touched:
            attempts = tuple(
                self._attempt(old, new, locks, moved=run.touched)
                for old, new in zip(bare.attempts, clean.attempts, strict=True)
            )
        if (
            clean is bare
            and rubric is step.rubric
            and attempts is bare.attempts
            and digest == step.state_digest
        ):
            return step
        return rebuilt(clean, {"rubric": rubric, "attempts": attempts, "state_digest": digest})

    def _run_of(self, name: str) -> _Run:
        run = self._runs.get(name)
        if run is None:
            run = self._runs[name] = _Run()
            while len(self._runs) > _RUNS:
                self._runs.popitem(last=False)
        self._runs.move_to_end(name)
        return run

    def _digest(self, run: _Run, step: StepRecord) -> str:
        """The digest of the state that the redacted step was decided in; empty where it cannot be known."""
        kept = step.prompt_kept
        whole = kept <= len(run.prompt)
        run.prompt[kept:] = step.prompt_added
        del run.read[kept:]
        if step.tools is not None:
            run.tools = step.tools
        if not whole:
            run.prompt.clear()
            run.read.clear()
            run.touched = True
        if not run.touched or not step.state_digest:
            return step.state_digest
        if not whole or run.tools is None:
            return ""
        return _read(run)

    # --- judgements ---------------------------------------------------------------------------

    def _attempt(self, old: Attempt, new: Attempt, locks: Mapping[str, str], *, moved: bool) -> Attempt:
        own = {} if old.own is None or new.own is None else {old.own.lock: new.own.lock}
        judged = tuple(self._judgement(one, locks, moved=moved) for one in new.judgements)
        by_own = tuple(self._judgement(one, own, moved=moved) for one in new.own_judgements)
        if all(map(is_, (*judged, *by_own), (*new.judgements, *new.own_judgements))):
            return new
        return rebuilt(new, {"judgements": judged, "own_judgements": by_own})

    def _judgement(self, judgement: Judgement, locks: Mapping[str, str], *, moved: bool) -> Judgement:
        lock = locks.get(judgement.rubric) or self._redactor.keyed(judgement.rubric)
        verdicts = judgement.verdicts
        if moved and any(verdict.evidence for verdict in verdicts):
            verdicts = tuple(map(_without_places, verdicts))
        if lock == judgement.rubric and verdicts is judgement.verdicts:
            return judgement
        return rebuilt(judgement, {"rubric": lock, "verdicts": verdicts})


def _without_places(verdict: Verdict) -> Verdict:
    """The verdict without where its quotes stand: what was replaced before them moved them."""
    evidence = tuple(
        piece if piece.start is None else Evidence(message_id=piece.message_id, quote=piece.quote)
        for piece in verdict.evidence
    )
    return verdict if evidence == verdict.evidence else rebuilt(verdict, {"evidence": evidence})


def _read(run: _Run) -> str:
    from langchain_core.messages import SystemMessage, messages_from_dict

    from coreact.host.messages import StateReader

    try:
        run.read += cast("list[AnyMessage]", messages_from_dict(run.prompt[len(run.read) :]))
        messages, system = run.read, ""
        if messages and isinstance(messages[0], SystemMessage):
            system, messages = str(messages[0].text), messages[1:]
        run.reader = run.reader or StateReader()
        return run.reader.read(messages, tools=run.tools or (), system=system).digest
    except (CoReActError, ValueError, KeyError, TypeError):  # messages that cannot be read have no state
        return ""
