"""The servers that are measured: how each is started, found out about, and ended."""

import os
import pathlib
import re
import signal
import subprocess
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent.parent
BENCH = ROOT / "build/bench"
OURS, YARDSTICK = "epoll-echo", "naive"
OURS_COMMAND = str(ROOT / "build/epoll-echo")
START = 60  # seconds until it listens, at most: under Valgrind it takes a while

# name -> (what it is, Debian's package that it takes, or none)
PEERS = {
    "naive": ("level-triggered epoll, one buffer, read and write; the yardstick", None),
    "libev": ("two watchers a connection", "libev-dev"),
    "libuv": ("a buffer and a uv_write for each read", "libuv1-dev"),
    "libuv-try": ("a buffer for all, uv_try_write, uv_write for the rest", "libuv1-dev"),
    "libevent": ("bufferevent", "libevent-dev"),
    "go": ("net, a goroutine and io.Copy a connection", "golang-go"),
    "threads": ("a thread a connection, calls that block", None),
    "tutorial": ("a tutorial's epoll server with its faults; its output goes to /dev/null", None),
}


class Failed(Exception):
    """A server did not do what was asked of it; the reason is one line."""


def program(name):
    return ROOT / "build/servers/tutorial" if name == "tutorial" else BENCH / "peers" / name


def is_here(name):
    return program(name).exists()


def command(name, ours=OURS_COMMAND):
    if name == OURS:
        return ours.split() + ["-a", "127.0.0.1", "-p", "0"]
    return [str(program(name)), "0"]


class Server:
    """A running server; a context that ends it."""

    def __init__(self, name, core, ours=OURS_COMMAND, prefix=()):
        self.name, self.core, self.said = name, core, []
        self.command = [*prefix, *command(name, ours)]
        self.port, self.listening = None, threading.Event()
        self.reader = threading.Thread(target=self.read, daemon=True)

    def __enter__(self):
        """Whoever interrupts us does so before there is a process, or when it will be ended."""
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})

        def settle():
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            os.sched_setaffinity(0, {self.core})

        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True, errors="replace", start_new_session=True, preexec_fn=settle)
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            self.await_listening()
        except BaseException:
            self.__exit__()
            raise
        return self

    def await_listening(self):
        self.reader.start()
        if not self.listening.wait(START) or self.port is None:
            raise Failed(f"{self.name} does not listen: {self.said[-1] if self.said else 'it said nothing'}")

    def read(self):
        for line in self.process.stderr:
            if match := re.search(r"listening on \S+:(\d+)", line):
                self.port = int(match[1])
                self.listening.set()
            self.said = self.said[-9:] + [line.strip()]
        self.listening.set()

    @property
    def pid(self):
        return self.process.pid

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def __exit__(self, *_):
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is None:
                self.process.send_signal(number)
            try:
                self.process.wait(10)
                break
            except subprocess.TimeoutExpired:
                continue
        if self.reader.is_alive():
            self.reader.join(5)
        self.process.stderr.close()
