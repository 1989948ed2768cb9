"""Capture: a planted secret is in no table, no dump, no listener's record, no span and no event."""

from __future__ import annotations

import copy
import json
import re
import sqlite3
import string
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import BaseModel, ValidationError

from coreact.errors import ConfigError
from coreact.guide import CoReActMiddleware
from coreact.judge import Evidence
from coreact.rubric import Action, ArgumentMatches, Criterion, Rubric, ToolCall
from coreact.testing import record_into, sample_trajectory
from coreact.testing.scripted import ScriptedModel
from coreact.testing.scripted import call as call_of
from coreact.trace import (
    Attempt,
    CallRecord,
    InMemoryTraceStore,
    ObservationRecord,
    Recorder,
    RunEnd,
    RunRecord,
    SQLiteTraceStore,
    StepRecord,
    TraceRecord,
    TraceWarning,
    Trajectory,
)
from coreact.trace.calls import tool_key
from coreact.trace.privacy import WITHHELD, Redaction, Redactor
from coreact.trace.telemetry import Telemetry

# --- planting -------------------------------------------------------------------------------------

CORE = st.text(string.ascii_letters + string.digits, min_size=24, max_size=32).map("zQ{}".format)
SHAPES = (
    "sk-{}", "ghp_{}", "xoxb-1234567890-{}", "hf_{}", "{}@example.org", "someone@{}.example",
    "Bearer {}", "password={}", "https://me:{}@db.example/", "eyJhbGciOiJ9.eyJzdWIiOjF9.{}", "api_key: '{}'",
    "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----",
)  # fmt: skip

# What joins records, or is of our own vocabulary, is no content and stays as it is.
JOINS = frozenset(
    "run id parent version origin state_digest checkpoint_id checkpoint_ns trace_id span_id key supersedes"
    .split()
)  # fmt: skip


class Leaf(NamedTuple):
    path: tuple[Any, ...]
    is_key: bool


def leaves(value: Any, path: tuple[Any, ...] = (), *, free: bool = False) -> Iterator[Leaf]:
    """Every text in a dump, and every key of a JSON object that is free to have any."""
    if isinstance(value, str):
        yield Leaf(path, is_key=False)
    elif isinstance(value, dict):
        for name, item in value.items():
            if free:
                yield Leaf((*path, name), is_key=True)
            inside = free or name in ("settings", "data", "arguments", "parameters", "constraint", "request")
            if free or not path or name not in JOINS or (path and path[-1] in ("criteria", "call")):
                yield from leaves(item, (*path, name), free=inside)
    elif isinstance(value, list | tuple):
        for at, item in enumerate(value):
            yield from leaves(item, (*path, at), free=free)


DUMP = sample_trajectory("01a0a0a0-0000-7000-8000-000000000001").model_dump(mode="json")
DUMP["end"]["error"] = "ModelCallError: it is gone"
LEAVES = [leaf for leaf in leaves(DUMP) if leaf.path[-1] not in ("rubric", "lock")]


def planted(leaf: Leaf, secret: str, before: str, after: str) -> Trajectory:
    """The sample with a secret at one place; hypothesis looks elsewhere where no text may stand there."""
    dump = copy.deepcopy(DUMP)
    owner = dump
    for step in leaf.path[:-1]:
        owner = owner[step]
    last = leaf.path[-1]
    text = f"{before} {secret} {after}"
    if leaf.is_key:
        owner[text] = owner.pop(last)
    else:
        owner[last] = text
    try:
        return Trajectory.model_validate(dump)
    except ValidationError:
        assume(False)
        raise


def everything_in(path: Path) -> Iterator[bytes]:
    """All bytes of a store: the file, its log, and every blob unpacked."""
    for one in path.parent.glob(path.name + "*"):
        yield one.read_bytes()
    with closing(sqlite3.connect(path)) as connection:
        for codec, body in connection.execute("SELECT codec, body FROM blob"):
            yield zlib.decompress(body) if codec == "zlib" else bytes(body)
        yield "\n".join(connection.iterdump()).encode("utf-8", "replace")


