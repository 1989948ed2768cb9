"""Log-probabilities of letters, from a server's reply and from a model in this process."""

from __future__ import annotations

import asyncio
import math

import pytest
from langchain_core.messages import AIMessage

from coreact.errors import ConfigError, JudgingError
from coreact.generate.gate import Material
from coreact.rubric import Action, Criterion, Rubric, ToolCall
from coreact.testing import ScriptedModel
from coreact.train.rewards.letters import ChatLetters, TransformersLetters
from coreact.train.rewards.margin import LetterJudge, Letters

FIRST = Action(call=ToolCall(name="search", arguments={"query": "rhine"}))
SECOND = Action(answer="the Rhine")
RUBRIC = Rubric(criteria=(Criterion(id="c1", text="The query names a river."),))


def reply(*rows: tuple[str, float], content: object = None) -> AIMessage:
    told = [{"token": "A", "top_logprobs": [{"token": t, "logprob": p} for t, p in rows]}]
    return AIMessage("A", response_metadata={"logprobs": {"content": told if content is None else content}})


def test_a_servers_alternatives_are_read() -> None:
    model = ScriptedModel(script=[reply(("A", -0.1), ("B", -3.0), ("The", -5.0))] * 2)
    judge = ChatLetters(model)
    assert isinstance(judge, LetterJudge)
    assert judge.weigh(Material(RUBRIC, FIRST, SECOND)) == Letters(-0.1, -3.0)
    assert asyncio.run(judge.aweigh(Material(None, FIRST, SECOND))) == Letters(-0.1, -3.0)
    with_rubric, without = (str(request[-1].content) for request in model.requests)
    assert "names a river" in with_rubric
    assert "names a river" not in without
    assert all("rhine" in text and "the Rhine" in text for text in (with_rubric, without))


def test_spellings_of_one_letter_are_added_up() -> None:
    judge = ChatLetters(
        ScriptedModel(script=[reply(("A", math.log(0.25)), (" A", math.log(0.25)), ("B", -2.0))])
    )
    assert judge.weigh(Material(RUBRIC, FIRST, SECOND)).first == pytest.approx(math.log(0.5))


@pytest.mark.parametrize(
    "message",
    [
        AIMessage("A"),
        AIMessage("A", response_metadata={"logprobs": None}),
        reply(("A", -0.1)),
        reply(content=[]),
        reply(content=["A"]),
        reply(content=[{"top_logprobs": [None, {"token": "A"}, {"token": "B", "logprob": "high"}]}]),
    ],
)
def test_without_both_letters_the_reading_is_an_error(message: AIMessage) -> None:
    with pytest.raises(JudgingError, match="no log-probability") as told:
        ChatLetters(ScriptedModel(script=[message])).weigh(Material(RUBRIC, FIRST, SECOND))
    assert told.value.cause == "unsupported"


def test_a_model_in_this_process_is_exact() -> None:
    torch = pytest.importorskip("torch", reason="needs the extra `train`")
    transformers = pytest.importorskip("transformers", reason="needs the extra `train`")
    from coreact.train.llama import Shape, new_model
    from coreact.train.tokenizing import TEMPLATE, train_tokenizer

    made = train_tokenizer(
        ["Two candidates, A and B. Which of them is better? Search for a river."] * 20, size=300
    )
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=made, chat_template=TEMPLATE)
    model = new_model(
        Shape(width=32, layers=1, heads=2, feed_forward=64), vocabulary=len(tokenizer), seed=1
    ).eval()
    judge = TransformersLetters(model, tokenizer, name="tiny")
    found = judge.weigh(Material(RUBRIC, FIRST, SECOND))
    # Forcing either letter costs exactly what is told.
    from coreact.train.rewards.letters import _prompt, chat

    text = tokenizer.apply_chat_template(
        chat(_prompt(Material(RUBRIC, FIRST, SECOND))), add_generation_prompt=True, tokenize=False
    )
    for letter, told in zip("AB", found, strict=True):
        ids = torch.tensor([tokenizer.encode(text + letter, add_special_tokens=False)])
        with torch.inference_mode():
            spread = torch.log_softmax(model(input_ids=ids).logits[0, -2], dim=-1)
        assert spread[ids[0, -1]].item() == pytest.approx(told, abs=1e-5)
    assert asyncio.run(judge.aweigh(Material(RUBRIC, FIRST, SECOND))) == found
    assert judge.weigh(Material(None, FIRST, SECOND)) != found
    with pytest.raises(ConfigError, match="chat template"):
        TransformersLetters(model, transformers.PreTrainedTokenizerFast(tokenizer_object=made), name="bare")
