from __future__ import annotations

import datetime
import re

import pytest

from store.errors import BadInput
from store.metrics.prices import PriceBook
from store.metrics.prices.boards import BOARDS
from store.records import Device


def gpu(name: str) -> Device:
    return Device("gpu", "GPU-1", name)


def usd(name: str, book: PriceBook | None = None) -> float | None:
    price = (book or PriceBook()).price_of(gpu(name))
    return None if price is None else price.usd_per_hour


HOST = Device("host", "h", "AMD EPYC 9654")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("NVIDIA GB200", 10.50),
        ("NVIDIA B200", 8.60),
        ("NVIDIA B300 SXM6 AC", 7.40),
        ("NVIDIA GH200 480GB", 6.50),
        ("NVIDIA H200", 6.305),
        ("NVIDIA H100 80GB HBM3", 6.155),
        ("NVIDIA H100 NVL", 3.19),
        ("NVIDIA H100 PCIe", 3.29),
        ("NVIDIA A100-SXM4-80GB", 2.79),
        ("NVIDIA A100-SXM4-40GB", 2.745),
        ("NVIDIA A100 80GB PCIe", 1.79),
        ("NVIDIA L40S", 2.25),
        ("NVIDIA L40", 1.25),
        ("NVIDIA L4", 0.80),
        ("NVIDIA A10", 1.29),
        ("NVIDIA A10G", 1.006),
        ("NVIDIA A40", 0.44),
        ("Tesla T4", 0.53),
        ("Tesla V100-SXM2-16GB", 0.79),
        ("NVIDIA RTX A6000", 1.09),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", 2.50),
        ("NVIDIA RTX PRO 6000 Blackwell Workstation Edition", 1.45),
        ("NVIDIA GeForce RTX 5090", 0.67),
        ("NVIDIA GeForce RTX 4090", 0.74),
    ],
)
def test_each_form_factor_has_a_price_of_its_own(name: str, expected: float) -> None:
    assert usd(name) == pytest.approx(expected)


def test_a_built_in_price_says_whose_it_was_and_on_which_day() -> None:
    for board in BOARDS:
        if board.price is None:
            continue
        price = PriceBook().price_of(gpu(f"NVIDIA {board.name}"))
        assert price is not None
        assert "example" in price.source
        day = re.search(r"(2026-\d\d(-\d\d)?)$", price.source)
        assert day, price.source
        datetime.date.fromisoformat(day[1] if day[2] else f"{day[1]}-01")


NOT_FOUND = [
    "NVIDIA H200 NVL",
    "NVIDIA H100 64GB HBM2e",
    "NVIDIA H100 96GB HBM3",
    "NVIDIA H800",
    "NVIDIA H20",
    "NVIDIA H20-3e",
    "NVIDIA A800-SXM4-80GB",
    "NVIDIA A800 80GB PCIe",
    "NVIDIA A100-PCIE-40GB",
    "NVIDIA A100-SXM-64GB",
    "NVIDIA GB300",
    "NVIDIA GB10",
    "NVIDIA GH200 144G HBM3e",
    "NVIDIA L20",
    "NVIDIA T400",
    "NVIDIA RTX A1000",
    "NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition",
    "NVIDIA RTX PRO 6000 Blackwell Server Edition 72GB",
    "NVIDIA GeForce RTX 4090 D",
    "NVIDIA GeForce RTX 4090 Laptop GPU",
    "NVIDIA GeForce RTX 5090 D",
    "NVIDIA GeForce RTX 3090 Ti",
    "NVIDIA GeForce RTX 3060",
    "AMD Instinct MI300X OAM",
    "GPU-aaaa",
]


@pytest.mark.parametrize("name", NOT_FOUND)
def test_a_board_whose_price_was_not_found_has_none_and_names_the_setting(name: str) -> None:
    book = PriceBook()
    assert book.price_of(gpu(name)) is None
    reason = book.why_unpriced(gpu(name))
    assert name in reason
    key = re.search(r'set "([^"]+)" under \[prices\] in settings.toml$', reason)
    assert key, reason
    # What it says to set helps.
    assert usd(name, PriceBook({key[1]: 1.5})) == 1.5


def test_amd_is_named_as_what_nvml_does_not_know() -> None:
    assert "NVML does not know" in PriceBook().why_unpriced(gpu("AMD Instinct MI300X OAM"))


@pytest.mark.parametrize(
    ("name", "whole", "part"),
    [
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", 6.155, 1 / 8),
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb+me", 6.155, 1 / 8),
        ("NVIDIA H100 80GB HBM3 MIG 1g.20gb", 6.155, 2 / 8),
        ("NVIDIA H100 80GB HBM3 MIG 3g.40gb", 6.155, 4 / 8),
        ("NVIDIA H100 80GB HBM3 MIG 7g.80gb", 6.155, 1),
        ("NVIDIA H100 80GB HBM3 MIG 1c.3g.40gb", 6.155, 4 / 8 / 3),
        ("NVIDIA H200 MIG 1g.18gb", 6.305, 1 / 8),
        ("NVIDIA H200 MIG 4g.71gb", 6.305, 4 / 8),
        ("NVIDIA B200 MIG 1g.23gb", 8.60, 1 / 8),
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", 2.745, 1 / 8),
        ("NVIDIA A100-SXM4-40GB MIG 2g.10gb", 2.745, 2 / 8),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition MIG 1g.24gb+gfx", 2.50, 2 / 8),
        ("GRID A100DX-40C", 2.79, 40 / 80),
        ("GRID A100D-80C", 1.79, 1),
        ("NVIDIA A100X-20C", 2.745, 20 / 40),
        ("NVIDIA A100X-4-20C", 2.745, 20 / 40),
        ("NVIDIA H100XM-80C", 6.155, 1),
        ("NVIDIA H100-16C", 3.29, 16 / 80),
        ("NVIDIA H100L-47C", 3.19, 47 / 94),
        ("NVIDIA L40S-12Q", 2.25, 12 / 48),
        ("NVIDIA A10-4Q", 1.29, 4 / 24),
        ("NVIDIA RTX Pro 6000 Blackwell DC-4-96Q", 2.50, 1),
    ],
)
def test_a_slice_costs_its_part_of_the_board(name: str, whole: float, part: float) -> None:
    assert usd(name) == pytest.approx(whole * part)


