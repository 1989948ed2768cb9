from __future__ import annotations

import asyncio
import gzip
import math
import os
import threading
import time
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler

import httpx
import pytest
from coreact_tools import ToolSettingsError, WebError
from coreact_tools.web import WebClient, WebSettings, shared_client
from coreact_tools.web.body import read_body
from hypothesis import given
from hypothesis import strategies as st


def chunked(handler: BaseHTTPRequestHandler, **headers: str):
    """Begin an answer of unknown length; gives a function that sends a chunk."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()

    def send(data: bytes) -> None:
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        handler.wfile.flush()

    return send


def failed(client: WebClient, url: str) -> WebError:
    with pytest.raises(WebError) as raised:
        client.run(client.fetch(url))
    assert raised.value.remedy
    return raised.value


@pytest.mark.parametrize(
    ("status", "times", "temporary"),
    [(404, 1, False), (403, 1, False), (204, 1, False), (429, 3, True), (500, 3, True), (503, 3, True)],
)
def test_only_what_may_pass_is_asked_again(site, web, status, times, temporary):
    url = site.page("/", status=status)
    error = failed(web(), url)
    assert (error.reason, error.status, error.temporary) == ("status", status, temporary)
    assert len(site.asked) == times


def test_it_passes(site, web):
    site.page("/", status=503, Retry_After="0")

    def answer(handler):
        site.page("/", "there it is")
        busy(handler)

    busy, site.routes["/"] = site.routes["/"], answer
    client = web()
    assert client.run(client.fetch(site.url())).body == b"there it is"
    assert len(site.asked) == 2


@pytest.mark.parametrize(
    ("header", "times", "seconds"),
    [
        ("3600", 1, 3600.0),
        # Written when the tests are collected, which may be half an hour before this one runs. It has a
        # name, as every process that shares the tests must collect the same ones.
        pytest.param(
            formatdate(time.time() + 7200, usegmt=True), 1, pytest.approx(5400, abs=1860), id="in two hours"
        ),
        ("0", 3, 0.0),
        (formatdate(0, usegmt=True), 3, 0.0),
        ("soon", 3, None),
        ("-5", 3, None),
        ("٣", 3, None),
        ("9" * 400, 1, math.inf),
        (f"Mon, 01 Jan 2024 00:00:00 +{'9' * 20}", 3, None),
    ],
)
def test_a_server_that_wants_a_long_wait_is_not_asked_again(site, web, header, times, seconds):
    url = site.page("/", status=429)
    site.routes["/"] = lambda handler: (
        handler.send_response(429),
        handler.send_header("Retry-After", header.encode().decode("latin-1")),
        handler.send_header("Content-Length", "0"),
        handler.end_headers(),
    )
    error = failed(web(), url)
    assert error.retry_after == seconds
    assert len(site.asked) == times


def test_a_broken_connection_is_tried_again(site, web):
    def drop(handler):
        handler.close_connection = True

    site.routes["/"] = drop
    assert failed(web(), site.url()).reason == "garbled"
    assert len(site.asked) == 3


def test_nobody_listens(site, web):
    error = failed(web(), "http://127.0.0.1:1/")
    assert (error.reason, error.temporary) == ("unreachable", True)


def test_a_site_that_never_answers(site, web):
    released = threading.Event()
    site.routes["/"] = lambda handler: released.wait(20)
    error = failed(web(total_seconds=0.3), site.url())
    released.set()
    assert error.reason == "timeout"
    assert "0.3 seconds" in str(error)


def test_a_server_that_is_silent_for_long_is_given_up(site, web):
    released = threading.Event()
    site.routes["/"] = lambda handler: released.wait(20)
    error = failed(web(silence_seconds=0.1, attempts=1), site.url())
    released.set()
    assert error.reason == "timeout"
    assert error.temporary


def test_a_site_that_never_ends_is_cut_by_time(site, web):
    def drip(handler):
        send = chunked(handler)
        while True:
            send(b".")
            time.sleep(0.02)

    site.routes["/"] = drip
    assert failed(web(total_seconds=0.5), site.url()).reason == "timeout"


def test_a_site_that_never_ends_is_cut_by_size(site, web):
    def flood(handler):
        send = chunked(handler)
        while True:
            send(b"x" * 10_000)

    site.routes["/"] = flood
    error = failed(web(max_bytes=100_000), site.url())
    assert error.reason == "too_large"
    assert "100,000 bytes" in str(error)


def test_a_gigabyte_that_is_announced_is_not_read(site, web):
    sent = []

    def huge(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(10**9))
        handler.end_headers()
        for _ in range(1000):
            handler.wfile.write(b"x" * 10**6)
            sent.append(1)

    site.routes["/"] = huge
    assert failed(web(), site.url()).reason == "too_large"
    assert len(sent) < 900


@pytest.mark.parametrize("layers", [1, 2])
def test_a_compressed_bomb_costs_no_more_than_the_limit(site, web, layers, monkeypatch):
    bomb = gzip.compress(b"\0" * 50_000_000)
    for _ in range(layers - 1):
        bomb = gzip.compress(bomb)
    if layers == 1:
        site.page("/", bomb, Content_Encoding="gzip")
        assert failed(web(max_bytes=1_000_000), site.url()).reason == "too_large"
    else:
        site.page("/", bomb, Content_Encoding="gzip, gzip")
        assert failed(web(max_bytes=1_000_000), site.url()).reason == "garbled"


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(b"text", mtime=0)[:-4]),
        ("gzip", b"this is not gzip"),
        ("deflate", b"\x78\x9cbroken"),
        ("br", b"text"),
        ("zstd", b"text"),
    ],
)
def test_what_is_not_compressed_as_it_says(site, web, coding, body):
    site.page("/", body, Content_Encoding=coding)
    assert failed(web(attempts=1), site.url()).reason == "garbled"


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


class Stream(httpx.AsyncByteStream):
    def __init__(self, chunks):
        self.chunks = chunks

    async def __aiter__(self):
        for chunk in self.chunks:
            yield chunk


PACKERS = {
    "gzip": gzip.compress,
    "x-gzip": lambda data: gzip.compress(data[: len(data) // 2]) + gzip.compress(data[len(data) // 2 :]),
    "deflate": zlib.compress,
    "Deflate": raw_deflate,
    "identity": bytes,
}


@given(st.binary(max_size=300), st.sampled_from(sorted(PACKERS)), st.integers(1, 50), st.integers(0, 400))
async def test_bodies_come_out_whole_or_not_at_all(data, coding, size, limit):
    packed = PACKERS[coding](data)
    chunks = [packed[at : at + size] for at in range(0, len(packed), size)]
    request = httpx.Request("GET", "http://a.test/")
    response = httpx.Response(
        200, headers={"Content-Encoding": coding}, stream=Stream(chunks), request=request
    )
    if len(data) <= limit and len(packed) <= limit:
        assert await read_body(response, limit) == data
    else:
        with pytest.raises(WebError) as raised:
            await read_body(response, limit)
        assert raised.value.reason == "too_large"


def test_redirects_are_followed_by_hand(site, web):
    site.page("/end", "the end")
    site.moved("/c", "end", status=308)
    site.moved("/b", site.url("/c"), status=301)
    site.moved("/a", "/b#there", status=303)
    client = web()
    reply = client.run(client.fetch(site.url("/a#here")))
    assert (reply.url, reply.body) == (site.url("/end"), b"the end")
    assert site.paths() == ["/a", "/b", "/c", "/end"]


def test_circles_and_dead_ends(site, web):
    site.moved("/a", "/b")
    site.moved("/b", "/a")
    error = failed(web(max_redirects=4), site.url("/a"))
    assert error.reason == "redirects"
    assert len(site.asked) == 5
    site.page("/dead", status=302)
    assert "leads nowhere" in str(failed(web(), site.url("/dead")))


def test_no_cookies_are_kept(site, web):
    site.page("/", "x", Set_Cookie="session=1; Path=/", Cache_Control="no-store")
    client = web()
    for _ in range(2):
        client.run(client.fetch(site.url()))
    assert all("Cookie" not in one.headers for one in site.asked)


def test_connections_are_pooled_over_threads_and_loops(site, web):
    site.page("/", "x", Cache_Control="no-store")
    client = web()
    for _ in range(3):
        client.run(client.fetch(site.url()))
        asyncio.run(client.arun(client.fetch(site.url())))
    assert len({one.peer for one in site.asked}) == 1
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: client.run(client.fetch(site.url())).body, range(24)))
    assert replies == [b"x"] * 24


async def test_it_works_inside_a_running_loop_and_when_cancelled(site, web):
    released = threading.Event()
    site.routes["/slow"] = lambda handler: released.wait(20)
    site.page("/", "x")
    client = web()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.arun(client.fetch(site.url("/slow"))), 0.1)
    assert client.run(client.fetch(site.url())).body == b"x"
    assert (await client.arun(client.fetch(site.url()))).body == b"x"
    released.set()


def test_a_host_is_not_asked_more_often_than_it_may_be(site, web):
    site.page("/", "x", Cache_Control="no-store")
    client = web(per_second=0.05, total_seconds=1.0)
    client.run(client.fetch(site.url()))
    assert failed(client, site.url()).reason == "timeout"
    assert len(site.asked) == 1


def test_hosts_with_a_rate_of_their_own_and_hosts_do_not_wait_for_each_other(site, web):
    async def loopback(host, port):
        return ["127.0.0.1"]

    site.page("/", "x", Cache_Control="no-store")
    client = web(resolver=loopback, rates={"slow.test": 0.05}, total_seconds=1.0)
    for host in ("slow.test", "a.test", "b.test", "a.test"):
        client.run(client.fetch(site.url("/", host=host)))
    assert failed(client, site.url("/", host="slow.test")).reason == "timeout"


def test_the_cache_obeys_the_server(site, web):
    site.page("/kept", "1", Cache_Control="max-age=600")
    site.page("/private", "1", Cache_Control="private, max-age=600")
    site.page("/never", "1", Cache_Control="no-store")
    client = web()
    for path in ("/kept", "/private", "/never"):
        client.run(client.fetch(site.url(path)))
        client.run(client.fetch(site.url(path)))
    assert site.paths() == ["/kept", "/private", "/private", "/never", "/never"]


def test_a_body_that_was_too_large_is_not_cached(site, web):
    site.page("/", b"x" * 5000, Cache_Control="max-age=600")
    client = web(max_bytes=1000)
    assert failed(client, site.url()).reason == failed(client, site.url()).reason == "too_large"


def test_packed_pages_are_cached_too(site, web):
    site.page("/", "text " * 100, packed=True, Cache_Control="max-age=600")
    client = web()
    first, second = (client.run(client.fetch(site.url())) for _ in range(2))
    assert first.body == second.body == b"text " * 100
    assert second.from_cache


def test_the_cache_on_disk_outlives_the_client(site, web, tmp_path):
    site.page("/", "kept", Cache_Control="max-age=600")
    for _ in range(2):
        client = web(cache=tmp_path / "cache")
        assert client.run(client.fetch(site.url())).body == b"kept"
        client.close()
    assert len(site.asked) == 1


def test_a_broken_cache_is_named(site, web, tmp_path):
    site.page("/", "x")
    (tmp_path / "http.sqlite3").write_bytes(b"this is no database, whatever its name says" * 50)
    client = web(cache=tmp_path)
    for _ in range(2):
        with pytest.raises(ToolSettingsError, match="cannot be used"):
            client.run(client.fetch(site.url()))
    (tmp_path / "file").write_text("")
    client = web(cache=tmp_path / "file")
    with pytest.raises(ToolSettingsError, match="cannot be used"):
        client.run(client.fetch(site.url()))


def test_a_closed_client_opens_anew(site, web):
    site.page("/", "x")
    client = web()
    for _ in range(3):
        assert client.run(client.fetch(site.url())).body == b"x"
        client.close()
    client.close()


def test_one_client_for_a_process():
    assert shared_client() is shared_client()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_has_connections_of_its_own(site, web):
    site.page("/", "x", Cache_Control="no-store")
    client = web()
    client.run(client.fetch(site.url()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Of 3.12 on, about forks beside threads.
        child = os.fork()
    if child == 0:
        good = False
        try:
            good = client.run(client.fetch(site.url())).body == b"x"
        finally:
            os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    client.run(client.fetch(site.url()))
    first, of_the_child, last = (one.peer for one in site.asked)
    assert first == last != of_the_child


@pytest.mark.parametrize(
    "wrong",
    [
        {"total_seconds": 0}, {"max_bytes": -1}, {"attempts": 0}, {"per_second": 0}, {"rates": {"a": 0}},
        {"ports": frozenset({80, 0})}, {"ports": frozenset({65_536})}, {"queue_seconds": 0},
        {"max_redirects": -1}, {"backoff_seconds": -1}, {"total_seconds": math.nan},
    ],
)  # fmt: skip
def test_settings_out_of_range(wrong):
    with pytest.raises(ToolSettingsError, match=next(iter(wrong))):
        WebSettings(**wrong)
