"""A LangChain chat model for small models that have no tool calling of their own.

It speaks to any OpenAI-compatible `/v1/chat/completions` endpoint that samples under a JSON
schema (`response_format`), and makes tool calls out of such replies. A reply that is cut short is
passed on as the text it is, never patched into a call nobody made.

It does not stream, does not retry, and does not check arguments against a tool's schema: that is
the tool node's (and the judge's) work.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, ToolCall
from langchain_core.messages.ai import InputTokenDetails, UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import ConfigDict, Field, PrivateAttr

from coreact.errors import ConfigError, LocalServerError
from coreact.local.rendering import render
from coreact.local.tool_schema import ANSWER_FACTOR, reply_schema

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_LIMITS = httpx.Limits(max_keepalive_connections=0)
"""No idle connection is kept: none to close, none that belongs to an event loop that has ended."""
_PER_CALL = frozenset({"temperature", "seed", "max_tokens", "response_format"})
_MAX_CHARS = 2000


class LocalChatModel(BaseChatModel):
    """Chat with the embedded model, or with any server of the same protocol.

    The same messages, settings and seed give the same reply on the same machine.

    Raises (on every call):
        LocalServerError: The server cannot be reached, is too slow, refuses the request, or the
            prompt is longer than its context.
        MessagesError: A message holds something other than text.
        ConfigError, ToolSchemaError: The call's settings or a bound tool cannot be used.
    """

    model_config = ConfigDict(extra="forbid")

    base_url: str
    """Root of the endpoint, up to and including `/v1`."""
    model: str = "SmolLM2-135M-Instruct"
    """Name sent to the server; the embedded server has one model and ignores it."""
    temperature: float = Field(default=0.0, ge=0.0, le=2.0)
    """0 takes the likeliest token each time."""
    seed: int = Field(default=0, ge=0)
    """Seed of the server's sampler; matters above temperature 0."""
    max_tokens: int = Field(default=256, ge=1)
    """Longest reply, in tokens."""
    timeout_seconds: float = Field(default=120.0, gt=0.0)
    """Time one request may take, in seconds."""
    max_argument_chars: int = Field(default=120, ge=1, le=_MAX_CHARS // ANSWER_FACTOR)
    """Longest free string inside tool arguments, in characters; answers may be four times as long.

    A string that reached its bound is told by `response_metadata["finish_reason"] == "length"`.
    """

    _client: httpx.Client | None = PrivateAttr(default=None)
    _async_client: httpx.AsyncClient | None = PrivateAttr(default=None)

    @property
    def _llm_type(self) -> str:
        return "coreact-local"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        fields = ("base_url", "model", "temperature", "seed", "max_tokens", "max_argument_chars")
        return {name: getattr(self, name) for name in fields}

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: Any = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Offer `tools` with each call.

        Args:
            tools: Anything LangChain can describe as a function.
            tool_choice: None or `"auto"`, `"any"` or `"required"`, `"none"`, or a tool's name.
            kwargs: Settings to bind along, as in `bind`.

        Raises:
            ConfigError: `tool_choice` names no tool of `tools`.
            ToolSchemaError: A tool's schema refers to something that is not in it.
        """
        described = [convert_to_openai_tool(tool) for tool in tools]
        if described:
            # Fails here, where the tools are named, rather than at the first call.
            reply_schema(described, tool_choice=tool_choice, max_argument_chars=self.max_argument_chars)
        return super().bind(tools=described, tool_choice=tool_choice, **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        request = self._request(messages, stop, kwargs)
        if self._client is None:
            self._client = httpx.Client(limits=_LIMITS, trust_env=self._uses_proxies())
        try:
            response = self._client.post(self._url(), json=request, timeout=self.timeout_seconds)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self._unreachable(error)
        return self._result(response, tools=kwargs.get("tools") or (), tool_choice=kwargs.get("tool_choice"))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        request = self._request(messages, stop, kwargs)
        if self._async_client is None:
            self._async_client = httpx.AsyncClient(limits=_LIMITS, trust_env=self._uses_proxies())
        try:
            response = await self._async_client.post(self._url(), json=request, timeout=self.timeout_seconds)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self._unreachable(error)
        return self._result(response, tools=kwargs.get("tools") or (), tool_choice=kwargs.get("tool_choice"))

    def _url(self) -> str:
        return f"{self.base_url.rstrip('/')}/chat/completions"

    def _uses_proxies(self) -> bool:
        """A proxy from the environment cannot reach this machine's own loopback interface."""
        return urlsplit(self.base_url).hostname not in _LOOPBACK

    def _request(
        self, messages: Sequence[BaseMessage], stop: list[str] | None, settings: Mapping[str, Any]
    ) -> dict[str, Any]:
        tools = settings.get("tools") or ()
        given = {k: v for k, v in settings.items() if k not in ("tools", "tool_choice") and v is not None}
        if unknown := sorted(given.keys() - _PER_CALL):
            raise ConfigError(
                f"The local chat model has no setting {unknown[0]!r}.",
                remedy=f"Per call it knows tools, tool_choice, stop, {', '.join(sorted(_PER_CALL))}.",
            )
        request: dict[str, Any] = {
            "model": self.model,
            "messages": render(messages, tools),
            "temperature": self.temperature,
            "seed": self.seed,
            "max_tokens": self.max_tokens,
            # The embedded server's default; other llama.cpp servers may have it off.
            "cache_prompt": True,
        } | given
        if stop:
            request["stop"] = stop
        if tools:
            if "response_format" in given:
                raise ConfigError(
                    "tools and response_format exclude each other: tools are offered through it.",
                    remedy="Give one of them.",
                )
            schema = reply_schema(
                tools,
                tool_choice=settings.get("tool_choice"),
                max_argument_chars=self.max_argument_chars,
            )
            request["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "reply", "strict": True, "schema": schema},
            }
        return request

    def _result(
        self, response: httpx.Response, *, tools: Sequence[Mapping[str, Any]], tool_choice: object
    ) -> ChatResult:
        body = _body(response, self.base_url)
        try:
            choice = body["choices"][0]
            text = choice["message"]["content"] or ""
            finish = choice.get("finish_reason")
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise LocalServerError(
                f"The server at {self.base_url} sent no chat completion: {response.text[:200]!r}.",
                remedy="Check that base_url is the root of an OpenAI-compatible API and ends in /v1.",
            ) from error
        content, calls = text, list[ToolCall]()
        if tools and (reply := _reply(text, tools)) is not None:
            content, calls = reply
            cap = self.max_argument_chars
            if (calls and _touches(calls[0]["args"], cap)) or _touches(content, ANSWER_FACTOR * cap):
                finish = "length"
        message = AIMessage(
            content=content,
            tool_calls=calls,
            usage_metadata=_usage(body.get("usage")),
            response_metadata={"finish_reason": finish, "model_name": self.model, "model_provider": "local"},
        )
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _unreachable(self, error: httpx.HTTPError | httpx.InvalidURL) -> NoReturn:
        if isinstance(error, httpx.TimeoutException):
            raise LocalServerError(
                f"The model server at {self.base_url} did not answer within {self.timeout_seconds:g} s.",
                remedy="Raise timeout_seconds, lower max_tokens, or give the server a free processor core.",
            ) from error
        raise LocalServerError(
            f"The model server at {self.base_url} cannot be reached: {error}.",
            remedy="Start it (LocalServer, or `coreact local serve`), or correct base_url.",
        ) from error


def _body(response: httpx.Response, base_url: str) -> dict[str, Any]:
    """Return the JSON object of a good response, or raise what the server complains about."""
    try:
        body = response.json()
    except ValueError:
        body = None
    if response.is_success and isinstance(body, dict):
        return body
    complaint = body.get("error") if isinstance(body, dict) else None
    if not isinstance(complaint, dict):
        complaint = {"message": complaint or response.text[:200]}
    kind = complaint.get("type")
    if kind == "exceed_context_size_error" or complaint.get("code") == "context_length_exceeded":
        raise LocalServerError(
            f"The prompt does not fit the model's context: {complaint.get('message')}.",
            status_code=413,
            remedy="Start the server with more context_tokens, or shorten the conversation.",
        )
    raise LocalServerError(
        f"The model server at {base_url} answered with HTTP {response.status_code}"
        f"{f' ({kind})' if kind else ''}: {complaint.get('message') or 'no explanation'}.",
        status_code=response.status_code,
        remedy="Check base_url and model; a message about a schema or grammar means that a bound"
        " tool's schema is beyond what the server can enforce.",
    )


def _reply(text: str, tools: Sequence[Mapping[str, Any]]) -> tuple[str, list[ToolCall]] | None:
    """Read a reply of the schema as (content, tool calls); None when it is not one."""
    try:
        reply = json.loads(text)
    except ValueError:
        return None
    match reply:
        case {"tool": str(name), "arguments": dict(arguments), **rest} if not rest:
            if any(tool["function"]["name"] == name for tool in tools):
                call_id = f"call_{uuid4().hex}"
                return "", [ToolCall(name=name, args=arguments, id=call_id, type="tool_call")]
        case {"answer": str(answer), **rest} if not rest:
            return answer, []
    return None


def _touches(value: object, chars: int) -> bool:
    """Whether any string inside `value` is as long as `chars` allows."""
    match value:
        case str():
            return len(value) >= chars
        case dict():
            return any(_touches(part, chars) for part in value.values())
        case list():
            return any(_touches(part, chars) for part in value)
    return False


def _usage(usage: object) -> UsageMetadata | None:
    if not isinstance(usage, dict):
        return None
    read, written = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if not isinstance(read, int) or not isinstance(written, int):
        return None
    details = usage.get("prompt_tokens_details") or {}
    return UsageMetadata(
        input_tokens=read,
        output_tokens=written,
        total_tokens=read + written,
        input_token_details=InputTokenDetails(cache_read=details.get("cached_tokens") or 0),
    )
