#!/usr/bin/env bats
# ECHO-37, ECHO-155 to ECHO-159: several threads, each with an engine of its own.

load ../spec/helper

setup() { export BATS_NO_PARALLELIZE_WITHIN_FILE=true; }

# The steps of standard input, against the server that start_server has started.
against() {
	export pid log
	ECHO_AT=127.0.0.1:$port scenario
}

# The exit status of the server that start_server has started.
assert_ends() {
	local status=0
	await_end "$pid"
	wait "$pid" || status=$?
	assert_equal "$status" "$1"
}

# Wrong usage: one line that holds these texts, and exit status 2.
refuses() {
	local options=$1 text
	shift
	# shellcheck disable=SC2086  # one word an option
	run --separate-stderr timeout 60 "$ROOT/build/epoll-echo" $options
	assert_equal "$status" 2
	assert_equal "$(wc -l <<<"$stderr")" 1
	for text in "$@"; do
		[[ $stderr == *"$text"* ]] || fail "'$stderr' does not say '$text'"
	done
}

threads_of() {
	set -- "/proc/$1/task"/*
	echo $#
}

# A script that waits until nobody listens on the port: 0A is that state in /proc/net/tcp (proc(5)).
write_await_unlistened() {
	cat >"$BATS_TEST_TMPDIR/await-unlistened" <<-END
	for _ in \$(seq 400); do
		awk '\$2 ~ /:$(printf %04X "$port")\$/ && \$4 == "0A" { exit 1 }' /proc/net/tcp && exit
		sleep 0.05
	done
	echo 'port $port is still listened on'
	exit 1
	END
}

# Asks for statistics: one line for the server, one for each of $1 threads. Prints what each of the
# threads, and then the server, has of the figure $2.
figures() {
	kill -USR1 "$pid"
	await_log "thread $1: statistics"
	sed -nE "s/^epoll-echo: thread [0-9]+: statistics:.* $2 ([0-9]+).*/\1/p" "$log"
	sed -nE "s/^epoll-echo: statistics:.* $2 ([0-9]+).*/\1/p" "$log"
}

# A round trip is over when the thread has accepted, so it has left the next connection to others by then.
@test "ECHO-155: connections that come one after the other are spread over all threads" {
	start_server --threads 4
	for _ in {1..16}; do
		echo 'connect a'
		echo 'roundtrips a 3 10'
		echo 'close a'
	done >"$BATS_TEST_TMPDIR/steps"
	against <"$BATS_TEST_TMPDIR/steps"
	run figures 4 accepted
	assert_equal "${#lines[@]}" 5
	for i in 0 1 2 3; do
		[ "${lines[i]}" -ge 2 ] || fail "a thread has accepted ${lines[i]} of 16: $output"
	done
	assert_equal "${lines[4]}" 16
	end_server "$pid"
}

@test "ECHO-155: every byte comes back, whichever thread it goes to" {
	start_server --threads 4
	against <<-'END'
	connect a*40
	echo a 256K
	roundtrips a 20 100
	storm 300
	echo a 64K then WR
	END
	kill -TERM "$pid"
	assert_ends 0
}

@test "ECHO-155: without --threads there is one, and with it so many and the one that started them" {
	start_server
	assert_equal "$(threads_of "$pid")" 1
	end_server "$pid"
	start_server --threads 1
	assert_equal "$(threads_of "$pid")" 1
	end_server "$pid"
	[ -z "${ECHO_INSTRUMENTED-}" ] || return 0 # tools have threads of their own
	start_server --threads 3
	assert_equal "$(threads_of "$pid")" 4
	end_server "$pid"
}

@test "ECHO-155: a second server on the port is refused" {
	start_server --threads 2
	run --separate-stderr timeout 60 "$ROOT/build/epoll-echo" --threads 2 --address 127.0.0.1 --port "$port"
	assert_equal "$status" 1
	assert_equal "$stderr" "epoll-echo: cannot listen on 127.0.0.1:$port: Address already in use"
	end_server "$pid"
}