class Told(NamedTuple):
    telemetry: Telemetry
    spans: InMemorySpanExporter
    events: InMemoryLogRecordExporter

    def __str__(self) -> str:
        spans = [(span.name, dict(span.attributes or {})) for span in self.spans.get_finished_spans()]
        events = [dict(one.log_record.attributes or {}) for one in self.events.get_finished_logs()]
        return repr(spans) + repr(events)


def told() -> Told:
    spans, events = InMemorySpanExporter(), InMemoryLogRecordExporter()
    tracers, loggers = TracerProvider(shutdown_on_exit=False), LoggerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    loggers.add_log_record_processor(SimpleLogRecordProcessor(events))
    return Told(Telemetry(content=True, tracer_provider=tracers, logger_provider=loggers), spans, events)


def check_absent(trajectory: Trajectory, *secrets: str, capture: Any) -> None:
    seen: list[TraceRecord] = []
    watched = told()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "traces.db"
        store = SQLiteTraceStore(path)
        recorder = Recorder(store, listeners=[seen.append, watched.telemetry], capture=capture)
        record_into(recorder, trajectory)
        store.flush()
        places = list(everything_in(path))  # the log is still beside the file
        stored = store.trajectory(trajectory.run.id)
        store.close()
        places += everything_in(path)
    places += [repr(stored).encode("utf-8", "replace"), json.dumps(stored.model_dump()).encode()]
    places += [repr(record).encode("utf-8", "replace") for record in seen]
    places.append(str(watched).encode("utf-8", "replace"))
    assert len(seen) == 2 + sum(len(part) for part in (
        trajectory.steps, trajectory.observations, trajectory.calls, trajectory.judgements))  # fmt: skip
    for place in places:
        assert [secret for secret in secrets if secret.encode() in place] == []
    assert stored.run.capture == capture
    Trajectory.model_validate(stored.model_dump())


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(
    leaf=st.sampled_from(LEAVES),
    shape=st.sampled_from(SHAPES),
    core=CORE,
    before=st.sampled_from(["", "see", "äöü\U0001f30a"]),
    after=st.sampled_from(["", "and so on"]),
    capture=st.sampled_from(["redacted", "off"]),
)
def test_a_planted_secret_is_nowhere(
    leaf: Leaf, shape: str, core: str, before: str, after: str, capture: str
) -> None:
    check_absent(planted(leaf, shape.format(core), before, after), core, capture=capture)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(leaf=st.sampled_from([leaf for leaf in LEAVES if not leaf.is_key]), core=CORE)
def test_off_keeps_no_text_at_all(leaf: Leaf, core: str) -> None:
    """What has no shape of a secret is content all the same, unless it is a name or an id."""
    assume(is_content(leaf))
    check_absent(planted(leaf, core, "", ""), core, capture="off")


NAMES = frozenset(
    "agent agent_version thread_id node generator tool name call_id id decided_by rejected_by criterion"
    " depends_on type tool_call_id model version".split()
)
"""Names and ids stay with `off`, unless they have the shape of a secret."""


def is_content(leaf: Leaf) -> bool:
    where = {step for step in leaf.path if isinstance(step, str)}
    if leaf.is_key and leaf.path[:2] == ("run", "settings"):
        return False  # the name of a setting
    return not (where & NAMES) or bool(where & {"arguments", "parameters", "response", "request"})


def planted_everywhere(text: str, leaves_: list[Leaf]) -> tuple[Trajectory, list[str]]:
    """The sample with another secret in each place at once, as far as text may stand there."""
    dump, cores = copy.deepcopy(DUMP), []
    for number, leaf in enumerate(sorted(leaves_, key=lambda leaf: (leaf.is_key, -len(leaf.path)))):
        owner: Any = dump
        for step in leaf.path[:-1]:
            owner = owner[step]
        core, last = f"zQ{number:024}", leaf.path[-1]
        was = owner[last]
        if leaf.is_key:
            owner[text.format(core)] = owner.pop(last)
        else:
            owner[last] = text.format(core)
        try:
            Trajectory.model_validate(dump)
        except ValidationError:  # a word of our own vocabulary
            if leaf.is_key:
                owner.pop(text.format(core))
            owner[last] = was
        else:
            cores.append(core)
    return Trajectory.model_validate(dump), cores


