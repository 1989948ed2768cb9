"""The pages over plain HTTP: routes, headers, filters, forms, errors."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from coreact.rubric import Action, Rubric
from coreact.testing.store_suite import sample_trajectory
from coreact.trace import RunEnd, RunRecord, SQLiteTraceStore
from coreact.view import create_app

ORIGIN = "http://127.0.0.1:8000"


def pages(lock: str) -> list[str]:
    return [
        "/", "/?agent=searcher&status=done&min_score=0.5", "/run?id=showcase-1", "/run?id=sample-1",
        "/run?id=showcase-1&from=3", "/step?id=showcase-1&step=1", "/prompt?id=showcase-1&step=2",
        "/prompt?id=showcase-1&step=2&part=1", "/compare", "/compare?run=showcase-1&run=sample-1",
        "/compare?run=showcase-1&run=sample-1&run=showcase-1", "/rubrics", f"/rubric?lock={lock}", "/review",
        "/review?id=showcase-1&step=1&attempt=1&action=1", "/export", "/export?format=sft&agent=searcher",
    ]  # fmt: skip


class Read(HTMLParser):
    """What elements a page really has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: set[str] = set()
        self.scripts: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name in ("href", "src", "action", "data-load"):
                self.addresses.add(value or "")
        if tag == "script":
            self.scripts.add(dict(attrs).get("src") or "inline")


def test_every_page_is_there_escaped_and_under_the_policy(client: TestClient, rubric: Rubric) -> None:
    for address in pages(rubric.lock):
        reply = client.get(address)
        assert reply.status_code == 200, address
        policy = reply.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["referrer-policy"] == "same-origin"
        read = Read(reply.text)
        assert not read.names & {"iframe", "img", "object", "embed", "style", "base"}, address
        assert not {name for name in read.attributes if name == "style" or name.startswith("on")}, address
        assert read.scripts == ({"/static/view.js"} if "<!doctype" in reply.text else set()), address
        assert all(one.startswith(("/", "#")) for one in read.addresses), address
        assert "\x1b" not in reply.text
        assert "\u202e" not in reply.text


def test_static_files_are_served_and_nothing_else(client: TestClient) -> None:
    for name, kind in (
        ("view.css", "text/css"),
        ("view.js", "text/javascript"),
        ("icon.svg", "image/svg+xml"),
    ):
        reply = client.get(f"/static/{name}")
        assert (reply.status_code, reply.headers["content-type"].partition(";")[0]) == (200, kind)
    for name in ("../app.py", "..%2fapp.py", "", "nothing.css"):
        assert client.get(f"/static/{name}").status_code == 404


def test_the_list_is_filtered(client: TestClient) -> None:
    both = client.get("/").text
    assert "showcase-1" in both
    assert "sample-1" in both
    assert "sample-1" not in client.get("/?question=passau").text
    assert "showcase-1" not in client.get("/?min_score=0.8").text
    assert "sample-1" in client.get("/?evaluator=judge-b").text
    assert "showcase-1" in client.get("/?tool=fetch").text
    assert "No runs are meant" in client.get("/?tool=nothing").text


def test_the_list_has_pages(store: SQLiteTraceStore, client: TestClient) -> None:
    for number in range(120):
        store.start(RunRecord(id=f"many-{number:03}", question=f"Number {number}", started_ns=7))
    seen: list[str] = []
    address: str | None = "/?question=Number"
    while address:
        text = client.get(address).text
        seen += re.findall(r'name="run" value="([^"]+)"', text)
        older = re.search(r'rel="next" href="([^"]+)"', text)
        address = older.group(1).replace("&amp;", "&") if older else None
    assert seen == [f"many-{number:03}" for number in reversed(range(120))]


def test_a_run_page_shows_who_rejected_what_and_why(client: TestClient) -> None:
    text = client.get("/run?id=showcase-1").text
    for shown in (
        "rejected by judge-a", "the query names no river of the three",
        "Name one of the rivers that meet there.",
        '<mark class="met">The Ilz is 65 km long</mark>', "stands in no observation of this run",
        "judges disagree", "Judged later by <strong>judge-b</strong>", "JudgingError: too slow", "veto",
    ):  # fmt: skip
        assert shown in text


