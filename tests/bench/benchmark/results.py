"""Figures as they come in, and what they come to: medians, ratios pair by pair, goals."""

import statistics

from .servers import OURS, YARDSTICK

SPREAD = 0.15  # of the yardstick's figures in a row: above, the machine was not quiet


class Results:
    def __init__(self):
        self.rows = {}

    def cell(self, row, server):
        servers = self.rows.setdefault(row.key, {})
        return servers.setdefault(server, {"runs": [], "seen": [], "why_not": None})

    def runs(self, key, server):
        cell = self.rows.get(key, {}).get(server)
        return cell["runs"] if cell and not cell["why_not"] else []

    def median(self, key, server):
        return statistics.median(self.runs(key, server)) if self.runs(key, server) else None

    def ratios(self, key, server, base):
        """Run by run: what lies between the runs of a pair is all that differs."""
        return [mine / theirs for mine, theirs in zip(self.runs(key, server), self.runs(key, base)) if theirs > 0]

    def spread(self, key):
        runs = self.runs(key, YARDSTICK)
        return (max(runs) - min(runs)) / statistics.median(runs) if len(runs) > 1 and statistics.median(runs) > 0 else 0

    def noisy(self, rows):
        return [(row, self.spread(row.key)) for row in rows if row.paired and self.spread(row.key) > SPREAD]


def summary(figures):
    return {"median": statistics.median(figures), "min": min(figures), "max": max(figures)} if figures else None


class Goal:
    """One goal of epoll-echo: `figure` is at most `limit`, or the goal could not be looked at, and why."""

    def __init__(self, what, figure, limit, strictly=False, interval=None):
        self.what, self.figure, self.limit, self.strictly, self.interval = what, figure, limit, strictly, interval

    @property
    def met(self):
        if self.figure is None:
            return None
        return self.figure < self.limit if self.strictly else self.figure <= self.limit

    def __str__(self):
        bound = f"{'below' if self.strictly else 'at most'} {self.limit:g}"
        if self.figure is None:
            return f"goal  {self.what:<58} {'-':>8}  {bound:<14} not measured"
        verdict = "met" if self.met else f"missed by {self.figure - self.limit:.3g}"
        interval = " ({:.2f} to {:.2f})".format(*self.interval) if self.interval else ""
        return f"goal  {self.what:<58} {self.figure:>8.3f}  {bound:<14} {verdict}{interval}"

    def as_json(self):
        return {"goal": self.what, "figure": self.figure, "limit": self.limit, "strictly_below": self.strictly,
                "interval": self.interval, "met": self.met}


def ratio_goal(results, what, key, base, limit, strictly=False):
    ratios = results.ratios(key, OURS, base)
    figures = summary(ratios)
    return Goal(f"{what}: ratio to {base}", figures and figures["median"], limit, strictly,
                figures and (figures["min"], figures["max"]))


def tail_goal(results, peers):
    """Against the best of the others."""
    others = {peer: results.median("tail", peer) for peer in peers if results.median("tail", peer)}
    best = min(others, key=others.get) if others else "the best peer"
    return ratio_goal(results, "p99 beside 64 floods", "tail", best, 1, strictly=True)


def flatness_goal(results, connections):
    """The larger of the two ratios: fewer instructions are a change as well."""
    here, there = (results.median(f"instructions-{number}", OURS) for number in (connections, 64))
    figure = max(here / there, there / here) - 1 if here and there else None
    return Goal(f"user instructions, {connections} x: apart from 64 x, as a share", figure, 0.05)


def all_goals(results, peers):
    """The goals that these measurements can judge; tests/bench/bench-engine judges those of the engine alone."""
    goals = [ratio_goal(results, f"CPU a message, {key}", f"rtt-{key}", base, limit)
             for base, limit in ((YARDSTICK, 1.03), ("libuv", 0.65)) for key in ("64x64B", "64x1KiB", "1000x64B")]
    goals.append(ratio_goal(results, "CPU a message, 64x16KiB", "rtt-64x16KiB", YARDSTICK, 0.9))
    goals += [Goal(f"system calls a round trip, {connections} x (to {digits} digits)",
                   None if (figure := results.median(f"syscalls-{connections}", OURS)) is None
                   else round(figure, digits), limit)
              for connections, digits, limit in ((1, 1, 3.0), (64, 2, 2.07))]
    goals.append(Goal("user instructions a message, 64 x", results.median("instructions-64", OURS), 100))
    goals += [flatness_goal(results, connections) for connections in (10, 1000, 15000)]
    goals += [ratio_goal(results, f"CPU a GB, {connections} x", f"bulk-{connections}", "go", 1, strictly=True)
              for connections in (1, 16)]
    # Memory comes in pages: half a byte a connection is what 9,000 connections cannot tell.
    goals.append(Goal("bytes of an idle connection, 10,000 x", results.median("idle-10000", OURS), 64.5))
    goals.append(ratio_goal(results, "CPU a connection that comes and goes", "churn", "libev", 1, strictly=True))
    goals.append(tail_goal(results, peers))
    return goals
