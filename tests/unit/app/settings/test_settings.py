import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.settings import load as settings
from app.settings.load import load_settings, price_book, stated_gpus
from app.settings.values import QualityTable, Settings, VariantTable
from store.errors import BadInput
from store.records import Device
from store.reports.thresholds import Thresholds


@pytest.fixture(autouse=True)
def own_directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIMTAB_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("TRIMTAB_DATA_DIR", str(tmp_path / "data"))


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "settings.toml"
    path.write_text(text)
    return path


def test_defaults_without_a_file_need_no_pydantic(tmp_path: Path) -> None:
    code = (
        "import sys; from app.settings.load import Settings, load_settings;"
        "assert load_settings() == Settings();"
        "sys.exit('pydantic' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_key_is_read(tmp_path: Path) -> None:
    write(
        tmp_path,
        'host_usd_per_hour = 0.2\ndb = "/tmp/x.db"\nevery = 2\nslow_link = true\n'
        '[prices]\n"H100 80GB" = 2.49\n'
        '[variants.fp8]\narguments = ["--kv-cache-dtype", "fp8"]\nenvironment = { A = "b" }\n'
        '[variants."my int4"]\nmodel = "/m"\n',
    )
    assert load_settings() == Settings(
        prices={"H100 80GB": 2.49},
        host_usd_per_hour=0.2,
        db=Path("/tmp/x.db"),
        every=2.0,
        slow_link=True,
        variants={
            "fp8": VariantTable(None, ("--kv-cache-dtype", "fp8"), {"A": "b"}),
            "my int4": VariantTable("/m"),
        },
    )
    assert settings.default_db_path() == Path("/tmp/x.db")


def test_an_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    write(tmp_path, "")
    assert load_settings() == Settings()


def test_the_environment_overrides_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "every = 2\nhost_usd_per_hour = 0.2\n")
    monkeypatch.setenv("TRIMTAB_EVERY", "5")
    assert load_settings() == Settings(every=5.0, host_usd_per_hour=0.2)


def test_the_environment_alone_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIMTAB_PRICES", '{"L4": 0.5}')
    assert load_settings() == Settings(prices={"L4": 0.5})


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("every = 2\n\nevry = 3\n", 3, "evry is not a setting"),
        ('[prices]\nL4 = "cheap"\n', 2, "number"),
        ("[prices]\nL4 = -1\n", 2, "greater than or equal to 0"),
        ("[prices]\nL4 = nan\n", 2, "finite"),
        ("every = 0.01\n", 1, "greater than or equal to 0.2"),
        ("every = \n", 1, "not TOML"),
        ("[quality]\n\nmaxkl = 1\n", 3, "quality.maxkl is not a setting"),
        ('[quality]\nmax_kl = "x"\n', 2, "number"),
        ("[quality]\nmax_kl = -1\n", 1, "max_kl is a number of nats"),
        ("[quality]\nmax_loglik_drop = inf\n", 1, "max_loglik_drop is a number of nats"),
        ("[quality]\nmin_top1_agreement = nan\n", 1, "share from 0 to 1"),
        ("[quality]\nmin_tokens = 0\n", 1, "1 or more"),
        ('[variants.a]\nmodle = "/m"\n', 2, "modle"),
        ('[variants.a]\narguments = "--x"\n', 2, "tuple"),
        ('[variants.a]\nenvironment = { HF_TOKEN = ["sk-1"] }\n', 2, "string"),
        ('\napi_key = "sk-1"\n', 2, "TRIMTAB_API_KEY"),
    ],
)
def test_a_bad_file_is_named_with_its_line_and_what_is_allowed(
    tmp_path: Path, text: str, line: int, said: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(BadInput) as caught:
        load_settings()
    message = str(caught.value)
    assert str(path) in message
    assert f"line {line}" in message
    assert said in message
    assert all(field.name in caught.value.remedy for field in dataclasses.fields(Settings))
    assert "sk-1" not in message


def test_the_quality_table(tmp_path: Path) -> None:
    write(tmp_path, '[quality]\nmax_kl = 0.2\ntexts = "/tmp/x.jsonl"\n')
    found = load_settings().quality
    assert found == QualityTable(max_kl=0.2, texts=Path("/tmp/x.jsonl"))
    assert found.max_loglik_drop == Thresholds().max_loglik_drop


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(BadInput):
        load_settings()


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 100_000, "every = " + "9" * 5_000, "# " + "x" * 1_000_000]
)
def test_a_file_without_end_is_refused(tmp_path: Path, text: str) -> None:
    write(tmp_path, text)
    with pytest.raises(BadInput):
        load_settings()


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "settings.toml")
    with pytest.raises(BadInput, match="is not a file"):
        load_settings()
    (tmp_path / "settings.toml").unlink()
    (tmp_path / "settings.toml").symlink_to("/dev/zero")
    with pytest.raises(BadInput, match="is not a file"):
        load_settings()


def test_a_bad_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIMTAB_SLOW_LINK", "maybe")
    with pytest.raises(BadInput, match="TRIMTAB_SLOW_LINK"):
        load_settings()


def test_prices_reach_the_book_with_their_source() -> None:
    book = price_book(Settings(prices={"H100": 2.0}, host_usd_per_hour=0.3))
    gpu = book.price_of(Device("gpu", "x", "NVIDIA H100 80GB HBM3"))
    host = book.price_of(Device("host", "x", "AMD EPYC"))
    assert gpu is not None
    assert host is not None
    assert (gpu.usd_per_hour, host.usd_per_hour) == (2.0, 0.3)
    assert "settings.toml" in gpu.source


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIMTAB_DB", "")
    monkeypatch.setenv("TRIMTAB_EVERY", "2")
    assert load_settings().db is None
    assert load_settings().every == 2


def test_gpus_are_stated_in_the_settings_and_by_the_option() -> None:
    settings = Settings(gpus={"chat": "0", "http://127.0.0.1:8000/": "1"})
    stated = stated_gpus(settings, ["chat=2,3", "code=GPU-aa"])
    assert stated.of("chat", "http://x:1") == "2,3"
    assert stated.of("code", "http://x:2") == "GPU-aa"
    assert stated.of("other", "http://127.0.0.1:8000") == "1"
    assert stated.of("other", "http://x:3") == ""
    assert stated_gpus(Settings(), ["0"]).of("whichever", "http://x:3") == "0"