def test_a_long_run_sends_lines_and_the_rest_when_asked(store: SQLiteTraceStore, client: TestClient) -> None:
    from coreact.testing.store_suite import record_into

    record_into(store, sample_trajectory("long", steps=90))
    text = client.get("/run?id=long").text
    assert text.count('class="columns"') == 20
    assert text.count("<article") == 90
    assert 'data-load="/step?id=long&amp;step=90"' in text
    assert 'id="step-90"' in text
    late = client.get("/run?id=long&from=71").text
    assert 'data-load="/step?id=long&amp;step=90"' not in late
    assert client.get("/step?id=long&step=90").text.count('class="columns"') == 1


def test_a_run_that_goes_on_is_read_anew(store: SQLiteTraceStore, client: TestClient) -> None:
    store.start(RunRecord(id="going", question="still going"))
    store.flush()
    assert "No decision was recorded" in client.get("/run?id=going").text
    store.step(sample_trajectory(steps=1).steps[0].model_copy(update={"run": "going"}))
    store.flush()
    assert "<article" in client.get("/run?id=going").text
    store.end(RunEnd(run="going", status="failed", error="it broke"))
    store.flush()
    assert "it broke" in client.get("/run?id=going").text


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("/nowhere", 404, "There is nothing at /nowhere"),
        ("/run?id=none", 404, "coreact trace list"),
        ("/run", 404, "No such run"),
        ("/step?id=showcase-1&step=9", 404, "3 steps"),
        ("/step?id=showcase-1&step=x", 400, "no number"),
        ("/run?id=showcase-1&from=0", 400, "Count from 1"),
        ("/?min_score=much", 400, "no number in [0, 1]"),
        ("/?status=good", 400, "no run status"),
        ("/?after=showcase-1", 400, "after_ns"),
        ("/compare?run=showcase-1&run=none", 404, "No such run"),
        ("/rubric?lock=ffff", 404, "No such rubric"),
        ("/rubric", 404, "No such rubric"),
        ("/export?format=pickle", 400, "export format"),
        ("/review?id=showcase-1&step=9&attempt=1&action=1", 400, "no judged action"),
        ("/run?id=%ff%00%3Cscript%3E", 404, "No such run"),
    ],
)
def test_what_cannot_be_shown_is_said_with_a_remedy(
    client: TestClient, address: str, status: int, said: str
) -> None:
    reply = client.get(address)
    assert reply.status_code == status
    assert said in reply.text
    assert "Traceback" not in reply.text
    assert "<script>" not in reply.text


def test_a_store_that_breaks_is_a_page(store: SQLiteTraceStore, client: TestClient) -> None:
    store.close()
    Path(store.path).write_bytes(b"no database " * 100)
    for address in ("/", "/run?id=showcase-1", "/review"):
        reply = client.get(address)
        assert (reply.status_code, "Store trouble" in reply.text) == (503, True)


def test_a_fork_opens_at_the_step_that_a_link_names(store: SQLiteTraceStore, client: TestClient) -> None:
    steps = sample_trajectory(steps=60).steps[30:]
    store.start(RunRecord(id="fork", question="Later?", parent="sample-1", forked_at=30))
    for step in steps:
        store.step(step.model_copy(update={"run": "fork", "prompt_kept": 0}))
    store.flush()
    for query, opened in (("", range(31, 51)), ("&from=31", range(31, 51)), ("&from=45", range(45, 61))):
        text = client.get(f"/run?id=fork{query}").text
        waiting = {int(one) for one in re.findall(r'data-load="/step\?id=fork&amp;step=(\d+)"', text)}
        assert set(range(31, 61)) - waiting == set(opened), query


