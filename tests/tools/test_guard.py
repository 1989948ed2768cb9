from __future__ import annotations

import ipaddress
import socket
import threading
from http.server import BaseHTTPRequestHandler

import httpcore
import httpx
import pytest
from coreact_tools import ToolSettingsError, WebError
from coreact_tools.web import WebClient, browse, is_public
from coreact_tools.web.guard import Guard, GuardedBackend
from hypothesis import given
from hypothesis import strategies as st

PUBLIC = "93.184.216.34"


@pytest.mark.parametrize(
    "address",
    """
    0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.254 169.254.169.254 172.16.0.1
    172.31.255.255 192.0.0.8 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1
    239.255.255.255 240.0.0.1 255.255.255.255
    :: ::1 ::7f00:1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe
    64:ff9b:1::1 100::1 2001::1 2001:db8::1 2002:7f00:1:: 2002:c0a8:1:: fc00::1 fd00:ec2::254 fe80::1 fec0::1
    ff02::1 ff0e::1 fe80::1%eth0 168.63.129.16 ::ffff:168.63.129.16 64:ff9b::a83f:8110 3fff::1
    """.split(),
)
def test_not_public(address):
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    "1.1.1.1 8.8.8.8 93.184.216.34 172.15.0.1 172.32.0.1 100.63.0.1 100.128.0.1 ::ffff:8.8.8.8 "
    "64:ff9b::808:808 2606:4700::1111 2a00:1450:4001::1".split(),
)
def test_public(address):
    assert is_public(ipaddress.ip_address(address))


@given(st.ip_addresses(v=4))
def test_ipv4_counts_the_same_in_ipv6_clothes(address):
    mapped = ipaddress.IPv6Address(f"::ffff:{address}")
    translated = ipaddress.IPv6Address(int(ipaddress.IPv6Address("64:ff9b::")) | int(address))
    assert is_public(mapped) == is_public(translated) == is_public(address)
    if is_public(address):
        assert address.is_global


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/", "javascript:alert(1)", "data:,x",
        "/relative", "example.com", "", "http://", "http:///x", "https://user:secret@example.com/",
        "http://user@example.com/", "http://example.com:22/", "http://example.com:6379/", "http://[::1",
        "http://a b/",
        "http://exa\nmple.com/", "http://" + "a" * 300 + ".com/", "http://example.com:99999/", "https://\u2100.com",
        "http://.../", "http://%31%32%37.0.0.1/",
    ],
)  # fmt: skip
def test_addresses_that_are_refused_before_anything_is_sent(url, web):
    async def nowhere(host, port):
        raise socket.gaierror(socket.EAI_NONAME, "no such host")

    client = web(resolver=nowhere, allow=())
    with pytest.raises(WebError) as raised:
        client.run(client.fetch(url))
    assert raised.value.reason in ("refused", "unreachable")
    assert "secret" not in str(raised.value)


def test_user_names_and_passwords_are_refused_even_where_all_is_allowed(site, web):
    url = site.page("/", "x")
    client = web()
    for user in ("user:secret@", "user@", ":secret@"):
        with pytest.raises(WebError, match="user name or password") as raised:
            client.run(client.fetch(url.replace("//", f"//{user}")))
        assert "secret" not in str(raised.value) + raised.value.url
    assert site.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/", "http://localhost/", "http://localhost./", "http://2130706433/", "http://0x7f.1/",
        "http://0177.0.0.1/", "http://127.1/", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://0/",
        "http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/", "https://10.0.0.1/",
        "http://\uff11\uff12\uff17.0.0.1/",
    ],
)  # fmt: skip
def test_ways_to_write_a_private_address_with_the_real_resolver(url, web):
    client = web(allow=())
    with pytest.raises(WebError, match=r"public|no host|no web address") as raised:
        client.run(client.fetch(url))
    assert raised.value.reason in ("refused", "unreachable")


class Lines(httpcore.AsyncNetworkBackend):
    """Records where connections go; nothing ever answers."""

    def __init__(self, alive=()):
        self.tried = []
        self.alive = alive

    async def connect_tcp(self, host, port, *rest):
        self.tried.append(host)
        if host in self.alive:
            return httpcore.AsyncMockStream([])
        raise httpcore.ConnectError("nobody there")


