#!/usr/bin/env bats
# ECHO-60: no traffic, no CPU, in every state that a connection can rest in. ECHO-61 is pinned by
# tests/test_linux.c.

load helper
setup_file() { have_server; }
teardown_file() { release_server; }

@test "ECHO-60: idle, without connections and with" {
	needs_process
	scenario <<-'END'
	run "spec/process rest $ECHO_PID"
	connect a*100
	run "spec/process rest $ECHO_PID"
	roundtrips a 2 1000
	run "spec/process rest $ECHO_PID"
	END
}

@test "ECHO-60: a peer that does not read, with full buffers" {
	needs_process
	scenario <<-'END'
	connect a*10
	fill a
	run "spec/process rest $ECHO_PID"
	read a -> rest
	END
}

@test "ECHO-60: a half-closed peer that does not read" {
	needs_process
	scenario <<-'END'
	connect a*10 rcvbuf 4096
	write a pattern 50K then WR
	run "spec/process rest $ECHO_PID"
	read a -> rest
	read a -> EOF
	END
}

@test "ECHO-60: a half-closed peer with full buffers" {
	needs_process
	scenario <<-'END'
	connect a*5
	fill a
	shutdown a WR
	run "spec/process rest $ECHO_PID"
	read a -> rest
	read a -> EOF
	END
}

@test "ECHO-60: urgent data pending" {
	needs_process
	scenario <<-'END'
	connect a*10
	urgent a "!"
	read a -> "!"
	run "spec/process rest $ECHO_PID"
	connect b*5 rcvbuf 4096
	write b pattern 50K
	urgent b "!"
	run "spec/process rest $ECHO_PID"
	read b -> rest
	read b -> "!"
	END
}

@test "ECHO-60: accepting paused, all slots taken" {
	needs_ours
	start_server --max-connections 10
	export pid
	ECHO_AT=127.0.0.1:$port scenario <<-'END'
	connect a*10
	roundtrips a 1 1
	connect b*10
	write b "hello"
	run "spec/process rest $pid"
	close a
	read b -> "hello"
	END
	end_server "$pid"
}