@pytest.mark.parametrize(
    ("capture", "text", "leaves_"),
    [
        ("redacted", "see hf_{} there", LEAVES),
        ("off", "see hf_{} there", LEAVES),
        ("off", "{}", [leaf for leaf in LEAVES if is_content(leaf)]),
    ],
)
def test_secrets_in_all_places_at_once_are_nowhere(capture: str, text: str, leaves_: list[Leaf]) -> None:
    whole, cores = planted_everywhere(text, leaves_)
    assert len(cores) > 100
    assert all(core in json.dumps(whole.model_dump()) for core in cores)
    check_absent(whole, *cores, capture=capture)


def test_every_place_can_be_planted_at() -> None:
    """The strategy above reaches what it should: texts, keys, every kind of record."""
    reached = {step for leaf in LEAVES for step in leaf.path if isinstance(step, str)}
    assert {
        "question", "settings", "prompt_added", "message", "arguments", "text", "feedback", "reason",
        "evidence", "quote", "guidance", "constraint", "remarks", "error", "request", "response", "note",
        "answer", "thread_id", "terms", "description", "unheld", "own", "evaluator",
    } <= reached  # fmt: skip
    assert any(leaf.is_key for leaf in LEAVES)


# --- what stays -----------------------------------------------------------------------------------


@pytest.mark.parametrize("store", ["memory", "sqlite"])
def test_without_a_secret_a_redacted_run_is_the_run(store: str, tmp_path: Path) -> None:
    whole = sample_trajectory()
    kept = InMemoryTraceStore() if store == "memory" else SQLiteTraceStore(tmp_path / "t.db")
    record_into(Recorder(kept, capture="redacted"), whole)
    assert kept.trajectory(whole.run.id) == whole


def test_off_keeps_the_structure() -> None:
    whole = sample_trajectory()
    store = InMemoryTraceStore()
    record_into(Recorder(store, capture="off"), whole)
    found = store.trajectory(whole.run.id)
    assert found.run.capture == "off"
    assert (found.run.question, found.run.settings) == ("", {"retries": 2})
    assert found.run.agent == whole.run.agent
    assert found.end is not None
    assert whole.end is not None
    assert (found.end.status, found.end.score, found.end.answer) == ("done", whole.end.score, "")
    for step, was in zip(found.steps, whole.steps, strict=True):
        assert (step.cost, step.at_ns, step.phase, step.rung) == (was.cost, was.at_ns, was.phase, was.rung)
        assert (step.state_digest, step.guidance, step.constraint) == ("", "", None)
        assert len(step.prompt_added) == len(was.prompt_added)
        assert step.error == (None if was.error is None else "GenerationError")
        for attempt, before in zip(step.attempts, was.attempts, strict=True):
            assert (attempt.selected, attempt.rejected_by) == (before.selected, before.rejected_by)
            calls = [None if action.call is None else action.call.name for action in attempt.actions]
            assert calls == [None if one.call is None else one.call.name for one in before.actions]
            for judged, judged_before in zip(attempt.judgements, before.judgements, strict=True):
                assert judged.score == judged_before.score
                assert [one.status for one in judged.verdicts] == [
                    one.status for one in judged_before.verdicts
                ]
                assert all(one.reason == "" and one.evidence == () for one in judged.verdicts)
        if step.rubric is not None and was.rubric is not None:
            assert [one.id for one in step.rubric] == [one.id for one in was.rubric]
            assert [one.weight for one in step.rubric] == [one.weight for one in was.rubric]
            assert {one.text for one in step.rubric} == {WITHHELD}
            assert step.attempts[0].judgements[0].rubric == step.rubric.lock != was.rubric.lock
    assert [one.seconds for one in found.observations] == [one.seconds for one in whole.observations]
    assert [one.error for one in found.calls] == [None, "TimeoutError", None]
    assert [one.judgement.score for one in found.judgements] == [
        one.judgement.score for one in whole.judgements
    ]


