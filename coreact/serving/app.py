"""A generator's weights in the form of transformers as an HTTP application.

It answers chats, lists the model and its adapters with the generator's own record (so that a client knows how
to ask), says whether it is ready, and changes adapters while it runs. There is no login: who can reach it
can use it. So it answers for the names it was told only (a page under another name cannot read it), takes
JSON only (a page cannot post it unasked), and changes adapters only where no other machine can reach it, for
that reads folders of this one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from coreact.errors import CoReActError, LocalServerError, UserError
from coreact.generate.trained import GeneratorRecord
from coreact.generate.trained.exchange import PromptTooLongError
from coreact.serving.batching import Batcher, UnknownModelError, Weights
from coreact.serving.protocol import (
    AdapterRequest,
    ChatRequest,
    UnsupportedError,
    complaint,
    completion,
    read,
)

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
"""Hosts that only this machine has."""

_LOG = logging.getLogger(__name__)
_MAX_BYTES = 4 * 2**20


def create_app(
    weights: Weights,
    record: GeneratorRecord,
    *,
    most: int = 8,
    hosts: Sequence[str] = LOOPBACK,
    may_swap: bool = True,
) -> Starlette:
    """The application of one generator.

    Args:
        weights: a `TransformersModel`.
        record: the generator's.
        most: requests of one batch.
        hosts: values of the `Host` header that are served.
        may_swap: whether adapters can be loaded and unloaded by request.
    """
    served = _Served(weights, record, most=most, may_swap=may_swap)

    @asynccontextmanager
    async def working(_: Starlette) -> AsyncIterator[None]:
        worker = asyncio.create_task(served.batcher.run())
        try:
            yield
        finally:
            worker.cancel()
            with suppress(asyncio.CancelledError):
                await worker

    return Starlette(
        routes=[
            Route("/health", served.health),
            Route("/v1/models", served.models),
            Route("/v1/chat/completions", served.chat, methods=["POST"]),
            Route("/v1/load_lora_adapter", served.load, methods=["POST"]),
            Route("/v1/unload_lora_adapter", served.unload, methods=["POST"]),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)],
        exception_handlers={CoReActError: _failed, HTTPException: _refused, Exception: _broken},
        lifespan=working,
    )


class _Served:
    """The handlers, and what they share."""

    def __init__(self, weights: Weights, record: GeneratorRecord, *, most: int, may_swap: bool) -> None:
        self.batcher = Batcher(weights, most=most)
        self._weights = weights
        self._record = record
        self._may_swap = may_swap

    async def health(self, _: Request) -> Response:
        return JSONResponse(
            {
                "status": "ok",
                "ready": True,
                "model": self._record.name,
                "version": self._record.version,
                "adapters": list(self._weights.adapters),
                "waiting": self.batcher.waiting,
                "batches": self.batcher.batches,
            }
        )

    async def models(self, _: Request) -> Response:
        about = {"object": "model", "created": 0, "owned_by": "coreact"}
        about["coreact"] = self._record.model_dump(mode="json")
        data = [{"id": self._record.name, "parent": None, **about}]
        data += [{"id": name, "parent": self._record.name, **about} for name in self._weights.adapters]
        return JSONResponse({"object": "list", "data": data})

    async def chat(self, request: Request) -> Response:
        wanted: ChatRequest = read(await _body(request), ChatRequest)
        name = wanted.model or self._record.name
        adapter = None if name == self._record.name else name
        if adapter is not None and adapter not in self._weights.adapters:
            raise UnknownModelError(adapter, (self._record.name, *self._weights.adapters))
        asked = wanted.asked(self._record)
        try:
            found = await self.batcher.reply(asked, adapter=adapter)
        except CoReActError:
            raise
        except Exception as error:
            # The log has it whole; a client gets only its kind, since such texts tell of this machine.
            _LOG.exception("A batch failed.")
            raise LocalServerError(
                f"The model failed: {type(error).__name__}.",
                status_code=500,
                remedy="Look at the server's log.",
            ) from error
        return JSONResponse(completion(name, found))

    async def load(self, request: Request) -> Response:
        wanted = await self._change(request)
        if wanted.lora_path is None or wanted.lora_name == self._record.name:
            raise UnsupportedError(
                "An adapter needs a `lora_path` and a name of its own.", remedy="Give both."
            )
        await self.batcher.load(wanted.lora_name, Path(wanted.lora_path))
        return JSONResponse({"status": "loaded", "adapters": list(self._weights.adapters)})

    async def unload(self, request: Request) -> Response:
        wanted = await self._change(request)
        await self.batcher.unload(wanted.lora_name)
        return JSONResponse({"status": "unloaded", "adapters": list(self._weights.adapters)})

    async def _change(self, request: Request) -> AdapterRequest:
        if not self._may_swap:
            raise HTTPException(403, "Adapters are changed only where no other machine reaches the server.")
        wanted: AdapterRequest = read(await _body(request), AdapterRequest)
        return wanted


async def _body(request: Request) -> bytes:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "Send application/json.")
    found = bytearray()
    async for chunk in request.stream():
        found += chunk
        if len(found) > _MAX_BYTES:
            raise HTTPException(413, f"A request may have {_MAX_BYTES} bytes.")
    return bytes(found)


async def _failed(_: Request, error: Exception) -> Response:
    status, code = 500, None
    if isinstance(error, PromptTooLongError):
        status, code = 400, "context_length_exceeded"
    elif isinstance(error, LocalServerError):
        status = error.status_code or 500
    elif isinstance(error, UserError):
        status = 400
    kind = "invalid_request_error" if status < 500 else "server_error"
    return _json(complaint(str(error), kind=kind, code=code), status)


async def _broken(_: Request, error: Exception) -> Response:
    """Whatever else goes wrong, a bug of ours; it is raised again behind the reply, and logged there."""
    return _json(complaint(f"The server failed: {type(error).__name__}.", kind="server_error"), 500)


async def _refused(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    said: Any = error.detail if isinstance(error, HTTPException) else ""
    return _json(complaint(str(said), kind="invalid_request_error"), status)


def _json(content: bytes, status: int) -> Response:
    return Response(content, status, media_type="application/json")
