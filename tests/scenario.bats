#!/usr/bin/env bats
# The client that judges: what it expects fails where it should, and wrong scripts are told.

load ../spec/helper

setup_file() {
	unset ECHO_HOST ECHO_PORT ECHO_PID
	have_server
}
teardown_file() { release_server; }

# Runs standard input as a script that fails, and checks that its output says this.
condemns() {
	run "$SCENARIO" --on "server=127.0.0.1:$ECHO_PORT" --timeout 1 - < <(echo '# scenario' && cat)
	assert_failure 1
	assert_output --partial "$1"
}

# Runs a script that is wrong at LINE:COLUMN.
refuses_script() {
	run "$SCENARIO" --on "server=127.0.0.1:$ECHO_PORT" - <<<"$2"
	assert_failure 2
	assert_output --partial "stdin:$1: expected "
}

@test "ECHO-110: text that differs" {
	condemns 'expected: "help!"' <<-'END'
	connect a
	write a "hello"
	read a -> "help!"
	END
}

@test "ECHO-110: nothing where bytes were expected" {
	condemns 'nothing for 1 s (5 of 6 bytes)' <<-'END'
	connect a
	write a "hello"
	read a -> "hello!"
	END
}

@test "ECHO-110: bytes where nothing was expected" {
	condemns 'expected: nothing' <<-'END'
	connect a
	write a "hello"
	read a -> nothing
	END
}

@test "ECHO-110: an end where bytes were expected, and bytes where an end was" {
	condemns 'seen: ' <<-'END'
	connect a
	shutdown a WR
	read a -> "x"
	END
	condemns 'expected: EOF' <<-'END'
	connect a
	write a "x" then WR
	read a -> EOF
	END
}

@test "ECHO-110: an end where a reset was expected" {
	condemns 'expected: reset' <<-'END'
	connect a
	shutdown a WR
	read a -> reset
	END
}

@test "ECHO-110: a server that takes everything is not blocked" {
	condemns 'expected: blocked within 64K' <<-'END'
	connect a
	fill a max 64K
	END
}

@test "ECHO-110: a port where nobody listens" {
	start_server
	end_server "$pid"
	run "$SCENARIO" --on "server=127.0.0.1:$port" --timeout 1 - <<<$'# scenario\nconnect a'
	assert_failure 1
	assert_output --partial 'refused'
}

@test "ECHO-110: the exit status of a command" {
	condemns 'status' <<-'END'
	run "exit 3"
	END
}

@test "ECHO-111: wrong scripts are told where and why" {
	refuses_script 2:1 $'# scenario\nconect a'
	refuses_script 2:11 $'# scenario\nconnect a rcvbuff 10'
	refuses_script 3:7 $'# scenario\nconnect a\nwrite b "x"'
	refuses_script 3:9 $'# scenario\nconnect a\nwrite a hello'
	refuses_script 3:17 $'# scenario\nconnect a\nwrite a pattern 0'
	refuses_script 3:11 $'# scenario\nconnect a\nread a -> everything'
	refuses_script 3:19 $'# scenario\nconnect a\nread a -> "unended'
}

@test "ECHO-111: wrong usage and unreadable files" {
	run "$SCENARIO" --on 'server=nowhere' -
	assert_failure 2
	run "$SCENARIO" --on "server=127.0.0.1:$ECHO_PORT" "$BATS_TEST_TMPDIR/none"
	assert_failure 2
	assert_output --partial 'none'
	run "$SCENARIO" --frobnicate
	assert_failure 2
	assert_output --partial '--frobnicate'
}