def test_messages_without_content_can_still_be_read() -> None:
    from langchain_core.messages import AIMessage, HumanMessage, ToolMessage, messages_from_dict

    from coreact.host.messages import message_json

    call = {"type": "tool_call", "name": "search", "args": {"q": "x"}, "id": "c1"}
    said = [HumanMessage("who?"), AIMessage("", tool_calls=[call]), ToolMessage("it", tool_call_id="c1")]
    step = StepRecord(run="r", index=0, prompt_added=tuple(map(message_json, said)))
    store = InMemoryTraceStore()
    recorder = Recorder(store, capture="off")
    recorder.start(RunRecord(id="r", question="who?"))
    recorder.step(step)
    read = messages_from_dict(list(store.trajectory("r").prompt(0)))
    assert [type(one) for one in read] == [HumanMessage, AIMessage, ToolMessage]
    assert read[1].tool_calls == [{**call, "args": {}}]


# --- hashes, places, ids --------------------------------------------------------------------------


def an_attempt(arguments: dict[str, Any]) -> Attempt:
    action = Action(call=ToolCall(name="login", arguments=arguments, id="c1"))
    return Attempt(index=0, source="first", message={"type": "ai", "data": {}}, actions=(action,))


def redact(*records: TraceRecord, redactor: Redactor | None = None) -> list[Any]:
    seen: list[TraceRecord] = []
    recorder = Recorder(InMemoryTraceStore(), listeners=[seen.append], capture="redacted", redactor=redactor)
    puts = {
        RunRecord: recorder.start,
        StepRecord: recorder.step,
        ObservationRecord: recorder.observation,
        CallRecord: recorder.call,
    }
    for record in records:
        puts.get(type(record), recorder.judgement)(record)  # type: ignore[operator]
    return seen


def with_rubric(rubric: Rubric, step: StepRecord) -> StepRecord:
    attempts = tuple(
        attempt.model_copy(
            update={
                "judgements": tuple(
                    one.model_copy(update={"rubric": rubric.lock}) for one in attempt.judgements
                )
            }
        )
        for attempt in step.attempts
    )
    return step.model_copy(update={"rubric": rubric, "attempts": attempts})


def test_locks_are_those_of_the_redacted_rubric() -> None:
    rubric = Rubric(
        criteria=(
            Criterion(
                id="c1",
                text="Write to ann@example.org",
                check=ArgumentMatches(argument="to", pattern=r"^ann@example\.org$"),
            ),
        )
    )
    (step,) = redact(with_rubric(rubric, sample_trajectory().steps[0]))
    assert "ann" not in step.rubric.model_dump_json()
    assert step.rubric.lock != rubric.lock
    assert Rubric.model_validate(step.rubric.model_dump()).lock == step.rubric.lock
    assert {one.rubric for attempt in step.attempts for one in attempt.judgements} == {step.rubric.lock}
    placeholder = step.rubric.criteria[0].text.removeprefix("Write to ")
    assert step.rubric.criteria[0].check.pattern in (
        "".join(f"\\{sign}" if sign in "[:]" else sign for sign in placeholder),
        "\\^" + "".join(f"\\{sign}" if sign in "[:]" else sign for sign in placeholder) + "\\$",
    )


def test_offsets_of_quotes_go_where_texts_before_them_may_have_moved() -> None:
    step = sample_trajectory().steps[0]
    (clean,) = redact(step)
    assert clean.attempts[0].judgements[0].verdicts[0].evidence[0].start == 3
    moved = {"type": "human", "data": {"content": "I am ann@example.org"}}
    (clean,) = redact(step.model_copy(update={"prompt_added": (moved,)}))
    first: Evidence = clean.attempts[0].judgements[0].verdicts[0].evidence[0]
    assert (first.quote, first.start, first.end) == ("“so it says”", None, None)


