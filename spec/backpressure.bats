#!/usr/bin/env bats
# ECHO-30 to ECHO-37: peers that do not read.

load helper
setup_file() { have_server; }
teardown_file() { release_server; }

@test "ECHO-30: a peer that does not read is not read from without bound" {
	scenario <<-'END'
	connect a
	fill a max 128M
	END
}

@test "ECHO-31: memory stays flat while peers send and do not read" {
	needs_plain_process
	scenario <<-'END'
	connect warm
	echo warm 4M then WR
	END
	before=$(process memory "$ECHO_PID")
	export before
	scenario <<-'END'
	connect a*20
	fill a max 128M
	run "test $(spec/process memory $ECHO_PID) -le $((before + 20 * 256))"
	wait 0.5
	fill a max 128M
	run "test $(spec/process memory $ECHO_PID) -le $((before + 20 * 256))"
	END
}

@test "ECHO-32: every byte comes back when the peer reads again" {
	scenario <<-'END'
	connect a
	fill a
	wait 0.5
	read a -> rest
	fill a
	shutdown a WR
	wait 0.2
	read a slowly -> rest
	read a -> EOF
	END
}

@test "ECHO-34: many peers that do not read keep nobody from being served" {
	scenario <<-'END'
	connect mute*500 rcvbuf 4096 mss 536 sndbuf 16K
	fill mute
	connect a
	roundtrips a 200 64
	echo a 4M
	read mute.1 -> rest
	read mute.500 -> rest
	END
}

@test "ECHO-35: an idle connection holds no buffer" {
	needs_ours
	start_server
	ECHO_AT=127.0.0.1:$port pid=$pid scenario <<-'END'
	connect a*50
	roundtrips a 1 1000
	run "kill -USR1 $pid"
	roundtrips a.1 1 1
	END
	await_log 'statistics: live 50, buffers 0, '
	end_server "$pid"
}

@test "ECHO-36: without any buffer, everything comes back all the same" {
	needs_ours
	[ -z "${ECHO_INSTRUMENTED-}" ] || skip 'memory is too small for an instrumented server'
	start_server --memory 3200K --max-connections 300
	export pid
	ECHO_AT=127.0.0.1:$port scenario <<-'END'
	connect mute*100 rcvbuf 4096 mss 536 sndbuf 16K
	fill mute
	connect a
	roundtrips a 200 64
	write a "ab"
	urgent a "!"
	write a "cd"
	read a -> "ab!cd"
	connect c
	echo c 16M then WR
	read mute -> rest
	shutdown mute WR
	read mute -> EOF
	run "kill -USR1 $pid"
	END
	await_log 'statistics: .*, buffers 0, .* read 0, peek [1-9]'
	end_server "$pid"
}

@test "ECHO-37: the resident set stays within --memory" {
	needs_ours
	[ -z "${ECHO_INSTRUMENTED-}" ] || skip 'the memory of an instrumented server is not its own'
	for memory in 4M 8M 64M; do
		start_server --memory "$memory"
		ECHO_AT=127.0.0.1:$port scenario <<-'END'
		connect a*300 rcvbuf 4096 mss 536 sndbuf 16K
		fill a max 64M
		END
		peak=$(awk '/^VmHWM:/ { print $2 }' "/proc/$pid/status")
		echo "--memory $memory: peak $peak KiB"
		[ "$peak" -le $((${memory%M} * 1024)) ]
		end_server "$pid"
	done
}

@test "ECHO-37: no memory is asked for after the first accept" {
	needs_ours
	start_traced '-e trace=accept4,mmap,brk,mremap' --verbose
	ECHO_AT=127.0.0.1:$port scenario <<-'END'
	connect a*20
	roundtrips a 2 1000
	connect b rcvbuf 4096 mss 536 sndbuf 16K
	fill b
	read b -> rest
	END
	end_traced
	run awk '/accept4/ { serving = 1 } serving && !/accept4|SIG|exited/' "$trace"
	assert_output ''
}
