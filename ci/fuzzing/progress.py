"""What a person sees while a campaign runs: a line for each target and engine, redrawn in place on a
terminal, once a minute elsewhere."""

import os
import sys
import threading
import time

REDRAW = 0.5
MINUTE = 60
ALIVE = 30


class Progress:
    def __init__(self, plan, findings, stream=None):
        self.plan, self.findings, self.stream = plan, findings, stream or sys.stdout
        self.live = self.stream.isatty() and os.environ.get("TERM") != "dumb"
        self.colour = self.live and "NO_COLOR" not in os.environ
        self.drawn, self.last, self.word, self.lock = 0, 0.0, 0.0, threading.RLock()
        self.width = max([len(name) for name in plan.targets], default=0)

    def say(self, text):
        """A line that stays."""
        with self.lock:
            self.erase()
            print(text, file=self.stream, flush=True)

    def paint(self, code, text):
        return f"\033[{code}m{text}\033[0m" if self.colour else text

    def erase(self):
        if self.drawn:
            self.stream.write(f"\033[{self.drawn}A\033[J")
            self.drawn = 0

    def alive(self, text):
        """A word now and then, while something takes its time."""
        if time.monotonic() - self.word >= ALIVE:
            self.word = time.monotonic()
            self.say(f"... {text}")

    def final(self, session):
        """The last line of a target stays."""
        self.show([])
        for tally in session.tallies.values():
            self.say(self.line(session, tally))

    def show(self, sessions):
        for finding in self.findings.news:
            facts = finding.facts
            self.say(f"{self.paint('1;31', 'FOUND')}{' again' * finding.old} {facts['target']}: {facts['bucket']}: {facts['detail']} ({facts['engine']})")
        self.findings.news.clear()
        if not sessions or time.monotonic() - self.last < (REDRAW if self.live else MINUTE):
            return
        self.last = time.monotonic()
        line = self.row if self.live else self.line
        lines = [line(session, tally) for session in sessions for tally in session.tallies.values()]
        lines = [self.heads(), *lines] if self.live else lines
        with self.lock:
            self.erase()
            # Lines may not wrap while they are redrawn.
            text = "".join(f"{line}\n" for line in lines)
            self.stream.write(f"\033[?7l{text}\033[?7h" if self.live else text)
            self.stream.flush()
            self.drawn = len(lines) if self.live else 0

    def found(self, session):
        return sum(finding.fresh for finding in self.findings.of(session.target))

    def heads(self):
        return self.paint("2", f"{'target':<{self.width}} engine    found {'time':>7} {'execs':>7} {'execs/s':>7}  edges  feat. inputs new edge")

    def row(self, session, tally):
        """For a terminal of 80 columns, so that it can be redrawn."""
        found = f"{self.found(session):>5}"
        return (f"{session.target:<{self.width}} {tally.engine:<9} {self.paint('1;31', found) if found.strip() != '0' else found} "
                f"{duration(session.elapsed()):>7} {('' if tally.exact else '~') + short(tally.executions - tally.earlier):>7} "
                f"{short(tally.rate):>7} {tally.edges:>6} {'-' if tally.features is None else tally.features:>6} "
                f"{tally.corpus:>6} {duration(session.spent() - tally.edge_at):>8}")

    def line(self, session, tally):
        """For a log, and for the last word on a target."""
        found = self.found(session)
        return (f"{session.target:<{self.width}} {tally.engine:<9} {session.elapsed():4.0f}/{self.plan.seconds:.0f} s  "
                f"{'' if tally.exact else '~'}{short(tally.executions - tally.earlier)} executions  {short(tally.rate)}/s  "
                f"{tally.edges} edges  {'-' if tally.features is None else tally.features} features  "
                f"{tally.corpus} inputs  new edge {duration(session.spent() - tally.edge_at)} ago  "
                f"{found} finding{'' if found == 1 else 's'}"
                + (f"  {tally.stability:.0f}% stable" if tally.stability is not None else ""))


def short(number):
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g}{unit}" if number < 999.5 * size else f"{number / size:.0f}{unit}"
    return f"{number:.0f}"


def duration(seconds):
    seconds = int(max(0, seconds))
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
