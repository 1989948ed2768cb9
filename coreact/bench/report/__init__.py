"""What an experiment says: `figures` adds up, `page` and `table` show. Nothing here runs anything."""

from __future__ import annotations

from coreact.bench.report.figures import ArmFigures, Difference, Figure, Report, report
from coreact.bench.report.page import html, write_report
from coreact.bench.report.table import tables

__all__ = ["ArmFigures", "Difference", "Figure", "Report", "html", "report", "tables", "write_report"]
