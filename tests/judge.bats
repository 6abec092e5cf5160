#!/usr/bin/env bats
# The suite in spec/ is itself on trial here. It has to reject every server with a fault, for the clause
# that the fault violates and for what was seen of it, and to accept correct servers that are not ours.

load ../spec/helper

DEADLINE=2 # seconds in which a server with a fault may make no progress; the suite's own are longer

setup() {
	cd "$ROOT" || return
	[ -x build/servers/broken ] || fail 'build/servers is missing: run make servers'
	unset ECHO_HOST ECHO_PORT ECHO_PID ECHO_SERVER ECHO_MAY_STOP ECHO_TIMEOUT
	pid=
}

teardown() { end_now; }

# A server with a fault is not asked to go.
end_now() {
	[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null || true
	[ -z "$pid" ] || wait "$pid" 2>/dev/null || true
	pid=
}

# The server that is judged next; what the tutorial's prints is nobody's business.
serve() {
	end_now
	launch "$@" >/dev/null
}

serve_ours() { serve build/epoll-echo --address 127.0.0.1 --port 0 "$@"; }

# What bats shows where a test fails.
tell() { echo "$output"; }

# Plays the tests of the suite whose title begins like this (an extended regular expression) against
# the server at $port, as whoever has a server of his own would. Leaves $status and $output.
suite() {
	local outer files
	mapfile -t outer < <(compgen -e BATS_ | grep -vx BATS_LIB_PATH | sed 's/^/--unset=/')
	mapfile -t files < <(grep -lE "^@test \"($1)" spec/*.bats)
	run env "${outer[@]}" ECHO_HOST=127.0.0.1 ECHO_PORT="$port" "${@:2}" \
		timeout 240 "$BATS_ROOT/bin/bats" --tap --filter "^($1)" "${files[@]}" 3>&-
	tell
}

# The same, by who knows the process and may stop it.
suite_at_process() { suite "$1" ECHO_PID="$pid" ECHO_MAY_STOP=1 "${@:2}"; }

# The suite has passed: something of each of these clauses, and nothing was skipped but what may be.
assert_accepted() {
	local clause
	[ "$status" -eq 0 ] || fail "the suite failed with status $status"
	for clause; do
		grep -E "^ok [0-9]+ $clause:" <<<"$output" | grep -qv '# skip' || fail "nothing was judged by $clause"
	done
}

# A test of this clause has failed, by what it saw of the server and not by what the tools met with.
assert_rejected() {
	local seen='# *(#   seen: |actual +:|expected .* seen: )'
	local tools='status (2|126|127)$|no process|no pipe|no local port|Too many open files|pthread_create'
	[ "$status" -eq 1 ] || fail "expected a failure by $1, the suite ended with status $status"
	awk -v title="^not ok [0-9]+ $1:" '/^(not )?ok / { on = $0 ~ title } on' <<<"$output" >"$BATS_TEST_TMPDIR/failed"
	[ -s "$BATS_TEST_TMPDIR/failed" ] || fail "no test of $1 failed"
	grep -vE "$tools" "$BATS_TEST_TMPDIR/failed" | grep -qE "$seen" || fail "$1 failed without having seen a fault"
}

# For a title "CLAUSE: ... DEFECT": the server with the defect passes what is named here, and a fresh
# one is rejected by the clause.
rejects() {
	local clause=${BATS_TEST_DESCRIPTION%%:*} defect=${BATS_TEST_DESCRIPTION##* } IFS='|'
	build/servers/broken --list | grep -qx "$defect $clause" || fail "--list does not have '$defect $clause'"
	serve build/servers/broken --defect "$defect"
	suite_at_process "(${*:2}):"
	IFS=$' \t\n' assert_accepted "${@:2}"
	serve build/servers/broken --defect "$defect"
	suite_at_process "$clause:" ECHO_TIMEOUT="$1"
	assert_rejected "$clause"
}

@test "ECHO-1: the suite rejects text-only" { rejects "$DEADLINE" ECHO-4 ECHO-12 ECHO-17; }
@test "ECHO-2: the suite rejects line-per-read" { rejects "$DEADLINE" ECHO-4 ECHO-12 ECHO-17; }
@test "ECHO-3: the suite rejects short-write-ignored" { rejects "$DEADLINE" ECHO-1 ECHO-2 ECHO-12; }
@test "ECHO-4: the suite rejects drops-urgent" { rejects "$DEADLINE" ECHO-1 ECHO-3 ECHO-13; }
@test "ECHO-5: the suite rejects shared-buffer" { rejects "$DEADLINE" ECHO-1 ECHO-2 ECHO-13; }
@test "ECHO-6: the suite rejects keeps-history" { rejects "$DEADLINE" ECHO-1 ECHO-3 ECHO-16; }
@test "ECHO-10: the suite rejects close-on-rdhup" { rejects "$DEADLINE" ECHO-2 ECHO-11 ECHO-12; }
@test "ECHO-11: the suite rejects no-fin" { rejects "$DEADLINE" ECHO-2 ECHO-12; }
@test "ECHO-12: the suite rejects eof-late" { rejects "$DEADLINE" ECHO-1 ECHO-11 ECHO-13; }
@test "ECHO-13: the suite rejects one-read-at-end" { rejects "$DEADLINE" ECHO-1 ECHO-3 ECHO-12; }
@test "ECHO-14: the suite rejects reset-at-end" { rejects "$DEADLINE" ECHO-1 ECHO-11 ECHO-12; }
@test "ECHO-15: the suite rejects early-close" { rejects "$DEADLINE" ECHO-13 ECHO-14 ECHO-16; }
@test "ECHO-16: the suite rejects leak-at-end" { rejects "$DEADLINE" ECHO-1 ECHO-11 ECHO-13; }
@test "ECHO-17: the suite rejects closes-idle" { rejects "$DEADLINE" ECHO-11 ECHO-12 ECHO-16; }
@test "ECHO-20: the suite rejects one-read-per-edge" { rejects "$DEADLINE" ECHO-11 ECHO-12 ECHO-16; }
@test "ECHO-21: the suite rejects no-out-edge" { rejects "$DEADLINE" ECHO-1 ECHO-2 ECHO-20; }
@test "ECHO-30: the suite rejects buffers-unbounded" { rejects "$DEADLINE" ECHO-1 ECHO-3 ECHO-13; }
@test "ECHO-31: the suite rejects buffers-ahead" { rejects "$DEADLINE" ECHO-3 ECHO-13 ECHO-30; }
@test "ECHO-32: the suite rejects drops-when-blocked" { rejects "$DEADLINE" ECHO-1 ECHO-2 ECHO-12; }
@test "ECHO-34: the suite rejects blocking-write" { rejects "$DEADLINE" ECHO-3 ECHO-13 ECHO-30; }
@test "ECHO-40: the suite rejects greedy" { rejects "$DEADLINE" ECHO-1 ECHO-3 ECHO-12; }
@test "ECHO-41: the suite rejects accepts-last" { rejects "$DEADLINE" ECHO-1 ECHO-3 ECHO-40; }
@test "ECHO-41: the suite rejects accept-stops" { rejects "$DEADLINE" ECHO-1 ECHO-2 ECHO-17; }
@test "ECHO-42: the suite rejects accepts-first" { rejects "$DEADLINE" ECHO-1 ECHO-3 ECHO-40; }
@test "ECHO-50: the suite rejects exits-on-reset" { rejects "$DEADLINE" ECHO-1; }
@test "ECHO-51: the suite rejects leak-on-reset" { rejects "$DEADLINE" ECHO-3 ECHO-16 ECHO-50; }
@test "ECHO-59: the suite rejects slots-mixed-up" { rejects "$DEADLINE" ECHO-1 ECHO-3 ECHO-16; }
# Spinning is told from being at work by ten windows of half a second.
@test "ECHO-60: the suite rejects spin-on-half-close" { rejects 10 ECHO-11 ECHO-13 ECHO-16; }

@test "ECHO-1 to ECHO-60: no defect is without its test" {
	run sed -nE 's/^@test "(.*): the suite rejects ([^ ]*)".*/\2 \1/p' "$BATS_TEST_FILENAME"
	diff <(sort <<<"$output") <(build/servers/broken --list | sort)
}

# The clauses that these can judge, as spec/ECHO.md marks them.
clauses() { sed -nE "s/^- \*\*(ECHO-[0-9]+)\*\* \(($1)\).*/\1/p" spec/ECHO.md; }

# A server of which the process is known: nothing is left out but what starts a server of ours.
accepts() {
	local judged
	mapfile -t judged < <(clauses 'peer|process')
	serve "$@"
	suite_at_process "($(IFS='|' && echo "${judged[*]}")):"
	assert_accepted "${judged[@]}"
	refute_output --partial '# skip needs'
}

@test "ECHO-1 to ECHO-60: the suite accepts a server without a defect" { accepts build/servers/broken; }
@test "ECHO-1 to ECHO-60: the suite accepts a server of threads that block" { accepts build/servers/threads; }

# `timeout` makes a process group of socat and all its children, and ends it.
@test "ECHO-1 to ECHO-59: the suite accepts socat, of which only the peer's side is known" {
	local judged
	mapfile -t judged < <(clauses peer)
	serve timeout 300 socat -d -d -t 3600 \
		TCP-LISTEN:0,bind=127.0.0.1,fork,reuseaddr,backlog=1024,oobinline,nodelay EXEC:cat
	suite "($(IFS='|' && echo "${judged[*]}")):"
	kill "$pid"
	wait "$pid" || true
	assert_accepted "${judged[@]}"
}

# A port of its own choice ncat does not tell, so another one is tried where this is taken.
serve_ncat() {
	local tries=0
	until serve timeout 300 ncat -v -l -k -e /bin/cat 127.0.0.1 $((20000 + RANDOM % 10000)); do
		tries=$((tries + 1))
		[ "$tries" -lt 20 ] || fail 'found no port for ncat'
	done
}

@test "ECHO-4 and ECHO-10: the suite rejects ncat, and not for what it does well" {
	serve_ncat
	suite 'ECHO-11:|ECHO-17:'
	assert_accepted ECHO-11 ECHO-17
	suite 'ECHO-4:|ECHO-10: printf into netcat' ECHO_TIMEOUT="$DEADLINE"
	kill "$pid"
	wait "$pid" || true
	assert_rejected ECHO-4
	assert_rejected ECHO-10
}

# The tutorial's server, and what the same tests make of ours.

serve_tutorial() { serve "$@" build/servers/tutorial 0; }

tells_tutorial_apart() {
	serve_tutorial
	suite_at_process "$1" ECHO_TIMEOUT="$DEADLINE"
	assert_rejected "${1%%:*}"
	serve_ours
	suite_at_process "$1"
	assert_accepted "${1%%:*}"
}

# The same with steps of a scenario, where the suite has none that fit or starts servers of its own.
steps() { steps=$(cat); }

play() {
	export pid
	ECHO_AT=127.0.0.1:$port run scenario <<<"$steps"
	tell
}

steps_reject() {
	ECHO_TIMEOUT=$DEADLINE play
	assert_failure 1
	assert_output --partial 'seen: '
	refute_output --regexp 'status [0-9]+$'
}

steps_accept() {
	play
	assert_success
}

# Both ends of a pipe, which nobody empties once the server has said where it listens, are $reader.
launch_stalled() {
	end_now
	rm -f "$BATS_TEST_TMPDIR/pipe"
	mkfifo "$BATS_TEST_TMPDIR/pipe"
	exec {reader}<>"$BATS_TEST_TMPDIR/pipe"
	"$@" >&"$reader" 2>&1 3>&- &
	pid=$!
	port=
	while [ -z "$port" ]; do
		read -r -t 60 -u "$reader" line
		[[ $line != *'listening on '* ]] || port=${line##*:}
	done
}

launch_traced() {
	trace=$BATS_TEST_TMPDIR/trace
	serve strace -D -o "$trace" -e "trace=$1" "${@:2}"
}

# Two connections, one after the other, that have the same number.
one_after_the_other() {
	export pid
	fds=$(process fds "$pid") ECHO_AT=127.0.0.1:$port scenario <<-'END'
	connect a
	roundtrips a 1 10
	shutdown a WR
	read a -> EOF
	close a
	run "spec/process await-fds $pid $fds"
	connect b
	roundtrips b 1 10
	END
	process rest "$pid"
}

await_trace() { log=$trace await_log 'exited with|killed by'; }

@test "ECHO-10: the tutorial's fault 1: data that comes with the half-close is not echoed" {
	tells_tutorial_apart 'ECHO-10: data and half-close'
}

@test "ECHO-20: the tutorial's fault 2: one read for each edge" {
	tells_tutorial_apart 'ECHO-20: what waited'
}

@test "ECHO-34: the tutorial's fault 3: a peer that does not read stops all" {
	tells_tutorial_apart 'ECHO-34:'
}

# Written bit by bit, with time for an edge each, so that it reads on until a write blocks; the signals
# make that write a short one.
@test "ECHO-32: the tutorial's fault 4: the rest of a short write is lost" {
	steps < <(
		echo 'connect mute rcvbuf 4096 mss 536 sndbuf 16K'
		for _ in {1..10}; do
			echo 'write mute pattern 16K settled'
			echo 'wait 0.02'
		done
		cat <<-'END'
			run "spec/process rest $pid"
			run "kill -STOP $pid; until grep -q '^State:.T' /proc/$pid/status; do :; done; kill -CONT $pid"
			read mute -> rest
		END
	)
	serve_tutorial
	steps_reject
	assert_output --regexp 'byte [0-9]+ of the pattern is .* of the same pattern'
	serve_ours
	steps_accept
}

@test "ECHO-51: the tutorial's fault 5: a reset matches no case, and leaks the descriptor" {
	tells_tutorial_apart 'ECHO-51: resets leave no descriptor behind: idle'
}

@test "ECHO-57: the tutorial's fault 6: it ends when descriptors run out" {
	steps <<-'END'
	connect first*20
	roundtrips first 1 10
	connect rest*40
	roundtrips first 1 10
	END
	serve_tutorial spec/limited -n 32
	steps_reject
	grep -F 'Too many open files' "$log"
	serve spec/limited -n 32 build/epoll-echo --address 127.0.0.1 --port 0
	steps_accept
}

@test "ECHO-84: the tutorial's fault 6: a signal that interrupts the wait ends it" {
	steps <<-'END'
	connect a
	roundtrips a 1 10
	run "spec/process rest $pid"
	run "kill -STOP $pid; until grep -q '^State:.T' /proc/$pid/status; do :; done; kill -CONT $pid"
	roundtrips a 100 10
	END
	serve_tutorial
	steps_reject
	grep -F 'Interrupted system call' "$log"
	serve_ours
	steps_accept
}

@test "ECHO-16: the tutorial's fault 7: closes that were put off hit numbers that are not theirs" {
	launch_traced close build/servers/tutorial 0
	one_after_the_other
	kill -URG "$pid"
	await_trace
	grep -E '^close\([0-9]+\) .* EBADF' "$trace"
	launch_traced close build/epoll-echo --address 127.0.0.1 --port 0
	one_after_the_other
	kill -TERM "$pid"
	await_trace
	grep -E '^close\([0-9]+\) += 0' "$trace"
	run grep -E '^close\([0-9]+\) .* EBADF' "$trace"
	assert_failure 1
}

# Nothing in the tutorial's order of calls lets such an event come up: what can be seen is that it could
# not be told from one that is meant for the successor.
@test "ECHO-58: the tutorial's fault 8: events of a descriptor and of its successor look alike" {
	local tags='s/.*EPOLL_CTL_ADD, ([0-9]+), .*EPOLLET, data=\{.*u64=([0-9]+)\}.*/fd \1 tag \2/p'
	launch_traced epoll_ctl build/servers/tutorial 0
	one_after_the_other
	run sed -nE "$tags" "$trace"
	[ "${#lines[@]}" -eq 2 ] && [ "${lines[0]}" = "${lines[1]}" ]
	launch_traced epoll_ctl build/epoll-echo --address 127.0.0.1 --port 0
	one_after_the_other
	run sed -nE "$tags" "$trace"
	[ "${#lines[@]}" -eq 2 ] && [ "${lines[0]% tag *}" = "${lines[1]% tag *}" ]
	[ "${lines[0]}" != "${lines[1]}" ]
}

@test "ECHO-91: the tutorial's fault 9: a reader of its output that stalls stalls the echo" {
	steps <<-'END'
	connect a
	roundtrips a 500 1000
	END
	launch_stalled build/servers/tutorial 0
	steps_reject
	launch_stalled build/epoll-echo --verbose --address 127.0.0.1 --port 0
	steps_accept
}

@test "ECHO-90: the tutorial's fault 9: it prints the whole buffer for each message" {
	local printed=$BATS_TEST_TMPDIR/printed
	steps <<-'END'
	connect a
	roundtrips a 10 10
	END
	end_now
	launch build/servers/tutorial 0 >"$printed"
	steps_accept
	[ "$(wc -c <"$printed")" -gt $((10 * 32 * 1024)) ]
	serve_ours --verbose
	steps_accept
	[ "$(wc -c <"$log")" -lt 4096 ]
}

@test "ECHO-81: the tutorial's fault 10: at SIGTERM what was sent is not echoed" {
	steps <<-'END'
	connect a rcvbuf 4096 mss 536 sndbuf 16K
	fill a
	run "kill -TERM $pid"
	read a -> rest
	shutdown a WR
	read a -> EOF
	END
	serve_tutorial
	steps_reject
	serve_ours
	steps_accept
}
