"""The embedded model in one line: file, server and chat model together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coreact.local.chat import LocalChatModel
from coreact.local.pull import pull
from coreact.local.server import LocalServer


@contextmanager
def open_local_model(
    gguf: Path | None = None, *, threads: int = 1, temperature: float = 0.0, seed: int = 0
) -> Iterator[LocalChatModel]:
    """Fetch the model if need be, serve it, and yield a chat model; end the server afterwards.

        with open_local_model() as model:
            agent = create_agent(model, [search])

    Args:
        gguf: A GGUF file; None means the default model, downloaded once (93 MB).
        threads: Processor threads; more than there are free cores makes it far slower.
        temperature: In [0, 2]; 0 takes the likeliest token each time.
        seed: Seed of the sampler.

    Raises:
        ModelFileError: There is no usable model file.
        MissingExtraError: The server library is not installed.
        LocalServerError: The server did not start.
    """
    with LocalServer(pull(gguf), threads=threads) as server:
        yield LocalChatModel(base_url=server.base_url, temperature=temperature, seed=seed)
