"""A trained Llama as a GGUF file, which llama.cpp and so the embedded server can read.

llama.cpp's own converter is not on the package index, and a small Llama needs little of it: the
hyper-parameters, the tensors under llama.cpp's names, and the tokenizer with its chat template. Query and
key weights are permuted, because llama.cpp rotates neighbouring pairs where transformers rotates halves.
Weights are stored as 16-bit floats: two million take 4 MB, and fewer bits would save nothing that counts.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coreact.errors import MissingExtraError
from coreact.train.tokenizing import END, PAD, SPECIAL, TEMPLATE

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import LlamaForCausalLM

_BLOCK = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
"""Names of a layer's tensors: transformers' and llama.cpp's."""


def write_gguf(model: LlamaForCausalLM, tokenizer: Tokenizer, path: Path, *, name: str, licence: str) -> None:
    """Write model, tokenizer and chat template into one file; a file that is there is replaced whole.

    Args:
        model: a Llama with tied embeddings.
        tokenizer: byte-level BPE with GPT-2 splitting.
        path: the file.
        name: what the model is called in the file.
        licence: SPDX identifier.

    Raises:
        MissingExtraError: the extra `train` is not installed.
    """
    try:
        import gguf
    except ImportError as missing:
        raise MissingExtraError("Writing a model file", extra="train") from missing
    config: Any = model.config
    part = path.with_name(f"{path.name}.part")
    writer = gguf.GGUFWriter(part, "llama")
    writer.add_name(name)
    writer.add_license(licence)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_vocab_size(config.vocab_size)
    _add_tokenizer(writer, tokenizer)
    for key, value in model.named_parameters():
        tensor = value.detach().float().numpy()
        if key.endswith(("q_proj.weight", "k_proj.weight")):
            tensor = _pairs(tensor, config.num_attention_heads)
        # A vector of norms stays as it is: llama.cpp wants it in 32 bits.
        writer.add_tensor(_name(key), tensor if tensor.ndim == 1 else tensor.astype("float16"))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    part.replace(path)


def _name(key: str) -> str:
    if key == "model.embed_tokens.weight":
        return "token_embd.weight"
    if key == "model.norm.weight":
        return "output_norm.weight"
    layer, _, rest = key.removeprefix("model.layers.").partition(".")
    return f"blk.{layer}.{_BLOCK[rest.removesuffix('.weight')]}.weight"


def _pairs(weights: Any, heads: int) -> Any:
    """Rows of one head from (first halves, second halves) to alternating pairs."""
    rows, columns = weights.shape
    halves = weights.reshape(heads, 2, rows // heads // 2, columns)
    return halves.swapaxes(1, 2).reshape(rows, columns)


def _add_tokenizer(writer: Any, tokenizer: Tokenizer) -> None:
    import gguf

    vocabulary = tokenizer.get_vocab()
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([control if token in SPECIAL else normal for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]])
    writer.add_eos_token_id(vocabulary[END])
    writer.add_pad_token_id(vocabulary[PAD])
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)
