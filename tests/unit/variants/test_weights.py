"""What a checkpoint's files tell without loading it."""

import json
from pathlib import Path

import pytest

from engines.provision.environment import made_models
from engines.variants.checkpoint.files import model_place
from engines.variants.checkpoint.quantisation import describe
from engines.variants.checkpoint.weights import read_weights
from tests.unit.variants.model_files import INT4, LLAMA, write_model, write_tensors


def test_a_model(tmp_path: Path) -> None:
    place = write_model(tmp_path / "m", {"F16": 1000, "I32": 400}, quantization_config=INT4)
    told = read_weights(place)
    assert told.problem == ""
    assert told.bytes_on_disk == (place / "model.safetensors").stat().st_size
    assert told.tensors == {"F16": 1000, "I32": 400}
    assert (told.quantisation, told.dtype) == ("compressed-tensors int4", "float16")
    assert told.architecture == "LlamaForCausalLM"
    assert told.kv_values == 2 * 4 * 2 * 64
    assert told.max_length == 4096


@pytest.mark.parametrize("name", ["x" * 300, "~nobody-of-this-name/m"])
def test_what_can_be_no_files_name_is_told_as_a_problem(name: str) -> None:
    """The thread that supervises asks this of any model that a swap is to go to."""
    told = read_weights(model_place(name))
    assert told.problem
    assert told.bytes_on_disk is None


def test_the_demo_models() -> None:
    models = made_models()
    if not models:
        pytest.skip("no demo models: trimtab provision makes them")
    whole, packed = read_weights(models["tiny"]), read_weights(models["tiny-int4"])
    assert (whole.problem, packed.problem) == ("", "")
    assert (whole.quantisation, packed.quantisation) == (None, "compressed-tensors int4")
    assert (whole.architecture, whole.shape) == (packed.architecture, packed.shape)
    assert 2 * (packed.bytes_on_disk or 0) < (whole.bytes_on_disk or 0)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"quant_method": "gptq", "bits": 4}, "gptq int4"),
        ({"quant_method": "fp8", "bits": 8}, "fp8"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "bitsandbytes 4-bit"),
        (
            {
                "quant_method": "compressed-tensors",
                "config_groups": {
                    "g": {
                        "weights": {"num_bits": 8, "type": "int"},
                        "input_activations": {"num_bits": 8, "type": "int"},
                    }
                },
            },
            "compressed-tensors int8, activations int8",
        ),
        ({"quant_method": "x\x1b[2J"}, "x\N{REPLACEMENT CHARACTER}[2J"),
        (["not", "an", "object"], None),
        (None, None),
    ],
)
def test_how_it_is_quantised(config: object, said: str | None) -> None:
    assert describe({"quantization_config": config}) == said
    assert describe({"text_config": {"quantization_config": config}}) == said


def test_latent_attention_keeps_one_vector(tmp_path: Path) -> None:
    place = write_model(tmp_path / "m", kv_lora_rank=512, qk_rope_head_dim=64)
    assert read_weights(place).kv_values == 4 * (512 + 64)


def test_only_the_shards_of_the_index_count(tmp_path: Path) -> None:
    place = write_model(tmp_path / "m")
    write_tensors(place / "a.safetensors", {"BF16": 10})
    write_tensors(place / "b.safetensors", {"BF16": 30})
    index = {"weight_map": {"x": "a.safetensors", "y": "b.safetensors", "z": "a.safetensors"}}
    (place / "model.safetensors.index.json").write_text(json.dumps(index))
    assert read_weights(place).tensors == {"BF16": 40}
    (place / "b.safetensors").unlink()
    assert "b.safetensors: No such file" in read_weights(place).problem


def test_a_second_copy_is_not_counted(tmp_path: Path) -> None:
    place = write_model(tmp_path / "m")
    write_tensors(place / "consolidated.safetensors", {"F16": 1000})
    assert read_weights(place).tensors == {"F16": 1000}


def test_other_formats_tell_their_size(tmp_path: Path) -> None:
    place = write_model(tmp_path / "m")
    (place / "model.safetensors").unlink()
    assert read_weights(place).problem == "m holds no weights"
    (place / "pytorch_model.bin").write_bytes(b"x" * 70)
    assert read_weights(place).bytes_on_disk == 70
    (place / "one.gguf").write_bytes(b"x" * 80)
    told = read_weights(place / "one.gguf")
    assert (told.bytes_on_disk, told.quantisation) == (80, "gguf")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("config.json", b"{", "config.json is not JSON"),
        ("config.json", b"[1]", "config.json is not a JSON object"),
        ("config.json", b"[" * 200_000, "config.json is not JSON"),
        ("config.json", b"\xff\xfe\x00", "config.json is not JSON"),
        ("model.safetensors", b"", "no safetensors file"),
        ("model.safetensors", b"\xff" * 64, "no safetensors file"),
        ("model.safetensors", (9).to_bytes(8, "little") + b"not json.", "broken header"),
        (
            "model.safetensors",
            (26).to_bytes(8, "little") + b'{"a":{"data_offsets":"x"}}',
            "broken header",
        ),
        ("model.safetensors.index.json", b"nonsense", "index.json is not JSON"),
    ],
)
def test_bad_files_are_told_not_raised(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    place = write_model(tmp_path / "m")
    (place / name).write_bytes(content)
    assert said in read_weights(place).problem


def test_a_file_cut_short_is_told(tmp_path: Path) -> None:
    place = write_model(tmp_path / "m")
    write_tensors(place / "model.safetensors", {"F16": 1000}, cut=1)
    assert "cut short: 1 bytes missing" in read_weights(place).problem


def test_no_directory_and_no_config(tmp_path: Path) -> None:
    assert "there is no directory" in read_weights(tmp_path / "none").problem
    assert "config.json: No such file" in read_weights(tmp_path).problem


def test_odd_numbers_in_a_config_are_unknown(tmp_path: Path) -> None:
    place = write_model(tmp_path / "m", num_hidden_layers="4", head_dim=-1)
    told = read_weights(place)
    assert (told.layers, told.kv_values) == (None, None)
    assert LLAMA["num_hidden_layers"] == 4
