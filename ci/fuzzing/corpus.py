"""The inputs of a target, shared by engines and machines.

A corpus is one folder in which a file is named by what is in it, as libFuzzer does. libFuzzer's
workers read it while they run, AFL++'s main instance as well (-F), and what AFL++ adds to its queues
is brought here.

Machines share a folder in the layout of AFL++: SYNC/TARGET/NAME/queue/id:000000,... Each campaign
adds to the queue of its own name, and takes what the others have in theirs; a bare
`afl-fuzz -o SYNC/TARGET -M NAME` takes part as well.
"""

import hashlib
import os
import pathlib
import re
import shutil
import tempfile

from fuzzing.engines import LENGTH_MAX, sanitizer_environment
from fuzzing.processes import CampaignError, run

SEED_MAX = 1 << 20  # bytes: what is longer is left out


def digest(data):
    return hashlib.sha1(data).hexdigest()


def write(path, data):
    """Whole or not at all: others read the folder, and we may be killed."""
    scratch = path.with_name(f".{path.name}.new")
    scratch.write_bytes(data)
    os.replace(scratch, path)


class Corpus:
    def __init__(self, folder):
        self.folder, self.old = pathlib.Path(folder), pathlib.Path(f"{folder}.old")
        self.taken = set()  # files of other folders that were looked at
        if self.old.exists() and not self.folder.exists():
            self.old.rename(self.folder)  # we were killed in replace()
        self.folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.old, ignore_errors=True)

    def files(self):
        return [path for path in sorted(self.folder.iterdir()) if path.is_file() and not path.name.startswith(".")]

    def __len__(self):
        return len(self.files())

    def add(self, data):
        path = self.folder / digest(data)
        if len(data) > SEED_MAX or path.exists():
            return False
        write(path, data)
        return True

    def remove(self, data):
        """An input that crashes would end every engine that begins with it."""
        for path in self.files():
            if path.stat().st_size == len(data) and path.read_bytes() == data:
                path.unlink(missing_ok=True)

    def take(self, paths):
        """Adds those files that were not looked at before; returns how many were new."""
        added = 0
        for path in paths:
            if str(path) in self.taken or not path.is_file():
                continue
            self.taken.add(str(path))
            try:
                added += self.add(path.read_bytes())
            except FileNotFoundError:
                pass  # AFL++ renames files of its queue
        return added

    def length_max(self):
        return max([LENGTH_MAX, *(path.stat().st_size for path in self.files())])

    def merge(self, program, seconds, timeout, controls, found):
        """Leaves the fewest and smallest inputs that reach what all reach, and none that crashes: of
        those, `found` gets the path first. None when it was cut short or failed: then everything
        else is still there."""
        merged = self.folder.with_name("corpus.merged")
        shutil.rmtree(merged, ignore_errors=True)
        merged.mkdir()
        with tempfile.TemporaryDirectory(prefix="merge-") as artifacts:
            done = run([program, "-set_cover_merge=1", f"-merge_control_file={controls}", f"-timeout={timeout}",
                        f"-max_len={self.length_max()}", f"-artifact_prefix={artifacts}/", merged, self.folder],
                       seconds, sanitizer_environment())
            for path in sorted(pathlib.Path(artifacts).iterdir()):
                found(path)
        pathlib.Path(controls).unlink(missing_ok=True)
        if done.status != 0 or not any(merged.iterdir()):
            shutil.rmtree(merged, ignore_errors=True)
            return None
        self.replace(merged)
        return len(self)

    def replace(self, merged):
        self.folder.rename(self.old)
        merged.rename(self.folder)
        shutil.rmtree(self.old, ignore_errors=True)


class Shared:
    """One target's folder of a sync directory, and our place in it."""

    def __init__(self, folder, name, corpus):
        self.folder, self.name, self.corpus = pathlib.Path(folder), name, corpus
        self.queue = self.folder / name / "queue"
        try:
            self.queue.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CampaignError(f"{self.queue}: {error.strerror}") from error
        ours = sorted(self.queue.glob("id:*"))
        self.known = {digest(path.read_bytes()) for path in ours}
        self.next = 1 + max([int(match[1]) for path in ours if (match := re.match(r"id:(\d+)", path.name))], default=-1)

    def exchange(self):
        """Both directions; returns how many inputs were given and taken."""
        others = [path for path in sorted(self.folder.glob("*/queue/id:*")) if path.parent != self.queue]
        self.known |= {digest(path.read_bytes()) for path in others if str(path) not in self.corpus.taken}
        taken, given = self.corpus.take(others), 0
        for path in self.corpus.files():
            if path.name in self.known:
                continue
            self.known.add(path.name)
            write(self.queue / f"id:{self.next:06d},orig:{path.name}", path.read_bytes())
            self.next, given = self.next + 1, given + 1
        return given, taken
