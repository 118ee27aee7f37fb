"""Plotting without a screen: scales, a time axis that seldom scrolls, and braille lines.

A sample is one *slot* of a fixed number of seconds, counted from the epoch, and a cell shows two
slots. The first slot shown moves in jumps of a quarter of the chart, so between two jumps a new
sample repaints one cell and not the chart: that is what keeps the screen light over SSH.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from app.text.clock import clock_time
from app.tui.drawing.lines import Line, Span

Values = Sequence[float | None]

SLOTS_PER_CELL = 2
_DOTS_PER_CELL = 4
_BRAILLE = 0x2800
_LEFT = (0x40, 0x04, 0x02, 0x01)
_RIGHT = (0x80, 0x20, 0x10, 0x08)
_NICE = (1.0, 2.0, 2.5, 5.0, 10.0)
_TICKS_S = (10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
_LEAST_TICK_CELLS = 14


def nice_ceiling(value: float) -> float:
    """The smallest of 1, 2, 2.5, 5 times 10^n that is not below `value`; 1 for nothing positive."""
    if value <= 0:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(value))
    for step in _NICE:
        if value <= step * unit * (1 + 1e-9):
            return step * unit
    return 10.0 * unit


def first_slot(last_slot: int, slots: int) -> int:
    """The slot at the left edge of a chart that must show `last_slot`, a multiple of a quarter."""
    jump = max(1, slots // 4)
    return -((slots - last_slot - 1) // jump) * jump


def dots(values: Values, top: float, height: int) -> list[list[int]]:
    """Braille patterns [row][cell] of one line over its slots, scaled to 0..top.

    Neighbouring slots are joined by a vertical stroke; a missing value leaves a gap.
    """
    cells = (len(values) + 1) // SLOTS_PER_CELL
    rows = [[0] * cells for _ in range(height)]
    levels = height * _DOTS_PER_CELL
    before: int | None = None
    for slot, value in enumerate(values):
        if value is None:
            before = None
            continue
        level = min(levels - 1, max(0, round(value / top * (levels - 1))))
        low, high = (level, level) if before is None else (min(before, level), max(before, level))
        if before is not None and high > low:
            low, high = (low + 1, high) if level == high else (low, high - 1)
        cell, right = divmod(slot, SLOTS_PER_CELL)
        bits = _RIGHT if right else _LEFT
        for dot in range(low, high + 1):
            row, part = divmod(dot, _DOTS_PER_CELL)
            rows[height - 1 - row][cell] |= bits[part]
        before = level
    return rows


def plot(
    series: Sequence[tuple[Values, str]], top: float, height: int, marks: Sequence[int]
) -> list[Line]:
    """Lines of `height` rows: each series in its role, later ones above, marks (cells) behind. What
    is empty on the right is left out: every cell painted is a byte sent."""
    layers = [(dots(values, top, height), role) for values, role in series]
    width = len(layers[0][0][0]) if layers else 0
    marked = set(marks)
    lines: list[Line] = []
    for row in range(height):
        spans: list[Span] = []
        run, run_role = "", "text"
        for cell in range(width):
            pattern, role = 0, "text"
            for rows, layer_role in layers:
                if rows[row][cell]:
                    pattern |= rows[row][cell]
                    role = layer_role
            if pattern:
                shown = chr(_BRAILLE + pattern)
            elif cell in marked:
                shown, role = "┊", "mark"
            else:
                shown, role = " ", run_role
            if role != run_role and run:
                spans.append(Span(run, run_role))
                run = ""
            run, run_role = run + shown, role
        lines.append((*spans, Span(run.rstrip(), run_role)))
    return lines


def time_axis(first_ms: int, cell_ms: int, width: int) -> Line:
    """Local clock times under a plot, each at the cell it names."""
    step_s = next(
        (tick for tick in _TICKS_S if tick * 1000 / cell_ms >= _LEAST_TICK_CELLS), _TICKS_S[-1]
    )
    offset_s = time.localtime(first_ms // 1000).tm_gmtoff
    row = [" "] * width
    tick = -(-(first_ms // 1000 + offset_s) // step_s) * step_s - offset_s
    while (cell := (tick * 1000 - first_ms) // cell_ms) < width:
        label = clock_time(tick * 1000, seconds=step_s < 60)
        if cell >= 0 and cell + len(label) + 1 <= width:
            row[cell : cell + 1 + len(label)] = list("╵" + label)
        tick += step_s
    return (Span("".join(row), "quiet"),)


def labels(marks: Sequence[tuple[int, str, str]], width: int) -> Line:
    """One row naming the marks (cell, letter, text): in words where there is room for them."""
    row = [" "] * width
    for number, (cell, letter, text) in enumerate(marks):
        following = marks[number + 1][0] if number + 1 < len(marks) else width
        words = f"{letter} {text}"
        shown = words if len(words) < following - cell else letter
        if cell >= 0 and cell + len(shown) <= width:
            row[cell : cell + len(shown)] = list(shown)
    return (Span("".join(row), "mark"),)
