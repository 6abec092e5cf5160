#!/usr/bin/env bats
# ECHO-90 to ECHO-93: what --verbose tells, and what a stalled reader of it may not do.

load helper

setup_file() {
	export BATS_NO_PARALLELIZE_WITHIN_FILE=true
	[ -z "${ECHO_HOST-}${ECHO_PORT-}" ] || export ECHO_FOREIGN=1
}

setup() { needs_ours; }

against() {
	export pid log
	ECHO_AT=127.0.0.1:$port scenario
}

@test "ECHO-90: registration, event, echo and close are told" {
	start_server --verbose
	against <<-'END'
	connect a
	write a "hello\n\0\xff\"\\end"
	read a -> "hello\n\0\xff\"\\end"
	shutdown a WR
	read a -> EOF
	END
	await_log 'connection 0 \(fd [0-9]+\) closed: ended$'
	grep -E 'connection 0 \(fd [0-9]+\) registered: peer 127\.0\.0\.1:[0-9]+, mask IN\|PRI\|OUT\|RDHUP\|ET$' "$log"
	grep -E 'listener event: IN$' "$log"
	grep -E 'connection 0 event: (IN\|)?OUT$' "$log"
	grep -E 'connection 0 event: IN\|OUT\|RDHUP' "$log"
	grep -F 'echo: 13 bytes "hello\n\x00\xff\"\\end"' "$log"
	end_server "$pid"
}

@test "ECHO-90: only what was received is shown, and of that a bounded part" {
	start_server --verbose
	against <<-'END'
	connect a
	write a "0123456789012345678901234567890123456789012345678901234567890123456789"
	read a -> "0123456789012345678901234567890123456789012345678901234567890123456789"
	write a "short"
	read a -> "short"
	END
	await_log 'echo: 5 bytes "short"$'
	grep -E 'echo: 70 bytes "0123456789012345678901234567890123456789012345678901234567890123"\.\.\.$' "$log"
	end_server "$pid"
}

# Starts the server with a pipe as its standard error, of which $reader is both ends.
start_piped() {
	mkfifo "$BATS_TEST_TMPDIR/pipe"
	exec {reader}<>"$BATS_TEST_TMPDIR/pipe"
	read -ra command <<<"${ECHO_SERVER:-$ROOT/build/epoll-echo}"
	"${command[@]}" --verbose --address 127.0.0.1 --port 0 2>&"$reader" 3>&- &
	pid=$!
	read -r -t 60 -u "$reader" line
	port=${line##*:}
}

@test "ECHO-91: a reader of the log that stalls does not stall the echo" {
	start_piped
	against <<-'END'
	connect a*20
	roundtrips a 50 1000
	storm 100
	echo a 200K then WR
	run "spec/process rest $pid"
	END
	timeout 1 cat <&"$reader" >"$BATS_TEST_TMPDIR/log" || true
	against <<-'END'
	connect a
	roundtrips a 1 1
	END
	end_server "$pid"
	timeout 1 cat <&"$reader" >>"$BATS_TEST_TMPDIR/log" || true
	grep -E '^epoll-echo: log: [0-9]+ lines dropped$' "$BATS_TEST_TMPDIR/log"
	# Lines are whole: none begins in the middle of another.
	run grep -vE '^epoll-echo: (log|listening|(thread [0-9]+: )?(listener|connection))' "$BATS_TEST_TMPDIR/log"
	assert_output ''
}

@test "ECHO-91: a reader of the log that goes away does not stall or end the echo" {
	pipe=$BATS_TEST_TMPDIR/pipe
	mkfifo "$pipe"
	head -n1 <"$pipe" >"$BATS_TEST_TMPDIR/first" 3>&- &
	head=$!
	read -ra command <<<"${ECHO_SERVER:-$ROOT/build/epoll-echo}"
	"${command[@]}" --verbose --address 127.0.0.1 --port 0 2>"$pipe" 3>&- &
	pid=$!
	wait "$head"
	port=$(sed 's/.*://' "$BATS_TEST_TMPDIR/first")
	against <<-'END'
	connect a*20
	roundtrips a 50 1000
	storm 100
	echo a 2M then WR
	END
	end_server "$pid"
}

@test "ECHO-91: a terminal that stops its background jobs stops nobody" {
	start_traced '-e trace=rt_sigaction'
	end_traced
	run grep -c 'SIGTTOU, {sa_handler=SIG_IGN' "$trace"
	assert_output 1
}

@test "ECHO-91: a log that is a file at its limit does not end the echo" {
	[ -z "${ECHO_INSTRUMENTED-}" ] || skip 'the tools of an instrumented server write files of their own'
	ECHO_SERVER="$ROOT/spec/limited -f 8 ${ECHO_SERVER:-$ROOT/build/epoll-echo}" start_server --verbose
	against <<-'END'
	connect a*20
	roundtrips a 20 100
	connect b
	echo b 100K then WR
	END
	end_server "$pid"
	[ "$(stat -c %s "$log")" -le 8192 ]
}

@test "ECHO-91: closed standard descriptors are nobody's" {
	start_server --verbose
	end_server "$pid"
	port=$(sed 's/.*://' <(head -n1 "$log"))
	read -ra command <<<"${ECHO_SERVER:-$ROOT/build/epoll-echo}"
	"${command[@]}" --verbose --address 127.0.0.1 --port "$port" <&- >&- 2>&- 3>&- &
	pid=$!
	until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do kill -0 "$pid"; done
	against <<-'END'
	connect a*20
	roundtrips a 5 100
	echo a 10K then WR
	END
	end_server "$pid"
}

@test "ECHO-92: the flags of standard error stay as they are" {
	start_piped
	before=$(grep ^flags "/proc/$BASHPID/fdinfo/$reader")
	against <<-'END'
	connect a
	roundtrips a 10 10
	END
	after=$(grep ^flags "/proc/$BASHPID/fdinfo/$reader")
	assert_equal "$after" "$before"
	refute [ $((0${before##*[[:space:]]} & 04000)) -ne 0 ]
	end_server "$pid"
}

@test "ECHO-93: every line is one JSON object" {
	start_server --verbose --log-format json
	against <<-'END'
	connect a*3
	write a "\0\x01\x1f \"\\/\x7f\x80\xff\n"
	read a -> "\0\x01\x1f \"\\/\x7f\x80\xff\n"
	reset a.1
	shutdown a.2 WR
	read a.2 -> EOF
	run "kill -USR1 $pid"
	roundtrips a.3 2 1000
	END
	end_server "$pid"
	run python3 - "$log" <<-'END'
	import json, sys
	seen = {}
	for line in open(sys.argv[1]):
	    event = json.loads(line)
	    seen.setdefault(event["event"], event)
	assert seen["listening"]["port"] > 0, seen
	assert seen["registered"]["mask"] == "IN|PRI|OUT|RDHUP|ET", seen
	assert seen["registered"]["peer"].startswith("127.0.0.1:"), seen
	assert seen["echo"]["data"] == "\0\x01\x1f \"\\/\x7f\x80\xff\n", seen
	assert seen["closed"]["reason"] in ("ended", "reset"), seen
	assert seen["statistics"]["calls"]["accept"] >= 3, seen
	assert {"event", "listener"} <= seen.keys(), seen
	END
	assert_success
}
