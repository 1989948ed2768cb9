"""Records to rows and back: the only place that knows which column holds which field.

Reading gives back equal records, also where the text is no valid Unicode, as text from models now and
then is not. What JSON has no word for is kept as `{"$repr": type name}`; integers and NaN stay what they
are.
"""

from coreact.trace.rows.reading import (
    matching_runs,
    read_scores,
    read_summaries,
    read_trajectory,
    selected_runs,
)
from coreact.trace.rows.writing import Snapshot, Writer, snapshot

__all__ = [
    "Snapshot",
    "Writer",
    "matching_runs",
    "read_scores",
    "read_summaries",
    "read_trajectory",
    "selected_runs",
    "snapshot",
]
