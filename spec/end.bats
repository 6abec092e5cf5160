#!/usr/bin/env bats
# ECHO-10 to ECHO-17: half-close, RDHUP above all.

load helper
setup_file() { have_server; }
teardown_file() { release_server; }

@test "ECHO-10: data and half-close in one breath, many times" {
	scenario <<-'END'
	connect a*200
	write a "hello" then WR
	read a -> "hello"
	read a -> EOF
	END
}

@test "ECHO-10: data and half-close that wait while the server sleeps are one event" {
	needs_stopping
	scenario <<-'END'
	connect a*20
	roundtrips a 1 1
	run "kill -STOP $ECHO_PID"
	write a "hello" then WR
	run "kill -CONT $ECHO_PID"
	read a -> "hello"
	read a -> EOF
	END
}

@test "ECHO-10: a connection that sent and half-closed before it was accepted" {
	needs_stopping
	scenario <<-'END'
	run "kill -STOP $ECHO_PID"
	connect a*20
	write a pattern 5000 then WR
	run "kill -CONT $ECHO_PID"
	read a -> rest
	read a -> EOF
	END
}

@test "ECHO-10: printf into netcat, a hundred times" {
	for _ in {1..100}; do
		run timeout "${ECHO_TIMEOUT:-20}" ncat "$ECHO_HOST" "$ECHO_PORT" < <(printf 'hello\n')
		assert_output 'hello'
	done
}

@test "ECHO-11: half-close after the echo" {
	scenario <<-'END'
	connect a
	write a "hello"
	read a -> "hello"
	shutdown a WR
	read a -> EOF
	END
}

@test "ECHO-12: half-close without data" {
	scenario <<-'END'
	connect a*50
	shutdown a WR
	read a -> EOF
	END
}

@test "ECHO-12: half-close without data, long after the connect" {
	scenario <<-'END'
	connect a
	read a -> nothing
	shutdown a WR
	read a -> EOF
	END
}

@test "ECHO-13: a long stream that is half-closed at once" {
	scenario <<-END
	connect a
	echo a $ECHO_BULK then WR
	END
}

@test "ECHO-13: long streams of many lengths, half-closed at once" {
	scenario <<-'END'
	connect a*16
	echo a 1M then WR
	connect b*16
	echo b 65536 then WR
	connect c*16
	echo c 65537 then WR
	connect d*16
	echo d 32768 then WR
	END
}

@test "ECHO-14: a peer that half-closes and reads late gets everything" {
	scenario <<-'END'
	connect a
	write a pattern 200K then WR
	wait 0.5
	read a slowly -> rest
	read a -> EOF
	END
}

@test "ECHO-14: a peer with a small window that half-closes and reads late" {
	scenario <<-'END'
	connect a rcvbuf 4096
	write a pattern 50K then WR
	wait 0.5
	read a by 512 -> rest
	read a -> EOF
	END
}

@test "ECHO-14: urgent data and half-close are no reason to reset" {
	scenario <<-'END'
	connect a*20
	write a "abc"
	urgent a "!"
	shutdown a WR
	wait 0.1
	read a -> "abc!"
	read a -> EOF
	END
}

@test "ECHO-15: the descriptor is kept until the peer has acknowledged" {
	needs_process
	base=$(process fds "$ECHO_PID")
	export base
	scenario <<-'END'
	connect a*5 rcvbuf 4096
	write a pattern 50K then WR
	run "spec/process rest $ECHO_PID"
	run "test $(spec/process fds $ECHO_PID) -eq $((base + 5))"
	read a -> rest
	read a -> EOF
	run "spec/process await-fds $ECHO_PID $base"
	END
}

@test "ECHO-16: descriptors are released when connections end" {
	needs_process
	base=$(process fds "$ECHO_PID")
	export base
	scenario <<-'END'
	connect a*200
	echo a 100
	shutdown a WR
	read a -> EOF
	run "spec/process await-fds $ECHO_PID $base"
	connect b*200
	close b
	run "spec/process await-fds $ECHO_PID $base"
	END
}

@test "ECHO-17: a connection stays open until its peer ends it" {
	scenario <<-'END'
	connect a
	write a "one"
	read a -> "one"
	read a -> nothing
	write a "two"
	read a -> "two"
	read a -> nothing
	shutdown a WR
	read a -> EOF
	END
}
