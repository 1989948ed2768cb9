"""Runs that other tools recorded, read as trajectories: OTLP, OpenInference, LangSmith, ATIF, chat files.

What comes out is as a guided run would have left it, without rubrics: it can be judged, compared, exported
and trained on. One module a format; `turns` makes the records. Nothing is stored here: that does
`coreact.trace.recording`.
"""

from coreact.trace.importing.importing import Imported, TraceFormat, read_traces
from coreact.trace.importing.reading import LeftOut

__all__ = ["Imported", "LeftOut", "TraceFormat", "read_traces"]
