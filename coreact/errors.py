"""Every error this library raises on purpose, in one tree.

A caller can tell from the type who must act: the user (bad input, exit code 2), or somebody
who runs a model, a disk or a server (exit code 1). Each error says what happened and, in
`remedy`, what to do about it. LangGraph's control-flow exceptions (`GraphBubbleUp` and its
children) are not here: they are not failures and always pass through.

    CoReActError
    ├── UserError                  the input or the settings are wrong; exit code 2
    │   ├── ConfigError            an unknown or contradictory setting
    │   ├── RubricParseError       text or JSON that is no rubric (`reason`, `line` or `where`, `path`)
    │   ├── RubricLockError        a bundle's content is not what its lock says (`stored`, `computed`, `path`)
    │   ├── ToolSchemaError        a tool whose JSON schema is broken (`tool`)
    │   ├── MessagesError          a message list no provider would accept (`index`)
    │   ├── WorldError             a corpus or question file that cannot be used (`path`, `line`)
    │   ├── LabelFileError         a file of labelled cases or verdicts that cannot be used (`path`, `line`)
    │   ├── ExperimentMismatchError an experiment's folder holds another experiment (`folder`, `differences`)
    │   ├── MissingExtraError      an optional dependency is not installed (`extra`)
    │   ├── ModelFileError         no usable model file (`path`)
    │   ├── TraceFileError         a file of traces from elsewhere that cannot be used (`path`, `line`)
    │   ├── ExportError            the runs meant cannot become the rows asked for
    │   └── RunNotFoundError       no stored run has this id (`run`)
    ├── GenerationError            a rubric generator failed (`generator`, `cause`)
    ├── JudgingError               a judge failed (`judge`, `cause`)
    ├── ModelCallError             the agent's model failed: in a call that guidance added, or under the CLI
    ├── ReplayDivergenceError      a replayed run took another way than the recorded one (`run`, `step`)
    ├── StoreError                 a store (traces, rubrics) cannot be read or written (`path`)
    ├── TrainingError              training cannot go on (`step`, `checkpoint`)
    │   ├── TrainingDivergedError  the loss or the gradient is no number
    │   └── TrainingPausedError    the judge gave no verdict for several batches in a row
    ├── TelemetryError             an OTLP endpoint is down or refuses what it is sent (`endpoint`)
    └── LocalServerError           the embedded model server is down or complains (`port`, `status_code`)
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

Cause = Literal["transport", "rate_limit", "refusal", "parse", "budget", "bug", "unsupported"]
"""What broke where the instrument is at fault. `transport`: no or a broken connection; `rate_limit`:
too many requests; `refusal`: the judge declined; `parse`: its reply was not what was asked for;
`budget`: tokens, money or time ran out; `bug`: anything else, ours or the setup's; `unsupported`: it
claimed what it could not quote evidence for."""


class CoReActError(Exception):
    """Base of the tree: what happened, and the remedy."""

    exit_code: int = 1
    """Exit code of the command line when this error ends it."""

    def __init__(self, what: str, *, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what} {self.remedy}".rstrip()


class UserError(CoReActError):
    """The caller's input or settings are wrong."""

    exit_code = 2


class ConfigError(UserError):
    """A setting is unknown, out of range, or contradicts another."""


class RubricParseError(UserError):
    """A rubric could not be read: as text, as JSON, or from a file."""

    def __init__(
        self,
        reason: str,
        *,
        line: int | None = None,
        where: str = "",
        path: Path | None = None,
        remedy: str = "",
    ) -> None:
        place = f"Line {line} of the rubric text" if line is not None else f"The rubric's {where or 'JSON'}"
        super().__init__(f"{f'{path}: ' if path else ''}{place}: {reason}.", remedy=remedy)
        self.reason = reason
        self.line = line
        """1-based line number of the offending line, where one line is to blame."""
        self.where = where
        """The offending part of a rubric in JSON, e.g. `criteria[2].depends_on`."""
        self.path = path
        """The file, where the rubric was read from one."""


class RubricLockError(UserError):
    """A rubric bundle was changed after it was locked, or its lock was never one of this content."""

    def __init__(
        self, what: str, *, stored: str, computed: str, path: Path | None = None, remedy: str = ""
    ) -> None:
        super().__init__(f"{path}: {what}" if path else what, remedy=remedy)
        self.stored = stored
        """The lock that stands in the file."""
        self.computed = computed
        """The lock of what stands in the file."""
        self.path = path


class ToolSchemaError(UserError):
    """A tool's JSON schema is not a valid JSON schema."""

    def __init__(self, what: str, *, tool: str, remedy: str = "") -> None:
        super().__init__(what, remedy=remedy)
        self.tool = tool


class MessagesError(UserError):
    """A list of messages breaks the tool-call protocol."""

    def __init__(self, what: str, *, index: int, remedy: str = "") -> None:
        super().__init__(what, remedy=remedy)
        self.index = index
        """0-based position of the offending message."""


