from __future__ import annotations

import json
import logging

import pytest
from coreact_tools import ToolSettingsError
from coreact_tools.web import (
    Found,
    provider,
    searxng,
    semantic_scholar,
    serper,
    tavily,
    web_search,
)
from coreact_tools.web.providers import usable
from hypothesis import given
from hypothesis import strategies as st

KEY = "sk-very-secret-1234567890"

SERPER = {
    "searchParameters": {"q": "danube bridge", "type": "search", "num": 2, "engine": "google"},
    "knowledgeGraph": {"title": "Novi Sad", "type": "City"},
    "organic": [
        {
            "title": "The bridge",
            "link": "https://bridge.test/a",
            "snippet": "Opened in\n1984.",
            "position": 1,
        },
        {"title": "Again", "link": "https://bridge.test/a", "snippet": "The same page.", "position": 2},
        {"title": "No snippet", "link": "http://b.test/", "date": "3 days ago", "position": 3},
        {"title": "No address", "position": 4},
    ],
    "credits": 1,
}
TAVILY = {
    "query": "danube bridge",
    "answer": None,
    "images": [],
    "results": [
        {
            "title": "The bridge",
            "url": "https://bridge.test/a",
            "content": "Opened in 1984.",
            "score": 0.81,
            "raw_content": None,
        },
        {"title": "Script", "url": "javascript:alert(1)", "content": "x", "score": 0.5},
    ],
    "response_time": 1.1,
}
SEARXNG = {
    "query": "danube bridge",
    "number_of_results": 0,
    "results": [
        {
            "url": "https://bridge.test/a",
            "title": "The bridge",
            "content": "Opened in 1984.",
            "engine": "duckduckgo",
            "engines": ["duckduckgo"],
            "positions": [1],
            "score": 1.0,
            "category": "general",
        },
        {"url": "https://c.test/", "title": "", "content": None},
    ],
    "answers": [],
    "infoboxes": [],
    "unresponsive_engines": [["google", "timeout"]],
}
SCHOLAR = {
    "total": 2,
    "offset": 0,
    "data": [
        {
            "paperId": "649def34f8be52c8b66281af98ae884c09aef38b",
            "url": "https://www.semanticscholar.org/paper/649def34",
            "title": "Construction of the Literature Graph",
            "abstract": "We describe a deployed scalable system.",
            "year": 2018,
        },
        {"paperId": "abc", "url": None, "title": "No abstract", "abstract": None, "year": None},
    ],
}


def made(name, site):
    return {
        "serper": lambda: serper(KEY, url=site.url("/search")),
        "tavily": lambda: tavily(KEY, url=site.url("/search")),
        "searxng": lambda: searxng(site.url("/")),
        "scholar": lambda: semantic_scholar(KEY, url=site.url("/search")),
    }[name]()


NAMES = ["serper", "tavily", "searxng", "scholar"]


def asked(tool, query="danube bridge"):
    return tool.invoke({"name": "web_search", "args": {"query": query}, "id": "1", "type": "tool_call"})


@pytest.mark.parametrize(
    ("name", "reply", "text", "urls"),
    [
        (
            "serper",
            SERPER,
            "[https://bridge.test/a] The bridge: Opened in 1984.\n[http://b.test/] No snippet",
            ["https://bridge.test/a", "http://b.test/"],
        ),
        (
            "tavily",
            TAVILY,
            "[https://bridge.test/a] The bridge: Opened in 1984.",
            ["https://bridge.test/a"],
        ),
        (
            "searxng",
            SEARXNG,
            "[https://bridge.test/a] The bridge: Opened in 1984.\n[https://c.test/]",
            ["https://bridge.test/a", "https://c.test/"],
        ),
        (
            "scholar",
            SCHOLAR,
            "[https://www.semanticscholar.org/paper/649def34] Construction of the Literature Graph (2018): "
            "We describe a deployed scalable system.\n"
            "[https://www.semanticscholar.org/paper/abc] No abstract",
            ["https://www.semanticscholar.org/paper/649def34", "https://www.semanticscholar.org/paper/abc"],
        ),
    ],
)
def test_recorded_answers(site, web, name, reply, text, urls):
    site.page("/search", json.dumps(reply), content_type="application/json")
    answer = asked(web_search(made(name, site), web(), k=2))
    assert answer.content == text
    assert answer.artifact == urls
    assert answer.status == "success"


