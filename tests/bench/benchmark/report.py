"""What people and programs read: the table, the goals, JSON, and plots."""

import json
import os
import shutil
import statistics
import subprocess

from .results import summary
from .servers import OURS, YARDSTICK

FIRST, WIDTH = 44, 12


def figure(value):
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}"


class Table:
    """The figures of all rows, a column a server; what could not be measured has a note."""

    def __init__(self, results, rows, servers):
        self.results, self.rows, self.servers, self.notes = results, rows, servers, {}

    def lines(self):
        yield "Medians (less is better)".ljust(FIRST) + "".join(f"{name:>{WIDTH}}" for name in self.servers)
        for row in self.rows:
            cells = "".join(f"{self.median(row, name):>{WIDTH}}" for name in self.servers)
            yield f"{row.title}, {row.unit}".ljust(FIRST) + cells
        yield ""
        yield f"Ratio to {YARDSTICK}, run by run".ljust(FIRST) + "".join(f"{name:>{WIDTH}}" for name in self.servers)
        for row in self.rows:
            if row.paired:
                yield from self.ratios(row)
        for number, (why, names) in enumerate(self.notes.items(), 1):
            yield f"[{number}] {', '.join(names)}: {why}"

    def median(self, row, name):
        cell = self.results.cell(row, name)
        if not cell["why_not"]:
            return figure(statistics.median(cell["runs"])) if cell["runs"] else "-"
        names = self.notes.setdefault(cell["why_not"], [])
        if name not in names:
            names.append(name)
        return f"- [{list(self.notes).index(cell['why_not']) + 1}]"

    def ratios(self, row):
        figures = [summary(self.results.ratios(row.key, name, YARDSTICK)) for name in self.servers]
        for what in ("median", "min", "max"):
            title = row.title if what == "median" else ""
            yield f"{title:<{FIRST - 8}}{what:<8}" + "".join(
                f"{f'{one[what]:.3f}' if one else '-':>{WIDTH}}" for one in figures)


def as_json(results, rows, goals, facts):
    table = {}
    for row in rows:
        servers = {}
        for name, cell in results.rows.get(row.key, {}).items():
            servers[name] = {**cell, **(summary(cell["runs"]) or {}),
                             "ratio": summary(results.ratios(row.key, name, YARDSTICK)) if row.paired else None}
        table[row.key] = {"title": row.title, "unit": row.unit, "paired": row.paired, "servers": servers}
    return json.dumps({"format": 1, **facts, "rows": table, "goals": [goal.as_json() for goal in goals]}, indent=1)


def colour(text, good):
    if not os.isatty(1) or good is None:
        return text
    return f"\033[{32 if good else 31}m{text}\033[0m"


# Plots: gnuplot reads what is written beside them, and can be run again.

HEAD = """set terminal svg size 900,420 dynamic background rgb 'white'
set output '{name}.svg'
set title '{title}'
set grid y
set key outside
"""


def gnuplot(out, name, title, data, commands):
    (out / f"{name}.dat").write_text(data)
    (out / f"{name}.gp").write_text(HEAD.format(name=name, title=title) + commands)
    done = subprocess.run(["gnuplot", f"{name}.gp"], cwd=out, capture_output=True, text=True)
    return None if done.returncode == 0 else f"gnuplot {name}.gp: {done.stderr.strip().splitlines()[-1]}"


def plot_ratios(out, results, rows, servers):
    rows = [row for row in rows if row.paired and results.ratios(row.key, OURS, YARDSTICK)]
    others = [name for name in servers if name != YARDSTICK]
    lines = ["row " + " ".join(others)]
    for row in rows:
        medians = [summary(results.ratios(row.key, name, YARDSTICK)) for name in others]
        lines.append(f"{row.key} " + " ".join(f"{one['median']:.4f}" if one else "?" for one in medians))
    commands = ("set style data histogram\nset style histogram clustered gap 1\nset style fill solid 0.8\n"
                f"set ylabel 'ratio to {YARDSTICK}'\nset yrange [0:4]\nset xtics rotate by -30\n"
                "set datafile missing '?'\n"
                f"plot for [i=2:{len(others) + 1}] 'ratios.dat' using i:xtic(1) title columnheader(i), "
                "1 with lines dashtype 2 linecolor 'black' notitle\n")
    return gnuplot(out, "ratios", f"Ratio to the {YARDSTICK} loop (less is better; cut off at 4)",
                   "\n".join(lines) + "\n", commands) if rows else None


def plot_instructions(out, points, name):
    """`points`: (connections, instructions a message) for each line, by its title."""
    blocks = [f'"{title}"\n' + "".join(f"{x} {y}\n" for x, y in line) for title, line in points.items() if line]
    commands = ("set logscale xy\nset xlabel 'connections'\nset ylabel 'user instructions a message'\n"
                f"plot for [i=0:{len(blocks) - 1}] '{name}.dat' index i using 1:2 "
                "with linespoints title columnheader(1)\n")
    return gnuplot(out, name, "User instructions a message", "\n\n".join(blocks), commands) if blocks else None


def plot_tail(out, results, servers):
    lines = [f"{name} {results.median('tail', name)}" for name in servers if results.median("tail", name)]
    commands = ("set style fill solid 0.8\nset yrange [0:*]\nset ylabel 'microseconds'\nunset key\nset boxwidth 0.6\n"
                "plot 'tail.dat' using 0:2:xtic(1) with boxes\n")
    return gnuplot(out, "tail", "p99 of an honest client beside 64 floods", "\n".join(lines) + "\n",
                   commands) if lines else None


NO_GNUPLOT = "no plots: gnuplot is not installed (ci/setup --bench)"


def plots_of_engine(out, lines):
    """What went wrong, a line each."""
    why = plot_instructions(out, lines, "engine") if shutil.which("gnuplot") else NO_GNUPLOT
    return [why] if why else []


def plots(out, results, rows, servers):
    """What went wrong, a line each."""
    if not shutil.which("gnuplot"):
        return [NO_GNUPLOT]
    by_connections = {name: [(connections, results.median(f"instructions-{connections}", name))
                             for connections in (10, 64, 1000, 15000)
                             if results.median(f"instructions-{connections}", name)] for name in servers}
    return [why for why in (plot_ratios(out, results, rows, servers), plot_instructions(out, by_connections, "instructions"),
                            plot_tail(out, results, servers)) if why]
