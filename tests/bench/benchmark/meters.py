"""What measures: the load generator, strace, callgrind, /proc, and an eye on the machine."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess

from .servers import BENCH, Failed, Server

LOAD = BENCH / "load"
LIMIT = 180  # seconds of one run of the load generator, at most


class Bench:
    """Where and what with: cores, the folder for traces, the command that stands for ours."""

    def __init__(self, out, ours):
        cores = sorted(os.sched_getaffinity(0))
        self.server_core, self.load_core = cores[0], cores[-1]
        self.one_core = len(cores) == 1
        self.out, self.ours = out, ours

    def server(self, name, prefix=()):
        return Server(name, self.server_core, self.ours, prefix)

    def load(self, server, mode, **options):
        """One run of the load generator, as the dictionary that it prints."""
        options.setdefault("timeout", 5)
        command = [LOAD, mode, "--connect", server.address, "--server", server.pid, "--cpu", self.load_core]
        for name, value in options.items():
            command += [f"--{name}", value]
        try:
            done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True,
                                  text=True, timeout=LIMIT)
        except subprocess.TimeoutExpired:
            raise Failed(f"{mode} took more than {LIMIT} s") from None
        if done.returncode != 0:
            raise Failed(done.stderr.strip().removeprefix("load: ") or f"load ended with {done.returncode}")
        return json.loads(done.stdout)

    @contextlib.contextmanager
    def held(self, server, connections):
        """So many connections, open, after one echo each."""
        command = [LOAD, "idle", "--connect", server.address, "--cpu", self.load_core, "--connections", connections]
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        try:
            if not process.stdout.readline():
                raise Failed(process.stderr.read().strip().removeprefix("load: "))
            yield
        finally:
            process.stdin.close()
            process.wait()
            process.stdout.close()
            process.stderr.close()


def needs(tool):
    if not shutil.which(tool):
        raise Failed(f"{tool} is not installed (ci/setup --bench)")


def anonymous_bytes(server):
    """Memory that is the process's own."""
    text = pathlib.Path(f"/proc/{server.pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss_Anon: +(\d+) kB", text, re.M)[1]) * 1024


def system_calls(bench, server, **options):
    """System calls of the server during one run of rtt, everything from connect to close included."""
    needs("strace")
    out = bench.out / f"strace.{server.name}"
    tracer = subprocess.Popen(["strace", "-f", "-c", "-o", str(out), "-p", str(server.pid)],
                              stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        first = tracer.stderr.readline()
        if "attached" not in first:
            raise Failed(f"strace does not attach: {first.strip()}")
        bench.load(server, "rtt", timeout=60, **options)
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.communicate()
    total = re.search(r"^100\.00\s+\S+\s+\S+\s+(\d+)\s+(?:\d+\s+)?total", out.read_text(), re.M)
    if not total:
        raise Failed("strace counted nothing")
    return int(total[1])


def callgrind(out, command=()):
    """The words that run a program under callgrind."""
    return ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}", *command]


def instructions(path):
    """The sum in a file of callgrind's."""
    match = re.search(r"^(?:totals|summary): (\d+)", path.read_text(), re.M) if path.exists() else None
    if not match:
        raise Failed("callgrind counted nothing")
    return int(match[1])


def instructions_of(path, part):
    """Those that stem from source files with this in their path, inlined or not; callees do not count."""
    names, here, called, total = {}, False, False, 0
    for line in path.read_text().splitlines():
        if match := re.match(r"(c?)f[lie]=\((\d+)\)(?: (.*))?", line):
            names[match[2]] = match[3] or names[match[2]]
            here = here if match[1] else re.search(part, names[match[2]]) is not None
        elif line.startswith("calls="):
            called = True
        elif match := re.match(r"[-+*\d]\S* (\d+)$", line):
            total += int(match[1]) if here and not called else 0
            called = False
    return total


def server_instructions(bench, name, count, connections):
    """User instructions of a server from its start to its end, with one run of rtt between."""
    needs("valgrind")
    out = bench.out / f"callgrind.{name}"
    out.unlink(missing_ok=True)
    with bench.server(name, callgrind(out)) as server:
        bench.load(server, "rtt", timeout=60, connections=connections, count=count, size=64)
    return instructions(out)


def per_message(measure, counts):
    """What one more message costs: two lengths, of which everything else is the same."""
    first, second = (measure(count) for count in counts)
    return (second - first) / (counts[1] - counts[0])


class Noise:
    """What else the machine did meanwhile."""

    def __init__(self):
        self.load = os.getloadavg()[0]
        self.before = self.times()

    @staticmethod
    def times():
        fields = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
        return [int(field) for field in fields[:8]]

    def figures(self):
        spent = [now - then for now, then in zip(self.times(), self.before)]
        return {"load_before": round(self.load, 2), "load_after": round(os.getloadavg()[0], 2),
                "steal": round(spent[7] / max(1, sum(spent)), 4), "nice": round(spent[1] / max(1, sum(spent)), 4)}


def machine():
    model = re.search(r"^model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    return {"kernel": os.uname().release, "cpu": model[1] if model else os.uname().machine,
            "cores": len(os.sched_getaffinity(0))}
