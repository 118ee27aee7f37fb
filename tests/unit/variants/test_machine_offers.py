"""What an engine is offered: the user's variants and what lies on disk."""

from pathlib import Path

import pytest

from engines.variants.checkpoint.files import model_place
from engines.variants.machine_offers import offered
from engines.variants.variant import Variant
from tests.unit.variants.model_files import INT4, write_model

AWQ = {"quant_method": "awq", "bits": 4}


def names(variants: list[Variant]) -> list[str]:
    return [variant.name for variant in variants]


def siblings(place: Path, *arguments: str) -> list[Variant]:
    return [v for v in offered(str(place), arguments, []) if v.origin == "sibling"]


def test_the_same_model_in_another_quantisation_is_a_sibling(tmp_path: Path) -> None:
    place = write_model(tmp_path / "m")
    write_model(tmp_path / "m-int4", quantization_config=INT4)
    write_model(tmp_path / "m-awq", quantization_config=AWQ)
    write_model(tmp_path / "same", torch_dtype="bfloat16")
    write_model(tmp_path / "larger-awq", quantization_config=AWQ, num_hidden_layers=8)
    write_model(tmp_path / "other-awq", quantization_config=AWQ, architectures=["QwenForCausalLM"])
    broken = write_model(tmp_path / "broken-awq", quantization_config=AWQ)
    (broken / "model.safetensors").unlink()
    (tmp_path / "link").symlink_to(place)
    (tmp_path / "file.txt").touch()
    assert names(siblings(place)) == ["m-awq", "m-int4"]
    assert names(siblings(tmp_path / "m-int4")) == ["link", "m", "m-awq", "same"]


def test_a_quantised_sibling_computes_in_16_bits(tmp_path: Path) -> None:
    place = write_model(tmp_path / "m")
    write_model(tmp_path / "m-int4", quantization_config=INT4)
    assert siblings(place, "--dtype", "float32")[0].arguments == ("--dtype", "half")
    assert siblings(place, "--dtype", "bfloat16")[0].arguments == ()


def test_settings_come_first_and_shadow_what_is_found(tmp_path: Path) -> None:
    place = write_model(tmp_path / "m")
    write_model(tmp_path / "m-int4", quantization_config=INT4)
    mine = [Variant("z", "/z"), Variant("m-int4", "/elsewhere")]
    found = offered(str(place), ("--max-num-seqs", "8"), mine)
    assert names(found) == ["z", "m-int4", "kv_cache_dtype=fp8", "max_num_seqs=16"]
    assert found[1].model == "/elsewhere"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), ["kv_cache_dtype=fp8"]),
        (("--kv_cache_dtype=fp8",), ["kv_cache_dtype=auto"]),
        (("--max-num-seqs", "x"), ["kv_cache_dtype=fp8"]),
        (("--max-num-seqs=32",), ["kv_cache_dtype=fp8", "max_num_seqs=64"]),
    ],
)
def test_settings_of_the_engine_that_could_be_others(
    arguments: tuple[str, ...], expected: list[str]
) -> None:
    assert names(offered("/none", arguments, [])) == expected


def test_models_of_the_hubs_cache_go_by_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    old = write_model(tmp_path / "models--a--m" / "snapshots" / "1")
    write_model(tmp_path / "models--a--m" / "snapshots" / "2", quantization_config=AWQ)
    write_model(tmp_path / "models--b--m-awq" / "snapshots" / "9", quantization_config=AWQ)
    write_model(tmp_path / "datasets--b--x" / "snapshots" / "9", quantization_config=AWQ)
    (tmp_path / "models--a--m" / "refs").mkdir()
    (tmp_path / "models--a--m" / "refs" / "main").write_text("1\n")
    assert model_place("a/m") == old
    (found,) = [v for v in offered("a/m", (), []) if v.origin == "sibling"]
    assert (found.name, found.model) == ("b/m-awq", "b/m-awq")


def test_a_relative_model_lies_where_the_engine_runs(tmp_path: Path) -> None:
    write_model(tmp_path / "m")
    write_model(tmp_path / "m-int4", quantization_config=INT4)
    found = [v.model for v in offered("m", (), [], directory=tmp_path) if v.origin == "sibling"]
    assert found == [str(tmp_path / "m-int4")]
