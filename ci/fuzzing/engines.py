"""The fuzzing engines: how they are started, what they say of themselves, and how they end.

libFuzzer runs as plain workers, one process a job, that share one corpus and load from it what the
others add; whoever runs one starts it again after a finding. Its own -fork mode would do the same,
but it folds the workers into one line of status, keeps only a tail of what a finding wrote, and
leaves folders behind when it is killed.
"""

import dataclasses
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

from fuzzing import processes

LENGTH_MAX = 4096   # bytes of an input that an engine makes, unless a seed is longer
MEMORY_MB = 2048
TIMEOUT = 10        # seconds for one input
INTERRUPTED = 72    # libFuzzer's exit status
PATIENCE = 10       # seconds that an engine may take to end in order
SANITIZERS = ("ASAN_OPTIONS", "UBSAN_OPTIONS", "MSAN_OPTIONS", "LSAN_OPTIONS")


class EngineError(Exception):
    """An engine did not start, or ended by itself."""


@dataclasses.dataclass
class Status:
    """What an engine says of itself; None: it does not say."""
    executions: int = 0
    exact: bool = True  # otherwise an estimate, from the last count and the rate
    rate: float = 0.0   # executions a second, lately
    edges: int = 0
    features: int = None
    corpus: int = 0
    stability: float = None


def sanitizer_environment(places=True):
    """For runs whose words are read. Places in the source take many times longer than an ordinary run."""
    symbolizer = shutil.which("llvm-symbolizer-19") or shutil.which("llvm-symbolizer")
    options = "symbolize=1:print_stacktrace=1" + (f":external_symbolizer_path={symbolizer}" if symbolizer else "")
    options = options if places else "symbolize=0"
    return {**os.environ, **{name: ":".join(filter(None, (os.environ.get(name), options))) for name in SANITIZERS}}


def afl_environment(timeout=TIMEOUT, mutator=None):
    """AFL++ on a machine that nobody set up for it. It knows which options its sanitizers need."""
    environment = {name: value for name, value in os.environ.items() if name not in SANITIZERS}
    environment.update(
        AFL_NO_UI="1", AFL_NO_COLOR="1", AFL_SKIP_CPUFREQ="1", AFL_NO_AFFINITY="1", AFL_AUTORESUME="1",
        AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES="1", AFL_FORKSRV_INIT_TMOUT="60000", AFL_SYNC_TIME="1",
        AFL_IMPORT_FIRST="1", AFL_HANG_TMOUT=str(timeout * 1000))
    if mutator:
        environment["AFL_CUSTOM_MUTATOR_LIBRARY"] = str(pathlib.Path(mutator).resolve())
    return environment


class Engine:
    """One process of an engine, which writes to a log."""
    name = ""

    def __init__(self, command, log, environment):
        self.command, self.log, self.environment = [str(word) for word in command], pathlib.Path(log), environment
        self.process, self.read, self.rest, self.status = None, 0, "", Status()

    def start(self):
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "wb") as log:
            try:
                self.process = processes.spawn(self.command, stdout=log, stderr=log, env=self.environment)
            except OSError as error:
                raise EngineError(f"{self.command[0]} does not start: {error.strerror}") from error
        return self

    def ended(self):
        return self.process.poll() is not None

    def interrupt(self):
        if not self.ended():
            self.process.send_signal(signal.SIGTERM)

    def end(self, patience=PATIENCE):
        """In order, or by force when that takes too long."""
        self.interrupt()
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            pass
        processes.kill(self.process, thorough=True)

    def check(self):
        """Once it has ended without a finding: had it been told to?"""
        status = self.process.returncode
        if status in (0, INTERRUPTED, -signal.SIGTERM):
            return
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        raise EngineError(f"{self.name} ended by itself, {how}: {self.last_words()} "
                          f"(command: {' '.join(self.command)}; log: {self.log})")

    def new_lines(self):
        with open(self.log, "rb") as log:
            log.seek(self.read)
            data = log.read()
        self.read += len(data)
        lines = (self.rest + data.decode(errors="replace")).split("\n")
        self.rest = lines.pop()
        return lines

    def text(self):
        return self.log.read_text(errors="replace")

    def last_words(self):
        lines = [re.sub(r"\033\[[0-9;?]*[A-Za-z]", "", line).strip() for line in self.text().splitlines()]
        said = [line for line in lines if line]
        errors = [line for line in said if re.search(r"\bERROR\b|PROGRAM ABORT", line)]
        return (errors or said or ["it said nothing"])[-1]


