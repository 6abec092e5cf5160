#!/usr/bin/env bats
# ECHO-20 to ECHO-26: edges, and what proves them spent. The rest of these clauses speak of the
# engine's decisions: tests/test_engine*.c pin them.

load helper
setup_file() { have_server; }
teardown_file() { release_server; }

@test "ECHO-20: more than one read takes is echoed though nothing follows" {
	scenario <<-'END'
	connect a*8
	write a pattern 250K
	read a -> rest
	END
}

@test "ECHO-20: what waited before the accept is echoed in full" {
	needs_stopping
	scenario <<-'END'
	run "kill -STOP $ECHO_PID"
	connect a*8
	write a pattern 60K
	run "kill -CONT $ECHO_PID"
	read a -> rest
	END
}

@test "ECHO-20: more behind an urgent mark than one read takes" {
	scenario <<-'END'
	connect a
	write a pattern 70000
	urgent a "!"
	write a "end"
	read a -> rest
	read a -> "!end"
	END
}

@test "ECHO-21: an echo that was held up goes on when the peer reads" {
	scenario <<-'END'
	connect a rcvbuf 8192
	fill a
	read a -> rest
	roundtrips a 10 100
	fill a
	read a by 1000 -> rest
	roundtrips a 10 100
	END
}

@test "ECHO-24: one epoll_ctl a connection, with these masks" {
	needs_ours
	start_traced '-e trace=epoll_ctl'
	ECHO_AT=127.0.0.1:$port scenario <<-'END'
	connect a
	echo a 4M then WR
	END
	end_traced
	run grep -c 'EPOLLET' "$trace"
	assert_output 1
	run grep 'EPOLLET' "$trace"
	assert_output --partial 'EPOLL_CTL_ADD'
	assert_output --partial '{events=EPOLLIN|EPOLLPRI|EPOLLOUT|EPOLLRDHUP|EPOLLET'
	run grep -v 'EPOLLET' "$trace"
	assert_output --regexp 'EPOLL_CTL_ADD, [0-9]+, \{events=EPOLLIN, '
	refute_output --partial 'EPOLL_CTL_MOD'
}
