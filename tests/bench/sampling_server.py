"""`slow_server.py` as an agent's model and as its judge: searches where tools are offered, else ranks.

`python sampling_server.py SECONDS` prints its port. What it proposes is drawn from the request's seed, so
that temperatures differ and runs repeat; a ranking puts the letters in their order. Standard library only.
"""

from __future__ import annotations

import json
import random
import re
import sys
from typing import Any

import slow_server

WORDS = "capital currency language population area region neighbour calling code domain".split()


def completion(asked: dict[str, Any]) -> dict[str, Any]:
    """One tool call, or one ranking."""
    text = str(asked["messages"][-1]["content"])
    message: dict[str, Any] = {"role": "assistant", "content": ""}
    if asked.get("tools"):
        draw = random.Random(f"{asked.get('seed')}|{text}")
        question = re.findall(r"\w+", str(asked["messages"][1]["content"]))
        query = " ".join([*draw.sample(question, min(3, len(question))), draw.choice(WORDS)])
        function = {"name": "search", "arguments": json.dumps({"query": query})}
        message["tool_calls"] = [{"id": "c", "type": "function", "function": function}]
    else:
        letters = re.findall(r"The letters are ([A-Z, ]+)\.", text)[-1].split(", ")
        groups = [[letter] for letter in sorted(letters)]
        message["content"] = json.dumps({"reasons": "in their order", "groups": groups})
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 0,
        "model": asked["model"],
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }


if __name__ == "__main__":
    slow_server.completion = completion
    server = slow_server.Listening(("127.0.0.1", 0), slow_server.Handler)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()