def test_messages_of_another_shape_are_shown_and_said(store: SQLiteTraceStore, client: TestClient) -> None:
    odd: tuple[dict[str, Any], ...] = (
        {"type": "ai", "data": {"content": [{"a": 1}], "tool_calls": 5}},
        {"x": 1},
        {"type": 3, "data": [1]},
    )
    store.start(RunRecord(id="odd", question="q"))
    step = sample_trajectory(steps=1).steps[0]
    store.step(step.model_copy(update={"run": "odd", "prompt_added": odd}))
    store.flush()
    for address in ("/run?id=odd", "/step?id=odd&step=1", "/compare?run=odd&run=odd", "/export?format=sft"):
        reply = client.get(address)
        assert reply.status_code == 200 or "not the shape" in reply.text, address
    text = client.get("/prompt?id=odd&step=1").text
    assert "(tool_calls is no list)" in text
    assert text.count("(not a message as LangChain writes one)") == 2


def test_a_rubric_used_often_lists_its_newest_uses(
    store: SQLiteTraceStore, client: TestClient, rubric: Rubric
) -> None:
    step = store.trajectory("showcase-1").steps[0]
    store.start(RunRecord(id="often", question="Often?", started_ns=7))
    for index in range(250):
        store.step(step.model_copy(update={"run": "often", "index": index}))
    store.flush()
    text = client.get(f"/rubric?lock={rubric.lock}").text
    assert text.count("<tr data-item>") == 200
    assert "The newest 200 of 253." in text
    assert "id=showcase-1" in text


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", ""])
def test_another_host_name_is_refused(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"host": host}).status_code == 400


# --- the form ----------------------------------------------------------------------------------


@pytest.fixture
def send(client: TestClient) -> Callable[..., object]:
    form = client.get("/review?id=showcase-1&step=3&attempt=1&action=1").text
    token, digest = (re.search(rf'name="{name}" value="([^"]+)"', form) for name in ("token", "digest"))
    assert token is not None
    assert digest is not None

    def sent(headers: dict[str, str] | None = None, **values: str) -> object:
        data = {
            "token": token.group(1), "digest": digest.group(1), "id": "showcase-1",
            "step": "3", "attempt": "1", "action": "1",
            "verdict-0": "met", "verdict-1": "met", "verdict-2": "met", "decision": "accept", "note": "",
        } | values  # fmt: skip
        return client.post(
            "/review", data=data, headers=headers or {"origin": ORIGIN}, follow_redirects=False
        )

    return sent


def test_a_judgement_is_appended_once(
    store: SQLiteTraceStore, client: TestClient, send: Callable[..., object]
) -> None:
    before = store.trajectory("showcase-1")
    reply = send(**{"verdict-0": "unmet", "note": "no <b>river</b>", "decision": "override"})
    assert reply.status_code == 303  # type: ignore[attr-defined]
    assert reply.headers["location"].startswith("/review?saved=")  # type: ignore[attr-defined]
    after = store.trajectory("showcase-1")
    assert after.judgements[:-1] == before.judgements
    assert after.model_copy(update={"judgements": before.judgements}) == before
    made = after.judgements[-1]
    assert (made.evaluator.name, made.evaluator.kind, made.note) == ("Grace", "human", "no <b>river</b>")
    assert "no &lt;b&gt;river&lt;/b&gt;" in client.get("/run?id=showcase-1").text