def answers(*turns):
    """A resolver that says something else each time; the last answer stays."""
    left = list(turns)

    async def resolver(host, port):
        return left.pop(0) if len(left) > 1 else left[0]

    return resolver


async def test_the_connection_goes_to_the_address_that_was_checked():
    lines = Lines(alive=[PUBLIC])
    backend = GuardedBackend(Guard(resolver=answers([PUBLIC], ["127.0.0.1"])), lines)
    await backend.connect_tcp("rebind.test", 80)
    with pytest.raises(WebError, match="not on the public internet"):
        await backend.connect_tcp("rebind.test", 80)
    assert lines.tried == [PUBLIC]


async def test_private_addresses_among_public_ones_are_left_out():
    lines = Lines()
    backend = GuardedBackend(Guard(resolver=answers(["10.0.0.1", PUBLIC, "::1", "2606:4700::1"])), lines)
    with pytest.raises(httpcore.ConnectError):
        await backend.connect_tcp("mixed.test", 443)
    assert lines.tried == [PUBLIC, "2606:4700::1"]


async def test_the_next_address_is_tried():
    lines = Lines(alive=["1.1.1.1"])
    backend = GuardedBackend(Guard(resolver=answers([PUBLIC, "1.1.1.1", "8.8.8.8"])), lines)
    await backend.connect_tcp("many.test", 443)
    assert lines.tried == [PUBLIC, "1.1.1.1"]


async def test_no_local_sockets():
    with pytest.raises(WebError):
        await GuardedBackend(Guard(), Lines()).connect_unix_socket("/var/run/docker.sock")


@pytest.mark.parametrize(
    ("allow", "host", "address", "port", "ok"),
    [
        ((), "a.test", PUBLIC, 443, True),
        ((), "a.test", PUBLIC, 22, False),
        (("a.test",), "A.test.", "10.0.0.1", 9200, True),
        (("a.test",), "b.test", "10.0.0.1", 443, False),
        (("a.test",), "sub.a.test", "10.0.0.1", 443, False),
        (("10.1.0.0/16",), "b.test", "10.1.2.3", 9200, True),
        (("10.1.0.0/16",), "b.test", "10.2.2.3", 443, False),
        (("10.1.2.3",), "b.test", "10.1.2.3", 80, True),
        (("::1",), "b.test", "::1", 80, True),
        (("10.1.0.0/16",), "b.test", PUBLIC, 9200, False),
        (("127.0.0.1",), "b.test", "::1", 80, False),
    ],
)
async def test_the_list_of_allowed_hosts(allow, host, address, port, ok):
    guard = Guard(allow=allow, resolver=answers([address]))
    if ok:
        assert await guard.addresses(host, port) == [address]
    else:
        with pytest.raises(WebError):
            await guard.addresses(host, port)


@pytest.mark.parametrize("entry", ["http://a.test", "a.test:80", "10.0.0.0/99", "", " "])
def test_an_entry_that_is_no_host(entry):
    with pytest.raises(ToolSettingsError, match="allow"):
        Guard(allow=(entry,))


def test_a_name_that_answers_differently_the_next_time(site, web):
    site.page("/", "<p>first</p>", Connection="close", Cache_Control="no-store")
    site.routes["/"] = hang_up_after(site.routes["/"])
    client = web(resolver=answers(["127.0.0.1"], ["127.0.0.2"]))
    url = site.url("/", host="rebind.test")
    assert client.run(client.fetch(url)).body == b"<p>first</p>"
    with pytest.raises(WebError, match="not on the public internet"):
        client.run(client.fetch(url))
    assert site.paths() == ["/"]


def hang_up_after(route):
    def answer(handler: BaseHTTPRequestHandler):
        route(handler)
        handler.close_connection = True

    return answer


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data/iam/", "//169.254.169.254/", "http://[::ffff:a9fe:a9fe]/",
        "http://localhost/", "file:///etc/passwd", "http://127.0.0.1:1/", "http://inside.test/",
        "http://u:p@127.0.0.1/", "https://", "http://exa mple/", "\\\\evil", "javascript:alert(1)",
    ],
)  # fmt: skip
def test_redirects_are_checked_like_the_first_address(site, web, target):
    async def resolver(host, port):
        return {"allowed.test": ["127.0.0.1"], "inside.test": ["127.0.0.1"]}.get(host, [host])

    site.moved("/start", target)
    client = web(resolver=resolver, allow=("allowed.test",))
    with pytest.raises(WebError) as raised:
        client.run(client.fetch(site.url("/start", host="allowed.test")))
    assert raised.value.reason in ("refused", "redirects", "unreachable", "status")
    assert set(site.paths()) <= {"/start", "/\\\\evil"}


