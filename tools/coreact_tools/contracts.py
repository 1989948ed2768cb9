"""What every tool here says of itself, beside its JSON schema: the keys of `tool.metadata`.

`role`
    What the tool is for: `search` finds things, `read` shows one of them, `compute` works something out,
    `answer` ends the work. None where nobody told (a tool of a foreign MCP server).
`read_only`
    True: calling it changes nothing anywhere, so it may start early, run twice, or be left out. None where
    nobody told, which is to be taken as "may change something".
`cost`
    US dollars that one call costs at whoever bills for it: 0.0 for what runs here or is free of charge, None
    where it is not known. It is the price asked for, not a measurement: set what your plan says.
"""

from __future__ import annotations

from typing import Any, Literal

Role = Literal["search", "read", "compute", "answer"]


def contract(role: Role | None, *, read_only: bool | None = True, cost: float | None = 0.0) -> dict[str, Any]:
    """The metadata of a tool.

    Args:
        role: what it is for; None if unknown.
        read_only: whether a call changes nothing; None if unknown.
        cost: US dollars a call; None if unknown.
    """
    return {"role": role, "read_only": read_only, "cost": cost}
