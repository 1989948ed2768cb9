"""`bm25s`, loaded when it is needed and without what loading it does to the process.

Importing it sets the level of its logger, and so the logging of the whole program. The level is put back,
under a lock: of two threads that load it at once, one would otherwise put back what the other one found
half way.
"""

from __future__ import annotations

import logging
import threading
from types import ModuleType

from coreact.errors import MissingExtraError

_LOADING = threading.Lock()


def bm25s(feature: str) -> ModuleType:
    """The module.

    Args:
        feature: what needs it, for the error.

    Raises:
        MissingExtraError: the extra `worlds` is not installed.
    """
    logger = logging.getLogger("bm25s")
    with _LOADING:
        level = logger.level
        try:
            import bm25s as loaded
        except ImportError as missing:
            raise MissingExtraError(feature, extra="worlds") from missing
        finally:
            logger.setLevel(level)
    module: ModuleType = loaded
    return module
