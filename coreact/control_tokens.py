"""Words that engines read as control tokens, taken apart in text that enters a prompt.

llama.cpp, vLLM and transformers read `<|im_end|>` in a message as the token of that name: a page, an answer
or a criterion that holds it ends its turn and speaks as the system, and no fence holds then. So whoever
builds a prompt, for a judge, a generator or the embedded model, sends untrusted text through
`without_control_tokens`: a blank is put behind the first sign of such a word. Other text keeps its bytes.

What is known are the families whose models are used here; a family with tokens of another shape has to be
added. Tokens are compared as they are written, as engines do: `[inst]` and look-alikes in full width are
text. HTML tags that some vocabularies hold as one token (`<b>`) control nothing and stay. What a provider
does behind its interface, and what a model makes of a word that looks like a token, is not decided here.
"""

from __future__ import annotations

import re

# Each alternative takes one sign and looks at the rest, so no word hides behind another one; none looks
# across a blank, so what was taken apart stays so.
_BEGINNING = re.compile(
    # ChatML, Llama 3 and 4, Phi, Qwen, DeepSeek, gpt-oss, GLM, Kimi
    r"<(?=[|\uff5c][^<>|\uff5c\s]{1,64}[|\uff5c]>)"
    # Llama 2, Mistral, Gemma
    r"|<(?=/?(?:s|bos|eos|pad|unk)>)"
    r"|<(?=(?:start|end)_of_(?:turn|image)>)"
    r"|<(?=</?SYS>>)"
    # Gemma 4, where they open and where they close
    r"|<(?=\|(?:turn|tool|tool_call|tool_response|channel|image|audio|video)>)"
    r"|<(?=(?:turn|tool|tool_call|tool_response|channel|image|audio|video)\|>)"
    # Mistral
    r"|\[(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_RESULTS|MODEL_SETTINGS|THINK)\])"
    r"|\[(?=(?:TOOL_CALLS|TOOL_CONTENT|CALL_ID|ARGS|PREFIX|MIDDLE|SUFFIX|IMG|IMG_BREAK|IMG_END|AUDIO"
    r"|BEGIN_AUDIO|TRANSCRIBE)\])"
    # Qwen's and DeepSeek's thoughts and tools
    r"|<(?=/?(?:think|tool_call|tool_response)>)"
    r"|\uff5c(?=DSML\uff5c)"
    # SmolLM2, the embedded model
    r"|<(?=(?:repo_?name|file_sep|filename|gh_stars|issue_(?:start|comment|closed)"
    r"|jupyter_(?:start|text|code|output|script)|empty_output)>)"
)


def without_control_tokens(text: str) -> str:
    """The text with a blank behind the first sign of each control token; byte for byte itself without any.

    Done twice it does no more than once. It belongs to the last step of making a prompt: what is put together
    afterwards may make a token of two halves.

    Args:
        text: anything; time is linear in it.
    """
    return _BEGINNING.sub(r"\g<0> ", text)


def beginnings(text: str) -> frozenset[int]:
    """Where the control tokens of a text begin, in characters: behind these a blank is put."""
    return frozenset(found.start() for found in _BEGINNING.finditer(text))
