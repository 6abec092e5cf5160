#!/usr/bin/env bats
# ECHO-1 to ECHO-6: every byte, once, in order, to whom it belongs.

load helper
setup_file() { have_server; }
teardown_file() { release_server; }

@test "ECHO-1: what netcat sends comes back" {
	run timeout "${ECHO_TIMEOUT:-20}" ncat "$ECHO_HOST" "$ECHO_PORT" <<<'hello'
	assert_success
	assert_output 'hello'
}

@test "ECHO-1: what socat sends comes back" {
	run timeout "${ECHO_TIMEOUT:-20}" socat -t 20 - "TCP:$(at "$ECHO_HOST" "$ECHO_PORT")" <<<'hello'
	assert_success
	assert_output 'hello'
}

@test "ECHO-1: every value of a byte comes back, NUL and newline too" {
	scenario <<-'END'
	connect a
	write a "\0\x01\n\r\t\x7f\x80\xfe\xff\0"
	read a -> "\0\x01\n\r\t\x7f\x80\xfe\xff\0"
	echo a 64K
	END
}

@test "ECHO-2: one byte at a time" {
	scenario <<-'END'
	connect a
	roundtrips a 500 1
	echo a 16K by 1
	END
}

@test "ECHO-2: many small messages in one go, read back in one piece" {
	scenario <<-'END'
	connect a
	write a pattern 32K by 7
	read a by 64K -> rest
	write a pattern 32K by 32K
	read a by 3 -> rest
	END
}

@test "ECHO-2: messages of every awkward size" {
	scenario <<-'END'
	connect a
	roundtrips a 3 4095
	roundtrips a 3 4097
	roundtrips a 3 32767
	roundtrips a 3 32769
	roundtrips a 3 65535
	roundtrips a 3 65537
	END
}

@test "ECHO-3: a stream that is longer than every buffer" {
	scenario <<-END
	connect a
	echo a $ECHO_BULK
	END
}

@test "ECHO-3: long streams side by side" {
	scenario <<-'END'
	connect a*8
	flood a
	wait 0.3
	stop a
	END
}

@test "ECHO-4: an urgent byte comes back in its place" {
	scenario <<-'END'
	connect a
	write a "ab"
	urgent a "!"
	write a "cd"
	read a -> "ab!cd"
	urgent a "?"
	read a -> "?"
	END
}

@test "ECHO-4: data behind an urgent mark is echoed, though nothing follows" {
	scenario <<-'END'
	connect a*20
	write a "before"
	urgent a "!"
	write a "after"
	read a -> "before!after"
	read a -> nothing
	END
}

@test "ECHO-4: one urgent mark after another, then half-close" {
	scenario <<-'END'
	connect a
	urgent a "1"
	urgent a "2"
	write a "xyz"
	urgent a "3"
	shutdown a WR
	read a -> "12xyz3"
	read a -> EOF
	END
}

@test "ECHO-166, ECHO-4: urgent marks in the middle of a long stream" {
	scenario <<-'END'
	connect a
	echo a 4M
	write a pattern 200K
	urgent a "?"
	write a "end"
	read a -> rest
	read a -> "?end"
	echo a 4M
	urgent a "!"
	shutdown a WR
	read a -> "!"
	read a -> EOF
	END
}

@test "ECHO-5: each connection gets its own bytes" {
	scenario <<-'END'
	connect a*100
	write a pattern 10K
	read a -> rest
	write a pattern 1
	read a -> rest
	read a -> nothing
	END
}

@test "ECHO-5: what is owed to a peer that reads late is its own" {
	scenario <<-'END'
	connect a*20 rcvbuf 4096 mss 536 sndbuf 16K
	fill a
	read a -> rest
	END
}

@test "ECHO-6: memory does not grow with the length of a stream" {
	needs_plain_process
	scenario <<-'END'
	connect a
	echo a 16M then WR
	END
	before=$(process memory "$ECHO_PID")
	scenario <<-'END'
	connect a
	echo a 256M then WR
	END
	after=$(process memory "$ECHO_PID")
	echo "expected 1024 KiB more at most, seen: $before KiB, then $after KiB"
	[ $((after - before)) -le 1024 ]
}
