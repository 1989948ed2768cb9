"""Find the runnable agents: in the repository beside the package, or inside the installed wheel."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import coreact
from coreact.errors import ConfigError

_PACKAGE = Path(coreact.__file__).parent
_PLACES = (_PACKAGE / "_recipes" / "agents", _PACKAGE.parent / "agents")


def agents() -> dict[str, Path]:
    """The `graph.py` of every agent, by the name of its folder."""
    found: dict[str, Path] = {}
    for place in _PLACES:
        for path in sorted(place.glob("*/graph.py")):
            found.setdefault(path.parent.name, path)
    return found


def load_agent(name: str) -> ModuleType:
    """Import an agent's `graph.py`; it has a `build(model, tools, *, middleware, tool_calls)`.

    Raises:
        ConfigError: there is no such agent.
    """
    known = agents()
    if name not in known:
        raise ConfigError(f"There is no agent {name!r}.", remedy=f"Agents are: {', '.join(known) or 'none'}.")
    spec = importlib.util.spec_from_file_location(f"coreact_agent_{name}", known[name])
    if spec is None or spec.loader is None:
        raise ConfigError(f"The agent {name!r} at {known[name]} cannot be imported.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