class WorldError(UserError):
    """A corpus or a question file cannot be used."""

    def __init__(
        self, what: str, *, path: Path | None = None, line: int | None = None, remedy: str = ""
    ) -> None:
        super().__init__(what, remedy=remedy)
        self.path = path
        self.line = line
        """1-based line number, where one line is to blame."""


class LabelFileError(UserError):
    """A file of labelled cases, or of a judge's verdicts on them, cannot be used; none of it was loaded."""

    def __init__(
        self, what: str, *, path: Path | None = None, line: int | None = None, remedy: str = ""
    ) -> None:
        super().__init__(what, remedy=remedy)
        self.path = path
        self.line = line
        """1-based line number, where one line is to blame."""


class ExperimentMismatchError(UserError):
    """An experiment was to go on under settings other than those it began with; nothing was run."""

    def __init__(self, folder: Path, differences: tuple[str, ...]) -> None:
        super().__init__(
            f"The experiment in {folder} was begun under other settings: {'; '.join(differences)}.",
            remedy="Give the settings it began with, or another folder.",
        )
        self.folder = folder
        self.differences = differences
        """What differs, one entry for each setting."""


class MissingExtraError(UserError):
    """A feature needs an optional dependency that is not installed."""

    def __init__(self, feature: str, *, extra: str) -> None:
        super().__init__(
            f"{feature} needs packages that are not installed.",
            remedy=f"Install them with: pip install 'coreact[{extra}]'",
        )
        self.extra = extra


class ModelFileError(UserError):
    """A model file is missing, unreadable or not what its checksum says."""

    def __init__(self, what: str, *, path: Path | None = None, remedy: str = "") -> None:
        super().__init__(what, remedy=remedy)
        self.path = path


class TraceFileError(UserError):
    """A file of traces that something else wrote cannot be read; nothing of it was stored."""

    def __init__(
        self, what: str, *, path: Path | None = None, line: int | None = None, remedy: str = ""
    ) -> None:
        super().__init__(what, remedy=remedy)
        self.path = path
        self.line = line
        """1-based line number, where one line is to blame."""


class ExportError(UserError):
    """The runs that are meant cannot become the rows that are asked for; no file was written."""


class RunNotFoundError(UserError):
    """No stored run has this id."""

    def __init__(self, run: str, *, remedy: str = "") -> None:
        super().__init__(f"No stored run has the id {run!r}.", remedy=remedy)
        self.run = run


class GenerationError(CoReActError):
    """A rubric generator failed, timed out, or wrote something that may not guide."""

    def __init__(self, what: str, *, generator: str, cause: Cause = "bug", remedy: str = "") -> None:
        super().__init__(what, remedy=remedy)
        self.generator = generator
        self.cause = cause
        """What broke."""


class JudgingError(CoReActError):
    """A judge failed. The criteria it was asked about stay `unknown`, never met or unmet."""

    def __init__(self, what: str, *, judge: str, cause: Cause = "bug", remedy: str = "") -> None:
        super().__init__(what, remedy=remedy)
        self.judge = judge
        self.cause = cause
        """What broke."""


class ModelCallError(CoReActError):
    """The agent's own model failed.

    In a call that guidance added (a retry, one of several candidates) the attempts before it stand;
    the command line ends with it where the model could not be called at all.
    """


class ReplayDivergenceError(CoReActError):
    """A replayed run asked for something that the recorded one did not, or decided otherwise."""

    def __init__(self, what: str, *, run: str, step: int, remedy: str = "") -> None:
        super().__init__(what, remedy=remedy)
        self.run = run
        self.step = step
        """0-based number of the first decision that differs."""


class StoreError(CoReActError):
    """A store (of traces, of rubrics) cannot be opened, read or written."""

    def __init__(self, what: str, *, path: Path | None = None, remedy: str = "") -> None:
        super().__init__(what, remedy=remedy)
        self.path = path


class TelemetryError(CoReActError):
    """An OTLP endpoint is down, or refused spans or events; the store has them still."""

    def __init__(self, what: str, *, endpoint: str, remedy: str = "") -> None:
        super().__init__(what, remedy=remedy)
        self.endpoint = endpoint


class LocalServerError(CoReActError):
    """The embedded model server did not start, or died."""

    def __init__(
        self, what: str, *, port: int | None = None, status_code: int | None = None, remedy: str = ""
    ) -> None:
        super().__init__(what, remedy=remedy)
        self.port = port
        self.status_code = status_code
        """HTTP status of the server's complaint; 413 where the prompt is longer than its context."""


class TrainingError(CoReActError):
    """Training cannot go on. What was learned up to the last checkpoint is kept; the run can be resumed."""

    def __init__(
        self, what: str, *, step: int | None = None, checkpoint: Path | None = None, remedy: str = ""
    ) -> None:
        super().__init__(what, remedy=remedy)
        self.step = step
        """Steps of the stage that were done."""
        self.checkpoint = checkpoint
        """The last whole checkpoint; None where there is none yet."""


class TrainingDivergedError(TrainingError):
    """The loss or the gradient is no number: the weights of this step are not kept."""


class TrainingPausedError(TrainingError):
    """The judge gave no verdict for several batches in a row: nothing can be learned until it is back."""
