#!/usr/bin/env bats
# Long streams, which the server moves through pipes: what it calls, and what comes back.

load ../spec/helper

teardown() {
	[ -z "${pid-}" ] || end_server "$pid"
}

# Serves standard input's scenario with a pool of pipes and without, and with one for all: with_pipes
with_pipes() {
	local text count
	text=$(cat)
	for count in 16 1 0; do
		start_server --pipes "$count"
		ECHO_AT=127.0.0.1:$port scenario <<<"$text"
		end_server "$pid"
		pid=
	done
}

# How often the trace has this: calls PATTERN
calls() {
	grep -c -- "$1" "$trace"
}

@test "ECHO-160: long streams go through a pipe, and messages do not" {
	start_traced '-e trace=recvfrom,sendto,splice'
	ECHO_AT=127.0.0.1:$port scenario <<-'END'
	connect a
	roundtrips a 100 64
	roundtrips a 50 4K
	END
	end_traced
	pid=
	run calls '^splice'
	assert_output 0
	start_traced '-e trace=recvfrom,sendto,splice'
	ECHO_AT=127.0.0.1:$port scenario <<-'END'
	connect a
	echo a 16M then WR
	END
	end_traced
	pid=
	[ "$(calls '^splice')" -gt "$(calls '^recvfrom')" ]
}

@test "ECHO-160: --pipes 0 leaves all bytes to buffers" {
	start_traced '-e trace=splice,pipe2' --pipes 0
	ECHO_AT=127.0.0.1:$port scenario <<-'END'
	connect a
	echo a 4M then WR
	END
	end_traced
	pid=
	run grep -E '^(splice|pipe2)' "$trace"
	refute_output
}

@test "ECHO-161, ECHO-166: urgent marks in a long stream stop nothing" {
	with_pipes <<-'END'
	connect a
	echo a 4M
	urgent a "!"
	read a -> "!"
	urgent a "1"
	urgent a "2"
	write a "xyz"
	read a -> "12xyz"
	write a pattern 200K
	urgent a "?"
	write a "end"
	read a -> rest
	read a -> "?end"
	echo a 4M
	urgent a "3"
	shutdown a WR
	read a -> "3"
	read a -> EOF
	END
}

@test "ECHO-166: a half-close behind a long stream comes after all of it" {
	with_pipes <<-'END'
	connect a*20
	echo a 1M
	echo a 300K then WR
	connect b
	echo b 2M
	fill b
	shutdown b WR
	read b -> rest
	read b -> EOF
	END
}

@test "ECHO-163, ECHO-166: a reset in the middle of a long stream leaves nothing in its pipe for another" {
	for count in 16 1; do
		start_server --pipes "$count"
		ECHO_AT=127.0.0.1:$port scenario <<-END
		connect kept
		roundtrips kept 1 1
		run "spec/process fds $pid >$BATS_TEST_TMPDIR/fds"
		connect a*20
		echo a 1M
		fill a
		reset a
		run "spec/process await-fds $pid \$(cat $BATS_TEST_TMPDIR/fds)"
		connect b*20
		echo b 1M then WR
		roundtrips kept 5 100
		END
		end_server "$pid"
		pid=
	done
}

@test "ECHO-160, ECHO-5: more long streams than pipes, each gets its own bytes" {
	for count in 16 3; do
		start_server --pipes "$count"
		ECHO_AT=127.0.0.1:$port scenario <<-'END'
		connect a*64
		echo a 512K then WR
		connect mute*20
		echo mute 512K
		fill mute
		connect b*4
		echo b 2M then WR
		read mute.1 -> rest
		roundtrips mute.1 10 64K
		read mute.20 -> rest
		END
		end_server "$pid"
		pid=
	done
}

@test "ECHO-164: where splice fails, streams are echoed all the same" {
	for error in EINVAL ENOSYS EBADF ESPIPE EPERM; do
		start_traced "-e trace=splice -e inject=splice:error=$error"
		ECHO_AT=127.0.0.1:$port scenario <<-'END'
		connect a*3
		echo a 4M then WR
		END
		end_traced
		pid=
		run calls "= -1 $error .*(INJECTED)"
		assert_output 3
	done
}

@test "ECHO-26, ECHO-162: where splice did nothing, nothing is lost" {
	for error in EINTR ENOMEM; do
		for when in 1 2 3 1+2 2+3; do
			start_traced "-e trace=splice -e inject=splice:error=$error:when=$when"
			ECHO_AT=127.0.0.1:$port scenario <<-'END'
			connect a*3
			echo a 4M then WR
			END
			end_traced
			pid=
			grep -q "= -1 $error .*(INJECTED)" "$trace"
		done
	done
}

@test "ECHO-163: a stream whose splice fails half-way is ended, and its pipe serves others" {
	for error in EPIPE ECONNRESET EIO; do
		start_traced "-e trace=splice,read,close -e inject=splice:error=$error:when=2" --pipes 1
		ECHO_AT=127.0.0.1:$port scenario <<-END
		connect kept
		roundtrips kept 1 1
		run "spec/process fds $pid >$BATS_TEST_TMPDIR/fds"
		connect a
		run "kill -STOP $pid"
		write a pattern 512K
		run "kill -CONT $pid; spec/process await-fds $pid \$(cat $BATS_TEST_TMPDIR/fds)"
		close a
		roundtrips kept 1 100
		connect b
		echo b 4M then WR
		END
		end_traced
		pid=
		grep -q "^splice.* = -1 $error .*(INJECTED)" "$trace"
		grep -A2 "^splice.* = -1 $error " "$trace" | grep -q '^read.* = [1-9]'
		# The sole pipe, so that these are of another stream:
		sed "1,/^splice.* = -1 $error /d" "$trace" | grep -q '^splice.* = [1-9]'
	done
}

@test "ECHO-165: pipes are opened before the first accept, and there are fewer where there is no room" {
	start_traced '-e trace=pipe2,accept4,splice' --pipes 3
	ECHO_AT=127.0.0.1:$port scenario <<-'END'
	connect a*5
	echo a 4M then WR
	END
	end_traced
	pid=
	run calls '^pipe2'
	assert_output 3
	run sed -n '/^accept4/,$p' "$trace"
	refute_output --partial 'pipe2('
	for error in EMFILE ENFILE; do
		start_traced "-e trace=pipe2,splice -e inject=pipe2:error=$error:when=2"
		ECHO_AT=127.0.0.1:$port scenario <<-'END'
		connect a*5
		echo a 4M then WR
		END
		end_traced
		pid=
		run calls '^pipe2'
		assert_output 2
		grep -q '^splice' "$trace"
	done
}

@test "ECHO-165: a pipe that cannot be made as large as a buffer is none" {
	start_traced '-e trace=pipe2,fcntl,splice -e inject=fcntl:error=EPERM:when=2+'
	ECHO_AT=127.0.0.1:$port scenario <<-'END'
	connect a
	echo a 4M then WR
	END
	end_traced
	pid=
	grep -q '(INJECTED)' "$trace"
}
