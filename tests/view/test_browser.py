"""The pages in a real browser: what is shown, what keys do, what hostile text cannot do.

Skipped where there is no Chromium on the PATH.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

from coreact.listening import bound
from coreact.testing.store_suite import record_into, sample_trajectory
from coreact.trace import SQLiteTraceStore
from coreact.view import create_app, write_bundle

if TYPE_CHECKING:
    from playwright.sync_api import Browser

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip

pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason="no Chromium on the PATH"),
    pytest.mark.timeout(180),
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    play = pytest.importorskip("playwright.sync_api")
    with play.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=BROWSER, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def address(store: SQLiteTraceStore) -> Iterator[str]:
    record_into(store, sample_trajectory("long", steps=60))
    store.flush()
    listening = bound("127.0.0.1", 0, who="The viewer")
    listening.listen(128)
    config = uvicorn.Config(create_app(store, reviewer="Grace"), log_level="error", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join(30)
    listening.close()


class Watched:
    """A page, with all that it must not do."""

    def __init__(self, browser: Browser, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.page.on("dialog", self._dialog)
        self.page.on("console", lambda said: self.complaints.append(f"{said.type}: {said.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("requestfailed", lambda request: self.complaints.append(f"failed: {request.url}"))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def _dialog(self, dialog: Any) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def focused(self) -> str:
        return str(self.page.evaluate("document.activeElement.closest('[data-item]')?.id"))


@pytest.fixture
def watched(chromium: Browser) -> Iterator[Watched]:
    watching = Watched(chromium, viewport={"width": 1280, "height": 900})
    yield watching
    watching.page.wait_for_load_state("networkidle")  # what is still loading would fail by the closing itself
    watching.context.close()
    assert watching.complaints == []


def test_the_timeline_shows_the_rejected_candidate_its_reason_and_the_evidence(
    watched: Watched, address: str
) -> None:
    page = watched.page
    page.goto(f"{address}/run?id=showcase-1")
    rejected = page.locator("#step-1 .candidate.rejected")
    assert "rejected by judge-a" in rejected.inner_text()
    assert "the query names no river of the three" in rejected.inner_text()
    assert page.locator("#step-1 mark").inner_text() == "The Ilz is 65 km long"
    assert page.locator("#step-1 mark").is_visible()
    boxes = [one.bounding_box() for one in page.locator("#step-1 .columns > section").all()]
    assert len({box["y"] for box in boxes if box}) == 1, "three columns side by side"


@pytest.mark.parametrize("path", ["/", "/run?id=showcase-1", "/review", "/prompt?id=showcase-1&step=2",
                                  "/compare?run=showcase-1&run=sample-1", "/export?format=sft"])  # fmt: skip
def test_hostile_text_is_text(watched: Watched, address: str, path: str) -> None:
    page = watched.page
    page.goto(address + path)
    for details in page.locator("details").all():
        details.evaluate("one => { one.open = true }")
    page.wait_for_load_state("networkidle")
    assert page.locator("iframe, img, main script, main style, [onerror], [onload], base").count() == 0
    assert page.locator("a[href^='javascript']").count() == 0
    shown = page.locator("main").inner_text()
    if path not in ("/", "/export?format=sft"):
        assert "<script>alert('script')</script>" in shown
    assert not {"\x1b", "\u202e", "\u2066"} & set(shown)
    if path.startswith(("/run", "/prompt")):
        assert "⟦U+202E⟧gnp.exe" in shown
    assert page.title().endswith("Co-ReAct"), "the page did not go elsewhere"
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    assert all(one.startswith(address) for one in watched.asked)


def test_keys_move_between_steps_and_low_steps(watched: Watched, address: str) -> None:
    page = watched.page
    page.goto(f"{address}/run?id=showcase-1")
    seen = []
    for key in "jjkj":
        page.keyboard.press(key)
        seen.append(watched.focused())
    assert seen == ["step-1", "step-2", "step-1", "step-2"]
    page.keyboard.press("j")
    page.keyboard.press("[")
    assert watched.focused() == "step-2", "the low one"
    page.keyboard.press("]")
    assert watched.focused() == "step-2", "there is no further one"


def test_a_step_further_on_is_read_when_it_is_opened(watched: Watched, address: str) -> None:
    page = watched.page
    page.goto(f"{address}/run?id=long#step-40")
    page.wait_for_selector("#step-40 .columns")
    assert page.locator("#step-45 .columns").count() == 0
    page.keyboard.press("j")
    page.wait_for_selector("#step-41 .columns")
    assert watched.focused() == "step-41"
    page.locator("#step-41 summary", has_text="Raw prompt").click()
    page.wait_for_selector("#step-41 .messages")
    assert "message 40" in page.locator("#step-41 .messages").inner_text()


def test_a_verdict_is_accepted_by_one_key_and_stored_once(
    watched: Watched, address: str, store: SQLiteTraceStore
) -> None:
    page = watched.page
    before = store.trajectory("showcase-1").judgements
    page.goto(f"{address}/review", wait_until="networkidle")
    with page.expect_navigation(url="**/review?saved=*"):
        page.keyboard.press("a")
    assert "Saved as" in page.locator("[role=status]").inner_text()
    after = store.trajectory("showcase-1").judgements
    assert after[:-1] == before
    assert (after[-1].evaluator.name, after[-1].place, after[-1].note) == ("Grace", (2, 0, 0), "")


def test_an_override_takes_a_key_and_a_reason(
    watched: Watched, address: str, store: SQLiteTraceStore
) -> None:
    page = watched.page
    before = len(store.trajectory("showcase-1").judgements)
    page.goto(f"{address}/review", wait_until="networkidle")
    page.keyboard.press("2")
    assert page.locator("#note").evaluate("one => one === document.activeElement")
    page.keyboard.press("Enter")
    assert "needs a reason" in page.locator("#complaint").inner_text()
    page.keyboard.type("a and 1 are letters here")
    with page.expect_navigation(url="**/review?saved=*"):
        page.keyboard.press("Enter")
    after = store.trajectory("showcase-1").judgements
    assert len(after) == before + 1
    assert after[-1].note == "a and 1 are letters here"
    assert [one.status for one in after[-1].judgement.verdicts] == ["met", "unmet", "met"]


def test_accepting_what_was_changed_is_stopped(
    watched: Watched, address: str, store: SQLiteTraceStore
) -> None:
    page = watched.page
    before = store.trajectory("showcase-1")
    page.goto(f"{address}/review")
    page.keyboard.press("1")
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    assert "You changed a verdict" in page.locator("#complaint").inner_text()
    assert store.trajectory("showcase-1") == before


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_follows_the_colour_scheme(chromium: Browser, address: str, tmp_path: Path, scheme: Any) -> None:
    watching = Watched(chromium, color_scheme=scheme, viewport={"width": 1280, "height": 900})
    watching.page.goto(f"{address}/run?id=showcase-1")
    colour = watching.page.evaluate("getComputedStyle(document.body).backgroundColor")
    light = sum(map(int, colour.removeprefix("rgb(").removesuffix(")").split(",")))
    assert (light > 600) == (scheme == "light")
    path = tmp_path / f"{scheme}.png"
    watching.page.screenshot(path=path)
    assert path.stat().st_size > 10_000
    watching.context.close()
    assert watching.complaints == []


@pytest.mark.parametrize("path", ["/", "/run?id=showcase-1", "/review", "/rubrics", "/export?format=sft",
                                  "/compare?run=showcase-1&run=sample-1"])  # fmt: skip
def test_a_narrow_page_does_not_scroll_sideways(chromium: Browser, address: str, path: str) -> None:
    watching = Watched(chromium, viewport={"width": 360, "height": 740})
    watching.page.goto(address + path)
    assert watching.page.evaluate("document.documentElement.scrollWidth") <= 360
    watching.context.close()


@pytest.mark.parametrize(
    "path", ["/", "/run?id=showcase-1", "/review", "/compare?run=showcase-1&run=sample-1"]
)
def test_a_screen_reader_finds_its_way(watched: Watched, address: str, path: str) -> None:
    page = watched.page
    page.goto(address + path)
    assert (
        page.locator("main").count() == page.locator("h1").count() == page.locator("header nav").count() == 1
    )
    levels = [
        int(one[1])
        for one in page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(e => e.tagName)")
    ]
    assert all(after - before <= 1 for before, after in pairwise(levels)), levels
    nameless = page.evaluate(
        """[...document.querySelectorAll(
            'input:not([type=hidden]), select, textarea, button, a[href], svg[role=img]'
        )].filter(e => !(e.labels?.length || e.getAttribute('aria-label') || e.textContent.trim())).length"""
    )
    assert nameless == 0
    assert page.locator("svg:not([role=img]):not([aria-hidden=true])").count() == 0
    assert page.locator("table:not(:has(th[scope=col]))").count() == 0


def test_a_bundle_opens_from_the_disk(watched: Watched, store: SQLiteTraceStore, tmp_path: Path) -> None:
    index = write_bundle(store, tmp_path / "out").path
    page = watched.page
    page.goto(index.as_uri())
    page.get_by_role("link", name="Which river at Passau").click()
    page.wait_for_selector("#step-1 mark")
    page.keyboard.press("j")
    assert watched.focused() == "step-1"
    for details in page.locator("details").all():
        details.evaluate("one => { one.open = true }")
    assert page.evaluate("getComputedStyle(document.querySelector('.columns')).display") == "grid"
    assert page.locator("iframe, img, main script").count() == 0
    assert {one.partition(":")[0] for one in watched.asked} <= {"file", "data"}
