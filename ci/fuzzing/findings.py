"""What was found: kept at once, then minimised, replayed ten times, and described.

FINDINGS/BUCKET/TARGET/ holds for each finding

  input         the smallest input that was seen to cause it
  minimised     what could be left of it, where anything could be left out
  steps         one of them for people: the steps of a run, text, or hexadecimal
  stderr        what the target wrote
  reproduce     a script that runs it again
  inputs/       some of the others
  finding.json  the facts
"""

import concurrent.futures
import datetime
import json
import pathlib
import shlex
import tempfile

from fuzzing import builds
from fuzzing.buckets import describe, is_oracle
from fuzzing.builds import shown
from fuzzing.corpus import digest, write
from fuzzing.minimise import minimise
from fuzzing.processes import run, stopping
from fuzzing.trial import replay

INPUTS_MAX = 8
REPLAYS = 10
STDERR_MAX = 64 << 10
GONE, UNSEEN = "not-reproduced", "unnamed"
SLOW = ("timeout", "out-of-memory")  # too slow to be tried hundreds of times


class Finding:
    """One bucket of one target."""

    def __init__(self, folder, facts, old=False):
        self.folder, self.facts, self.old = pathlib.Path(folder), facts, old
        self.fresh = False  # seen in this run of the campaign

    @classmethod
    def load(cls, path):
        return cls(path.parent, json.loads(path.read_text()), old=True)

    def save(self):
        write(self.folder / "finding.json", (json.dumps(self.facts, indent=2) + "\n").encode())

    def inputs(self):
        return sorted((self.folder / "inputs").iterdir(), key=lambda path: (path.stat().st_size, path.name))

    def counts(self):
        """Whether it is a finding of this campaign's end: not if it is an old one that is gone."""
        return self.fresh or self.facts["reproduced"] != 0

    def add(self, data, text):
        """Keeps the smallest inputs, and what the target wrote of the first."""
        (self.folder / "inputs").mkdir(parents=True, exist_ok=True)
        write(self.folder / "inputs" / digest(data), data)
        for path in self.inputs()[INPUTS_MAX:]:
            path.unlink()
        if not (self.folder / "stderr").exists():
            write(self.folder / "stderr", text[-STDERR_MAX:].encode())


class Findings:
    """All findings of a campaign, old and new."""

    def __init__(self, folder, sanitizer, timeout):
        self.folder, self.mode, self.timeout = pathlib.Path(folder), f"libfuzzer-{sanitizer}", timeout
        self.all = [Finding.load(path) for path in sorted(self.folder.glob("*/*/finding.json"))]
        self.known = set()  # (target, digest) of inputs that were judged
        self.news = []      # findings that nobody has been told of yet

    def of(self, target):
        return [finding for finding in self.all if finding.facts["target"] == target]

    def keep(self, target, data, engine, text=None, maybe=False):
        """Keeps an input that was found; `text` is what the target wrote, None: not known yet.
        `maybe`: unless it turns out to be nothing."""
        if (target, digest(data)) in self.known:
            return
        self.known.add((target, digest(data)))
        if text is None or describe(text) is None:
            text = self.replay(target, data)
        if maybe and describe(text) is None:
            return
        name, detail = describe(text) or (GONE if engine == "afl" else UNSEEN, "no oracle and no sanitizer named it")
        finding = next((one for one in self.of(target) if one.facts["bucket"] == name), None)
        if finding is None:
            finding = Finding(self.folder / name / target, {
                "target": target, "bucket": name, "detail": detail, "engine": engine, "mode": self.mode,
                "first": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
                "oracle": is_oracle(text), "count": 0, "reproduced": None, "replays": 0})
            self.all.append(finding)
        if not finding.fresh:
            finding.fresh = True
            self.news.append(finding)
        finding.facts["count"] += 1
        finding.add(data, text)
        finding.save()

    def replay(self, target, data, places=True):
        """What our build of the target writes for this input."""
        with tempfile.NamedTemporaryFile() as scratch:
            scratch.write(data)
            scratch.flush()
            return replay(builds.program(self.mode, target), scratch.name, self.timeout, places=places)

    def close(self, finding, seconds):
        """The closing work for one finding; what takes long is left out when the campaign is to stop."""
        facts, target = finding.facts, finding.facts["target"]
        facts["mode"] = self.mode
        data = finding.inputs()[0].read_bytes()
        write(finding.folder / "input", data)
        smaller, why = data, None
        self.count_replays(finding, data)
        if stopping.is_set():
            why = "the campaign was interrupted"
        elif facts["bucket"] in SLOW:
            why = "each trial would take its whole time"
        elif facts["reproduced"] < REPLAYS:
            why = "it does not reproduce every time"
        else:
            smaller = minimise(builds.program(self.mode, target), data, facts["bucket"], seconds, self.timeout,
                               finding.folder / "scratch", places=not facts["oracle"])
        facts.update(size=len(data), minimised=len(smaller) if why is None else None, not_minimised=why)
        if len(smaller) < len(data):
            write(finding.folder / "minimised", smaller)
            self.count_replays(finding, smaller)
        elif why is None:
            (finding.folder / "minimised").unlink(missing_ok=True)
        self.describe(finding)

    def count_replays(self, finding, data):
        """How many of ten replays end in the same bucket. A timeout takes its time each time."""
        slow = finding.facts["bucket"] in SLOW
        if slow and stopping.is_set():
            return
        places = not finding.facts["oracle"]
        with concurrent.futures.ThreadPoolExecutor(builds.CORES if slow else 1) as pool:
            texts = list(pool.map(lambda _: self.replay(finding.facts["target"], data, places), range(REPLAYS)))
        named = [describe(text) for text in texts]
        finding.facts["reproduced"] = sum(name is not None and name[0] == finding.facts["bucket"] for name in named)
        finding.facts["replays"] = REPLAYS

    def describe(self, finding):
        """For people: the steps, and a script that reproduces."""
        facts = finding.facts
        name = "minimised" if (finding.folder / "minimised").exists() else "input"
        write(finding.folder / "steps", readable(facts["target"], finding.folder / name).encode())
        facts["command"] = shlex.join([shown(builds.program(self.mode, facts["target"])), shown(finding.folder / name)])
        facts["text"] = f"make {self.mode} && {facts['command']}"
        script = finding.folder / "reproduce"
        write(script, "\n".join([
            "#!/bin/sh", f"# {facts['target']}: {facts['bucket']}", "set -e", "here=$(cd \"$(dirname \"$0\")\" && pwd)",
            f"cd {shlex.quote(str(builds.ROOT))}", f"make --no-print-directory {self.mode} >/dev/null",
            f"exec {shlex.quote(shown(builds.program(self.mode, facts['target'])))} \"$here/{name}\"", ""]).encode())
        script.chmod(0o755)
        finding.save()


def readable(target, path):
    """The steps of a run, plain text as it is, anything else in hexadecimal."""
    if builds.RUNS.match(target) and builds.CODEC.exists():
        done = run([builds.CODEC, "text", path], 10, patient=True)
        if done.status == 0:
            return done.stdout.decode(errors="replace")
    data = path.read_bytes()
    if data and all(byte in b"\t\n" or 32 <= byte < 127 for byte in data):
        return data.decode()
    if data and all(byte in b"\0\t\n" or 32 <= byte < 127 for byte in data):
        return data.decode().replace("\0", "\n")  # arguments, one a line
    rows = [data[start:start + 16] for start in range(0, len(data), 16)]
    return "".join(f"{16 * number:06x}  {row.hex(' '):<47}  {plain(row)}\n" for number, row in enumerate(rows)) or "(empty)\n"


def plain(row):
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
