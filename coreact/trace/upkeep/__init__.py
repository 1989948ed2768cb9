"""Care of a trace file: is it whole (`verify`), what can go (`collect`), several into one (`merge`).

Only here is anything ever removed from a file, and only when somebody asks for it.
"""

from coreact.trace.upkeep.collecting import Collected, collect
from coreact.trace.upkeep.merging import Merged, merge
from coreact.trace.upkeep.verifying import Problem, Verified, verify

__all__ = ["Collected", "Merged", "Problem", "Verified", "collect", "merge", "verify"]
