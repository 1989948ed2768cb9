"""How much of a run's content is kept: nothing, everything but secrets, or all of it."""

from coreact.trace.privacy.redacting import Redaction
from coreact.trace.privacy.redactor import Finder, Redactor
from coreact.trace.privacy.withholding import WITHHELD, withheld

__all__ = ["WITHHELD", "Finder", "Redaction", "Redactor", "withheld"]
