"""Searches that a policy might try: names that were met, alone and with a word of the question.

The scripted policies make few mistakes, and always the same, so any rubric that speaks against those ranks
well. A guess is a search that may or may not find something; points with guesses tell a rubric that names
the right lead from one that only forbids repeating. Drawn by the point's id, from what its sheet shows.
"""

from __future__ import annotations

from random import Random

from coreact.generate.sheet import sheet
from coreact.rubric import Action, ToolCall
from coreact.train.branch.sampling import Decision


class Guesses:
    """Guesses for a decision, as the function of a sampler (`sampling.Policy`).

    Args:
        most: most guesses at one decision, at least 1.
    """

    def __init__(self, most: int) -> None:
        self._most = most

    @property
    def id(self) -> str:
        """Of the sampler: what decides how it proposes."""
        return f"guess {self._most}"

    def of(self, decision: Decision) -> list[tuple[str, Action]]:
        """Searches for names of the state's sheet; none where no tool searches or no name was met."""
        tool = next((one for one in decision.state.tools if one.role == "search"), None)
        page = sheet(decision.state)
        if tool is None or tool.text_argument is None or not page.names:
            return []
        draw = Random(f"guesses|{decision.id}")
        queries = [one.name for one in page.names]
        queries += [f"{one.name} {word}" for one in page.names for word in page.words]
        chosen = draw.sample(queries, min(self._most, len(queries)))
        return [
            ("guess", Action(call=ToolCall(name=tool.name, arguments={tool.text_argument: query})))
            for query in chosen
        ]
