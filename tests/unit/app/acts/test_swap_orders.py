"""What a swap is refused for before anything is touched, and what of it stays hidden."""

from dataclasses import replace
from pathlib import Path

import pytest

from app.acts.swaps import order_for
from app.offers.all_variants import find_variant
from app.offers.offer import Files, Offer, Room, Wanted
from app.settings.load import load_settings
from engines.supervisor.swap.candidate import launch_of
from engines.variants.variant import Variant
from store.errors import BadInput
from tests.unit.supervisor.test_memory import launch


@pytest.mark.parametrize("arguments", [("--port", "9999"), ("--Host=::",), ("--uds", "/x")])
def test_a_variant_keeps_the_address(arguments: tuple[str, ...]) -> None:
    with pytest.raises(BadInput, match="A swap keeps the address"):
        find_variant("away", [Variant("away", "m", arguments)])


def test_texts_that_cannot_be_read_are_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIMTAB_CONFIG_DIR", str(tmp_path))
    texts = tmp_path / "texts.jsonl"
    texts.write_text('{"prompt": "a whole text"}\nnot json\n')
    (tmp_path / "settings.toml").write_text(f'[quality]\ntexts = "{texts}"\n')
    offer = Offer("int4", "settings", "", Files("m"), Room(), "auto", variant=Variant("int4", "m"))
    wanted = Wanted(offer)
    with pytest.raises(BadInput, match="2"):
        order_for(wanted, load_settings(), db=tmp_path / "l.db")


def test_a_token_of_a_variant_stays_out_of_the_command() -> None:
    found = launch_of(launch(), Variant("v", "m", ("--hf-token", "hf_secret", "--x", "1")))
    assert "hf_secret" not in found.command
    assert found.environ["HF_TOKEN"] == "hf_secret"
    assert found.arguments[-2:] == ("--x", "1")
    assert replace(found, environ={}).variant == "v"
