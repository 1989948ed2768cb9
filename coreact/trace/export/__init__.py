"""Judged runs as rows to train on: the formats that trainers read, with a manifest of what they rest on.

Candidates of one step share their whole prefix, and the record says who rejected which and on what evidence.
Rows keep that: a label is whoever's you choose, an instrument's fault is none, and what became no row is
counted by reason. Nothing here trains, scores or judges.
"""

from coreact.trace.export.exporting import export, rows_of
from coreact.trace.export.formats import FORMATS
from coreact.trace.export.labels import HUMAN, RUN, Label, Labeller
from coreact.trace.export.manifest import MANIFEST, Manifest, SplitCount
from coreact.trace.export.rows import Format, Left, Row
from coreact.trace.export.settings import ExportSettings, parse_split
from coreact.trace.export.splitting import split_of

__all__ = [
    "FORMATS",
    "HUMAN",
    "MANIFEST",
    "RUN",
    "ExportSettings",
    "Format",
    "Label",
    "Labeller",
    "Left",
    "Manifest",
    "Row",
    "SplitCount",
    "export",
    "parse_split",
    "rows_of",
    "split_of",
]
