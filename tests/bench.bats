#!/usr/bin/env bats
# The benchmark's tools on trial: the load generator has to see every fault, and the tables have to be complete.

load ../spec/helper

setup_file() {
	cd "$ROOT" || return
	make -s bench-programs >"$BATS_FILE_TMPDIR/build" 2>&1 || fail_setup "$(tail -1 "$BATS_FILE_TMPDIR/build")"
}

setup() {
	cd "$ROOT" || return
	pid=
}

teardown() {
	[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null || true
	[ -z "$pid" ] || wait "$pid" 2>/dev/null || true
}

# Loads the server at $port in this mode.
generate() { run build/bench/load "$1" --connect "127.0.0.1:$port" --timeout 1 "${@:2}"; }

# Asks python, which knows the tools as `benchmark`.
python() { PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests/bench python3 -c "$@"; }

@test "ECHO-151: a server without a fault passes every mode, and what is told adds up" {
	launch tests/bench/bad none
	generate rtt --connections 7 --size 1000 --count 50
	assert_success
	assert_output --regexp '^\{"mode": "rtt", "messages": 50, "bytes": 50000, .*"p99_us": [0-9.]+.*\}$'
	generate bulk --connections 3 --bytes 300000 --size 10
	assert_success
	assert_output --regexp '"bytes": 899970,'
	generate churn --connections 4 --count 30
	assert_success
	assert_output --regexp '"messages": 30, "bytes": 1920,'
	generate tail --floods 2 --count 5
	assert_success
	assert_output --regexp '"messages": 5, .*"others_max_bytes": [0-9]+\}$'
	generate tail --floods 2 --count 4000000000 --most 1
	assert_success
	assert_output --regexp '"messages": [1-9][0-9]*, '
	generate idle --connections 5 </dev/null
	assert_success
	assert_output --regexp '^\{"mode": "idle", "messages": 5,'
}

# A fault, and the reason that is given in each of these modes.
rejected() {
	launch tests/bench/bad "$1"
	generate rtt --connections 3 --size 1000 --count 30
	assert_failure 1
	assert_output --regexp "^load: $2\$"
	generate bulk --connections 3 --bytes 200000
	assert_failure 1
	assert_output --regexp "^load: $2\$"
	generate churn --connections 2 --size 4000 --count 10
	assert_failure 1
	assert_output --regexp "^load: $2\$"
}

wrong='connection [0-9]+: byte [0-9]+ is 0x[0-9a-f]+, and 0x[0-9a-f]+ was sent'

@test "ECHO-151: a byte that is lost is seen" { rejected loses "($wrong|stalled: nothing came in 1000 ms)"; }

@test "ECHO-151: a byte that is changed is seen, and which one" { rejected changes "connection [0-9]+: byte 1500 is .*"; }

@test "ECHO-151: bytes that have changed places are seen" { rejected swaps "connection [0-9]+: byte 1500 is .*"; }

@test "ECHO-151: a byte too many is seen" {
	rejected adds "($wrong|connection [0-9]+: [0-9]+ bytes came back of [0-9]+)"
	generate churn --connections 1 --size 4000 --count 10
	assert_output 'load: connection 0: 4001 bytes came back of 4000'
}

@test "ECHO-151: bytes of another connection are seen" { rejected mixes "$wrong"; }

@test "ECHO-151: a stream that ends too early is seen" {
	rejected ends "connection [0-9]+: (the server ended the stream|the stream ended after [0-9]+ of [0-9]+ bytes|(send|receive) failed .*)"
}

@test "ECHO-151: a reset is seen" { rejected resets 'connection [0-9]+: (send|receive|half-close) failed after .*: .*'; }

@test "ECHO-151: an echo that does not come is seen" { rejected stalls '(stalled: nothing came in 1000 ms|connection .*)'; }

@test "ECHO-151: a flood that gets back something else than it sent fails the client beside it" {
	launch tests/bench/bad changes
	generate tail --floods 2 --count 1000
	assert_failure 1
	assert_output --regexp "^load: connection [12]: byte 1500 is .*"
}

@test "ECHO-71: wrong usage of the load generator gives one line, and exit status 2" {
	port=1
	generate fly
	assert_failure 2
	assert_output "load: no such mode 'fly' (see --help)"
	generate rtt --size 0
	assert_failure 2
	assert_output "load: --size '0': a number from 1 to 65536 (see --help)"
	run build/bench/load rtt
	assert_failure 2
	assert_output "load: --connect is wanted by 'rtt' (see --help)"
}

@test "ECHO-152: each row is in the table and in the JSON, for each server, with a figure or a reason; and each goal is judged" {
	run --separate-stderr tests/bench/bench --quick --peers naive --out "$BATS_TEST_TMPDIR/out"
	assert_success
	printf '%s\n' "$output" >"$BATS_TEST_TMPDIR/table"
	python '
import json, sys
from benchmark.rows import ROWS
table, seen = open(sys.argv[1]).read(), json.load(open(sys.argv[2]))
assert [row.key for row in ROWS] == list(seen["rows"]), "rows"
for row in ROWS:
    line = next(line for line in table.splitlines() if line.startswith(f"{row.title}, {row.unit}"))
    servers = seen["rows"][row.key]["servers"]
    assert set(servers) == {"epoll-echo", "naive"}, row.key
    assert all(bool(cell["runs"]) != bool(cell["why_not"]) for cell in servers.values()), row.key
    assert len(line.removeprefix(f"{row.title}, {row.unit}").replace("- [", "-[").split()) == 2, line
    assert all(cell["why_not"] is None or cell["why_not"] in table for cell in servers.values()), row.key
    if row.paired:
        assert servers["epoll-echo"]["ratio"]["median"] > 0, row.key
assert table.count("\ngoal  ") == len(seen["goals"]) >= 18
assert {goal["met"] for goal in seen["goals"]} <= {True, False, None}
calls = seen["rows"]["syscalls-1"]["servers"]["naive"]["median"]
# strace comes and goes in the middle of a wait, which may count once more or less: of 300 messages.
assert abs(calls - 3) < 0.02, f"the yardstick takes a wait, a read and a write, not {calls}"
' "$BATS_TEST_TMPDIR/table" "$BATS_TEST_TMPDIR/out/bench.json"
}

@test "ECHO-152: a server that loses bytes has the reason in the table, and no figure" {
	run --separate-stderr tests/bench/bench --quick --peers tutorial --only bulk-16 --out "$BATS_TEST_TMPDIR/out"
	assert_success
	assert_output --regexp 'bulk, 16 x, s CPU a GB +[0-9.]+ +[0-9.]+ +- \[1\]'
	assert_line --regexp '^\[1\] tutorial: (stalled|connection).*'
}

@test "ECHO-152: what is not installed is said, in the row that takes it, and the others are measured" {
	mkdir "$BATS_TEST_TMPDIR/bin"
	local tool
	for tool in make mkdir; do
		ln -s "$(command -v "$tool")" "$BATS_TEST_TMPDIR/bin"
	done
	# Its name may be that of a script, which takes other tools.
	ln -s "$(python3 -c 'import sys; print(sys.executable)')" "$BATS_TEST_TMPDIR/bin/python3"
	run --separate-stderr env PATH="$BATS_TEST_TMPDIR/bin" tests/bench/bench --quick --peers naive \
		--only syscalls-1,instructions-10,churn --out "$BATS_TEST_TMPDIR/out"
	assert_success
	assert_line --regexp '^\[[0-9]\] epoll-echo, naive: strace is not installed \(ci/setup --bench\)$'
	assert_line --regexp '^\[[0-9]\] epoll-echo, naive: valgrind is not installed \(ci/setup --bench\)$'
	assert_line --regexp '^connect, echo, close, us CPU a connection +[0-9.]+ +[0-9.]+$'
	assert_line 'no plots: gnuplot is not installed (ci/setup --bench)'
	assert_line --regexp "^network: the machine's, .* \(unshare is not installed\)\$"
	assert_line --regexp "^warning: in the machine's network \(unshare is not installed\), with .*"
}

@test "ECHO-153: what is set in the machine's network is not in the figures, or is told of" {
	local as_root=
	[ "$EUID" -eq 0 ] || as_root=--map-root-user
	unshare --net $as_root ip link set lo up 2>/dev/null || skip 'no network namespace may be made here'
	run --separate-stderr tests/bench/bench --quick --peers naive --only churn --out "$BATS_TEST_TMPDIR/out"
	assert_success
	assert_line 'network: a namespace of its own, cubic'
	run --separate-stderr tests/bench/bench --quick --peers naive --only churn --out "$BATS_TEST_TMPDIR/out" --host-network
	assert_success
	assert_line "network: the machine's, $(cat /proc/sys/net/ipv4/tcp_congestion_control) (--host-network)"
	assert_line --regexp '^warning: in the machine.s network \(--host-network\), with .*'
}

@test "ECHO-152: interrupted, the benchmark leaves no process behind" {
	ln -s "$ROOT/build/epoll-echo" "$BATS_TEST_TMPDIR/ours"
	tests/bench/bench --only rtt-64x64B --peers naive --ours "$BATS_TEST_TMPDIR/ours" --out "$BATS_TEST_TMPDIR/out" \
		2>"$BATS_TEST_TMPDIR/log" 3>&- &
	pid=$! log=$BATS_TEST_TMPDIR/log
	await_log 'run 1, epoll-echo'
	kill -TERM "$pid"
	local ended=0
	wait "$pid" || ended=$?
	pid=
	assert_equal "$ended" 130
	run pgrep -f "$BATS_TEST_TMPDIR/ours"
	assert_failure
	assert_equal "$(tail -1 "$log")" 'bench: interrupted'
}

@test "ECHO-153: ratios are of figures of the same run, and a machine that is not quiet is told of" {
	python '
from benchmark.results import Results
from benchmark.rows import ROWS
results, row = Results(), ROWS[0]
results.cell(row, "naive")["runs"] = [1.0, 2.0, 4.0]
results.cell(row, "epoll-echo")["runs"] = [1.0, 2.2, 4.0]
assert results.ratios(row.key, "epoll-echo", "naive") == [1.0, 1.1, 1.0], "pair by pair"
assert results.noisy(ROWS) == [(row, 1.5)], "naive spreads by 3 of 2"
results.cell(row, "naive")["runs"] = [2.0, 2.1, 2.2]
assert results.noisy(ROWS) == [], "5 percent is no noise"
'
}

@test "ECHO-153: the runs of servers take turns, each with the yardstick's beside it" {
	run --separate-stderr tests/bench/bench --quick --runs 3 --peers naive --only churn --out "$BATS_TEST_TMPDIR/out"
	assert_success
	run grep -oE 'run [0-9], .*' <<<"$stderr"
	assert_output 'run 1, epoll-echo
run 1, naive
run 2, naive
run 2, epoll-echo
run 3, epoll-echo
run 3, naive'
}

@test "ECHO-153: a goal that is missed says by how much, one that was not measured says so" {
	python '
from benchmark.results import Goal
assert str(Goal("x", 1.5, 1.25)).endswith("missed by 0.25")
assert str(Goal("x", 1.25, 1.25)).endswith("met")
assert str(Goal("x", 1.0, 1, strictly=True)).endswith("missed by 0")
assert str(Goal("x", None, 1)).endswith("not measured")
'
}

@test "ECHO-154: the engine's instructions are told from those of what drives it, line by line" {
	cat >"$BATS_TEST_TMPDIR/callgrind" <<-END
		events: Ir
		summary: 1000
		fl=(1) tests/bench/engine.c
		fn=(1) run
		10 5
		cfi=(2) src/core/engine.c
		cfn=(2) echo_next
		calls=3 20
		11 600
		fi=(2)
		+2 40
		fe=(1)
		* 7

		fl=(2)
		fn=(2)
		20 300
		fi=(3) src/core/stats.c
		4 2
	END
	python '
import pathlib, sys
from benchmark.meters import instructions, instructions_of
path = pathlib.Path(sys.argv[1])
assert instructions(path) == 1000
assert instructions_of(path, "src/core/engine") == 340
assert instructions_of(path, "src/core/") == 342
assert instructions_of(path, "tests/bench/") == 12
' "$BATS_TEST_TMPDIR/callgrind"
}

@test "ECHO-154: the engine alone and the same logic inlined are measured for each number of connections" {
	command -v valgrind >/dev/null || skip 'there is no valgrind'
	run --separate-stderr tests/bench/bench-engine --quick --runs 1 --out "$BATS_TEST_TMPDIR/out"
	assert_success
	assert_line --regexp '^goal  purity.s price'
	python '
import json, sys
seen = json.load(open(sys.argv[1]))
assert [row["connections"] for row in seen["rows"]] == [10, 64, 1000, 15000]
for row in seen["rows"]:
    assert 0 < row["statistics"] < row["engine"] < row["all"], row
    assert 0 < row["inlined"] and row["price"] == row["all"] - row["inlined"], row
    assert row["state_bytes"] >= 64 * row["connections"] or row["connections"] < 1000, row
' "$BATS_TEST_TMPDIR/out/engine.json"
}

@test "ECHO-154: a drive in which a byte goes astray gives no figures" {
	local driver
	sed 's/^\tdata\[0\] = (uint8_t)handle;/\tdata[0] = (uint8_t)(handle + (world->messages == 500));/' \
		tests/bench/pretended.c >"$BATS_TEST_TMPDIR/pretended.c"
	! cmp -s tests/bench/pretended.c "$BATS_TEST_TMPDIR/pretended.c" || fail 'nothing was planted'
	for driver in engine inlined; do
		run build/bench/"$driver" 100 1000
		assert_success
		assert_output --regexp '^\{"connections": 100, "messages": 10[0-9][0-9], '
		cc -D_GNU_SOURCE -Isrc -Itests/bench -o "$BATS_TEST_TMPDIR/$driver" \
			tests/bench/"$driver".c "$BATS_TEST_TMPDIR/pretended.c" src/core/*.c
		run "$BATS_TEST_TMPDIR/$driver" 100 1000
		assert_failure 1
		assert_output --regexp '^connection [0-9]+ was sent what is not its own$'
	done
}

@test "ECHO-71: wrong usage of the engine's drivers gives one line, and exit status 2" {
	run build/bench/engine 0 1000
	assert_failure 2
	assert_output "'0': a number from 1 to 16777216 is wanted"
	run build/bench/inlined 5
	assert_failure 2
	assert_output 'usage: inlined CONNECTIONS MESSAGES'
}

@test "ECHO-71: wrong usage of the benchmark gives one line, and exit status 2" {
	run tests/bench/bench --only nothing
	assert_failure 2
	assert_output "bench: --only 'nothing': no such row (see --list)"
	run tests/bench/bench --peers nobody
	assert_failure 2
	assert_output "bench: --peers 'nobody': no such peer (see --list)"
	run tests/bench/bench --runs 0
	assert_failure 2
	assert_output "bench: --runs '0': at least 1"
	run tests/bench/bench-engine --runs 0
	assert_failure 2
	assert_output "bench-engine: --runs '0': at least 1"
}
