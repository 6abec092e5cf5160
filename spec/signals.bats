#!/usr/bin/env bats
# ECHO-80 to ECHO-87: signals, timeouts, and the end of the server.

load helper

setup_file() {
	export BATS_NO_PARALLELIZE_WITHIN_FILE=true
	[ -z "${ECHO_HOST-}${ECHO_PORT-}" ] || export ECHO_FOREIGN=1
}

setup() { needs_ours; }

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

@test "ECHO-80: what waits in the backlog is accepted and served" {
	start_server
	against <<-'END'
	run "kill -STOP $pid"
	connect a*50
	write a "hello" then WR
	connect b*50
	write b "hello"
	run "kill -TERM $pid; kill -CONT $pid"
	read a -> "hello"
	read a -> EOF
	read b -> "hello"
	read b -> EOF
	END
	assert_ends 0
}

@test "ECHO-80: the backlog is served even where all slots are taken" {
	start_server --max-connections 2
	against <<-'END'
	connect a*2
	roundtrips a 1 1
	connect b*2
	write b "hello"
	run "kill -TERM $pid"
	read a -> EOF
	close a
	read b -> "hello"
	read b -> EOF
	END
	assert_ends 0
}

@test "ECHO-80: the listener closes" {
	needs_one_thread
	start_server --drain-timeout 20
	against <<-'END'
	connect a
	roundtrips a 1 1
	run "kill -TERM $pid"
	read a -> EOF
	connect b -> refused
	END
	assert_ends 0
}

@test "ECHO-81: a stream in the middle comes back whole" {
	start_server --drain-timeout 60
	against <<-END &
	connect a*4
	echo a 8M
	run "kill -TERM $pid"
	echo a 256K then WR
	END
	client=$!
	wait "$client"
	assert_ends 0
}

@test "ECHO-81: a stream that is under way when the signal comes" {
	start_server --drain-timeout 60
	against <<-'END'
	connect a
	flood a
	wait 0.2
	run "kill -INT $pid"
	stop a
	shutdown a WR
	read a -> EOF
	END
	assert_ends 0
}

@test "ECHO-81: what a late reader is owed is waited for" {
	start_server --drain-timeout 60
	against <<-'END'
	connect a rcvbuf 4096
	fill a max 64M
	run "kill -TERM $pid"
	wait 0.5
	read a -> rest
	read a -> EOF
	END
	assert_ends 0
}

@test "ECHO-81: an idle connection gets an orderly end" {
	start_server
	against <<-'END'
	connect a*10
	roundtrips a 1 1
	run "kill -TERM $pid"
	read a -> EOF
	END
	assert_ends 0
}

@test "ECHO-81: without connections, the end is at once" {
	start_server
	kill "$pid"
	assert_ends 0
}

@test "ECHO-82: what is open after the drain timeout is cut off" {
	start_server --drain-timeout 1 --verbose
	against <<-'END'
	connect mute rcvbuf 4096
	fill mute max 64M
	connect stays
	roundtrips stays 1 1
	run "kill -TERM $pid"
	read stays -> EOF
	run "tail -s 0.05 --pid=$pid -f /dev/null"
	END
	assert_ends 0
	run grep -c 'closed: cut' "$log"
	assert_output 2
}

@test "ECHO-82: a stream that never pauses is ended before, by FIN" {
	start_server --drain-timeout 4
	run against <<-'END'
	connect a
	flood a
	wait 0.2
	run "kill -TERM $pid"
	wait 3.5
	stop a
	END
	# More was sent than came back, as it must, and then came the end of the stream, not a reset.
	assert_output --regexp 'seen: EOF \([0-9]+ of [0-9]+ bytes\)'
	assert_ends 0
}

@test "ECHO-80: connections that only linger make room for the backlog" {
	needs_one_thread
	start_server --max-connections 1 --drain-timeout 20
	against <<-'END'
	connect a
	roundtrips a 1 1
	connect b
	write b "hello"
	run "kill -TERM $pid"
	read b -> "hello"
	read b -> EOF
	END
	assert_ends 0
}

@test "ECHO-83: a second signal ends the process at once" {
	start_server --drain-timeout 3600
	against <<-'END'
	connect mute rcvbuf 4096
	fill mute max 64M
	run "kill -TERM $pid; spec/process rest $pid; kill -INT $pid"
	run "tail -s 0.05 --pid=$pid -f /dev/null"
	END
	assert_ends 1
	run tail -n1 "$log"
	assert_output --partial 'second signal'
}