@pytest.mark.parametrize(
    ("headers", "values", "status"),
    [
        ({"origin": "http://evil.example"}, {}, 403),
        ({"origin": "null"}, {}, 403),
        ({"x": "no origin"}, {}, 403),
        ({"origin": "http://127.0.0.1:9999"}, {}, 403),
        ({"origin": ORIGIN, "sec-fetch-site": "cross-site"}, {}, 403),
        ({"origin": ORIGIN}, {"token": "guessed"}, 403),
        ({"origin": ORIGIN}, {"token": ""}, 403),
        ({"origin": ORIGIN}, {"verdict-0": "unmet"}, 400),
        ({"origin": ORIGIN}, {"verdict-0": "unmet", "decision": "override"}, 400),
        ({"origin": ORIGIN}, {"verdict-0": "splendid", "decision": "override", "note": "x"}, 400),
        ({"origin": ORIGIN}, {"digest": ""}, 409),
        ({"origin": ORIGIN}, {"step": "9"}, 400),
        ({"origin": ORIGIN}, {"step": "²"}, 400),
        ({"origin": ORIGIN}, {"id": "none"}, 404),
    ],
)
def test_what_is_not_ours_or_not_whole_changes_nothing(
    store: SQLiteTraceStore,
    send: Callable[..., object],
    headers: dict[str, str],
    values: dict[str, str],
    status: int,
) -> None:
    before = store.trajectory("showcase-1")
    assert send(headers, **values).status_code == status  # type: ignore[attr-defined]
    assert store.trajectory("showcase-1") == before


def test_what_was_decided_again_meanwhile_is_not_judged_by_an_old_page(
    store: SQLiteTraceStore, client: TestClient, send: Callable[..., object]
) -> None:
    step = store.trajectory("showcase-1").steps[2]
    attempt = step.attempts[0].model_copy(update={"actions": (Action(answer="The Inn."),)})
    store.step(step.model_copy(update={"attempts": (attempt,)}))
    store.flush()
    before = store.trajectory("showcase-1").judgements
    reply = send()
    assert reply.status_code == 409  # type: ignore[attr-defined]
    assert "Look again" in reply.text  # type: ignore[attr-defined]
    assert store.trajectory("showcase-1").judgements == before
    again = re.search(r'<a href="(/review[^"]+)">Look again', reply.text)  # type: ignore[attr-defined]
    assert again is not None
    assert "The Inn." in client.get(again.group(1).replace("&amp;", "&")).text


def test_statuses_go_to_their_criteria_whatever_order_the_verdicts_were_stored_in(
    store: SQLiteTraceStore, client: TestClient
) -> None:
    step = store.trajectory("showcase-1").steps[2]
    said = step.attempts[0].judgements[0]
    turned = said.model_copy(update={"verdicts": said.verdicts[::-1]})
    attempt = step.attempts[0].model_copy(update={"judgements": (turned,)})
    store.start(RunRecord(id="turned", question="In another order?"))
    store.step(
        step.model_copy(update={"run": "turned", "index": 0, "attempts": (attempt,), "prompt_kept": 0})
    )
    store.flush()
    form = client.get("/review?id=turned&step=1&attempt=1&action=1").text
    fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]+)"', form))
    fields |= dict(re.findall(r'name="(verdict-\d)" value="(\w+)" checked', form))
    sets = re.findall(r"<fieldset.*?</fieldset>", form, re.DOTALL)
    (river,) = (at for at, one in enumerate(sets) if "Name one of the three rivers" in one)
    fields |= {f"verdict-{river}": "unmet", "decision": "override", "note": "no river"}
    reply = client.post("/review", data=fields, headers={"origin": ORIGIN}, follow_redirects=False)
    assert reply.status_code == 303
    (made,) = store.trajectory("turned").judgements
    found = {one.criterion: one.status for one in made.judgement.verdicts}
    assert found == {one.criterion: one.status for one in said.verdicts} | {"river": "unmet"}


def test_an_app_of_another_store_knows_another_token(tmp_path: Path, client: TestClient) -> None:
    find = re.compile(r'name="token" value="([^"]+)"')
    first = find.search(client.get("/review").text)
    other = SQLiteTraceStore(tmp_path / "traces.db")
    with TestClient(create_app(other, reviewer="x"), base_url=ORIGIN) as second:
        again = find.search(second.get("/review").text)
    other.close()
    assert first is not None
    assert again is not None
    assert first.group(1) != again.group(1)


def test_a_form_longer_than_any_of_ours_is_refused(client: TestClient, send: Callable[..., object]) -> None:
    assert send(note="x" * 2**18).status_code == 400  # type: ignore[attr-defined]
