"""Search where something is missing: open nodes become queries, and two ways to gather for a comparison."""

from coreact.research.gaps.gathering import Fixed, GapDriven, Gathered
from coreact.research.gaps.links import Link, links
from coreact.research.gaps.proposing import Gap, gaps
from coreact.research.gaps.writing import QueryWriter

__all__ = ["Fixed", "Gap", "GapDriven", "Gathered", "Link", "QueryWriter", "gaps", "links"]
