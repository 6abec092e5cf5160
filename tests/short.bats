#!/usr/bin/env bats
# A server whose every transfer may be cut short, by tests/short.c: what a stream meets on a slow and
# lossy network, on every call. Each test is passed with several sequences of lengths, of which 0 is
# one byte at a time, with a pool of buffers and without.
#
# Peers have receive buffers of the usual size wherever much is read: a small one fills with the
# overhead of small segments, and TCP then waits out its timers.

load ../spec/helper

SEEDS='0 1 2 3'
NO_BUFFERS='--memory 3200K --max-connections 300'

teardown() {
	[ -n "${BATS_TEST_COMPLETED-}" ] || echo "this was met with seed $seed, options: $options"
	[ -z "${pid-}" ] || end_server "$pid"
}

# Plays the scenario of standard input to a server for each of these seeds, with buffers and without:
# each_way [SEEDS]
each_way() {
	local text
	text=$(cat)
	for seed in ${1-$SEEDS}; do
		for options in '' "$NO_BUFFERS"; do
			start_short
			ECHO_AT=127.0.0.1:$port scenario <<<"$text"
			end_short
		done
	done
}

start_short() {
	[ -x "$ROOT/build/short/epoll-echo" ] || fail 'build/short/epoll-echo is missing: run make short'
	export ECHO_SHORT_SEED=$seed ECHO_TIMEOUT=10
	# shellcheck disable=SC2086
	ECHO_SERVER=$ROOT/build/short/epoll-echo start_server $options
	export pid
}

end_short() {
	end_server "$pid"
	wait "$pid" # its exit status
	pid=
}

@test "ECHO-1, ECHO-2: every value of a byte, and messages of every awkward size" {
	each_way <<-'END'
	connect a
	write a "\0\x01\n\r\t\x7f\x80\xfe\xff\0"
	read a -> "\0\x01\n\r\t\x7f\x80\xfe\xff\0"
	roundtrips a 50 1
	roundtrips a 20 2
	roundtrips a 3 4097
	roundtrips a 2 65535
	roundtrips a 2 65537
	write a pattern 32K by 7
	read a by 3 -> rest
	END
}

@test "ECHO-3, ECHO-13: long streams come back whole, half-closed at once or not" {
	each_way '1 2 3' <<-'END'
	connect a
	echo a 16M
	echo a 4M then WR
	connect b*8
	echo b 512K then WR
	END
}

@test "ECHO-3, ECHO-13: a stream in single bytes" {
	each_way 0 <<-'END'
	connect a
	echo a 128K then WR
	END
}

@test "ECHO-162: what is left in a pipe by a short count is neither lost nor overtaken" {
	export ECHO_SHORT_ONLY=splice
	each_way '1 2 3' <<-'END'
	connect a
	echo a 16M
	echo a 4M then WR
	connect b*8
	echo b 512K then WR
	END
	each_way 0 <<-'END'
	connect a
	echo a 1M then WR
	END
}

@test "ECHO-4: urgent data comes back in its place" {
	each_way <<-'END'
	connect a*20
	write a "ab"
	urgent a "!"
	write a "cd"
	read a -> "ab!cd"
	urgent a "1"
	urgent a "2"
	write a "xyz"
	urgent a "3"
	shutdown a WR
	read a -> "12xyz3"
	read a -> EOF
	connect b
	write b pattern 70000
	urgent b "!"
	write b "end"
	read b -> rest
	read b -> "!end"
	END
}

@test "ECHO-5: each connection gets its own bytes" {
	each_way <<-'END'
	connect a*100
	write a pattern 2K
	read a -> rest
	read a -> nothing
	END
}

@test "ECHO-10, ECHO-11, ECHO-12, ECHO-14: half-close ends with FIN, and after all of the data" {
	each_way <<-'END'
	connect a*100
	write a "hello" then WR
	read a -> "hello"
	read a -> EOF
	connect b*10
	shutdown b WR
	read b -> EOF
	connect c*10
	roundtrips c 1 100
	shutdown c WR
	read c -> EOF
	run "kill -STOP $pid"
	connect d*10
	write d pattern 3000 then WR
	run "kill -CONT $pid"
	read d -> rest
	read d -> EOF
	connect e rcvbuf 4096
	write e pattern 10K then WR
	read e by 512 -> rest
	read e -> EOF
	END
}

@test "ECHO-17, ECHO-60: connections stay open, and the server rests" {
	each_way '0 1' <<-'END'
	connect a*10
	roundtrips a 5 100
	read a -> nothing
	run "spec/process rest $pid"
	roundtrips a 5 100
	END
}

@test "ECHO-21, ECHO-32: an echo that was held up comes back whole when the peer reads" {
	each_way '1 2 3' <<-'END'
	connect a
	fill a
	read a -> rest
	roundtrips a 10 100
	fill a
	shutdown a WR
	read a -> rest
	read a -> EOF
	END
}

@test "ECHO-34, ECHO-36: peers that do not read keep nobody from being served" {
	each_way '1 2' <<-'END'
	connect mute*10
	fill mute
	connect a
	roundtrips a 100 64
	echo a 1M then WR
	read mute.1 -> rest
	read mute.10 -> rest
	END
}

@test "ECHO-50, ECHO-51: resets leave no descriptor behind" {
	each_way <<-'END'
	connect kept
	roundtrips kept 1 1
	run "spec/process fds $pid >$BATS_TEST_TMPDIR/fds"
	connect a*50
	write a pattern 2000
	reset a
	connect b*50
	write b "hello" then WR
	reset b
	run "spec/process await-fds $pid $(cat $BATS_TEST_TMPDIR/fds)"
	roundtrips kept 5 100
	END
}

@test "ECHO-81: what has been sent is echoed before the end, and what comes late is discarded" {
	for seed in $SEEDS; do
		for options in '--drain-timeout 60' "--drain-timeout 60 $NO_BUFFERS"; do
			start_short
			ECHO_AT=127.0.0.1:$port scenario <<-'END'
			connect a*5
			roundtrips a 1 1000
			run "kill -STOP $pid"
			write a pattern 20000
			run "kill -TERM $pid; kill -CONT $pid"
			read a -> rest
			read a -> EOF
			write a pattern 20000 then WR
			END
			await_end "$pid" 10
			wait "$pid"
			pid=
		done
	done
}

@test "ECHO-23, ECHO-36: the transfers were short" {
	seed=0
	for options in '' "$NO_BUFFERS"; do
		start_short
		ECHO_AT=127.0.0.1:$port scenario <<-'END'
		connect a
		echo a 1000 by 1000
		run "kill -USR1 $pid"
		roundtrips a 1 1
		END
		await_log 'sent 1000, .* write 1000, '
		end_short
	done
}