@pytest.mark.parametrize(
    ("name", "method", "query", "body", "key_header"),
    [
        ("serper", "POST", "", {"q": "danube bridge", "num": 4}, ("X-Api-Key", KEY)),
        (
            "tavily",
            "POST",
            "",
            {"query": "danube bridge", "max_results": 4, "search_depth": "basic"},
            ("Authorization", f"Bearer {KEY}"),
        ),
        ("searxng", "GET", "?q=danube+bridge&format=json", None, None),
        (
            "scholar",
            "GET",
            "?query=danube+bridge&limit=4&fields=title%2Cabstract%2Cyear%2Curl",
            None,
            ("X-Api-Key", KEY),
        ),
    ],
)
def test_what_is_sent(site, web, name, method, query, body, key_header):
    site.page("/search", "{}", content_type="application/json")
    asked(web_search(made(name, site), web(), k=4))
    (sent,) = site.asked
    assert (sent.method, sent.path) == (method, f"/search{query}")
    assert (json.loads(sent.body) if sent.body else None) == body
    headers = {key.lower(): value for key, value in sent.headers.items()}
    if key_header:
        assert headers[key_header[0].lower()] == key_header[1]
    assert KEY not in sent.path


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("body", "content_type", "status", "says"),
    [
        ("<html>Please log in</html>", "text/html; charset=utf-8", 200, "but with text/html"),
        ("", "application/json", 200, "but with application/json"),
        ("{", "application/json", 200, "did not answer with search results"),
        ("{}", "application/json", 200, "did not answer with search results"),
        ("[]", "application/json", 200, "did not answer with search results"),
        ("null", "", 200, "but with something"),
        ('{"results": 3, "organic": 3, "data": 3}', "application/json", 200, "with application/json"),
        ('{"results": [3], "organic": [3], "data": [3]}', "application/json", 200, "with application/json"),
        (b"\xff\xfe\x00", "application/json", 200, "did not answer with search results"),
        ("[" * 50_000, "application/json", 200, "did not answer with search results"),
        ('{"message": "Unauthorized."}', "application/json", 401, "does not accept the key"),
        ("", "text/html", 403, "does not accept the key"),
        ("", "text/html", 402, "does not accept the key"),
        ("", "text/html", 429, "no more searches for now"),
        ("", "text/html", 500, "out of order (HTTP 500)"),
        ("", "text/html", 404, "is not there (HTTP 404)"),
    ],
)  # fmt: skip
def test_a_provider_that_fails_is_told_in_words(site, web, name, body, content_type, status, says, caplog):
    caplog.set_level(logging.DEBUG)
    site.page("/search", body, content_type=content_type, status=status)
    answer = asked(web_search(made(name, site), web()))
    assert answer.status == "error"
    assert says in answer.content
    assert len(answer.content) < 400
    assert KEY not in answer.content + caplog.text
    assert len(site.asked) == (3 if status in (429, 500) else 1)


@pytest.mark.parametrize(
    ("name", "reply"),
    [
        ("serper", {"organic": []}),
        ("tavily", {"results": []}),
        ("searxng", {"results": []}),
        ("scholar", {"total": 0, "offset": 0}),
    ],
)
def test_nothing_found_is_an_answer(site, web, name, reply):
    site.page("/search", json.dumps(reply), content_type="application/json")
    answer = asked(web_search(made(name, site), web()))
    assert (answer.status, answer.artifact) == ("success", [])
    assert answer.content == "Nothing was found for 'danube bridge'. Try other words, or fewer."


def test_a_redirect_does_not_take_the_key_elsewhere(site, web):
    site.page("/other", json.dumps(SERPER), content_type="application/json")
    site.moved("/search", "/other", status=307)
    answer = asked(web_search(made("serper", site), web()))
    assert answer.status == "error"
    assert "leads elsewhere" in answer.content
    assert site.paths() == ["/search"]


