"""Training rows as files: split by question, balanced where asked, with a manifest of what they rest on.

Points are read one at a time and rows written as they come, so a hundred thousand of them need no memory. All
points of a question lie in one split, dealt by the hash of its id; only then is the training split balanced,
so that nothing is measured on a doctored mixture. What became no row is counted by reason.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from coreact import __version__
from coreact.errors import ExportError
from coreact.generate.prompt import Form, step_version
from coreact.generate.reading import READER
from coreact.rubric import Record
from coreact.rubric.branching import BranchingPoint
from coreact.rubric.settings import Settings
from coreact.trace.export.json_text import clean
from coreact.trace.export.manifest import MANIFEST
from coreact.trace.export.rows import Columns
from coreact.trace.export.settings import FileKind
from coreact.trace.export.splitting import split_of
from coreact.trace.export.writing import Folder
from coreact.train.balance import Balance
from coreact.train.points import by_one_panel, judges_of, point_files, read_points
from coreact.train.rows import Left, Row, dpo_rows, prompt_rows, sft_rows, verl_rows
from coreact.train.teaching import MOST_LINES, TEACHER, Aim

RowKind = Literal["prompt", "sft", "dpo", "verl"]
"""What the rows are for. `prompt`: TRL's GRPO and RLOO; `sft`: imitation of the teacher; `dpo`: pairs of
replies that are drawn, since a sampled model is no file's business; `verl`: verl's RL data sets."""

TRAIN = "train"
"""The split that is trained on, and so the only one that may be balanced."""

_POINT: Columns = {"prompt": "messages", "point": "text", "point_id": "text", "question_id": "text"}
_COLUMNS: dict[RowKind, Columns] = {
    "prompt": _POINT,
    "sft": {**_POINT, "completion": "messages"},
    "dpo": {**_POINT, "chosen": "messages", "rejected": "messages", "margin": "number"},
    "verl": {
        "data_source": "text",
        "prompt": "messages",
        "ability": "text",
        "reward_model": {"style": "text", "ground_truth": "text"},
        "extra_info": {
            "split": "text",
            "index": "integer",
            "form": "text",
            "point_id": "text",
            "question_id": "text",
        },
    },
}


class RowSettings(Settings):
    """How rows are made of points."""

    kind: RowKind
    form: Form = "sheet"
    file: FileKind = "jsonl"
    split: tuple[tuple[str, float], ...] = ((TRAIN, 0.9), ("test", 0.1))
    """Names and shares, which add up to 1; the paper's shares by default."""
    seed: int = 0
    """Which questions go where, which points balance drops, which replies are drawn."""
    most_of_a_kind: float = Field(default=1.0, gt=0, le=1)
    """Greatest share of training points whose best action is of one kind (a tool, or the answer); what is
    above it is dropped by hash. 1 balances nothing."""
    mix_judges: bool = False
    """Take points that different judges ranked into one set of files."""
    aim: Aim = "order"
    """What the teacher's replies are best at."""
    least_lines: int = Field(default=1, ge=1, le=MOST_LINES)
    """Fewest lines of the teacher's replies."""
    most_lines: int = Field(default=MOST_LINES, ge=1, le=MOST_LINES)
    least_spearman: float = Field(default=0.0, ge=0, le=1)
    """Agreement with the gains below which the teacher's reply is not taught."""
    margin: float = Field(default=0.2, gt=0, le=1)
    """Least difference in score between the sides of a pair."""
    most_pairs: int = Field(default=2, ge=1)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        shares = [share for _, share in self.split]
        if not shares or min(shares) <= 0 or abs(sum(shares) - 1) > 1e-9:
            raise ValueError("the shares of the splits must be positive and add up to 1")
        if len({name for name, _ in self.split}) != len(shares):
            raise ValueError("the names of the splits must differ")
        if self.least_lines > self.most_lines:
            raise ValueError("a reply cannot have more lines than it may have")
        return self


class Source(Record):
    """A file that points were read from."""

    path: str
    sha256: str
    points: int


class RowSplit(Record):
    """What went into one split."""

    file: str | None
    """None where no row did, so that no file was written."""
    sha256: str | None
    rows: int
    points: int
    """Points that gave at least one row."""
    questions: int


class RowManifest(Record):
    """What the files were made from, exactly enough to make them again."""

    exporter: str = f"coreact {__version__}"
    settings: RowSettings
    prompt_version: str
    """Version of the prompts, see `coreact.generate.prompt`."""
    reader_version: int = READER
    """Version of how replies are read."""
    teacher_version: int = TEACHER
    sources: tuple[Source, ...]
    judges: tuple[str, ...]
    """Whose labels they are: judges by id, or `measured`."""
    points: int
    """Points read."""
    splits: dict[str, RowSplit]
    left_out: dict[str, int]
    """How often a point became no row, by reason; see `coreact.train.rows.Left`. Besides, `duplicate`: a
    point of this id was there before; `balanced`: there were too many of its kind."""

    def text(self) -> str:
        """The file."""
        return json.dumps(clean(self.model_dump(mode="json")), ensure_ascii=False, indent=2) + "\n"


