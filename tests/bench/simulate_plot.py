#!/usr/bin/python3
"""Draws the table that `simulate` prints: efficiency over ranks, a line for each schedule, as SVG.

usage: BUILD/tests/bench/simulate | simulate_plot.py > simulate.svg
"""
import sys

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 60, 590, 20, 370
LOWEST = 0.85
COLOURS = {"steal": "#2f6fd0", "static": "#c9302c", "dynamic": "#e08a1b", "guided": "#7a4fb5",
           "factoring": "#1f8a55", "greedy": "#777777"}


def read_table(lines):
    """The names of the schedules, and a row of ranks and efficiencies for each line of figures."""
    cells = [[cell.strip() for cell in line.strip("|\n ").split("|")] for line in lines if line.startswith("|")]
    return cells[0][1:], [[float(cell) for cell in row] for row in cells[2:]]


def draw(names, rows):
    def x(place):
        return LEFT + place * (RIGHT - LEFT) / (len(rows) - 1)

    def y(efficiency):
        return BOTTOM - (max(efficiency, LOWEST) - LOWEST) / (1 - LOWEST) * (BOTTOM - TOP)

    yield (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
           'font-size="13"><rect width="100%" height="100%" fill="white"/>')
    for percent in range(85, 101, 5):
        yield (f'<path d="M{LEFT} {y(percent / 100):.1f}H{RIGHT}" stroke="#ddd"/>'
               f'<text x="{LEFT - 8}" y="{y(percent / 100) + 4:.1f}" text-anchor="end">{percent} %</text>')
    for place, row in enumerate(rows):
        yield f'<text x="{x(place):.1f}" y="{BOTTOM + 20}" text-anchor="middle">{row[0]:.0f}</text>'
    yield (f'<text x="{(LEFT + RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">ranks, of 100 blocks each '
           '(logarithmic)</text>')
    last_label = None
    for column in sorted(range(len(names)), key=lambda c: -rows[-1][c + 1]):
        name, colour = names[column], COLOURS[names[column]]
        points = " ".join(f"{x(place):.1f},{y(row[column + 1]):.1f}" for place, row in enumerate(rows))
        label = y(rows[-1][column + 1]) + 4
        label = label if last_label is None else max(label, last_label + 15)
        last_label = label
        dashes = ' stroke-dasharray="5 4"' if name == "greedy" else ""
        yield (f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>'
               f'<text x="{RIGHT + 8}" y="{label:.1f}" fill="{colour}">{name} {rows[-1][column + 1]:.3f}</text>')
    yield "</svg>"


print("\n".join(draw(*read_table(sys.stdin))))
