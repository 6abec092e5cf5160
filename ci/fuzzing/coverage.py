"""Which lines of the sources the corpora reach: LLVM's own account, from builds without a fuzzer."""

import os
import pathlib
import re
import shutil

from fuzzing import builds
from fuzzing.processes import CampaignError, run

SECONDS = 300
CRASHERS_MAX = 50


def measure(sessions, say):
    """For report.json; None where there is nothing to tell, with the reason told."""
    tools = {name: shutil.which(f"{name}-19") or shutil.which(name) for name in ("llvm-profdata", "llvm-cov")}
    for name, path in tools.items():
        if path is None:
            say(f"coverage: skipped, there is no {name}-19 (Debian package llvm-19)")
            return None
    counts, by_target = {}, {}
    for session in sessions:
        lines = of_target(session, tools, say)
        if lines is None:
            continue
        by_target[session.target] = summary(session.target, lines)
        for path, hits in lines.items():
            joined = counts.setdefault(path, {})
            for line, count in hits.items():
                joined[line] = joined.get(line, 0) + count
    if not by_target:
        return None
    return {"targets": by_target, "files": [of_file(path, hits) for path, hits in sorted(shown(sessions, counts).items())]}


def of_target(session, tools, say):
    """{source: {line: executions}} of one target's corpus."""
    program = builds.program("replay-coverage", session.target)
    scratch = session.folder / "coverage"
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(session.corpus.folder, scratch / "inputs")
    raw, data = scratch / "profraw", scratch / "profdata"
    try:
        if not play(program, scratch / "inputs", raw):
            say(f"coverage: skipped for {session.target}, its corpus cannot be replayed without a crash")
            return None
        call([tools["llvm-profdata"], "merge", "-sparse", "-o", data, raw])
        return parse(call([tools["llvm-cov"], "export", "-format=lcov", f"-instr-profile={data}", program]))
    finally:
        shutil.rmtree(scratch)


def play(program, inputs, raw):
    """A crash would take the profile with it, so inputs that crash are left out."""
    environment = {**os.environ, "LLVM_PROFILE_FILE": str(raw)}
    for _ in range(CRASHERS_MAX):
        done = run([program, inputs], SECONDS, environment)
        if done.status == 0:
            return True
        crashed = re.search(r"^replay: crashed on (.*)", done.stderr, re.M)
        if not crashed:
            return False
        pathlib.Path(crashed[1]).unlink()
    return False


def call(command):
    done = run(command, SECONDS)
    if done.status != 0:
        raise CampaignError(f"{command[0]} failed: {(done.stderr.splitlines() or ['it was cut short'])[-1]}")
    return done.stdout.decode(errors="replace")


def parse(lcov):
    found, hits = {}, {}
    for line in lcov.splitlines():
        if line.startswith("SF:"):
            path = os.path.relpath(os.path.join(builds.ROOT, line[3:]), builds.ROOT)
            hits = found.setdefault(path, {})
        elif match := re.match(r"DA:(\d+),(\d+)", line):
            hits[int(match[1])] = hits.get(int(match[1]), 0) + int(match[2])
    return {path: hits for path, hits in found.items() if path.startswith("src/")}


def reached(hits):
    return sum(count > 0 for count in hits.values())


def drives_core(target):
    return builds.RUNS.match(target) is not None


def summary(target, lines):
    """Of what the target is for: the core, or those other files that it reaches at all."""
    if drives_core(target):
        what = [path for path in lines if path.startswith("src/core/")]
    else:
        what = [path for path in lines if reached(lines[path]) and not path.startswith("src/core/")]
    return {"files": what, "lines": sum(len(lines[path]) for path in what), "covered": sum(reached(lines[path]) for path in what)}


def shown(sessions, counts):
    """Files of which something ran, and the whole core where it is what is fuzzed."""
    core = any(drives_core(session.target) for session in sessions)
    return {path: hits for path, hits in counts.items() if reached(hits) or (core and path.startswith("src/core/"))}


def of_file(path, hits):
    return {"path": path, "lines": len(hits), "covered": reached(hits),
            "uncovered": sorted(line for line, count in hits.items() if count == 0)}