@test "ECHO-83: two signals in one breath end it too" {
	start_server --drain-timeout 3600
	against <<-'END'
	connect a
	roundtrips a 1 1
	run "kill -STOP $pid; kill -TERM $pid; kill -INT $pid; kill -CONT $pid"
	run "tail -s 0.05 --pid=$pid -f /dev/null"
	END
	assert_ends 1
}

@test "ECHO-84: SIGPIPE ends nothing" {
	start_server
	against <<-'END'
	connect a
	run "kill -PIPE $pid"
	roundtrips a 1 10
	END
	end_server "$pid"
}

@test "ECHO-84: signals in the middle of streams lose nothing" {
	start_server
	against <<-'END'
	connect a*8
	flood a
	run "i=0; while [ $i -lt 50 ]; do kill -STOP $pid; kill -CONT $pid; kill -USR1 $pid; i=$((i+1)); done"
	stop a
	connect b
	echo b 4M then WR
	END
	end_server "$pid"
}

@test "ECHO-84: SIGSTOP and SIGCONT at rest" {
	start_server
	against <<-'END'
	connect a
	run "spec/process rest $pid"
	run "kill -STOP $pid; kill -CONT $pid; kill -USR1 $pid"
	roundtrips a 3 100
	run "spec/process rest $pid"
	END
	end_server "$pid"
}

@test "ECHO-85: SIGUSR1 prints the statistics" {
	start_server
	against <<-'END'
	connect a*3
	echo a 100
	connect b
	echo b 50 then WR
	reset a.1
	write a.2 "x"
	read a.2 -> "x"
	run "kill -USR1 $pid"
	roundtrips a.2 1 1
	END
	# A thread of its own may have served the round trip before it hears of the signal.
	await_log 'statistics: live [23], buffers 0, accepted 4, received 35([12]), sent 35\1, discarded 0'
	run grep '^epoll-echo: statistics' "$log" # of the server, whatever threads it has
	assert_output --regexp 'closed \(ended 1, reset [01], '
	assert_output --regexp 'calls \(wait [0-9]+, accept [0-9]+, .*close [12][,)]'
	end_server "$pid"
}

@test "ECHO-85: --stats prints them again and again" {
	start_server --stats 0.05 --log-format json
	await_log '"event":"statistics".*"accepted":0'
	against <<-'END'
	connect a
	roundtrips a 1 1
	END
	await_log '"event":"statistics".*"accepted":1'
	end_server "$pid"
}

@test "ECHO-86: the idle timeout ends a connection without traffic" {
	start_server --idle-timeout 0.5 --verbose
	against <<-'END'
	connect a*3
	roundtrips a 1 1
	read a -> EOF
	close a
	END
	await_log 'closed: idle'
	end_server "$pid"
}

@test "ECHO-86: the idle timeout leaves a connection with traffic alone" {
	start_server --idle-timeout 2
	against <<-'END'
	connect a
	roundtrips a 1 1
	wait 1
	roundtrips a 1 1
	wait 1
	roundtrips a 1 1
	wait 1
	roundtrips a 1 1
	read a -> EOF
	END
	end_server "$pid"
}

@test "ECHO-86: the idle timeout leaves a peer alone that reads slowly" {
	start_server --idle-timeout 1
	against <<-'END'
	connect a rcvbuf 64K
	fill a max 64M
	read a by 64K -> pattern 256K
	wait 0.7
	read a by 64K -> pattern 256K
	wait 0.7
	read a by 64K -> pattern 256K
	wait 0.7
	read a by 64K -> pattern 256K
	wait 0.7
	read a by 64K -> pattern 256K
	wait 0.7
	read a -> rest
	END
	end_server "$pid"
}

@test "ECHO-86: SIGSTOP is no reason to end a connection that its peer reads from" {
	start_server --idle-timeout 1
	against <<-'END'
	connect a
	fill a max 64M
	run "kill -STOP $pid"
	wait 1.5
	read a -> pattern 1M
	run "kill -CONT $pid"
	read a -> rest
	END
	end_server "$pid"
}

@test "ECHO-86: the idle timeout gives a peer up that does not read" {
	start_server --idle-timeout 3 --verbose
	base=$(process fds "$pid")
	export base
	against <<-'END'
	connect a rcvbuf 4096
	fill a max 64M
	run "spec/process await-fds $pid $base"
	END
	await_log 'closed: idle'
	end_server "$pid"
}

@test "ECHO-87: TCP keepalive is on" {
	command -v ss >/dev/null || skip 'ss is not installed'
	start_server
	export port
	against <<-'END'
	connect a
	roundtrips a 1 1
	run "ss -tnoH state established sport = :$port | grep -q 'timer:(keepalive'"
	END
	end_server "$pid"
}
