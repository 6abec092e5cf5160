"""One run of one engine until something is found, or the time is over."""

import dataclasses
import pathlib
import shutil
import time

from fuzzing import processes
from fuzzing.buckets import describe
from fuzzing.engines import TIMEOUT, Afl, LibFuzzer, sanitizer_environment

POLL = 0.05


@dataclasses.dataclass
class Trial:
    seconds: float           # until the finding, or the whole time
    executions: int
    bucket: str = None       # None: nothing was found
    detail: str = ""
    input: pathlib.Path = None
    stderr: str = ""


def run_libfuzzer(program, folder, seconds, seeds=None, seed=1, dictionary=None, timeout=TIMEOUT, more=()):
    """Fuzzes a program built by `make libfuzzer-SANITIZER`, working in `folder`, from copies of the
    files in `seeds` (None: from nothing). Raises EngineError when the engine fails."""
    corpus = gather(seeds, pathlib.Path(folder, "corpus"))
    engine = LibFuzzer(program, corpus, pathlib.Path(folder, "artifacts"), pathlib.Path(folder, "log"), seconds,
                       seed=seed, dictionary=dictionary, timeout=timeout, more=more)
    took = await_end(engine, seconds)
    if (found := engine.found()) is None:
        engine.check()
        return Trial(took, engine.status.executions)
    text = engine.text()
    bucket, detail = describe(text) or ("unknown", "")
    return Trial(took, engine.status.executions, bucket, detail, found, text)


def run_afl(program, folder, seconds, seeds=None, seed=1, dictionary=None, cmplog=None, mutator=None, judge=None,
            timeout=TIMEOUT):
    """Fuzzes a program built by `make afl-SANITIZER` in the same way. What a crash means is seen by
    running `judge` on the input, a build of the same target that takes files: by default the program
    itself."""
    corpus = gather(seeds, pathlib.Path(folder, "seeds"))
    if not any(corpus.iterdir()):
        (corpus / "empty").write_bytes(b"\n")  # AFL++ wants something to begin with
    engine = Afl(program, corpus, pathlib.Path(folder, "afl"), "main", pathlib.Path(folder, "log"), seconds, seed=seed,
                 dictionary=dictionary, cmplog=cmplog, mutator=mutator, timeout=timeout,
                 environment={"AFL_BENCH_UNTIL_CRASH": "1"})
    took = await_end(engine, seconds)
    saved = engine.saved()
    if not saved:
        engine.check()
        return Trial(took, engine.status.executions)
    text = replay(judge or program, saved[0], timeout)
    bucket, detail = describe(text) or ("not-reproduced", "")
    return Trial(took, engine.status.executions, bucket, detail, saved[0], text)


def gather(seeds, folder):
    """A fresh folder with copies of the seeds; an engine adds to it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in sorted(pathlib.Path(seeds).iterdir()) if seeds else ():
        if path.is_file():
            shutil.copyfile(path, folder / path.name)
    return folder


def await_end(engine, seconds):
    started = time.monotonic()
    engine.start()
    try:
        while not engine.ended() and time.monotonic() - started < seconds + 30:
            time.sleep(POLL)
        took = min(time.monotonic() - started, seconds)
    finally:
        engine.end()
    engine.poll()
    return took


def replay(program, path, timeout=TIMEOUT, patient=True, places=True):
    """What a target writes when it is run on one input; without `places`, what an oracle says is there
    all the same."""
    run = processes.run([program, path], timeout + 5, sanitizer_environment(places), patient=patient)
    return run.stderr + (f"\n==0== ERROR: libFuzzer: timeout after {timeout} seconds\n" if run.late else "")