def write_rows(
    paths: str | Path | Sequence[str | Path],
    out: str | Path,
    settings: RowSettings,
    *,
    watch: Callable[[], object] | None = None,
) -> RowManifest:
    """Write the rows of stored points into a new folder: one file a split, and `manifest.json`.

    There is either the whole folder or none.

    Args:
        paths: what holds the points, see `read_points`.
        out: the folder. It must not exist, or be empty.
        settings: what rows.
        watch: called after each point.

    Raises:
        ConfigError: points of different judges would be mixed, or the teacher does not write the form.
        ExportError: no row came of the points, or the folder cannot be written.
        LabelFileError: a file cannot be read, or a line of it is no point.
        MissingExtraError: Parquet or the teacher needs a package that is not installed.
    """
    files = point_files(paths)
    tally = _Tally(settings)
    balance = _balance(files, settings)
    with Folder(Path(out)) as folder:
        for point in by_one_panel(tally.read(files), mix=settings.mix_judges):
            split = split_of(point.question_id, settings.split, settings.seed)
            if split == TRAIN and not balance.keeps(point):
                tally.left["balanced"] += 1
            else:
                rows = 0
                for row in _rows(point, split, settings, tally):
                    folder.add_row(split, row, columns=_COLUMNS[settings.kind], file=settings.file)
                    rows += 1
                tally.gave(split, point, rows)
            if watch is not None:
                watch()
        if not sum(tally.rows.values()):
            raise ExportError(f"No row came of {tally.points} points.", remedy=_why(tally.left))
        manifest = tally.manifest(folder.finish())
        folder.add(MANIFEST, manifest.text())
    return manifest


def _rows(point: BranchingPoint, split: str, settings: RowSettings, tally: _Tally) -> Iterator[Row]:
    one, form, left = [point], settings.form, tally.left
    if settings.kind == "prompt":
        return prompt_rows(one, form=form, left=left)
    if settings.kind == "verl":
        return verl_rows(one, form=form, split=split, first=tally.points - 1, left=left)
    if settings.kind == "dpo":
        return dpo_rows(
            one,
            form=form,
            seed=settings.seed,
            margin=settings.margin,
            most_pairs=settings.most_pairs,
            left=left,
        )
    return sft_rows(
        one,
        form=form,
        least=settings.least_lines,
        most=settings.most_lines,
        aim=settings.aim,
        least_spearman=settings.least_spearman,
        left=left,
    )


def _balance(files: Sequence[Path], settings: RowSettings) -> Balance:
    """What balance drops. Points are read once more for it: a share is known only at the end."""
    if settings.most_of_a_kind == 1:
        return Balance({}, seed=settings.seed)
    train = (
        point
        for point in read_points(files)
        if point.has_contrast and split_of(point.question_id, settings.split, settings.seed) == TRAIN
    )
    return Balance.of(train, seed=settings.seed, most=settings.most_of_a_kind)


def _why(left: Left) -> str:
    told = ", ".join(f"{reason.replace('_', ' ')} {count}" for reason, count in left.most_common())
    return f"Left out: {told or 'nothing; the files hold no points'}."


class _Tally:
    """Counts while rows are written; what it keeps grows by some bytes a point."""

    def __init__(self, settings: RowSettings) -> None:
        self.settings = settings
        self.left: Left = Counter()
        self.rows: Counter[str] = Counter()
        self.points = 0
        self._sources: list[Source] = []
        self._seen: set[bytes] = set()
        self._judges: set[str] = set()
        self._useful: Counter[str] = Counter()
        self._questions: dict[str, set[bytes]] = {}

    def read(self, files: Iterable[Path]) -> Iterator[BranchingPoint]:
        """The points of all files, each id once."""
        for path in files:
            before = self.points
            for point in read_points(path):
                self.points += 1
                key = _key(point.id)
                if key in self._seen:
                    self.left["duplicate"] += 1
                else:
                    self._seen.add(key)
                    yield point
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            self._sources.append(Source(path=str(path), sha256=digest, points=self.points - before))

    def gave(self, split: str, point: BranchingPoint, rows: int) -> None:
        """Count a point that was made into rows, or into none."""
        if rows:
            self.rows[split] += rows
            self._useful[split] += 1
            self._judges |= judges_of(point)
            self._questions.setdefault(split, set()).add(_key(point.question_id))

    def manifest(self, files: dict[str, str]) -> RowManifest:
        """What was counted; `files` are SHA-256 by file name."""
        by_split = {name.rpartition(".")[0]: name for name in files}
        return RowManifest(
            settings=self.settings,
            prompt_version=step_version(self.settings.form),
            sources=tuple(self._sources),
            judges=tuple(sorted(self._judges)),
            points=self.points,
            splits={
                name: RowSplit(
                    file=by_split.get(name),
                    sha256=files.get(by_split.get(name, "")),
                    rows=self.rows[name],
                    points=self._useful[name],
                    questions=len(self._questions.get(name, ())),
                )
                for name, _ in self.settings.split
            },
            left_out=dict(sorted(self.left.items())),
        )


def _key(name: str) -> bytes:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:16]
