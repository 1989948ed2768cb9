"""The redactor: what it finds, what it leaves alone, and that equal secrets stay equal."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.errors import ConfigError
from coreact.trace.privacy import Redactor

KEY = b"a key for tests"

FOUND = {
    "mail anna.b+x@mail.example.co.uk, please": ("mail [email:", "], please"),
    "an unusual one: jürgen@bücher.example": ("an unusual one: [email:", "]"),
    "q=anna%40example.org&n=1": ("q=[email:", "]&n=1"),
    "use sk-proj-abcDEF_123456-7890 now": ("use [key:", "] now"),
    "ghp_abcdefghijklmnopqrstuvwxyz012345": ("[key:", "]"),
    "github_pat_11ABCDEFG0abcdefghijkl_mnop": ("[key:", "]"),
    "id AKIAIOSFODNN7EXAMPLE.": ("id [key:", "]."),
    "xoxb-123456789012-abcdefghij": ("[key:", "]"),
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl": ("[token:", "]"),
    "Bearer abcdefghijklmnopqrstuvwxyz": ("Bearer [token:", "]"),
    "Authorization: Basic dXNlcjpwYXNz": ("Authorization: Basic [secret:", "]"),
    "password=hunter22, then": ("password=[secret:", "], then"),
    '{"api_key": "0123456789abcdef"}': ('{"api_key": "[secret:', '"}'),
    "login(user='me', passwd='hunter22')": ("login(user='me', passwd='[secret:", "')"),
    '{"args": "{\\"client_secret\\": \\"s3cr3ts3cr3t\\"}"}': ('\\"client_secret\\": \\"[secret:', '\\"}"}'),
    "postgres://me:pa55@db.example/x": ("postgres://[credentials:", "]@db.example/x"),
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn\n-----END OPENSSH PRIVATE KEY-----\nrest": (
        "[private_key:",
        "]\nrest",
    ),
    "cut off: -----BEGIN PRIVATE KEY-----\nb3Blbn": ("cut off: [private_key:", "]"),
}  # fmt: skip

WHOLE = {
    'password="correct horse, battery; (staple)" rest': '" rest',
    "{'password': 'x'}": "'}",
    '{"DB_PASSWORD": "a b", "n": 1}': '", "n": 1}',
    '{"userPassword": "say \\"hi there\\" now", "n": 1}': '", "n": 1}',
    '{"args": "{\\"password\\": \\"a b, \\\\\\"c\\\\\\" d\\"}"}': '\\"}"}',
    'password: "one sk-abcdefghijklmnop1234 two ann@example.org three" rest': '" rest',
    "password = 'cut off, in the middle": "",
    "GET / HTTP/1.1\r\nCookie: a=b; c=d e\r\nHost: x": "\r\nHost: x",
    "Set-Cookie: id=x; Path=/": "",
    'Authorization: Digest username="me", response="abc"\nnext': "\nnext",
    "curl -H 'Authorization: x y' there": "' there",
    'curl -H "Cookie: a=b; c=d" there': '" there',
    "authorization: AWS4-HMAC Credential=me/x, Signature=y": "",
}
"""What a secret is as a whole, each with what stays behind it."""


@pytest.mark.parametrize("text", WHOLE)
def test_a_value_beside_its_name_goes_whole(text: str) -> None:
    clean = Redactor(key=KEY).text(text)
    assert re.fullmatch(r"[^\[]*\[secret:[0-9a-f]{8}\]" + re.escape(WHOLE[text]), clean, re.DOTALL)
    assert Redactor().text(clean) == clean
    assert Redactor().replaced(["before", text, "after"]).keys() == {text}


def test_a_call_written_as_json_shows_no_more_than_its_arguments() -> None:
    from coreact.trace.privacy.walking import redacted
    from coreact.trace.records import StepRecord

    args = {"password": "open sesame, please"}
    raw = [{"function": {"name": "login", "arguments": json.dumps(args)}}]
    data = {"tool_calls": [{"name": "login", "args": args}], "additional_kwargs": {"tool_calls": raw}}
    step = StepRecord(run="r", index=0, prompt_added=({"type": "ai", "data": data},))
    found = redacted(step, Redactor(key=KEY)).prompt_added[0]["data"]
    written = found["additional_kwargs"]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(written) == found["tool_calls"][0]["args"]
    assert "sesame" not in repr(found)


LEFT_ALONE = (
    "",
    "Which currency is used in the country whose capital is Quito?",
    "max_tokens=100 input_tokens: 2048, the token count is 12345678",
    "a basic understanding of bearer certificates",
    "https://example.org/path?q=a@b and pkg@1.2.3",
    "skeleton sk-short AKIA ghp_ eyJ",
    "the password policy, the secret of success",
    "lone \udc80 surrogate \x00 and \U0001f30a",
)


@pytest.mark.parametrize("text", FOUND)
def test_what_is_found(text: str) -> None:
    before, after = FOUND[text]
    clean = Redactor(key=KEY).text(text)
    assert before in clean
    assert clean.endswith(after)
    assert re.search(r"\[[a-z_]+:[0-9a-f]{8}\]", clean)


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_what_is_left_alone(text: str) -> None:
    assert Redactor().text(text) is text


@given(st.lists(st.sampled_from([*FOUND, *LEFT_ALONE, *WHOLE]), max_size=6).map(" | ".join))
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    redactor = Redactor(patterns={"number": r"\d+"}, key=KEY)
    clean = redactor.text(text)
    assert redactor.text(clean) == clean
    assert Redactor(patterns={"number": r"\d+"}).text(clean) == clean, "nor does another redactor"


@given(st.text(), st.sampled_from(list(FOUND)), st.text())
def test_the_search_over_all_texts_at_once_misses_nothing(before: str, secret: str, after: str) -> None:
    redactor = Redactor()
    texts = [before, secret, after]
    expected = {text: clean for text in texts if (clean := redactor.text(text)) != text}
    assert redactor.replaced(texts) == expected
    assert secret in expected


def test_equal_secrets_stay_equal_under_one_key_only() -> None:
    one, same, other = Redactor(key=KEY), Redactor(key=KEY), Redactor()
    text = "a@example.org"
    assert one.text(text) == one.text(text) == same.text(text)
    assert one.text(text) != one.text("b@example.org")
    assert one.text(text) != other.text(text)
    assert one.text("bo@x.org saw bo@x.org").count(one.text("bo@x.org")) == 2


def test_own_patterns_and_finders() -> None:
    redactor = Redactor(
        patterns={"order": r"^ORD-\d{6}$", "room": r"room (?P<secret>\d+)"},
        finders={"name": lambda text: [name for name in ("Ann", "Anna", "") if name in text]},
        key=KEY,
    )
    assert re.fullmatch(r"\[order:\w{8}\]", redactor.text("ORD-123456"))
    assert redactor.text("my ORD-123456") == "my ORD-123456", "anchors mean one text"
    assert re.fullmatch(r"room \[room:\w{8}\] of \[name:\w{8}\]", redactor.text("room 12 of Anna"))
    assert set(redactor.replaced(["x", "ORD-123456", "Ann"])) == {"ORD-123456", "Ann"}
    assert redactor.replaced(["x", "y"]) == {}


def test_a_pattern_that_would_hang_a_backtracking_engine() -> None:
    text = "a" * 50_000
    assert Redactor(patterns={"evil": r"(a+)+$b"}).text(text) is text


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"patterns": {"order": "(unclosed"}}, "no RE2 pattern"),
        ({"patterns": {"order": r"(a)\1"}}, "no RE2 pattern"),
        ({"patterns": {"order": "\udc80"}}, "no RE2 pattern"),
        ({"patterns": {"Order 1": "x"}}, "no name"),
        ({"finders": {"": str.split}}, "no name"),
        ({"key": b""}, "0 bytes"),
        ({"key": b"x" * 65}, "65 bytes"),
    ],
)
def test_bad_settings(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Redactor(**wrong)  # type: ignore[arg-type]