@test "ECHO-155: threads that have nothing to do use no CPU, full or not" {
	start_server --threads 3 --max-connections 7
	against <<-'END'
	connect a*4
	roundtrips a 1 10
	run "spec/process rest $pid"
	connect b*3
	roundtrips b 1 10
	connect c
	run "spec/process rest $pid"
	END
	end_server "$pid"
}

# Where each place is taken, whichever thread has it, a connection waits; one for which there is a place
# is served, though other threads are full.
@test "ECHO-156: a thread that is full keeps no connection from those that are not" {
	start_server --threads 4 --max-connections 8
	{
		for i in {1..8}; do
			echo "connect a$i"
			echo "roundtrips a$i 2 10"
		done
		echo 'connect b'
		echo 'write b "hello"'
		echo 'read b -> nothing'
		for i in {1..8}; do
			echo "close a$i"
			if [ "$i" -eq 1 ]; then
				echo 'read b -> "hello"'
			else
				echo "connect c$i"
				echo "roundtrips c$i 2 10"
			fi
		done
	} >"$BATS_TEST_TMPDIR/steps"
	against <"$BATS_TEST_TMPDIR/steps"
	end_server "$pid"
}

@test "ECHO-156: as many as there are places are served at once, and the rest when room comes" {
	start_server --threads 3 --max-connections 10
	against <<-'END'
	connect a*10
	roundtrips a 2 10
	connect b*10
	write b "hello"
	roundtrips a 2 10
	close a
	read b -> "hello"
	roundtrips b 2 10
	END
	end_server "$pid"
}

@test "ECHO-156: a pause and a resumption change the list of one thread only" {
	start_server --threads 2 --max-connections 3 --verbose
	against <<-'END'
	connect a*3
	roundtrips a 2 10
	close a
	connect b*3
	roundtrips b 2 10
	END
	await_log 'thread 1: listener pause: done'
	await_log 'thread 2: listener pause: done'
	await_log 'thread 1: listener resume: done'
	await_log 'thread 2: listener resume: done'
	end_server "$pid"
}

@test "ECHO-156: a thread that is short of memory for another entry keeps the one that it has" {
	# A thread makes three calls for a connection: it adds an entry for the listener, which fails for the
	# third one, takes the old one away, and watches the connection.
	start_traced '-f -e trace=epoll_ctl -e inject=epoll_ctl:error=ENOMEM:when=7' --threads 2
	for _ in {1..12}; do
		echo 'connect a'
		echo 'roundtrips a 3 10'
		echo 'close a'
	done >"$BATS_TEST_TMPDIR/steps"
	against <"$BATS_TEST_TMPDIR/steps"
	assert_equal "$(grep -c 'EPOLLEXCLUSIVE.* ENOMEM .*(INJECTED)' "$trace")" 2
	run figures 2 accepted
	for i in 0 1; do
		[ "${lines[i]}" -ge 3 ] || fail "a thread has accepted ${lines[i]} of 12: $output"
	done
	end_traced
}

@test "ECHO-157: SIGTERM drains every thread, and what waits in the backlog is served" {
	start_server --threads 3 --max-connections 30
	against <<-'END'
	connect a*24
	roundtrips a 2 10
	run "kill -STOP $pid"
	write a "hello"
	connect b*6
	write b "hello"
	run "kill -TERM $pid; kill -CONT $pid"
	read a -> "hello"
	read a -> EOF
	read b -> "hello"
	read b -> EOF
	END
	assert_ends 0
}

@test "ECHO-157: the server lives until its last thread has drained" {
	start_server --threads 4 --drain-timeout 3600
	against <<-'END'
	connect a*8
	roundtrips a 2 10
	connect b rcvbuf 4096
	fill b max 64M
	run "kill -TERM $pid"
	read a -> EOF
	close a
	run "kill -0 $pid"
	read b -> rest
	read b -> EOF
	END
	assert_ends 0
}

@test "ECHO-157: the listener closes while connections are still drained" {
	start_server --threads 4 --drain-timeout 3600
	write_await_unlistened
	against <<-'END'
	connect a rcvbuf 4096
	fill a max 64M
	run "kill -TERM $pid"
	run "sh $BATS_TEST_TMPDIR/await-unlistened"
	run "kill -TERM $pid"
	END
	assert_ends 1
}

