"""One target and its workers, for a while."""

import collections
import json
import pathlib
import re
import shutil
import time

from fuzzing import builds
from fuzzing.corpus import Corpus
from fuzzing.engines import Afl, EngineError, LibFuzzer, Status, sanitizer_environment
from fuzzing.processes import run, stopping

SEGMENT = 300      # seconds after which a libFuzzer worker starts anew: its count is exact, its memory fresh
RESTART = 0.2      # seconds before it does so after a finding, which may be the first thing it does
EXCHANGE = 10      # seconds between two looks at what AFL++ has found
SHARE = 60         # seconds between two exchanges with other machines
SAMPLES_MAX = 300  # of one engine in one run
WINDOW = 5         # seconds over which the rate is taken
EARLY = 5          # seconds that an engine's clock may differ from ours
CHUNK = 200        # inputs that are replayed by one process


class Tally:
    """What one engine, all workers of it, has come to on one target."""

    def __init__(self, engine, last, spent):
        self.engine, self.workers = engine, []
        self.earlier = last.get("executions", 0)  # of runs before
        self.edges, self.edge_at = last.get("edges", 0), last.get("edge_at", spent)
        self.features, self.corpus, self.stability = last.get("features"), last.get("corpus", 0), last.get("stability")
        self.executions, self.rate, self.exact = self.earlier, 0.0, True
        self.counts = collections.deque([(spent, self.earlier)])

    def update(self, spent, ending=False):
        statuses = [worker.status() for worker in self.workers]
        self.executions = self.earlier + sum(worker.done + status.executions for worker, status in zip(self.workers, statuses))
        self.counts.append((spent, self.executions))
        while len(self.counts) > 2 and self.counts[1][0] <= spent - WINDOW:
            self.counts.popleft()
        if spent > self.counts[0][0] and not ending:
            self.rate = max(0, self.executions - self.counts[0][1]) / (spent - self.counts[0][0])
        self.exact = all(status.exact for status in statuses)
        if (edges := max(status.edges for status in statuses)) > self.edges:
            self.edges, self.edge_at = edges, spent
        self.features = max([self.features or 0, *(status.features or 0 for status in statuses)]) or None
        self.corpus = max(status.corpus for status in statuses) or self.corpus
        stable = [status.stability for status in statuses if status.stability is not None]
        self.stability = min(stable, default=self.stability)

    def sample(self, spent):
        return {"t": round(spent, 1), "engine": self.engine, "executions": self.executions, "exact": self.exact,
                "rate": round(self.rate), "edges": self.edges, "edge_at": round(self.edge_at, 1),
                "features": self.features, "corpus": self.corpus, "stability": self.stability}


class Worker:
    """A job of a session: an engine's process, and those that replace it."""
    kind = None

    def __init__(self, session, number):
        self.session, self.number = session, number
        self.engine, self.done, self.over = None, 0, False
        self.log = session.folder / "logs" / f"{self.kind.name}-{number}"

    def status(self):
        return self.engine.poll() if self.engine else Status()

    def collect(self):
        """What was found and not told of yet."""


class LibFuzzerWorker(Worker):
    kind = LibFuzzer

    def start(self, seconds):
        session = self.session
        self.engine = LibFuzzer(
            builds.program(f"libfuzzer-{session.plan.sanitizer}", session.target), session.corpus.folder,
            session.artifacts, self.log, min(seconds, SEGMENT), dictionary=builds.dictionary(session.target),
            length_max=session.length_max, timeout=session.plan.timeout).start()

    def ended(self, remaining):
        """The next process is due, unless the time is over."""
        self.engine.end()
        found = self.engine.found()
        if found is None:
            self.engine.check()
        self.collect()
        self.over = remaining < 1
        if not self.over:
            self.done += self.engine.poll().executions
            time.sleep(RESTART if found else 0)
            self.start(remaining)

    def collect(self):
        if self.engine.ended() and (found := self.engine.found()) and found.exists():
            self.session.found(found, self.engine.text())


