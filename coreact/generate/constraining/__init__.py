"""Hard criteria as constraints on decoding: what may not be proposed cannot be sampled.

`constraint` turns the hard executable criteria of a rubric into narrowed tool schemas; `rendering` writes
them as a request to a server. What cannot be held exactly is left to the checks, with a reason.
"""

from coreact.generate.constraining.constraint import Constrained, Constraint, constraint
from coreact.generate.constraining.rendering import (
    langchain_request,
    llama_cpp_request,
    openai_request,
    reply_schema,
    vllm_request,
)

__all__ = [
    "Constrained",
    "Constraint",
    "constraint",
    "langchain_request",
    "llama_cpp_request",
    "openai_request",
    "reply_schema",
    "vllm_request",
]
