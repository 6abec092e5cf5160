"""Programs that are run to their end, or until their time is over or the campaign is interrupted."""

import dataclasses
import glob
import os
import secrets
import signal
import subprocess
import threading
import time

stopping = threading.Event()  # the campaign was asked to stop: what takes long is cut short
alive = {}                    # processes of ours and their marks, by number
POLL = 0.1
MARK = "EPOLL_ECHO_FUZZING"


class CampaignError(Exception):
    """Why a campaign cannot go on; the text names the thing and the cause."""


@dataclasses.dataclass
class Done:
    status: int        # None: it was cut short
    stdout: bytes
    stderr: str
    late: bool = False  # its time was over


def spawn(command, env=None, **options):
    """A process in a session of its own: keys that interrupt the campaign do not reach it. It and
    what it starts carry a mark, since AFL++ puts its targets into sessions of their own."""
    mark = secrets.token_hex(8)
    process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, start_new_session=True,
                               env={**(os.environ if env is None else env), MARK: mark}, **options)
    alive[process.pid] = process, mark
    return process


def kill(process, thorough=False):
    """The process and its group; `thorough`: and all others that it has started."""
    end_group(process)
    process.wait()
    _, mark = alive.pop(process.pid, (None, None))
    if thorough and mark:
        end_marked([mark])


def kill_all():
    """For the end of the campaign: from a handler of signals as well."""
    for process, _ in list(alive.values()):
        end_group(process)
    end_marked([mark for _, mark in list(alive.values())])


def end_group(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def end_marked(marks):
    words = [f"{MARK}={mark}".encode() for mark in marks]
    for path in glob.glob("/proc/[0-9]*/environ"):
        try:
            with open(path, "rb") as file:
                carried = file.read().split(b"\0")
            if any(word in carried for word in words):
                os.kill(int(path.split("/")[2]), signal.SIGKILL)
        except OSError:
            pass  # it has ended, or is not ours


def run(command, seconds, environment=None, folder=None, patient=False):
    """Runs a program and returns what it wrote. `patient`: also when the campaign is to stop."""
    try:
        process = spawn(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd=folder)
    except OSError as error:
        raise CampaignError(f"{command[0]} does not start: {error.strerror}") from error
    deadline, cut, late = time.monotonic() + seconds, False, False
    stdout, stderr = b"", b""
    while True:
        try:
            stdout, stderr = process.communicate(timeout=POLL)
            break
        except subprocess.TimeoutExpired:
            late = late or time.monotonic() > deadline
            if (late or (stopping.is_set() and not patient)) and not cut:
                cut = True
                os.killpg(process.pid, signal.SIGKILL)
    kill(process)
    return Done(None if cut else process.returncode, stdout, stderr.decode(errors="replace"), late)
