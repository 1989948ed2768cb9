"""Makes `recorded/openinference.jsonl`: spans of a real agent by OpenInference's own instrumentation.

Not a test. The instrumentation is no dependency of this project, so its spans are kept as a file. In an
environment that has this project, `openinference-instrumentation-langchain` 0.1.80 and
`opentelemetry-exporter-otlp-proto-common`:

    python tests/trace/importing/make_recorded.py
"""

from __future__ import annotations

import json
from pathlib import Path

from google.protobuf.json_format import MessageToDict
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from openinference.instrumentation.langchain import LangChainInstrumentor
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from coreact.testing.scripted import ScriptedModel, call

OUT = Path(__file__).parent / "recorded"


def main() -> None:
    kept, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    LangChainInstrumentor().instrument(tracer_provider=provider)

    @tool
    def search(query: str) -> str:
        """Find passages."""
        return f"About {query}: it rises in the Giant Mountains."

    said = AIMessage("There.", usage_metadata={"input_tokens": 5, "output_tokens": 2, "total_tokens": 7})
    model = ScriptedModel(script=[call("search", query="Elbe"), said])
    agent = create_agent(model, [search], system_prompt="Be brief.", name="searcher")
    question = {"messages": [("user", "Where does the Elbe rise?")]}
    agent.invoke(question, {"configurable": {"thread_id": "thread-1"}})
    spans = kept.get_finished_spans()
    lines = [json.dumps(MessageToDict(encode_spans([span])), sort_keys=True) for span in spans]
    OUT.joinpath("openinference_otlp.jsonl").write_text("\n".join(lines) + "\n")
    dumped = [json.loads(span.to_json()) for span in spans]
    OUT.joinpath("openinference_dump.json").write_text(json.dumps(dumped, indent=1) + "\n")


if __name__ == "__main__":
    main()
