"""Makes an input smaller that was found, without losing what it shows.

Pieces are left out, the longest first, as long as the bucket stays. What is still long then is given
to libFuzzer's own minimiser, since it knows the target's mutator; it takes any crash for the same
one, so what it arrives at counts only if the bucket has stayed.
"""

import pathlib
import shutil
import time

from fuzzing.buckets import bucket
from fuzzing.engines import sanitizer_environment
from fuzzing.processes import run, stopping
from fuzzing.trial import replay

SHORT = 16  # bytes


def minimise(program, data, name, seconds, timeout, scratch, places=True):
    """The smallest input found in this time that ends in the bucket `name`; at worst `data` itself."""
    scratch = pathlib.Path(scratch)
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    deadline = time.monotonic() + seconds

    def same(trial):
        path = scratch / "trial"
        path.write_bytes(trial)
        return bucket(replay(program, path, timeout, patient=False, places=places)) == name

    data = by_removal(data, same, time.monotonic() + seconds / 2)
    if len(data) > SHORT and not stopping.is_set():
        smaller = by_libfuzzer(program, data, deadline - time.monotonic(), timeout, scratch, places)
        data = smaller if len(smaller) < len(data) and same(smaller) else data
    shutil.rmtree(scratch)
    return data


def by_libfuzzer(program, data, seconds, timeout, scratch, places):
    start, best = scratch / "start", scratch / "best"
    start.write_bytes(data)
    run([program, "-minimize_crash=1", f"-max_total_time={max(1, int(seconds))}", f"-timeout={timeout}",
         f"-exact_artifact_path={best}", start], seconds + 2 * timeout, sanitizer_environment(places), scratch)
    return best.read_bytes() if best.exists() else data


def by_removal(data, same, deadline):
    piece = max(1, len(data) // 2)
    while data:
        start = 0
        while start < len(data):
            if time.monotonic() > deadline or stopping.is_set():
                return data
            shorter = data[:start] + data[start + piece:]
            if same(shorter):
                data = shorter
            else:
                start += piece
        if piece == 1:
            return data
        piece = max(1, min(piece, len(data)) // 2)
    return data