def test_keys_of_calls_are_keyed_once_something_was_replaced() -> None:
    run = RunRecord(id="r", question="q")
    call = CallRecord(run="r", step=0, kind="model", key="coreact.json.1:aa")
    tools = sample_trajectory().steps[0].tools
    plain = StepRecord(run="r", index=0, tools=tools, prompt_added=({"data": {"content": "hello"}},))
    touched = plain.model_copy(update={"prompt_added": ({"data": {"content": "ann@example.org"}},)})
    assert redact(run, plain, call)[-1].key == call.key
    first, second = redact(run, touched, call, call)[-2:]
    assert first.key.startswith("keyed.1:")
    assert first.key == second.key
    assert redact(call)[-1].key != call.key, "of a run that nobody has seen nothing is known"


SECRET_PLACES = {
    "an argument": {"attempts": (an_attempt({"password": "hunter2"}),)},
    "guidance": {"guidance": "write to ann@example.org"},
    "a constraint": {"constraint": {"regex": "ann@example.org"}},
    "a rubric": {"rubric": Rubric(criteria=(Criterion(id="c1", text="Write to ann@example.org"),))},
    "an error": {"error": "ValueError: ann@example.org"},
}


@pytest.mark.parametrize("place", SECRET_PLACES)
def test_the_key_of_a_call_is_keyed_whatever_of_its_run_was_replaced(place: str) -> None:
    """A key is the hash of arguments, guidance or a constraint as well as of a prompt."""
    run = RunRecord(id="r", question="q")
    plain = StepRecord(run="r", index=0, tools=(), attempts=(an_attempt({"x": 1}),))
    call = CallRecord(run="r", step=0, kind="tool", key=tool_key("login", {"password": "hunter2"}))
    assert redact(run, plain, call)[-1].key == call.key
    step = plain.model_copy(update=SECRET_PLACES[place])
    assert redact(run, step, call)[-1].key.startswith("keyed.1:")


def test_the_key_of_a_call_is_keyed_where_it_or_what_came_before_was_replaced() -> None:
    run = RunRecord(id="r", question="q")
    step = StepRecord(run="r", index=0, tools=())
    call = CallRecord(run="r", step=0, kind="tool", key="coreact.json.1:aa")
    replied = call.model_copy(update={"response": {"text": "ann@example.org"}})
    seen = ObservationRecord(run="r", step=0, call_id="c", tool="t", text="ann@example.org")
    for records in (
        (run, step, call.model_copy(update={"request": {"password": "hunter2"}})),
        (run, step, replied),
        (run, step, replied, call),
        (run, step, seen, call),
        (run.model_copy(update={"question": "Who is ann@example.org?"}), step, call),
    ):
        assert redact(*records)[-1].key.startswith("keyed.1:")
    other = step.model_copy(update={"run": "another"})
    assert redact(run, step, replied, other, call.model_copy(update={"run": "another"}))[-1].key == call.key


def test_no_guess_at_an_argument_can_be_checked_by_a_recorded_key() -> None:
    """A real agent: the secret is in an argument alone, and no hash of it is in the record."""

    @tool
    def login(password: str) -> str:
        """Log in."""
        return "welcome"

    for secret, kept in ((False, True), (True, False)):
        arguments = {"password": "hunter2" if secret else ""}
        store = InMemoryTraceStore()
        agent = create_agent(
            ScriptedModel(script=[call_of("login", **arguments), "done"]),
            [login],
            middleware=[CoReActMiddleware(retries=0, recorder=Recorder(store, capture="redacted"))],
        )
        agent.invoke({"messages": [HumanMessage("Log in with the password you know.")]})
        calls = store.trajectory(store.runs()[0].id).calls
        assert {"model", "tool"} <= {one.kind for one in calls}
        assert (tool_key("login", arguments) in {one.key for one in calls}) is kept
        assert any(one.key.startswith("keyed.1:") for one in calls) is not kept


