"""Who revises a report that was checked and rejected: a chat model that keeps the citations that hold.

It is `coreact.refine.reviser` told how sources are cited: a report without its citations is worth nothing.
"""

from __future__ import annotations

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import Runnable

from coreact.judge.transcript import UNTRUSTED
from coreact.refine import Revised, Revision, reviser

_RULES = f"""\
You revise a report that was checked and rejected. You get the question, what was observed, the report, and \
the feedback of the check. Change what the feedback asks for and nothing else. A source is cited by the id \
in brackets with which it stands in the observations, as the report does it: keep the citations that are not \
spoken of, and add none for what was not observed. A statement that no source makes must go. Reply with the \
whole revised report and nothing else.

{UNTRUSTED}"""


def report_reviser(model: BaseChatModel, *, max_chars: int = 24_000) -> Runnable[Revision, Revised]:
    """Make a chat model a reviser of reports: one call a revision, without tools.

    Args:
        model: whom to ask.
        max_chars: most characters of trajectory and report in the prompt.
    """
    return reviser(model, rules=_RULES, max_chars=max_chars)
