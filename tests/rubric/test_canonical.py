"""Identity is content: equal content gives equal hashes anywhere, unequal content does not."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.rubric import SCHEME, canonical_json, digest, text_digest

CHARS = st.characters(codec=None)  # lone surrogates included
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(CHARS, max_size=8)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(CHARS, max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)
ODD_KEYS = st.text(max_size=3) | st.integers() | st.tuples(st.integers()) | st.none() | st.binary(max_size=2)
ODD = st.recursive(
    SCALARS
    | st.binary(max_size=3)
    | st.builds(lambda: 10**6000)
    | st.builds(object)
    | st.frozensets(st.integers()),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(ODD_KEYS, inner, max_size=3)
        | inner.map(lambda value: nested(value, 300))
    ),
    max_leaves=6,
)


def nested(value: Any, times: int, *, key: str | None = None) -> Any:
    for _ in range(times):
        value = [value] if key is None else {key: value}
    return value


def same(left: Any, right: Any) -> bool:
    """Equality as JSON sees it: True is not 1, NaN is NaN, 1.0 is 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float) and isinstance(right, float) and math.isnan(left):
        return math.isnan(right)
    if isinstance(left, float) != isinstance(right, float) and abs(left or 0) > 2**53:
        return False  # beyond 2**53 an integer is written exactly and a float is not
    return bool(left == right)


def safe_same(left: Any, right: Any) -> bool:
    try:
        return same(left, right)
    except TypeError:
        return False


def test_the_scheme_is_named_and_the_bytes_are_rfc_8785() -> None:
    assert SCHEME == "coreact.json.1"
    assert (
        canonical_json({"b": 1.0, "a": [True, None, "é", 1e21]})
        == '{"a":[true,null,"é",1e+21],"b":1}'.encode()
    )
    assert digest({}) == f"{SCHEME}:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert text_digest("") == "text.1:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (2**53 - 1, b"9007199254740991"),
        (2**60, b'{"$int":"0x1000000000000000"}'),
        (-(2**60), b'{"$int":"-0x1000000000000000"}'),
        (math.nan, b'{"$float":"nan"}'),
        (-math.inf, b'{"$float":"-inf"}'),
        ("\ud800", b'{"$text":"eda080"}'),
        ({"\ud800": 1}, b'{"$text:eda080":1}'),
        ({"$int": "1"}, b'{"$$int":"1"}'),
        ({"$$int": "1"}, b'{"$$$int":"1"}'),
        ({"$ref": "#/a"}, b'{"$ref":"#/a"}'),
        ({2: 1, None: 3, False: 4, (1, "a"): 5}, b'{"2":1,"[1,\\"a\\"]":5,"false":4,"null":3}'),
        ({3, 1, 2}, b"[1,2,3]"),
        ((1, (2,)), b"[1,[2]]"),
        (b"raw", b'{"$repr":"bytes"}'),
        (
            nested([1, [2], {"b": 3, "a": "4"}], 64),
            b"[" * 64 + b'{"$deep":[{"$deep":3},1,{"$deep":1},2,{"$deep":["a","b"]},"4",3]}' + b"]" * 64,
        ),
        (nested(1, 66), b"[" * 64 + b'{"$deep":[{"$deep":1},{"$deep":1},1]}' + b"]" * 64),
    ],
)
def test_what_json_cannot_hold_is_widened(value: Any, written: bytes) -> None:
    assert canonical_json(value) == written


@given(JSON, JSON)
def test_digests_are_equal_exactly_where_the_values_are(left: Any, right: Any) -> None:
    assert (digest(left) == digest(right)) == safe_same(left, right)


@given(JSON)
def test_a_digest_survives_json_and_key_order(value: Any) -> None:
    again = json.loads(json.dumps(value))

    def backwards(item: Any) -> Any:
        if isinstance(item, dict):
            return {key: backwards(item[key]) for key in reversed(item)}
        return [backwards(part) for part in item] if isinstance(item, list) else item

    assert digest(again) == digest(backwards(value)) == digest(value)


@given(ODD)
def test_odd_values_never_crash_and_hash_the_same_twice(value: Any) -> None:
    assert digest(value) == digest(value)
    json.loads(canonical_json(value))


@pytest.mark.parametrize("key", [None, "k", "$deep"])
def test_deep_nesting_is_told_apart_and_does_not_depend_on_the_stack(key: str | None) -> None:
    deep = [nested(leaf, times, key=key) for leaf in (1, 2, [], {}) for times in (63, 64, 65, 400, 5000)]
    hashes = [digest(value) for value in deep]
    assert len(set(hashes)) == len(deep)

    def lower(depth: int) -> str:
        return digest(deep[3]) if depth == 0 else lower(depth - 1)

    assert lower(600) == hashes[3]


def test_deep_siblings_stay_in_order() -> None:
    assert digest(nested([1, [2]], 70)) != digest(nested([[2], 1], 70))
    assert digest(nested({"a": 1, "b": 2}, 70)) == digest(nested({"b": 2, "a": 1}, 70))
    assert digest(nested({"a": 1, "b": 2}, 70)) != digest(nested({"a": 2, "b": 1}, 70))


def test_a_value_that_contains_itself_is_an_error_not_a_hang() -> None:
    circle: dict[str, Any] = {}
    circle["self"] = circle
    with pytest.raises(ValueError, match="contains itself"):
        digest(circle)


def test_one_character_makes_another_hash() -> None:
    texts = ["a", "A", "a ", "á", "a\u0301", "", "\ud800", "\\ud800", "\ud83d\ude00", "😀"]
    assert len({digest(text) for text in texts}) == len(texts)
    assert len({text_digest(text) for text in texts}) == len(texts)


def test_another_process_with_another_hash_seed_agrees() -> None:
    value = {"set": {"x", "y", "z"}, "big": 2**70, "nan": math.nan, "é": ["b", 1.5]}
    program = (
        "import math\nfrom coreact.rubric import digest, State, ToolContract\n"
        f"print(digest({value!r}))\n".replace("nan,", "math.nan,")
        + "print(State.start('Why?', tools=(ToolContract(name='t'),), given=('https://a.b',)).digest)"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert outputs.pop().split()[0] == digest(value)


def test_threads_agree() -> None:
    found: set[str] = set()
    threads = [threading.Thread(target=lambda: found.add(digest({"a": [1, 2]}))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {digest({"a": [1, 2]})}