def test_a_lock_that_no_rubric_of_the_record_has_is_keyed() -> None:
    """What a judgement was made by may be a text that was replaced elsewhere: its hash must not stay."""
    rubric = Rubric(criteria=(Criterion(id="c1", text="Write to ann@example.org"),))
    step = sample_trajectory().steps[0]
    lost = with_rubric(rubric, step).model_copy(update={"rubric": None})
    moved = {"type": "human", "data": {"content": "I am ann@example.org"}}
    for changed in ({"prompt_added": (moved,)}, {"guidance": "Write to ann@example.org"}):
        (clean,) = redact(lost.model_copy(update=changed))
        locks = {one.rubric for attempt in clean.attempts for one in attempt.judgements}
        assert len(locks) == 1
        assert locks.pop().startswith("keyed.1:")
    (later,) = sample_trajectory().judgements[:1]
    judgement = later.judgement.model_copy(update={"rubric": rubric.lock})
    (clean,) = redact(later.model_copy(update={"judgement": judgement, "note": "ann@example.org"}))
    assert clean.judgement.rubric.startswith("keyed.1:")


def test_a_run_is_forgotten_at_its_end() -> None:
    redaction = Redaction(Redactor())
    for status, remembered in (("done", 0), ("failed", 0), ("interrupted", 1)):
        redaction(RunRecord(id="r", question="q"))
        redaction(StepRecord(run="r", index=0, tools=(), prompt_added=({"data": {"content": "hello"}},)))
        assert len(redaction._runs) == 1
        redaction(RunEnd(run="r", status=status))
        assert len(redaction._runs) == remembered


def test_calls_and_results_still_find_each_other() -> None:
    message = {
        "type": "ai",
        "data": {"content": "", "tool_calls": [{"name": "f", "args": {}, "id": "ann@example.org"}]},
    }
    step = StepRecord(run="r", index=0, prompt_added=(message,))
    seen = ObservationRecord(run="r", step=0, call_id="ann@example.org", tool="f", text="")
    step, seen = redact(step, seen)
    assert step.prompt_added[0]["data"]["tool_calls"][0]["id"] == seen.call_id
    assert "ann" not in seen.call_id


def test_what_stands_under_a_telling_name_goes_whatever_it_looks_like() -> None:
    run = RunRecord(
        id="r",
        question="q",
        settings={
            "password": "hunter2",
            "nested": [{"X-Api-Key": "abc", "PIN": 1}, {"secret": 1234}],
            "token_limit": 5,
            "raw": b"mail ann@example.org",
            "schema": {"properties": {"password": {"type": "string"}}},
        },
    )
    (clean,) = redact(run)
    text = json.dumps(clean.settings)
    assert not any(secret in text for secret in ("hunter2", "abc", "1234", "ann@"))
    assert clean.settings["token_limit"] == 5
    assert clean.settings["nested"][0]["PIN"] == 1
    assert clean.settings["schema"] == run.settings["schema"]