def test_nothing_with_a_key_is_cached(site, web, tmp_path):
    body = json.dumps(SCHOLAR)
    site.page("/search", body, content_type="application/json", Cache_Control="max-age=600")
    client = web(cache=tmp_path)
    for _ in range(2):
        asked(web_search(made("scholar", site), client))
    client.close()
    assert len(site.asked) == 2
    assert all(KEY.encode() not in file.read_bytes() for file in tmp_path.iterdir())


def test_a_provider_inside_is_not_reached_unless_allowed(site, web):
    answer = asked(web_search(made("searxng", site), web(allow=())))
    assert answer.status == "error"
    assert site.asked == []


@pytest.mark.parametrize("query", ["", "  ", "\u200b\u202e"])
def test_an_empty_query_is_not_sent(site, web, query):
    answer = asked(web_search(made("serper", site), web()), query)
    assert answer.content.startswith("The query is empty.")
    assert site.asked == []


def test_other_scripts_and_long_queries(site, web):
    site.page("/search", json.dumps({"organic": []}), content_type="application/json")
    tool = web_search(made("serper", site), web())
    asked(tool, "橋はいつ開通しましたか")
    asked(tool, "word " * 500)
    first, second = (json.loads(one.body)["q"] for one in site.asked)
    assert first == "橋はいつ開通しましたか"
    assert len(second) <= 400


async def test_inside_a_loop(site, web):
    site.page("/search", json.dumps(TAVILY), content_type="application/json")
    tool = web_search(made("tavily", site), web())
    assert await tool.ainvoke({"query": "x"}) == tool.invoke({"query": "x"})


def test_hidden_text_and_long_snippets_are_cut(site, web):
    hit = {"title": "a\u202eb\n[c]", "link": "https://a.test/", "snippet": "long " * 500}
    site.page("/search", json.dumps({"organic": [hit]}), content_type="application/json")
    line = asked(web_search(made("serper", site), web(), snippet_chars=20)).content
    assert line == "[https://a.test/] ab [c]: long long long long…"


def test_contract(site, web):
    tool = web_search(tavily(KEY), web())
    assert tool.metadata == {"role": "search", "read_only": True, "cost": 0.008}
    assert web_search(serper(KEY, cost=None), web()).metadata["cost"] is None
    assert "scientific papers" in web_search(semantic_scholar(), web()).description
    for wrong in ({"k": 0}, {"k": 21}, {"snippet_chars": 0}):
        with pytest.raises(ToolSettingsError):
            web_search(tavily(KEY), web(), **wrong)


@pytest.mark.parametrize("name", NAMES)
def test_keys_are_in_no_text(site, name):
    one = made(name, site)
    assert KEY not in repr(one) + repr(one.request("q", 3))


def test_by_name_with_the_environment():
    environment = {
        "SERPER_API_KEY": KEY, "TAVILY_API_KEY": KEY, "SEARXNG_URL": "https://sx.test", "OTHER": "x",
    }  # fmt: skip
    names = [provider(one, environment).name for one in ("serper", "tavily", "searxng", "semantic_scholar")]
    assert names == ["Serper", "Tavily", "SearxNG", "Semantic Scholar"]
    with pytest.raises(ToolSettingsError, match="TAVILY_API_KEY"):
        provider("tavily", {"TAVILY_API_KEY": " "})
    with pytest.raises(ToolSettingsError, match="serper, tavily"):
        provider("bing", environment)


@pytest.mark.parametrize("key", ["", " ", "ключ", "a\nb", "a\r\nX-Evil: 1"])
def test_a_key_that_is_none(key):
    with pytest.raises(ToolSettingsError) as raised:
        serper(key)
    assert "Evil" not in str(raised.value)
    with pytest.raises(ToolSettingsError):
        searxng("sx.test")


@given(st.lists(st.builds(Found, st.text(), st.text() | st.just("https://a.test/x"), st.text())))
def test_usable_addresses(found):
    kept = usable(found)
    urls = [one.url for one in kept]
    assert len(set(urls)) == len(urls)
    assert all(url.startswith(("https://", "http://")) and url.isprintable() for url in urls)
    assert usable(kept) == kept
