"""Names are cut the same way wherever they stand, and what is learned is what was right."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("tokenizers", reason="needs the extra `train`")

from coreact.train.searcher.demonstrations import Demonstration
from coreact.train.searcher.encoding import encode
from coreact.train.tokenizing import chat_text, train_tokenizer

TEXTS = [
    "The capital of Kenya is Nairobi. Nairobi lies in Kenya. The currency of Kenya is the Kenyan Shilling.",
    '{"tool": "search", "arguments": {"query": "Nairobi capital"}} [g0123] Nairobi, Kenya: +254 .ke KEN',
] * 20


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return train_tokenizer(TEXTS, size=420)


@given(st.text(alphabet="aeiknorsBKNÉüß0123456789 +.,:'\"{}\n", max_size=40))
@settings(max_examples=200, deadline=None)
def test_nothing_is_lost(tokenizer: Any, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) == text


@given(st.from_regex(r"[A-Z][a-z]{1,12}( [A-Z][a-z]{1,8})?", fullmatch=True))
@settings(max_examples=200, deadline=None)
def test_a_name_is_the_same_tokens_after_a_quote_a_space_and_a_bracket(tokenizer: Any, name: str) -> None:
    alone = tokenizer.encode(name).ids
    for before, after in (('"', '"'), (" ", "."), ("] ", ":"), ("the ", " capital"), ("(", ")")):
        around = tokenizer.encode(f"{before}{name}{after}").ids
        assert any(around[at : at + len(alone)] == alone for at in range(len(around)))


def test_common_words_are_one_token(tokenizer: Any) -> None:
    assert len(tokenizer.encode(" capital").ids) == 1
    assert len(tokenizer.encode("Nairobi").ids) == 1


def test_a_conversation_is_encoded_as_its_text_is(tokenizer: Any) -> None:
    shown = Demonstration(
        turns=(
            {"role": "system", "content": "Reply.\n\nTools:"},
            {"role": "user", "content": "Where is Nairobi?\n"},
            {"role": "assistant", "content": '{"answer": "Kampala"}'},
            {"role": "user", "content": "Observation: Kenya"},
            {"role": "assistant", "content": '{"answer": "Kenya"}'},
        ),
        learned=(4,),
    )
    tokens = encode(tokenizer, shown)
    assert tokens.ids == tokenizer.encode(chat_text(shown.turns)).ids
    learned = [one for one, wanted in zip(tokens.ids, tokens.learned, strict=True) if wanted]
    assert tokenizer.decode(learned, skip_special_tokens=False) == '{"answer": "Kenya"}<|im_end|>'
    said = [one for one, theirs in zip(tokens.ids, tokens.prompt, strict=True) if theirs]
    assert "Kampala" not in tokenizer.decode(said)
    assert not any(a and b for a, b in zip(tokens.learned, tokens.prompt, strict=True))


def test_the_template_writes_chat_text() -> None:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    from coreact.train.tokenizing import TEMPLATE

    turns = [{"role": "system", "content": " a \n"}, {"role": "user", "content": "{{ b }} <|x|>"}]
    template = ImmutableSandboxedEnvironment().from_string(TEMPLATE)
    assert template.render(messages=turns, add_generation_prompt=True) == chat_text(turns, reply=True)
    assert template.render(messages=turns) == chat_text(turns)