@pytest.mark.parametrize(
    "name",
    ["DB_PASSWORD", "OPENAI_API_KEY", "user_password", "userPassword", "smtp.pwd", "my-client-secret",
     "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "dbAPIKey", "Set-Cookie", "THE_LONG_NAME_OF_" * 3 + "PASSWORD"],
)  # fmt: skip
@pytest.mark.parametrize(
    "value",
    ["hunter2", "x", 1234, 2.5, ["hunter2", 7], {"value": "hunter2", "as": ["x"]}, b"hunter2", ("hunter2",),
     {"a": {"b": [b"x", Evidence(message_id="m", quote="q")]}}],
)  # fmt: skip
def test_under_a_name_that_ends_in_a_telling_one_no_leaf_stays(name: str, value: Any) -> None:
    (clean,) = redact(RunRecord(id="r", question="q", settings={"env": {name: value}}))

    def values(inside: Any) -> list[Any]:
        if isinstance(inside, dict):
            inside = list(inside.values())
        several = isinstance(inside, list | tuple)
        return [leaf for one in inside for leaf in values(one)] if several else [inside]

    found = values(clean.settings["env"][name])
    assert found
    assert all(one is None or re.fullmatch(r"\[secret:[0-9a-f]{8}\]", one) for one in found)


@pytest.mark.parametrize(
    "name", ["token", "max_tokens", "eos_token", "keyboard", "secretary", "tokenizer", "password_rule", ""]
)
def test_other_names_say_nothing(name: str) -> None:
    run = RunRecord(id="r", question="q", settings={name: "</s>"})
    assert redact(run)[0].settings == run.settings


def test_a_value_that_holds_a_placeholder_goes_all_the_same() -> None:
    settings = {"password": "ann@example.org hunter2", "nested": {"password": "ann@example.org"}}
    redactor = Redactor()
    (clean,) = redact(RunRecord(id="r", question="q", settings=settings), redactor=redactor)
    assert re.fullmatch(r"\[secret:[0-9a-f]{8}\]", clean.settings["password"])
    assert clean.settings["nested"]["password"] == redactor.text("ann@example.org"), "as everywhere else"
    (again,) = redact(RunRecord(id="r", question="q", settings=clean.settings))
    assert again.settings == clean.settings


def test_a_schema_keeps_its_words_and_loses_its_values() -> None:
    one = {"type": "string", "description": "The password", "default": "hunter2", "examples": ["hunter3"]}
    schema = {
        "properties": {"password": one, "who": {"type": "string", "default": "me"}},
        "required": ["password"],
    }
    (clean,) = redact(RunRecord(id="r", question="q", settings={"schema": schema}))
    found = clean.settings["schema"]
    assert "hunter" not in json.dumps(found)
    assert {**found["properties"]["password"], "default": 0, "examples": 0} == {
        **one,
        "default": 0,
        "examples": 0,
    }
    assert (found["properties"]["who"], found["required"]) == (schema["properties"]["who"], ["password"])
    hidden = {"properties": {"password": {"value": "hunter2"}}}
    assert "hunter" not in json.dumps(redact(RunRecord(id="r", question="q", settings=hidden))[0].settings)


def test_objects_that_are_no_json_hide_nothing() -> None:
    class Inner(BaseModel):
        note: str

    from dataclasses import dataclass

    @dataclass
    class Plain:
        note: str

    settings = {"a": Inner(note="ann@example.org"), "b": Plain("bob@example.org"), "c": {"cat@example.org"}}
    text = repr(redact(RunRecord(id="r", question="q", settings=settings))[0])
    assert "@" not in text


# --- what fails -----------------------------------------------------------------------------------


def test_a_finder_that_raises_leaks_nothing_and_ends_nothing() -> None:
    def breaks(text: str) -> list[str]:
        raise KeyError(text)

    store = InMemoryTraceStore()
    recorder = Recorder(store, capture="redacted", redactor=Redactor(finders={"name": breaks}))
    whole = sample_trajectory()
    with pytest.warns(TraceWarning, match="KeyError") as warned:
        record_into(recorder, whole)
    assert len(warned) == 1
    assert "Elbe" not in str(warned[0].message)
    found = store.trajectory(whole.run.id)
    assert "Elbe" not in found.model_dump_json()
    assert len(found.steps) == len(whole.steps)


def test_nesting_beyond_the_stack_is_withheld() -> None:
    deep: Any = "ann@example.org"
    for _ in range(5_000):
        deep = [deep]
    store = InMemoryTraceStore()
    recorder = Recorder(store, capture="redacted")
    with pytest.warns(TraceWarning, match="RecursionError"):
        recorder.start(RunRecord.model_construct(id="r", question="secret", settings={"deep": deep}))
    assert store.trajectory("r").run.question == ""


def test_bad_settings() -> None:
    with pytest.raises(ConfigError, match="no capture"):
        Recorder(InMemoryTraceStore(), capture="some")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="everything is to be kept"):
        Recorder(InMemoryTraceStore(), redactor=Redactor())
