"""Names that leave this library on spans and events.

OpenTelemetry's conventions for generative AI are in development, and the constants of its Python package
are deprecated as moved, so the official names stand here as our own strings, exactly as published. What the
conventions have no word for is under `coreact.`, never under `gen_ai.`. Source: the model files of
`open-telemetry/semantic-conventions-genai` (October 2026) and of OpenInference's specification.
"""

from __future__ import annotations

from typing import Final

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/gen-ai-dev/1.42.0-dev"
SCOPE: Final = "coreact"
"""Name of the instrumentation scope."""

# --- OpenTelemetry, generative AI -------------------------------------------------------------------

OPERATION: Final = "gen_ai.operation.name"
INVOKE_AGENT: Final = "invoke_agent"
EXECUTE_TOOL: Final = "execute_tool"
AGENT_NAME: Final = "gen_ai.agent.name"
AGENT_VERSION: Final = "gen_ai.agent.version"
CONVERSATION: Final = "gen_ai.conversation.id"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
TOOL_NAME: Final = "gen_ai.tool.name"
TOOL_CALL: Final = "gen_ai.tool.call.id"
EVALUATION: Final = "gen_ai.evaluation.result"
"""Name of the event."""
EVALUATION_NAME: Final = "gen_ai.evaluation.name"
SCORE: Final = "gen_ai.evaluation.score.value"
LABEL: Final = "gen_ai.evaluation.score.label"

# Content: only where it is asked for.
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
TOOL_ARGUMENTS: Final = "gen_ai.tool.call.arguments"
TOOL_RESULT: Final = "gen_ai.tool.call.result"
EXPLANATION: Final = "gen_ai.evaluation.explanation"

ERROR_TYPE: Final = "error.type"
OTHER: Final = "_OTHER"
"""OpenTelemetry's word for an error of no known type."""

# --- OpenInference ----------------------------------------------------------------------------------

KIND: Final = "openinference.span.kind"
AGENT: Final = "AGENT"
CHAIN: Final = "CHAIN"
EVALUATOR: Final = "EVALUATOR"
TOOL: Final = "TOOL"

# --- ours -------------------------------------------------------------------------------------------

RUN: Final = "coreact.run.id"
RUN_STATUS: Final = "coreact.run.status"
RUN_SCORE: Final = "coreact.run.score"
RUN_PARENT: Final = "coreact.run.parent"
RUN_FORKED_AT: Final = "coreact.run.forked_at"
RUN_RESUMED: Final = "coreact.run.resumed"
CAPTURE: Final = "coreact.run.capture"

STEP: Final = "coreact.step.index"
PHASE: Final = "coreact.step.phase"
RUNG: Final = "coreact.step.rung"
NODE: Final = "coreact.step.node"
STEP_SCORE: Final = "coreact.step.score"
STEP_ATTEMPTS: Final = "coreact.step.attempts"
STEP_ERROR: Final = "coreact.step.error.type"
"""What failed in guiding it; the step itself went on, so this is no `error.type`."""
GENERATOR: Final = "coreact.rubric.generator"
RUBRIC: Final = "coreact.rubric.sha256"
RUBRIC_OWN: Final = "coreact.rubric.own"
"""Whether the model that acts wrote the criteria itself."""

CRITERION_WEIGHT: Final = "coreact.criterion.weight"
CRITERION_KIND: Final = "coreact.criterion.kind"
CRITERION_VETO: Final = "coreact.criterion.veto"
CRITERION_TEXT: Final = "coreact.criterion.text"
"""Content."""

CANDIDATE: Final = "coreact.candidate.index"
CANDIDATE_SOURCE: Final = "coreact.candidate.source"
CANDIDATE_SELECTED: Final = "coreact.candidate.selected"
ACTION: Final = "coreact.action.index"

EVALUATOR_NAME: Final = "coreact.evaluator.name"
EVALUATOR_VERSION: Final = "coreact.evaluator.version"
EVALUATOR_TYPE: Final = "coreact.evaluator.type"
"""`deterministic`, `llm_judge` or `human`."""
EVALUATOR_MODEL: Final = "coreact.evaluator.model"
CONFIDENCE: Final = "coreact.verdict.confidence"
CLAIMED: Final = "coreact.verdict.claimed"
FAULT: Final = "coreact.verdict.fault"
JUDGEMENT: Final = "coreact.judgement.id"
JUDGEMENT_SAMPLE: Final = "coreact.judgement.sample"
SUPERSEDES: Final = "coreact.judgement.supersedes"

TOOL_BLOCKED: Final = "coreact.tool.blocked"
"""The call did not run; feedback stood in for its result."""