# While one thread is full, the listener stays open for its sake. What comes then is none of the business
# of another that has closed its own descriptor of it, and waits for a peer to close.
@test "ECHO-157: a thread that has closed the listener is not kept awake by others that have not" {
	start_server --threads 2 --max-connections 4 --drain-timeout 3600
	against <<-'END'
	connect a
	roundtrips a 3 10
	connect b rcvbuf 4096
	roundtrips b 3 10
	connect c
	roundtrips c 3 10
	connect d rcvbuf 4096
	roundtrips d 3 10
	close c
	fill b max 64M
	fill d max 64M
	run "kill -TERM $pid"
	read a -> EOF
	connect e
	run "spec/process rest $pid"
	run "kill -TERM $pid"
	END
	assert_ends 1
}

@test "ECHO-157: a second signal ends all threads at once" {
	start_server --threads 4 --drain-timeout 3600
	against <<-'END'
	connect a*8
	roundtrips a 2 10
	connect b rcvbuf 4096
	fill b max 64M
	run "kill -TERM $pid"
	read a -> EOF
	run "kill -INT $pid"
	END
	assert_ends 1
	assert_equal "$(tail -n 1 "$log")" 'epoll-echo: stopped: a second signal, connections were abandoned'
}

@test "ECHO-157: two signals in one breath end all threads as well" {
	start_server --threads 4 --drain-timeout 3600
	against <<-'END'
	connect b rcvbuf 4096
	fill b max 64M
	run "kill -STOP $pid; kill -TERM $pid; kill -INT $pid; kill -CONT $pid"
	END
	assert_ends 1
}

@test "ECHO-157: the statistics of the server are the sums of its threads'" {
	start_server --threads 3
	against <<-'END'
	connect a*6
	roundtrips a 3 1000
	END
	run figures 3 received
	assert_equal "${#lines[@]}" 4
	assert_equal "$((lines[0] + lines[1] + lines[2]))" 18000
	assert_equal "${lines[3]}" 18000
	# Each time they are those of that moment.
	against <<-'END'
	connect a*6
	roundtrips a 3 1000
	END
	kill -USR1 "$pid"
	await_log 'epoll-echo: statistics: .*received 36000'
	end_server "$pid"
}

@test "ECHO-157: statistics that are asked for again and again are each whole" {
	start_server --threads 3 --log-format json --stats 0.05
	against <<-'END'
	connect a*6
	roundtrips a 200 1000
	END
	for _ in {1..20}; do kill -USR1 "$pid"; done
	for thread in 1 2 3; do await_log "\"event\":\"thread statistics\",\"thread\":$thread,"; done
	kill -TERM "$pid"
	assert_ends 0
	python3 - "$log" <<-'END'
	import json, sys
	lines = [json.loads(line) for line in open(sys.argv[1])][1:]
	assert lines and len(lines) % 4 == 0, len(lines)
	for whole, *threads in zip(*(lines[i::4] for i in range(4))):
	    assert whole["event"] == "statistics" and "thread" not in whole, whole
	    assert [line["thread"] for line in threads] == [1, 2, 3], threads
	    for key in "live", "accepted", "received", "sent":
	        assert whole[key] == sum(line[key] for line in threads), (key, whole, threads)
	END
}

@test "ECHO-157: a thread whose listener is broken ends the server with status 1, and the others drain" {
	# The second accept of a thread fails.
	start_traced '-f -e trace=accept4 -e inject=accept4:error=EBADF:when=2' --threads 2 --drain-timeout 3600
	against <<-'END'
	connect a
	roundtrips a 3 10
	connect b
	roundtrips b 3 10
	connect c
	read b -> EOF
	END
	assert_ends 1
	assert_equal "$(tail -n 1 "$log")" 'epoll-echo: stopped: the listener or the epoll instance is broken'
}

@test "ECHO-158: the limit of connections is that of the server" {
	for threads in 2 3 5; do
		start_server --threads $threads --max-connections 5
		against <<-'END'
		connect a*5
		roundtrips a 2 10
		connect b
		write b "x"
		read b -> nothing
		close a.1
		read b -> "x"
		END
		end_server "$pid"
	done
}

