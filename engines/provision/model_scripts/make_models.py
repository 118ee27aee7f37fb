"""Write the demo models. Run by the engine environment's Python, not by trimtab's own.

    python make_models.py RUNBOOK DESTINATION

`DESTINATION/tiny` is a Llama of 256 hidden units and 4 layers with its own byte-level BPE tokenizer
of 2,048 tokens and real random weights; `DESTINATION/tiny-int4` holds the same weights rounded to
4 bits in groups (compressed-tensors, pack-quantized). A fixed seed makes both the same everywhere.
Each directory appears whole or not at all.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch  # type: ignore[import-not-found,unused-ignore]
from model_files import (  # type: ignore[import-not-found,unused-ignore]
    quantisation,
    quantise,
    write_model,
)
from tokenizers import (  # type: ignore[import-not-found,unused-ignore]
    Tokenizer,
    decoders,
    models,
    pre_tokenizers,
    trainers,
)

SEED = 20_260_101
HIDDEN, LAYERS, HEADS, KV_HEADS, HEAD_DIM, INTERMEDIATE = 256, 4, 4, 2, 64, 768
VOCABULARY, POSITIONS = 2_048, 4_096
GROUP = 128
LOGIT_STD = 2.5
"""Spread of the logits. Near 0 every text has the same perplexity (the vocabulary size), and a
change of the weights could not be seen in it."""

SPECIAL_TOKENS = ("<s>", "</s>", "<|user|>", "<|assistant|>", "<|system|>", "<pad>")
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "<|{{ message['role'] }}|>{{ message['content'] }}\n"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def main(runbook: Path, destination: Path) -> None:
    """Write both models under `destination`, replacing what is there."""
    weights = draw_weights()
    tokenizer = train_tokenizer(runbook.read_text("utf-8"))
    settings = {
        "config": CONFIG,
        "tokenizer_config": TOKENIZER_CONFIG,
        "generation_config": {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 5},
    }
    write_model(destination / "tiny", weights, tokenizer, settings)
    settings["config"] = CONFIG | quantisation(GROUP)
    write_model(destination / "tiny-int4", quantise(weights, GROUP), tokenizer, settings)


def draw_weights() -> dict[str, Any]:
    """The tensors of a `LlamaForCausalLM`, fp16, scaled so that the signal keeps its size."""
    generator = torch.Generator().manual_seed(SEED)

    def drawn(rows: int, columns: int, std: float | None = None) -> Any:
        values = torch.randn(rows, columns, generator=generator)
        return (values * (std or columns**-0.5)).to(torch.float16)

    weights = {"model.embed_tokens.weight": drawn(VOCABULARY, HIDDEN, 1.0)}
    for layer in range(LAYERS):
        at = f"model.layers.{layer}"
        weights |= {
            f"{at}.self_attn.q_proj.weight": drawn(HEADS * HEAD_DIM, HIDDEN),
            f"{at}.self_attn.k_proj.weight": drawn(KV_HEADS * HEAD_DIM, HIDDEN),
            f"{at}.self_attn.v_proj.weight": drawn(KV_HEADS * HEAD_DIM, HIDDEN),
            f"{at}.self_attn.o_proj.weight": drawn(HIDDEN, HEADS * HEAD_DIM),
            f"{at}.mlp.gate_proj.weight": drawn(INTERMEDIATE, HIDDEN),
            f"{at}.mlp.up_proj.weight": drawn(INTERMEDIATE, HIDDEN),
            f"{at}.mlp.down_proj.weight": drawn(HIDDEN, INTERMEDIATE),
            f"{at}.input_layernorm.weight": torch.ones(HIDDEN, dtype=torch.float16),
            f"{at}.post_attention_layernorm.weight": torch.ones(HIDDEN, dtype=torch.float16),
        }
    weights["model.norm.weight"] = torch.ones(HIDDEN, dtype=torch.float16)
    weights["lm_head.weight"] = drawn(VOCABULARY, HIDDEN, LOGIT_STD * HIDDEN**-0.5)
    return weights


def train_tokenizer(text: str) -> Any:
    """A byte-level BPE tokenizer of exactly `VOCABULARY` tokens, learnt from `text`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        min_frequency=1,
        show_progress=False,
    )
    tokenizer.train_from_iterator([text], trainer)
    if tokenizer.get_vocab_size() != VOCABULARY:
        raise SystemExit(f"the text gives {tokenizer.get_vocab_size()} tokens, not {VOCABULARY}")
    return tokenizer


CONFIG: dict[str, object] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": HIDDEN,
    "intermediate_size": INTERMEDIATE,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV_HEADS,
    "head_dim": HEAD_DIM,
    "hidden_act": "silu",
    "rms_norm_eps": 1e-5,
    "rope_theta": 10_000.0,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": POSITIONS,
    "tie_word_embeddings": False,
    "attention_bias": False,
    "mlp_bias": False,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 5,
    "torch_dtype": "float16",
}

TOKENIZER_CONFIG: dict[str, object] = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "bos_token": SPECIAL_TOKENS[0],
    "eos_token": SPECIAL_TOKENS[1],
    "pad_token": SPECIAL_TOKENS[5],
    "model_max_length": POSITIONS,
    "clean_up_tokenization_spaces": False,
    "chat_template": CHAT_TEMPLATE,
}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