class LibFuzzer(Engine):
    name = "libfuzzer"
    LINE = re.compile(r"#(\d+)\t\S+ +cov: (\d+) ft: (\d+) corp: (\d+)/")
    FINAL = re.compile(r"stat::number_of_executed_units: (\d+)")
    WRITTEN = re.compile(r"Test unit written to (\S.*)")

    def __init__(self, program, corpus, artifacts, log, seconds, seed=None, dictionary=None,
                 length_max=LENGTH_MAX, timeout=TIMEOUT, more=()):
        pathlib.Path(artifacts).mkdir(parents=True, exist_ok=True)
        # The corpus comes first and alone: libFuzzer writes to its first folder.
        super().__init__(
            [program, f"-max_total_time={max(1, int(seconds))}", f"-artifact_prefix={artifacts}/", f"-max_len={length_max}",
             f"-timeout={timeout}", f"-rss_limit_mb={MEMORY_MB}", "-print_final_stats=1", "-reload=1",
             *([f"-seed={seed}"] if seed is not None else []), *([f"-dict={dictionary}"] if dictionary else []),
             *more, corpus], log, sanitizer_environment())
        self.count, self.counted = 0, time.monotonic()   # the last line with a count
        self.base = (self.count, self.counted)           # an earlier one, for the rate

    def poll(self):
        """It counts aloud when something is new, and when the count has doubled. Between, it is
        assumed to go on as before."""
        now = time.monotonic()
        for line in self.new_lines():
            if match := self.LINE.match(line):
                count, edges, features, corpus = (int(number) for number in match.groups())
                self.status = dataclasses.replace(self.status, exact=False, edges=edges, features=features, corpus=corpus)
                self.heard(count, now)
            elif match := self.FINAL.match(line):
                self.heard(int(match[1]), now)
                self.status.exact, self.status.executions = True, self.count
        if not self.status.exact:
            guess = int(self.count + self.status.rate * (now - self.counted))
            self.status.executions = max(guess, self.status.executions)
        return self.status

    def heard(self, count, now):
        self.count, self.counted = count, now
        if now - self.base[1] >= 1:
            self.status.rate = (count - self.base[0]) / (now - self.base[1])
            self.base = count, now

    def found(self):
        """The input that it ended on; None when it ended otherwise. Slow units end nothing."""
        written = [path for path in self.WRITTEN.findall(self.text()) if "/slow-unit-" not in path]
        return pathlib.Path(written[-1]) if written else None


class Afl(Engine):
    """One instance; the first of a target is its main one, which also reads the corpus of others."""
    name = "afl"

    def __init__(self, program, seeds, out, instance, log, seconds, main=True, foreign=None, seed=None, dictionary=None,
                 cmplog=None, mutator=None, length_max=LENGTH_MAX, timeout=TIMEOUT, environment=None):
        tool = shutil.which("afl-fuzz")
        if tool is None:
            raise EngineError("afl-fuzz is not installed (Debian package afl++)")
        super().__init__(
            [tool, "-i", seeds, "-o", out, "-M" if main else "-S", instance, "-m", "none", "-t", f"{timeout * 1000}+",
             "-G", length_max, "-V", max(1, int(seconds)), *(["-s", seed] if seed is not None else []),
             *(["-x", dictionary] if dictionary else []), *(["-c", cmplog] if cmplog else []),
             *(["-F", foreign] if foreign and main else []), "--", program],
            log, {**afl_environment(timeout, mutator), **(environment or {})})
        self.folder = pathlib.Path(out, instance)
        facts = self.statistics()
        # A resumed instance goes on counting where it was.
        self.before, self.started = int(facts.get("execs_done", 0)), facts.get("start_time")
        self.heard, self.base = None, (0, time.monotonic())

    def start(self):
        """Its files tell of the first minute when that is over, but every second it sends statistics
        to whoever listens on a UDP port of this machine."""
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.environment.update(AFL_STATSD="1", AFL_STATSD_HOST="127.0.0.1",
                                AFL_STATSD_PORT=str(self.socket.getsockname()[1]))
        return super().start()

    def end(self, patience=PATIENCE):
        super().end(patience)
        self.poll()
        self.socket.close()

    def statistics(self):
        try:
            lines = (self.folder / "fuzzer_stats").read_text().splitlines()
        except OSError:
            return {}
        return dict(map(str.strip, line.split(":", 1)) for line in lines if ":" in line)

    def poll(self):
        now, facts = time.monotonic(), self.statistics()
        if facts.get("start_time") == self.started:
            facts = {}  # those of the run before
        while message := self.receive():
            self.heard = dict(re.findall(r"^\w+\.(\w+):(\d+)", message, re.M))
        latest = max((source for source in (self.heard, facts) if source), default={},
                     key=lambda source: int(source.get("execs_done", 0)))
        if latest:
            status = Status(int(latest["execs_done"]) - self.before, True, self.status.rate, int(latest["edges_found"]),
                            None, int(latest["corpus_count"]), self.status.stability)
            if now - self.base[1] >= 1:
                status.rate = (status.executions - self.base[0]) / (now - self.base[1])
                self.base = status.executions, now
            if "stability" in facts:
                status.stability = float(facts["stability"].rstrip("%"))
            self.status = status
        return self.status

    def receive(self):
        try:
            return self.socket.recv(65536).decode(errors="replace")
        except OSError:
            return None

    def saved(self):
        """Inputs that crashed or hung, in the order of their finding."""
        return [path for kind in ("crashes", "hangs") for path in sorted((self.folder / kind).glob("id:*"))]
