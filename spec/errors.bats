#!/usr/bin/env bats
# ECHO-50 to ECHO-59: resets, and running out. Errors of each system call: tests/faults.bats.

load helper
setup_file() { have_server; }
teardown_file() { release_server; }

@test "ECHO-50: a reset disturbs nobody else" {
	scenario <<-'END'
	connect a
	write a "one"
	connect b*50
	write b pattern 20K
	reset b
	read a -> "one"
	roundtrips a 20 1000
	END
}

@test "ECHO-50: a thousand resets, and the server still serves" {
	scenario <<-'END'
	storm 1000 reset
	connect a
	echo a 100K then WR
	END
}

@test "ECHO-51: resets leave no descriptor behind: idle, with data unread, with echo unread" {
	needs_process
	base=$(process fds "$ECHO_PID")
	export base
	scenario <<-'END'
	connect idle*300
	reset idle
	connect unread*300
	write unread "hello"
	reset unread
	connect echoed*100
	roundtrips echoed 1 10
	write echoed "hello"
	read echoed -> "hello"
	reset echoed
	run "spec/process await-fds $ECHO_PID $base"
	END
}

@test "ECHO-51: resets leave no descriptor behind: half-closed, held up" {
	needs_process
	base=$(process fds "$ECHO_PID")
	export base
	scenario <<-'END'
	connect half*100
	write half "hello" then WR
	reset half
	connect full*50 rcvbuf 4096 mss 536 sndbuf 16K
	fill full
	reset full
	connect last*50 rcvbuf 4096
	write last pattern 50K then WR
	run "spec/process rest $ECHO_PID"
	reset last
	run "spec/process await-fds $ECHO_PID $base"
	END
}

@test "ECHO-51: resets before the accept leave no descriptor behind" {
	needs_stopping
	base=$(process fds "$ECHO_PID")
	export base
	scenario <<-'END'
	run "kill -STOP $ECHO_PID"
	connect a*100
	write a "hello"
	reset a
	run "kill -CONT $ECHO_PID"
	connect b
	roundtrips b 1 1
	close b
	run "spec/process await-fds $ECHO_PID $base"
	END
}

@test "ECHO-57: more clients than descriptors: those accepted are served, the rest when room comes" {
	needs_ours
	[ -z "${ECHO_INSTRUMENTED-}" ] || skip 'an instrumented server needs descriptors of its own'
	ECHO_SERVER="$ROOT/spec/limited -n 64 ${ECHO_SERVER:-$ROOT/build/epoll-echo}" start_server
	export pid
	ECHO_AT=127.0.0.1:$port scenario <<-'END'
	connect first*50
	roundtrips first 1 100
	connect rest*50
	write rest "hello"
	roundtrips first 5 100
	run "spec/process rest $pid"
	close first
	read rest -> "hello"
	roundtrips rest 3 100
	END
	end_server "$pid"
}

@test "ECHO-59: connections that follow reset ones get their own bytes only" {
	scenario <<-'END'
	connect old*50 rcvbuf 4096 mss 536 sndbuf 16K
	fill old
	reset old
	connect new*50
	read new -> nothing
	write new pattern 5000
	read new -> rest
	read new -> nothing
	END
}

@test "ECHO-59: the same with connections that half-closed" {
	scenario <<-'END'
	connect old*50 rcvbuf 4096
	write old pattern 50K then WR
	reset old
	connect new*50
	read new -> nothing
	write new pattern 5000
	read new -> rest
	shutdown new WR
	read new -> EOF
	END
}