@test "ECHO-158: the descriptors of all threads stay within the limit" {
	[ -z "${ECHO_INSTRUMENTED-}" ] || skip 'an instrumented server needs descriptors of its own'
	ECHO_SERVER="$ROOT/spec/limited -n 64 $ROOT/build/epoll-echo" start_server --threads 4 --verbose
	against <<-'END'
	connect a*36
	roundtrips a 2 10
	connect b
	write b "x"
	read b -> nothing
	close a.1
	read b -> "x"
	END
	end_server "$pid"
	run grep no-descriptors "$log"
	assert_output ''
}

@test "ECHO-158: the memory of all threads stays within --memory" {
	[ -z "${ECHO_INSTRUMENTED-}" ] || skip 'the memory of an instrumented server is not its own'
	start_server --threads 8 --memory 6M
	against <<-'END'
	connect a*200
	echo a 256K then WR
	END
	[ "$(awk '/^VmHWM:/ { print $2 }' "/proc/$pid/status")" -le 6144 ]
	end_server "$pid"
}

@test "ECHO-37: no thread asks for memory after the first accept" {
	start_traced '-f -e trace=accept4,mmap,brk,mremap' --threads 3 --verbose
	against <<-'END'
	connect a*20
	roundtrips a 2 1000
	connect b rcvbuf 4096 mss 536 sndbuf 16K
	fill b
	run "kill -USR1 $pid"
	read b -> rest
	END
	end_traced
	run awk '/accept4/ { serving = 1 } serving && !/accept4|SIG|exited/' "$trace"
	assert_output ''
	run grep -c accept4 "$trace"
	[ "$output" -ge 21 ]
}

@test "ECHO-158: wrong numbers of threads, and pairs that do not fit, are wrong usage" {
	for value in 0 65 abc -1 '' 2.5; do refuses "--threads=$value" '--threads' "'$value'" '1 to 64'; done
	refuses '--threads' '--threads' 'value'
	refuses '--threads 4 --max-connections 3' "--threads '4'" "--max-connections '3'"
	refuses '--threads 64 --memory 4M' "--memory '4194304'" 'one connection a thread'
	refuses '--threads 2 --record f' "--record 'f'" "--threads '2'"
	[ ! -e f ]
}

@test "ECHO-159: lines of several threads are whole, and say whose they are" {
	start_server --threads 4 --verbose --log-format json
	against <<-'END'
	connect a*200
	roundtrips a 30 300
	storm 50
	END
	kill -TERM "$pid"
	assert_ends 0
	python3 - "$log" <<-'END'
	import collections, json, sys
	seen = collections.Counter()
	for line in open(sys.argv[1]):
	    entry = json.loads(line)
	    seen[entry["event"]] += 1
	    assert entry["event"] in ("listening", "dropped") or 1 <= entry["thread"] <= 4, entry
	    seen["dropped lines"] += entry.get("lines", 0)
	assert seen["echo"] + seen["dropped lines"] >= 6000, seen
	END
}

@test "ECHO-159: threads share no memory that one writes while another uses it" {
	[ -z "${ECHO_INSTRUMENTED-}" ] || skip 'it is instrumented otherwise'
	[ -x "$ROOT/build/tsan/epoll-echo" ] || skip 'build/tsan/epoll-echo is missing: run make tsan'
	export TSAN_OPTIONS="exitcode=99:log_path=$BATS_TEST_TMPDIR/race"
	ECHO_SERVER=$ROOT/build/tsan/epoll-echo start_server --threads 4 --max-connections 64 --verbose \
		--stats 0.01 --idle-timeout 60
	against <<-'END'
	connect a*64
	roundtrips a 5 1000
	connect b*30
	close a
	echo b 256K then WR
	connect c*10
	roundtrips c 5 10
	storm 200
	run "kill -USR1 $pid; kill -TERM $pid"
	read c -> EOF
	END
	assert_ends 0
	run compgen -G "$BATS_TEST_TMPDIR/race*"
	assert_output ''
}
