"""trimtab variants, on processes that look like vLLM."""

import re
from pathlib import Path

import pytest

from app.offers.all_variants import find_variant, variants_of
from app.settings.values import Settings, VariantTable
from engines.engine_info import EngineInfo
from store.errors import BadInput, NotAchieved
from tests.fakes.engine_trees import fake_engine
from tests.unit.app.cli.cli_runner import Cli
from tests.unit.variants.model_files import INT4, write_model

SETTINGS = """
[variants.mine]
model = "~/no-such-model"
arguments = ["--hf-token", "sk-argument", "--max-num-seqs", "4"]
environment = { MY_API_KEY = "sk-variable", PLAIN = "hidden", VLLM_USE_V1 = "1" }
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write_model(tmp_path / "models" / "m-int4", {"I32": 3000}, quantization_config=INT4)
    return write_model(tmp_path / "models" / "m")


def test_the_list_and_its_json(cli: Cli, tmp_path: Path, place: Path) -> None:
    config = tmp_path / "config"
    config.mkdir()
    (config / "settings.toml").write_text(SETTINGS)
    environment = {"VLLM_CPU_KVCACHE_SPACE": "1"}
    words = (str(place), "--max-num-seqs", "8", "--max-model-len", "64")
    with fake_engine(
        tmp_path / "e", *words, env=environment, plugins=[False], version="0.32.0+cpu"
    ) as engine:
        told = cli("variants", "--engine", engine.url, "--json")
        shown = cli("variants", "--engine", engine.url)
    assert (told.code, shown.code) == (0, 0)
    by_name = {row["name"]: row for row in told.json}
    assert list(by_name) == ["mine", "m-int4", "kv_cache_dtype=fp8", "max_num_seqs=16"]

    sibling = by_name["m-int4"]
    assert sibling["quantisation"] == "compressed-tensors int4"
    assert sibling["weights_bytes"] == 3000
    assert sibling["weights_on_disk"] > 3000
    assert sibling["device"] == "host"
    assert sibling["memory_bytes"] == 3000 + (1 << 30) + (3 << 29)
    assert sibling["free_bytes"] < sibling["free_after_stop_bytes"]
    assert sibling["command"][0] == str(place.with_name("m-int4"))
    assert sibling["command"][-2:] == ["--served-model-name", str(place)]

    mine = by_name["mine"]
    assert mine["verdict"] == "unknown"
    assert f"there is no directory {Path.home() / 'no-such-model'}" in mine["reason"]
    assert mine["environment"] == {
        "MY_API_KEY": "***",
        "PLAIN": "***",
        "VLLM_USE_V1": "1",
    }
    assert mine["arguments"] == ["--hf-token", "***", "--max-num-seqs", "4"]
    assert "sk-" not in told.out + told.err + shown.out + shown.err

    assert re.search(r"m-int4 +\S+ KiB +compressed-tensors int4 +float16", shown.out)
    assert f"runs {place}" in shown.err
    assert "mine: of your settings; unknown: there is no directory" in shown.err


def test_names_from_outside_are_only_text(cli: Cli, tmp_path: Path, place: Path) -> None:
    place.with_name("m-int4").rename(place.with_name("m-\x1b[2J[b]"))
    with fake_engine(tmp_path / "e", str(place), plugins=[False]) as engine:
        shown = cli("variants", "--engine", engine.url)
    assert shown.code == 0
    assert "\x1b" not in shown.out + shown.err
    assert "[2J[b]" in shown.out


def test_an_engine_elsewhere_has_no_variants(cli: Cli) -> None:
    ran = cli("variants", "--engine", "http://127.0.0.1:9")
    assert ran.code == 3
    distant = EngineInfo(url="http://x", name="x", reason="not on this machine")
    with pytest.raises(NotAchieved, match="x cannot be swapped: not on this machine"):
        variants_of(distant, Settings())


def test_an_unknown_variant_is_told_with_those_there_are(tmp_path: Path, place: Path) -> None:
    settings = Settings(variants={"a": VariantTable(), "b": VariantTable(str(place))})
    with fake_engine(tmp_path / "e", str(place)) as engine:
        info = EngineInfo(
            url=engine.url,
            name="x",
            pid=engine.pid,
            arguments=("vllm", "serve", str(place)),
        )
        variants = variants_of(info, settings)
    assert find_variant("b", variants).model == str(place)
    assert find_variant("a", variants).model == str(place)
    with pytest.raises(BadInput) as caught:
        find_variant("c", variants)
    assert caught.value.meaning == "There are: a, b, m-int4, kv_cache_dtype=fp8"
