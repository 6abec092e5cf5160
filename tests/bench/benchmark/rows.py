"""The rows of the table: what is measured, how long, and in which unit. Less is better in all of them."""

from .meters import anonymous_bytes, per_message, server_instructions, system_calls
from .servers import OURS, Failed

MIB = 1 << 20


class Row:
    """`measure` gives a figure and what else is known of it. `paired`: in each run, against the yardstick."""

    paired, source = True, None

    def __init__(self, key, title, unit):
        self.key, self.title, self.unit = key, title, unit

    def applies_to(self, server):
        return None


class RoundTrips(Row):
    def __init__(self, connections, size, label, count):
        super().__init__(f"rtt-{connections}x{label}", f"round trips, {connections} x {label}", "us CPU a message")
        self.options, self.count = {"connections": connections, "size": size}, count

    def measure(self, bench, name, quick):
        with bench.server(name) as server:
            seen = bench.load(server, "rtt", count=self.count // (20 if quick else 1), **self.options)
        return seen["server_cpu_ns"] / 1e3 / seen["messages"], seen


class Bulk(Row):
    def __init__(self, connections):
        super().__init__(f"bulk-{connections}", f"bulk, {connections} x", "s CPU a GB")
        self.connections = connections

    def measure(self, bench, name, quick):
        size = (64 if quick else 1024) * MIB // self.connections
        with bench.server(name) as server:
            seen = bench.load(server, "bulk", connections=self.connections, bytes=size)
        return seen["server_cpu_ns"] / seen["bytes"], seen


class Churn(Row):
    def __init__(self):
        super().__init__("churn", "connect, echo, close", "us CPU a connection")

    def measure(self, bench, name, quick):
        with bench.server(name) as server:
            seen = bench.load(server, "churn", count=1000 if quick else 20000)
        return seen["server_cpu_ns"] / 1e3 / seen["messages"], seen


class Tail(Row):
    def __init__(self):
        super().__init__("tail", "64 B beside 64 floods", "us, p99")

    def measure(self, bench, name, quick):
        with bench.server(name) as server:
            seen = bench.load(server, "tail", count=20 if quick else 20000, most=10)
        return seen["p99_us"], seen


class Derived(Row):
    """Another figure of the runs that the row `source` has made."""

    def __init__(self, key, title, unit, source, figure):
        super().__init__(key, title, unit)
        self.source, self.figure = source, figure


class Idle(Row):
    """Connections that are held while others come: the first thousand, and nine thousand more."""

    paired = False

    def __init__(self, connections, before):
        super().__init__(f"idle-{connections}", f"idle, {connections}", "bytes a connection")
        self.connections, self.before = connections, before

    def measure(self, bench, name, quick):
        with bench.server(name) as server:
            bench.load(server, "rtt", connections=1, count=1)
            if not self.before:
                return self.grown(bench, server), {}
            with bench.held(server, self.before):
                return self.grown(bench, server), {}

    def grown(self, bench, server):
        more, before = self.connections - self.before, anonymous_bytes(server)
        with bench.held(server, more):
            return (anonymous_bytes(server) - before) / more


class SystemCalls(Row):
    paired = False

    def __init__(self, connections):
        super().__init__(f"syscalls-{connections}", f"system calls, {connections} x 64 B", "a message")
        self.connections = connections

    def measure(self, bench, name, quick):
        count = (5 if quick else 40) * max(self.connections, 20)
        with bench.server(name) as server:
            return per_message(lambda count: system_calls(
                bench, server, connections=self.connections, size=64, count=count), (count, 4 * count)), {}


class Instructions(Row):
    paired = False

    def __init__(self, connections):
        super().__init__(f"instructions-{connections}", f"user instructions, {connections} x 64 B", "a message")
        self.connections = connections

    def applies_to(self, server):
        if server == "go":
            return "Go does not run under Valgrind"
        if server == "threads" and self.connections > 400:
            return "Valgrind has room for 500 threads"
        if self.connections > 1000 and server != OURS:
            return "measured for epoll-echo only"
        return None

    def measure(self, bench, name, quick):
        if quick and self.connections > 1000:
            raise Failed("not with --quick")
        count, more = max(self.connections, 500 if quick else 4000), 2000 if quick else 40000
        return per_message(lambda count: server_instructions(
            bench, name, connections=self.connections, count=count), (count, count + more)), {}


ROWS = [
    RoundTrips(64, 64, "64B", 200000),
    RoundTrips(64, 1024, "1KiB", 200000),
    RoundTrips(64, 16384, "16KiB", 100000),
    RoundTrips(1000, 64, "64B", 200000),
    Bulk(1),
    Bulk(16),
    Churn(),
    Tail(),
    Derived("tail-others", "the same: served to others", "bytes, p99", "tail", "others_p99_bytes"),
    Idle(1000, 0),
    Idle(10000, 1000),
    SystemCalls(1),
    SystemCalls(64),
    Instructions(10),
    Instructions(64),
    Instructions(1000),
    Instructions(15000),
]
