"""Judged runs as OpenTelemetry traces: spans of runs, decisions and tool calls, events of verdicts."""

from coreact.trace.telemetry.emission import Telemetry
from coreact.trace.telemetry.otlp import OtlpTelemetry

__all__ = ["OtlpTelemetry", "Telemetry"]
