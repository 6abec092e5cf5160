"""Where the builds of the targets lie, and how they are made."""

import os
import pathlib
import re

from fuzzing.processes import CampaignError, run

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build"
CORES = len(os.sched_getaffinity(0))
MAKE_SECONDS = 1800
# Targets whose inputs are runs of the engine, which fuzz/codec prints.
RUNS = re.compile(r"fuzz_engine")
MUTATOR = BUILD / "afl-mutator/libmutator.so"
CODEC = BUILD / "fuzz/codec"


def all_targets():
    return sorted(path.stem for path in ROOT.glob("fuzz/fuzz_*.c"))


def program(mode, target):
    return BUILD / mode / "fuzz" / target if mode else BUILD / "fuzz" / target


def dictionary(target):
    path = ROOT / "fuzz" / f"{target}.dict"
    return path if path.exists() else None


def mutator(target):
    return MUTATOR if RUNS.match(target) and MUTATOR.exists() else None


def goals(engines, sanitizer):
    """What a campaign needs: the fuzzers of libFuzzer always, since they judge and minimise findings."""
    needed = [f"libfuzzer-{sanitizer}"]
    if "afl" in engines:
        needed += [f"afl-{sanitizer}", "afl-cmplog"]
        needed += [shown(MUTATOR)] if (ROOT / "fuzz/afl_mutator.c").exists() else []
    needed += ["fuzz-targets", "replay-coverage"]
    return needed + ([shown(CODEC), "corpus"] if (ROOT / "fuzz/codec.c").exists() else [])


def shown(path):
    """A path as a person in the project's folder would write it."""
    path = pathlib.Path(path).resolve()
    return os.path.relpath(path, ROOT) if path.is_relative_to(ROOT) else str(path)


def make(goal, log):
    """Makes one goal. What make wrote is added to the log."""
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    done = run(["make", "--no-print-directory", f"-j{CORES}", goal], MAKE_SECONDS, environment, ROOT)
    with open(log, "a") as file:
        file.write(f"$ make {goal}\n{done.stdout.decode(errors='replace')}{done.stderr}")
    if done.late:
        raise CampaignError(f"make {goal} took more than {MAKE_SECONDS} s (log: {log})")
    if done.status is None:
        raise CampaignError(f"interrupted while building ({goal}), before anything was fuzzed")
    if done.status != 0:
        words = [line for line in done.stderr.splitlines() if re.search(r"error|Error|No rule", line)]
        raise CampaignError(f"make {goal} failed: {(words or done.stderr.splitlines() or ['it said nothing'])[0].strip()} (log: {log})")
