"""The web client among many callers, and with addresses that only look like some."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from coreact_tools import WebError
from coreact_tools.web import WebClient


def failed(client: WebClient, url: str) -> WebError:
    with pytest.raises(WebError) as raised:
        client.run(client.fetch(url))
    return raised.value


@pytest.mark.parametrize(
    "target", ["http://xn--/", "https://xn--a/", "http://127.0.0.1:99999/", "http://a..b/"]
)
@pytest.mark.parametrize("status", [302, 308])
def test_redirects_to_what_is_no_address(site, web, target, status):
    error = failed(web(), site.moved("/", target, status=status))
    assert error.reason in ("redirects", "refused", "unreachable")
    assert site.paths() == ["/"], "a bad target is not worth a second try"


@pytest.mark.parametrize("url", ["http://xn--/", "http://127.0.0.1:99999/", "http://127.0.0.1:0/"])
def test_addresses_that_only_look_like_some(web, url):
    assert failed(web(), url).reason == "refused"


@pytest.mark.parametrize("url", ["http://me:hunter2@[::1", "http://me:hun/ter2@a.test:x/", "//me:hunter2@["])
def test_a_password_is_in_no_message(web, url):
    error = failed(web(), url)
    assert "ter2" not in f"{error} {error.url} {error.what}"


def test_many_at_once_to_one_host_all_get_their_time(site, web):
    """The clock of a call begins when its host has a turn for it: 300 of them need more time than one has."""
    site.page("/", "there", content_type="text/plain", Cache_Control="no-store")
    client = web(per_second=100.0, total_seconds=2.0)

    async def all_of_them():
        return await asyncio.gather(*(client.arun(client.fetch(site.url())) for _ in range(300)))

    assert {reply.body for reply in asyncio.run(all_of_them())} == {b"there"}


def test_a_call_does_not_wait_for_its_turn_for_ever(site, web):
    released = threading.Event()

    def late(handler):
        released.wait(10)
        handler.close_connection = True

    site.routes["/"] = late
    client = web(queue_seconds=0.2, max_connections=1, attempts=1)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(failed, client, site.url("/"))
        while not site.asked:
            time.sleep(0.01)
        error = failed(client, site.url("/other"))
        released.set()
        first.result()
    assert (error.reason, error.temporary) == ("timeout", True)
    assert "too many other calls" in str(error)
    assert site.paths() == ["/"]


@pytest.mark.parametrize("headers", [{"ETag": '"a"'}, {"Cache_Control": "no-store"}, {"Retry_After": "0"}])
def test_places_in_the_pool_are_given_back(site, web, headers):
    """However an answer ends: read, revalidated, refused, cut off because it is too large."""

    def answer(handler):
        known = handler.headers.get("If-None-Match")
        handler.send_response(304 if known else 503 if "Retry_After" in headers else 200)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        body = b"" if known else b"x" * (200 if len(site.asked) % 2 else 20)
        if not known:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    site.routes["/"] = answer
    client = web(max_connections=1, max_bytes=100, total_seconds=5.0, attempts=1)
    reasons = set()
    for _ in range(8):
        try:
            client.run(client.fetch(site.url()))
        except WebError as error:
            reasons.add(error.reason)
    assert "timeout" not in reasons


@pytest.mark.parametrize("kind", ["thread", "loop"])
def test_a_client_closed_under_a_call_is_told_in_words(site, web, kind):
    """Not as a cancellation, which an agent would take for its own."""
    url = site.page("/", status=503)
    client = web(attempts=2, backoff_seconds=10.0)

    def work():
        get = client.run if kind == "thread" else lambda page: asyncio.run(client.arun(page))
        with pytest.raises(WebError) as raised:
            get(client.fetch(url))
        return str(raised.value)

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        while not site.asked:
            time.sleep(0.01)
        time.sleep(0.1)
        client.close()
        assert "closed" in working.result(10)