def test_the_parts_of_one_gpu_never_add_up_to_more_than_it() -> None:
    whole = usd("NVIDIA H100 80GB HBM3")
    assert whole is not None
    for profiles in (["1g.10gb"] * 7, ["4g.40gb", "3g.40gb"], ["2g.20gb"] * 3 + ["1g.20gb"]):
        parts = [usd(f"NVIDIA H100 80GB HBM3 MIG {profile}") or 0 for profile in profiles]
        assert sum(parts) <= whole + 1e-9


def test_the_source_of_a_slices_price_tells_its_part() -> None:
    price = PriceBook().price_of(gpu("NVIDIA H100 80GB HBM3 MIG 1g.10gb"))
    assert price is not None
    assert price.source.startswith("1/8 of built-in example")


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", "H100 80GB HBM3 MIG 1g.10gb"),
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", "1g.10gb"),
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", "MIG"),
        ("NVIDIA A100-40C", "A100-40C"),
        ("GRID A100X-4-20C", "A100X-4-20C"),
    ],
)
def test_the_users_price_of_a_slice_is_taken_as_it_is(name: str, key: str) -> None:
    # A price of the whole board, though its name is longer, is not what the slice costs.
    book = PriceBook({key: 0.9, "NVIDIA H100 80GB HBM3": 5.0, "A100": 5.0}, source="mine")
    price = book.price_of(gpu(name))
    assert price is not None
    assert (price.usd_per_hour, price.source) == (0.9, f"mine: {key}")


def test_the_users_price_of_a_board_is_that_of_the_whole() -> None:
    book = PriceBook({"H100": 4.0, "A100X": 8.0, "2g.20gb": 99.0}, source="mine")
    price = book.price_of(gpu("NVIDIA H100 80GB HBM3 MIG 1g.10gb"))
    assert price is not None
    assert (price.usd_per_hour, price.source) == (0.5, "1/8 of mine: H100")
    assert usd("GRID A100X-20C", book) == 4.0


def test_a_slice_of_a_board_of_unknown_size_needs_a_price_of_its_own() -> None:
    device = gpu("NVIDIA Mystery-12Q")
    assert PriceBook({"Mystery": 8.0}).price_of(device) is None
    assert '"Mystery-12Q"' in PriceBook({"Mystery": 8.0}).why_unpriced(device)
    assert usd("NVIDIA Mystery-12Q", PriceBook({"Mystery-12Q": 0.7})) == 0.7


def test_a_slice_without_a_price_says_how_either_can_be_set() -> None:
    reason = PriceBook().why_unpriced(gpu("NVIDIA H20 MIG 1g.12gb"))
    assert reason == (
        'no price for NVIDIA H20 MIG 1g.12gb, a slice: set "H20 MIG 1g.12gb" (the slice) '
        'or "H20" (the whole) under [prices] in settings.toml'
    )


def test_the_users_price_comes_first_and_the_longest_match_wins() -> None:
    book = PriceBook({"h100": 2.0, "H100 80GB": 3.0}, source="settings.toml")
    price = book.price_of(gpu("NVIDIA H100 80GB HBM3"))
    assert price is not None
    assert (price.usd_per_hour, price.source) == (3.0, "settings.toml: H100 80GB")
    assert usd("NVIDIA H100 80GB HBM3", PriceBook({"NVIDIA H100": 2.5})) == 2.5


def test_a_gpu_without_a_readable_name_is_priced_by_its_uuid() -> None:
    assert PriceBook({"GPU-1": 1.1}).price_of(gpu("")) is not None
    assert '"GPU-1"' in PriceBook().why_unpriced(gpu(""))


def test_a_key_matches_whole_words_only() -> None:
    assert usd("NVIDIA A100-SXM4-80GB", PriceBook({"A10": 9.0})) == pytest.approx(2.79)


def test_a_host_has_its_own_price_else_a_stated_example_else_none() -> None:
    assert PriceBook(host_usd_per_hour=0.4).price_of(HOST).usd_per_hour == 0.4  # type: ignore[union-attr]
    example = PriceBook().price_of(HOST)
    assert example is not None
    assert example.usd_per_hour == 0.10
    assert "example" in example.source
    bare = PriceBook(example_host=False)
    assert bare.price_of(HOST) is None
    assert "host_usd_per_hour" in bare.why_unpriced(HOST)
    assert PriceBook({"EPYC 9654": 2.0}).price_of(HOST).usd_per_hour == 2.0  # type: ignore[union-attr]


@pytest.mark.parametrize("usd", [-1.0, float("nan"), float("inf")])
def test_a_price_that_is_none_is_refused(usd: float) -> None:
    with pytest.raises(BadInput, match="price"):
        PriceBook({"H100": usd})
    with pytest.raises(BadInput, match="host"):
        PriceBook(host_usd_per_hour=usd)