def test_a_redirect_to_another_name_of_the_same_server_is_refused(site, web):
    site.page("/secret", "inside")
    site.moved("/start", site.url("/secret", host="inside.test"))

    async def resolver(host, port):
        return ["127.0.0.1"]

    client = web(resolver=resolver, allow=("allowed.test",))
    with pytest.raises(WebError, match=r"inside\.test"):
        client.run(client.fetch(site.url("/start", host="allowed.test")))
    assert site.paths() == ["/start"]


def test_the_agent_is_told_in_words(site, web):
    site.moved("/start", "http://169.254.169.254/")
    tool = browse(web())
    answer = tool.invoke(
        {"name": "browse", "args": {"url": site.url("/start")}, "id": "1", "type": "tool_call"}
    )
    assert answer.status == "error"
    assert "169.254.169.254 is not on the public internet" in answer.content


def test_what_is_cached_needs_no_connection_and_what_is_stale_passes_the_guard(site, web):
    site.page("/fresh", "fresh", Cache_Control="max-age=600")
    site.page("/stale", "stale", Cache_Control="max-age=0", ETag='"1"')
    for path in ("/fresh", "/stale"):
        site.routes[path] = hang_up_after(site.routes[path])
    client = web(resolver=answers(["127.0.0.1"], ["127.0.0.1"], ["127.0.0.2"]))
    fresh, stale = (site.url(path, host="rebind.test") for path in ("/fresh", "/stale"))
    assert not client.run(client.fetch(fresh)).from_cache
    client.run(client.fetch(stale))
    again = client.run(client.fetch(fresh))
    assert (again.body, again.from_cache) == (b"fresh", True)
    with pytest.raises(WebError, match="not on the public internet"):
        client.run(client.fetch(stale))
    assert site.paths() == ["/fresh", "/stale"]


def test_a_proxy_from_the_environment_is_not_used(site, web, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, site.url())
    client = web(allow=())
    with pytest.raises(WebError, match="not on the public internet"):
        client.run(client.fetch("http://localhost/"))
    assert site.asked == []


def test_a_pooled_connection_is_not_another_hosts(site, web):
    """Two names with the same port: the pool must not lend the one's connection to the other."""
    site.page("/", "page", Cache_Control="no-store")

    async def resolver(host, port):
        return {"allowed.test": ["127.0.0.1"]}.get(host, ["127.0.0.2"])

    client = web(resolver=resolver, allow=("127.0.0.1",))
    client.run(client.fetch(site.url("/", host="allowed.test")))
    with pytest.raises(WebError, match=r"other\.test"):
        client.run(client.fetch(site.url("/", host="other.test")))


def test_with_tls_the_name_stays_what_is_verified(web):
    """A connection goes to an address, but what the server has to prove is the name."""
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen():
            connection, _ = server.accept()
            with connection:
                heard.append(connection.recv(4096))

        thread = threading.Thread(target=listen)
        thread.start()
        client = web(resolver=answers(["127.0.0.1"]), allow=("bank.test",), attempts=1)
        with pytest.raises(WebError) as raised:
            client.run(client.fetch(f"https://bank.test:{server.getsockname()[1]}/"))
        thread.join()
    assert raised.value.reason in ("unreachable", "garbled")
    assert b"bank.test" in heard[0]  # The server name of the TLS greeting.


def test_resolver_failures(web):
    tries = []

    async def failing(host, port):
        tries.append(host)
        raise socket.gaierror(
            socket.EAI_AGAIN if host.startswith("later") else socket.EAI_NONAME, "look-up failed"
        )

    client = web(resolver=failing)
    for host, times in (("never.test", 1), ("later.test", 3)):
        with pytest.raises(WebError) as raised:
            client.run(client.fetch(f"http://{host}/"))
        assert raised.value.reason == "unreachable"
        assert tries.count(host) == times


def test_a_client_without_use_starts_nothing():
    before = threading.active_count()
    WebClient().close()
    assert threading.active_count() == before
    assert httpx.URL("http://a.test").host == "a.test"