class AflWorker(Worker):
    kind = Afl

    def start(self, seconds):
        session, plan, main = self.session, self.session.plan, self.number == 0
        self.engine = Afl(
            builds.program(f"afl-{plan.sanitizer}", session.target), session.seeds, session.afl_out,
            "main" if main else f"second{self.number}", self.log, seconds, main=main, foreign=session.corpus.folder,
            dictionary=builds.dictionary(session.target), cmplog=builds.program("afl-cmplog", session.target),
            mutator=builds.mutator(session.target), length_max=session.length_max, timeout=plan.timeout).start()

    def ended(self, remaining):
        self.engine.end()
        self.engine.check()
        self.over = True
        if remaining > EARLY:
            raise EngineError(f"afl ended {remaining:.0f} s early: {self.engine.last_words()} (log: {self.log})")

    def collect(self):
        for path in self.engine.saved():
            self.session.crashed(path)


class Session:
    """Runs a target for a time. `plan` says how, `findings` keeps what is found."""

    def __init__(self, target, plan, findings, shared=None):
        self.target, self.plan, self.findings = target, plan, findings
        self.folder = pathlib.Path(plan.out, "targets", target)
        self.artifacts, self.afl_out = self.folder / "artifacts", self.folder / f"afl-{plan.sanitizer}"
        self.seeds, self.samples = self.folder / "seeds", self.folder / "samples.jsonl"
        self.corpus = Corpus(self.folder / "corpus")
        self.shared = shared and shared(target, self.corpus)
        # What AFL++ saved and we have judged, by earlier runs as well: it may be mended since.
        self.looked_at = self.folder / "judged"
        self.looked = set(self.looked_at.read_text().split("\n")) if self.looked_at.exists() else set()
        self.workers, self.failure, self.merged = [], None, None
        self.history = self.read_samples()
        self.earlier = max([sample["t"] for sample in self.history], default=0.0)
        self.tallies, self.started, self.seconds = {}, None, 0.0

    def read_samples(self):
        try:
            return [json.loads(line) for line in self.samples.read_text().splitlines() if line.endswith("}")]
        except OSError:
            return []

    def gather(self):
        """What there is to begin with: seeds, regressions, other machines', and what was left behind."""
        for kind in ("seeds", "regressions"):
            folder = builds.BUILD / "corpus" / self.target / kind
            self.corpus.take(sorted(folder.rglob("*")) if folder.is_dir() else [])
        if self.shared:
            self.shared.exchange()
        self.artifacts.mkdir(parents=True, exist_ok=True)
        for path in sorted(self.artifacts.iterdir()):
            self.found(path)
        for kind in ("crashes", "hangs"):
            for path in sorted(self.afl_out.glob(f"*/{kind}/id:*")):
                self.crashed(path)
        self.corpus.take(sorted(self.afl_out.glob("*/queue/id:*")))

    def start(self, jobs):
        """`jobs` maps each engine to its number of workers."""
        self.length_max = self.corpus.length_max()
        if "afl" in jobs:
            self.prepare_afl()
        kinds = {"libfuzzer": LibFuzzerWorker, "afl": AflWorker}
        for engine, count in jobs.items():
            last = next((sample for sample in reversed(self.history) if sample["engine"] == engine), {})
            tally = self.tallies[engine] = Tally(engine, last, self.earlier)
            tally.workers = [kinds[engine](self, number) for number in range(count)]
            self.workers += tally.workers
        self.started = self.exchanged = self.shared_at = time.monotonic()
        self.sampled = -1e9
        try:
            for worker in self.workers:
                worker.start(self.plan.seconds)
        except EngineError as error:
            self.fail(error)

    def prepare_afl(self):
        """AFL++ wants one input at least, and leaves out those that crash without a word."""
        self.judge_corpus()
        shutil.rmtree(self.seeds, ignore_errors=True)
        shutil.copytree(self.corpus.folder, self.seeds)
        if not any(self.seeds.iterdir()):
            (self.seeds / "empty").write_bytes(b"\n")

    def judge_corpus(self):
        files = self.corpus.files()
        program = builds.program(f"libfuzzer-{self.plan.sanitizer}", self.target)
        while files and not stopping.is_set():
            done = run([program, f"-timeout={self.plan.timeout}", *files[:CHUNK]], CHUNK * self.plan.timeout,
                       sanitizer_environment())
            running = re.findall(r"^Running: (.*)", done.stderr, re.M)
            if done.status == 0 or not running:
                files = files[CHUNK:]
                continue
            crashed = files[0].with_name(pathlib.Path(running[-1]).name)
            self.findings.keep(self.target, crashed.read_bytes(), "libfuzzer")
            files = files[files.index(crashed) + 1:]
            crashed.unlink()

    def spent(self):
        """Seconds that this target was fuzzed, with those of earlier runs."""
        return self.earlier + self.elapsed()

    def elapsed(self):
        if self.started is None:
            return 0.0
        return self.seconds or time.monotonic() - self.started

    def executed(self):
        """Inputs in this run."""
        return sum(tally.executions - tally.earlier for tally in self.tallies.values())

    def step(self):
        """Called several times a second. False: the session is over."""
        now = time.monotonic()
        remaining = self.plan.seconds - self.elapsed()
        try:
            for worker in self.workers:
                if not worker.over and worker.engine.ended():
                    worker.ended(remaining)
        except EngineError as error:
            self.fail(error)
        if self.failure:
            return False
        if now - self.exchanged >= EXCHANGE:
            self.exchange()
        self.tally()
        return remaining > -EARLY and not all(worker.over for worker in self.workers)

    def tally(self, ending=False):
        for tally in self.tallies.values():
            tally.update(self.spent(), ending)
        if not ending and self.elapsed() - self.sampled >= max(1, self.plan.seconds / SAMPLES_MAX):
            self.sample()

    def sample(self):
        self.sampled = self.elapsed()
        new = [tally.sample(self.spent()) for tally in self.tallies.values()]
        self.history += new
        with open(self.samples, "a") as file:
            file.write("".join(json.dumps(sample) + "\n" for sample in new))

    def exchange(self):
        """Brings together what the engines, and at times the machines, have found."""
        self.exchanged = time.monotonic()
        for worker in self.workers:
            if worker.engine and worker.engine.process:
                worker.collect()
        self.corpus.take(sorted(self.afl_out.glob("*/queue/id:*")))
        if self.shared and time.monotonic() - self.shared_at >= SHARE:
            self.shared_at = time.monotonic()
            self.shared.exchange()

    def found(self, path, text=None):
        """An artifact of libFuzzer's: it is kept among the findings, then goes."""
        if not path.name.startswith("slow-unit-"):
            data = path.read_bytes()
            self.findings.keep(self.target, data, "libfuzzer", text)
            self.corpus.remove(data)
        path.unlink()

    def crashed(self, path):
        """AFL++ keeps its own. What it took for a hang may be only slow, and then is none."""
        name = str(path.relative_to(self.afl_out))
        if name in self.looked:
            return
        self.looked.add(name)
        self.findings.keep(self.target, path.read_bytes(), "afl", maybe=path.parent.name == "hangs")
        with open(self.looked_at, "a") as file:
            file.write(f"{name}\n")

    def fail(self, error):
        self.failure = f"{self.target}: {error}"

    def end(self):
        """Ends the engines in order, and collects what they have left."""
        started = [worker for worker in self.workers if worker.engine and worker.engine.process]
        for worker in started:
            worker.engine.interrupt()
        for worker in started:
            worker.engine.end()
        self.seconds = time.monotonic() - self.started
        self.shared_at = -SHARE
        self.exchange()
        if started:
            self.tally(ending=True)
            self.sample()
