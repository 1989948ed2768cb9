"""The tokenizer of models that begin from nothing: byte-level BPE that llama.cpp can repeat, and its chat.

A name must be cut the same way wherever it stands, or copying it is not copying: `London` opens a query right
after a quote, and follows a space in a passage. So merges are learned on text in which a space belongs to a
lower-case word only; before a capital, a digit or a sign it stays a token of its own. When cutting text the
ordinary GPT-2 splitting is used, which llama.cpp has too (`gpt-2`): names come out the same, since no merge
joins a space to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from coreact.errors import MissingExtraError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

START, END, PAD = "<|im_start|>", "<|im_end|>", "<|endoftext|>"
SPECIAL = (PAD, START, END)
"""Special tokens, in the order of their ids."""

TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
"""The chat template (ChatML), as it stands in the model file. Contents are neither trimmed nor changed."""

_LEARNING_SPLIT = r" ?[a-z]+| |[A-Z]?[a-z]+|[A-Z]+|\p{L}+|\p{N}+|[^\s\p{L}\p{N}]+|\s+"


def train_tokenizer(texts: Iterable[str], *, size: int) -> Tokenizer:
    """Learn a tokenizer of at most `size` tokens, 259 or more of which are bytes and special tokens.

    Raises:
        MissingExtraError: the extra `train` is not installed.
    """
    try:
        from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    except ImportError as missing:
        raise MissingExtraError("Training a tokenizer", extra="train") from missing
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_LEARNING_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def chat_text(turns: Sequence[dict[str, str]], *, reply: bool = False) -> str:
    """The turns as one text, as the template writes them; with `reply`, up to where a reply begins."""
    text = "".join(f"{START}{turn['role']}\n{turn['content']}{END}\n" for turn in turns)
    return f"{text}{START}assistant\n" if reply else text
