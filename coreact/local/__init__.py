"""The embedded model: a small real language model served on this machine.

It exists so that tests, examples and first steps run against a true model without an account, a
key or a GPU. It is not meant to be good at anything: 135 million parameters are few.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

# Not lazy: the function must take the name that its own module would otherwise have here.
from coreact.local.pull import LocalStatus, check_gguf, pull, status

if TYPE_CHECKING:
    from coreact.local.chat import LocalChatModel
    from coreact.local.server import LocalServer
    from coreact.local.session import open_local_model

__all__ = [
    "LocalChatModel",
    "LocalServer",
    "LocalStatus",
    "check_gguf",
    "open_local_model",
    "pull",
    "status",
]

_HOME = {
    "LocalChatModel": "chat",
    "LocalServer": "server",
    "open_local_model": "session",
}


def __getattr__(name: str) -> Any:
    # LangChain and httpx take a second to import; who only asks for the status need not wait.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
