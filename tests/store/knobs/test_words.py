"""Bounds in words, and knobs the table does not know."""

from __future__ import annotations

import pytest

from store.knobs.bounds import bounds_text, bounds_with_unit, violation
from store.knobs.specs import KNOBS, in_order, label, spec_of
from store.records import KnobState

SEQS = "max_num_seqs"


def number(minimum: int | None, maximum: int | None, name: str = SEQS) -> KnobState:
    return KnobState(name, "live", 8, 8, minimum, maximum)


@pytest.mark.parametrize(
    ("minimum", "maximum", "words", "with_unit"),
    [
        (1, 32, "1 to 32", "1 to 32 requests"),
        (0, 0, "0 to 0", "0 to 0 requests"),
        (1, None, "at least 1", "at least 1 requests"),
        (None, 32, "at most 32", "at most 32 requests"),
        (None, None, "–", "–"),
    ],
)
def test_bounds_of_a_number(
    minimum: int | None, maximum: int | None, words: str, with_unit: str
) -> None:
    knob = number(minimum, maximum)
    assert (bounds_text(knob), bounds_with_unit(knob)) == (words, with_unit)


@pytest.mark.parametrize(("value", "start"), [(True, False), (None, True), (False, None)])
def test_a_switch_takes_on_or_off(value: bool | None, start: bool | None) -> None:
    knob = KnobState("enable_prefix_caching", "live", value, start, None, None)
    assert bounds_text(knob) == bounds_with_unit(knob) == "on or off"


def test_a_switch_of_which_nothing_is_known_has_no_bounds() -> None:
    knob = KnobState("enable_prefix_caching", "swap", None, None, None, None, "not found")
    assert bounds_text(knob) == "–"


@pytest.mark.parametrize(
    ("value", "words"), [(0, "at least 1"), (1, ""), (32, ""), (33, "at most 32")]
)
def test_the_bound_that_is_broken_is_named(value: int, words: str) -> None:
    assert violation(number(1, 32), value) == words
    assert violation(number(None, None), value) == ""


def test_a_knob_the_table_does_not_know_keeps_its_name_and_comes_last() -> None:
    new = number(1, 4, "a_new_knob")
    assert (label("a_new_knob"), spec_of("a_new_knob").short) == ("a_new_knob", "a_new_knob")
    assert bounds_with_unit(new) == "1 to 4"
    known = [number(1, 32, name) for name in KNOBS]
    assert in_order([new, *reversed(known)]) == (*known, new)


def test_labels_and_short_labels_tell_knobs_apart() -> None:
    for names in ([one.label for one in KNOBS.values()], [one.short for one in KNOBS.values()]):
        assert len(set(names)) == len(KNOBS)
    assert all(one.label and one.short and one.summary for one in KNOBS.values())
    assert all(bool(one.unit) == (one.type == "number") for one in KNOBS.values())
