from __future__ import annotations

import pytest

from store.errors import BadInput
from store.metrics.prices import AS_OF, PriceBook
from store.records import Device


def gpu(name: str) -> Device:
    return Device("gpu", "GPU-1", name)


HOST = Device("host", "h", "AMD EPYC 9654")


@pytest.mark.parametrize(
    ("name", "usd"),
    [
        ("NVIDIA H100 80GB HBM3", 6.16),
        ("NVIDIA H200", 6.31),
        ("NVIDIA H200 NVL", 6.31),
        ("NVIDIA GH200 480GB", 6.50),
        ("NVIDIA A100-SXM4-40GB", 2.75),
        ("NVIDIA A100-SXM4-80GB", 2.70),
        ("NVIDIA A100 80GB PCIe", 2.70),
        ("NVIDIA L40S", 2.25),
        ("NVIDIA L4", 0.80),
        ("NVIDIA A10G", 1.01),
        ("Tesla T4", 0.53),
        ("NVIDIA GeForce RTX 4090", 0.34),
    ],
)
def test_the_built_in_table_knows_product_names_and_says_how_old_it_is(
    name: str, usd: float
) -> None:
    price = PriceBook().price_of(gpu(name))
    assert price is not None
    assert price.usd_per_hour == usd
    assert AS_OF in price.source
    assert "example" in price.source


@pytest.mark.parametrize(
    "name",
    ["NVIDIA L40", "NVIDIA A10", "NVIDIA RTX A1000", "NVIDIA T400", "NVIDIA GeForce RTX 3060"],
)
def test_a_name_that_only_looks_alike_has_no_price(name: str) -> None:
    assert PriceBook().price_of(gpu(name)) is None


def test_a_slice_of_a_gpu_has_not_the_price_of_the_whole() -> None:
    slice_ = gpu("NVIDIA H100 80GB HBM3 MIG 1g.10gb")
    assert PriceBook().price_of(slice_) is None
    mine = PriceBook({"H100 80GB HBM3 MIG 1g.10gb": 0.9}).price_of(slice_)
    assert mine is not None
    assert mine.usd_per_hour == 0.9


def test_the_users_price_comes_first_and_the_longest_match_wins() -> None:
    book = PriceBook({"h100": 2.0, "H100 80GB": 3.0}, source="settings.toml")
    price = book.price_of(gpu("NVIDIA H100 80GB HBM3"))
    assert price is not None
    assert (price.usd_per_hour, price.source) == (3.0, "settings.toml: H100 80GB")


def test_a_key_matches_whole_words_only() -> None:
    price = PriceBook({"A10": 9.0}).price_of(gpu("NVIDIA A100-SXM4-80GB"))
    assert price is not None
    assert price.usd_per_hour == 2.70


def test_a_host_has_its_own_price_else_a_stated_example_else_none() -> None:
    assert PriceBook(host_usd_per_hour=0.4).price_of(HOST).usd_per_hour == 0.4  # type: ignore[union-attr]
    example = PriceBook().price_of(HOST)
    assert example is not None
    assert example.usd_per_hour == 0.10
    assert "example" in example.source
    assert PriceBook(example_host=False).price_of(HOST) is None


@pytest.mark.parametrize("usd", [-1.0, float("nan"), float("inf")])
def test_a_price_that_is_none_is_refused(usd: float) -> None:
    with pytest.raises(BadInput, match="price"):
        PriceBook({"H100": usd})
    with pytest.raises(BadInput, match="host"):
        PriceBook(host_usd_per_hour=usd)
