#!/usr/bin/env bats
# The server under faults of its system calls: strace(1) makes a call fail with an errno, at a
# position that is counted over the whole process. The errnos are those that the manual page of the
# call documents, as in src/linux/outcome.c, and EXFULL, which none does.
#
# strace replaces the call: nothing was done. That is what most errnos mean, but for two cases:
#
# - EAGAIN on a connection means that an edge will come, and none will for what was there already. So
#   the tests of EAGAIN bring a later edge by writing more.
# - A close that was not made leaves the descriptor open, where the real one always releases it
#   (close(2)). So those tests look at the server's calls only, and at peers that are gone already.

load ../spec/helper

UNKNOWN=EXFULL

teardown() {
	[ -n "${BATS_TEST_COMPLETED-}" ] || echo "this was met with $fault"
	[ -z "${pid-}" ] || end_server "$pid"
}

# Starts a server in which a call fails: faulty CALL ERRNO WHEN [OPTION...]
faulty() {
	fault="$1: $2 at $3" errno=$2
	start_traced "-e inject=$1:error=$2:when=$3" "${@:4}"
	export pid
}

play() {
	ECHO_AT=127.0.0.1:$port ECHO_TIMEOUT=10 scenario
}

# For a scenario's "run": waits until the trace shows so many faults, or calls: seen COUNT [CALL]
seen() {
	echo "timeout 30 tail -s 0.05 -n +1 -F $trace 2>&1 | grep -m$1 ${2-INJECTED} | cat >/dev/null"
}

# The server runs to its orderly end; a fault that was never met proves nothing.
served() {
	end_traced
	ended_with 0
}

# The server ends by itself, in order.
drained() {
	await_end "$pid" 10 || fail 'it does not end'
	log=$trace await_log 'exited with|killed by'
	ended_with 0
}

# The server ends by itself, and says why.
broke() {
	await_end "$pid" 10 || fail 'it does not end'
	log=$trace await_log 'exited with|killed by'
	ended_with 1
	run cat "$log"
	assert_line --index 1 'epoll-echo: stopped: the listener or the epoll instance is broken'
	[ "${#lines[@]}" -eq 2 ]
}

ended_with() {
	pid=
	grep -q "= -1 $errno .*(INJECTED)" "$trace" || fail 'the fault was not met'
	grep -qx "+++ exited with $1 +++" "$trace" || fail "$(tail -n 1 "$trace")"
}

# The names of so many calls, from the first one on that looks like this: from PATTERN COUNT
from() {
	awk -v pattern="$1" '$0 ~ pattern { on = 1 } on { sub(/[(].*/, ""); print }' "$trace" |
		head -n "$2" | paste -sd ' '
}

# What the first fault looked like.
was() {
	run grep -m1 INJECTED "$trace"
	assert_output --partial "$1"
}

refute_trace() {
	run grep -E -- "$1" "$trace"
	assert_output ''
}

# The trace of a server that serves nobody, to count calls in; the loader's come first.
faultless() {
	calm=$BATS_FILE_TMPDIR/calm
	[ ! -e "$calm" ] || return 0
	start_traced ''
	end_traced
	pid=
	mv "$trace" "$calm"
}

# Which of the calls of this name is the first that looks like this: position CALL PATTERN
position() {
	faultless
	awk -v call="^$1[(]" -v pattern="$2" '$0 ~ call { n++; if ($0 ~ pattern) { print n; exit } }' "$calm"
}

# How often it is called before the server waits for the first time.
calls_at_start() {
	faultless
	sed '/^epoll_wait/q' "$calm" | grep -c "^$1("
}

# A start with a fault: unable CALL ERRNO WHEN [ADDRESS]. One line with the address and the reason,
# nothing else, and exit status 1.
unable() {
	command -v strace >/dev/null || skip 'strace is not installed'
	local address=${4:-127.0.0.1}
	trace=$BATS_TEST_TMPDIR/start errno=$2
	fault="$1: $2 at $3"
	run timeout 20 strace -o "$trace" -e "inject=$1:error=$2:when=$3" \
		"$ROOT/build/epoll-echo" --address "$address" --port 0
	assert_failure 1
	ended_with 1
	reason=$(sed -n 's/.*= -1 [A-Z0-9]* (\(.*\)) (INJECTED)$/\1/p' "$trace")
	assert_output --regexp "^epoll-echo: cannot [a-z ]+ on $(at "$address" 0 | sed 's/[][]/\\&/g'): $reason\$"
}

# The start.

@test "ECHO-72: socket: every documented errno is one line and exit status 1" {
	for e in EACCES EAFNOSUPPORT EINVAL EMFILE ENFILE ENOBUFS ENOMEM EPROTONOSUPPORT; do
		unable socket "$e" 1
	done
}

@test "ECHO-72: setsockopt: every documented errno, at every option" {
	for ((n = $(calls_at_start setsockopt); n > 0; n--)); do
		for e in EBADF EFAULT EINVAL ENOPROTOOPT ENOTSOCK; do
			unable setsockopt "$e" "$n"
		done
	done
	unable setsockopt ENOPROTOOPT 2 ::1 # IPV6_V6ONLY
}

@test "ECHO-72: bind, listen, getsockname: every documented errno" {
	for e in EACCES EADDRINUSE EADDRNOTAVAIL EBADF EFAULT EINVAL ELOOP ENAMETOOLONG ENOENT ENOMEM \
		ENOTDIR ENOTSOCK EROFS; do
		unable bind "$e" 1
	done
	for e in EADDRINUSE EBADF ENOTSOCK EOPNOTSUPP; do
		unable listen "$e" 1
	done
	for e in EBADF EFAULT EINVAL ENOBUFS ENOTSOCK; do
		unable getsockname "$e" 1
	done
}

@test "ECHO-72: rt_sigprocmask, rt_sigaction, signalfd4: every documented errno" {
	for e in EFAULT EINVAL; do
		unable rt_sigprocmask "$e" "$(position rt_sigprocmask USR1)"
		unable rt_sigaction "$e" "$(position rt_sigaction SIGPIPE)"
		unable rt_sigaction "$e" "$(position rt_sigaction SIGXFSZ)"
	done
	for e in EBADF EINVAL EMFILE ENFILE ENODEV ENOMEM; do
		unable signalfd4 "$e" 1
	done
}

@test "ECHO-72: epoll_create1, epoll_ctl: every documented errno" {
	for e in EINVAL EMFILE ENFILE ENOMEM; do
		unable epoll_create1 "$e" 1
	done
	for e in EBADF EEXIST EINVAL ELOOP ENOENT ENOMEM ENOSPC EPERM; do
		unable epoll_ctl "$e" 1 # the listener
		unable epoll_ctl "$e" 2 # the signals
	done
}

@test "ECHO-72: mmap: every documented errno" {
	for e in EACCES EAGAIN EBADF EEXIST EINVAL ENFILE ENODEV ENOMEM EOVERFLOW EPERM ETXTBSY; do
		unable mmap "$e" "$(calls_at_start mmap)"
	done
}

@test "ECHO-72: a limit of descriptors that is not told ends the start with one line" {
	command -v strace >/dev/null || skip 'strace is not installed'
	for e in EFAULT EINVAL EPERM ESRCH; do
		fault="prlimit64: $e"
		run timeout 20 strace -o "$BATS_TEST_TMPDIR/start" \
			-e "inject=prlimit64:error=$e:when=$(position prlimit64 RLIMIT_NOFILE)" \
			"$ROOT/build/epoll-echo" --address 127.0.0.1 --port 0
		assert_failure
		[ "${#lines[@]}" -eq 1 ]
	done
}

@test "ECHO-74: a limit of descriptors that cannot be raised is kept to" {
	hard=$(ulimit -Hn)
	for e in EFAULT EINVAL EPERM ESRCH; do
		ulimit -Sn 40
		faulty prlimit64 "$e" $(($(position prlimit64 RLIMIT_NOFILE) + 1))
		ulimit -Sn "$hard"
		play <<-'END'
		connect a*60
		write a "hello"
		read a.1 -> "hello"
		read a.30 -> "hello"
		shutdown a.1 WR
		read a.1 -> EOF
		read a.31 -> "hello"
		END
		served
		refute_trace '^accept4.* EMFILE'
	done
}

# Waiting.

@test "ECHO-26: epoll_wait: an interrupted one is made again" {
	for when in 1 3 1+2 2..9; do
		faulty epoll_wait EINTR "$when"
		play <<-'END'
		connect a*3
		roundtrips a 10 100
		echo a 256K then WR
		END
		served
	done
}

@test "ECHO-56: epoll_wait: every other errno ends the process with a message and status 1" {
	for e in EBADF EFAULT EINVAL $UNKNOWN; do
		faulty epoll_wait "$e" 1
		broke
		faulty epoll_wait "$e" 3
		play <<-'END'
		connect a*5 async
		END
		broke
	done
}

# Accepting.

@test "ECHO-53: accept4: every errno of the new connection is passed over" {
	for e in ECONNABORTED ENETDOWN EPROTO ENOPROTOOPT EHOSTDOWN ENONET EHOSTUNREACH EOPNOTSUPP \
		ENETUNREACH EPERM ESOCKTNOSUPPORT EPROTONOSUPPORT ETIMEDOUT $UNKNOWN; do
		for when in 1+2 2..40; do
			faulty accept4 "$e" "$when"
			play <<-'END'
			connect a
			roundtrips a 2 100
			connect b*10
			roundtrips b 2 100
			roundtrips a 2 100
			END
			served
			refute_trace EPOLL_CTL_MOD
		done
	done
}

@test "ECHO-26: accept4: EINTR, and an EAGAIN too many, are tried again" {
	for e in EINTR EAGAIN; do
		for when in 1 2 1+2; do
			faulty accept4 "$e" "$when"
			play <<-'END'
			connect a
			roundtrips a 2 100
			connect b*10
			roundtrips b 2 100
			END
			served
			refute_trace EPOLL_CTL_MOD
		done
	done
}

@test "ECHO-52: accept4: every errno of want pauses accepting, and it resumes" {
	for e in EMFILE ENFILE ENOBUFS ENOMEM ENOSR; do
		faulty accept4 "$e" 1
		play <<-'END'
		connect a
		roundtrips a 2 100
		END
		served
		run from INJECTED 6
		assert_output 'accept4 epoll_ctl epoll_wait epoll_ctl epoll_wait accept4'
		faulty accept4 "$e" 2
		play <<-'END'
		connect a
		roundtrips a 1 100
		connect b*10
		roundtrips a 5 100
		roundtrips b 5 100
		END
		served
	done
}

@test "ECHO-52: the delay grows from 100 ms to one second" {
	faulty accept4 EMFILE 1..5
	play <<-'END'
	connect a
	roundtrips a 2 100
	END
	served
	run sed -nE 's/^epoll_wait.*, ([0-9]+)\) += 0$/\1/p' "$trace"
	assert_output "$(printf '%s\n' 100 200 400 800 1000)"
	run grep -c '^epoll_ctl.*EPOLL_CTL_MOD, 3, {events=0' "$trace"
	assert_output 5
}

@test "ECHO-52: a connection that closes ends the pause at once" {
	faulty accept4 EMFILE 2..5
	play <<-END
	connect a
	roundtrips a 1 100
	connect b
	run "$(seen 4)"
	close a
	roundtrips b 1 100
	END
	served
	run from '^recvfrom.* = 0$' 6
	assert_output 'recvfrom ioctl close epoll_ctl epoll_wait accept4'
}

@test "ECHO-52: a server that can accept nothing is at rest" {
	faulty accept4 ENFILE 2+ --drain-timeout 0.3
	play <<-'END'
	connect a
	roundtrips a 1 100
	connect b*10
	run "spec/process rest $pid"
	roundtrips a 1 100
	END
	served
	run grep -c '^accept4.*INJECTED' "$trace"
	assert [ "$output" -le 8 ]
}

@test "ECHO-52: a listener that fails for each new connection is not spun on" {
	faulty accept4 ECONNABORTED 1..64
	play <<-'END'
	connect a
	roundtrips a 1 100
	END
	served
	run grep -c 'EPOLL_CTL_MOD, 3, {events=0' "$trace"
	assert_output 1
}

@test "ECHO-80, ECHO-52: what waits in the backlog is served though descriptors run out" {
	faulty accept4 EMFILE 1..2
	play <<-'END'
	run "kill -STOP $pid"
	connect a*5
	write a "hello"
	run "kill -TERM $pid; kill -CONT $pid"
	read a -> "hello"
	read a -> EOF
	END
	drained
}

@test "ECHO-56: accept4: every errno of a broken listener ends the process with a message" {
	for e in EBADF EFAULT EINVAL ENOTSOCK; do
		faulty accept4 "$e" 1
		play <<-'END'
		connect a async
		END
		broke
		faulty accept4 "$e" 2
		play <<-'END'
		connect a
		roundtrips a 1 100
		connect b async
		END
		broke
	done
}

# Registering. The first two are the listener and the signals.

@test "ECHO-54: epoll_ctl: every documented errno closes the connection, and no other" {
	for e in ENOSPC ENOMEM EBADF EEXIST EINVAL ELOOP ENOENT EPERM EAGAIN $UNKNOWN; do
		faulty epoll_ctl "$e" 3+2
		base=$(process fds "$pid")
		export base
		play <<-'END'
		connect first
		read first -> EOF
		connect kept
		roundtrips kept 2 100
		connect third
		read third -> EOF
		connect fourth
		roundtrips fourth 2 100
		echo kept 256K then WR
		run "spec/process await-fds $pid $((base + 1))"
		END
		served
	done
}

@test "ECHO-26: epoll_ctl: an interrupted one is made again" {
	for when in 3 4..5 3+2; do
		faulty epoll_ctl EINTR "$when" --max-connections 2
		play <<-'END'
		connect a*2
		roundtrips a 2 100
		connect b
		roundtrips a 2 100
		close a
		roundtrips b 2 100
		END
		served
	done
}

# With one slot, the third epoll_ctl pauses accepting, the fourth registers, the fifth resumes.

@test "ECHO-52: epoll_ctl: a pause or a resume that fails for want of memory is tried again" {
	for e in ENOMEM ENOSPC $UNKNOWN; do
		for when in 3 5 5..6; do
			faulty epoll_ctl "$e" "$when" --max-connections 1
			play <<-'END'
			connect a
			roundtrips a 2 100
			connect b
			write b "hello"
			roundtrips a 20 100
			close a
			read b -> "hello"
			END
			served
		done
	done
}

@test "ECHO-52: epoll_ctl: want of memory after want of descriptors" {
	start_traced '-e inject=accept4:error=EMFILE:when=2..3 -e inject=epoll_ctl:error=ENOMEM:when=4'
	fault='accept4: EMFILE at 2..3, epoll_ctl: ENOMEM at 4' errno=ENOMEM
	play <<-'END'
	connect a
	roundtrips a 1 100
	connect b
	roundtrips a 2 100
	roundtrips b 2 100
	END
	served
}

@test "ECHO-56: epoll_ctl: a listener that can be neither paused nor resumed ends the process" {
	for e in EBADF EEXIST EINVAL ELOOP ENOENT EPERM; do
		faulty epoll_ctl "$e" 3 --max-connections 1
		play <<-'END'
		connect a async
		END
		broke
		faulty epoll_ctl "$e" 5 --max-connections 1
		play <<-'END'
		connect a
		roundtrips a 1 100
		close a
		END
		broke
	done
}

# Reading. A message that is read in one piece is one recvfrom, or two where there is no buffer: one
# that peeks, and one that removes what was sent.

RECV_ENDS='ECONNREFUSED ECONNRESET ENOTCONN ETIMEDOUT EPIPE EHOSTUNREACH ENETUNREACH EHOSTDOWN ENETDOWN
	EPROTO ENOPROTOOPT EBADF EFAULT EINVAL ENOTSOCK'
NO_BUFFERS='--memory 3200K --max-connections 300'

@test "ECHO-55: recvfrom: every documented errno ends that connection at most" {
	for e in $RECV_ENDS $UNKNOWN; do
		faulty recvfrom "$e" 1+2
		play <<-'END'
		connect first
		write first "x"
		read first -> reset
		connect kept
		roundtrips kept 1 100
		connect third
		write third "x"
		read third -> reset
		roundtrips kept 1 100
		connect fifth
		write fifth "x"
		read fifth -> reset
		roundtrips kept 1 100
		END
		served
		faulty recvfrom "$e" 4
		play <<-'END'
		connect a
		connect b
		roundtrips a 2 100
		roundtrips b 1 100
		write a "x"
		read a -> reset
		roundtrips b 10 100
		echo b 256K then WR
		END
		served
	done
}

@test "ECHO-26, ECHO-55: recvfrom: where nothing happened, it is made again, and nothing is lost" {
	for e in EINTR ENOMEM ENOBUFS; do
		for when in 1+2 3 2..9; do
			faulty recvfrom "$e" "$when"
			play <<-'END'
			connect a
			roundtrips a 20 100
			connect b*3
			echo b 256K then WR
			write a "ab"
			urgent a "!"
			write a "cd" then WR
			read a -> "ab!cd"
			read a -> EOF
			END
			served
		done
	done
}

@test "ECHO-55: recvfrom: would-block is believed until the next edge" {
	for when in 1 3; do
		faulty recvfrom EAGAIN $((when + 1))
		play <<-END
		connect b*$when
		roundtrips b 1 100
		connect a
		write a "x"
		run "$(seen 1)"
		roundtrips b 1 100
		write a "y" then WR
		read a -> "xy"
		read a -> EOF
		END
		served
	done
}

@test "ECHO-55: recvfrom that peeks: every documented errno ends that connection at most" {
	for e in $RECV_ENDS $UNKNOWN; do
		# shellcheck disable=SC2086
		faulty recvfrom "$e" 1+3 $NO_BUFFERS
		play <<-'END'
		connect first
		write first "x"
		read first -> reset
		connect kept
		roundtrips kept 1 100
		connect fourth
		write fourth "x"
		read fourth -> reset
		roundtrips kept 1 100
		END
		served
		was MSG_PEEK
	done
}

@test "ECHO-55: recvfrom that removes: every documented errno ends that connection at most" {
	for e in $RECV_ENDS $UNKNOWN; do
		# shellcheck disable=SC2086
		faulty recvfrom "$e" 2+4 $NO_BUFFERS
		play <<-'END'
		connect second
		write second "x"
		read second -> "x"
		read second -> reset
		connect kept
		roundtrips kept 1 100
		connect sixth
		write sixth "x"
		read sixth -> "x"
		read sixth -> reset
		roundtrips kept 1 100
		END
		served
		was MSG_TRUNC
	done
}

@test "ECHO-26, ECHO-36: recvfrom without a buffer: where nothing happened, nothing is lost" {
	for e in EINTR ENOMEM ENOBUFS; do
		for when in 1+2 2+3 2..9; do
			# shellcheck disable=SC2086
			faulty recvfrom "$e" "$when" $NO_BUFFERS
			play <<-'END'
			connect a
			roundtrips a 20 100
			connect b*3
			echo b 256K then WR
			write a "ab"
			urgent a "!"
			write a "cd" then WR
			read a -> "ab!cd"
			read a -> EOF
			END
			served
		done
	done
}

@test "ECHO-36: recvfrom without a buffer: would-block is believed until the next edge" {
	for when in 1 2; do
		# shellcheck disable=SC2086
		faulty recvfrom EAGAIN "$when" $NO_BUFFERS
		play <<-END
		connect a
		write a "x"
		run "$(seen 1)"
		connect b
		roundtrips b 1 100
		write a "y" then WR
		read a -> "xy"
		read a -> EOF
		END
		served
	done
}

# Sending.

@test "ECHO-55: sendto: every documented errno ends that connection at most" {
	for e in ECONNRESET ECONNREFUSED EPIPE ENOTCONN ETIMEDOUT EHOSTUNREACH ENETUNREACH EHOSTDOWN \
		ENETDOWN EPROTO ENOPROTOOPT EACCES EALREADY EBADF EDESTADDRREQ EFAULT EINVAL EISCONN \
		EMSGSIZE ENOTSOCK EOPNOTSUPP EPERM $UNKNOWN; do
		faulty sendto "$e" 1+2
		play <<-'END'
		connect first
		write first "x"
		read first -> EOF
		connect kept
		roundtrips kept 1 100
		connect third
		write third "x"
		read third -> EOF
		roundtrips kept 1 100
		END
		served
		# shellcheck disable=SC2086
		faulty sendto "$e" 3 $NO_BUFFERS
		play <<-'END'
		connect a
		roundtrips a 2 100
		connect b
		write b "x"
		read b -> reset
		roundtrips a 10 100
		echo a 256K then WR
		END
		served
	done
}

@test "ECHO-26, ECHO-55: sendto: where nothing happened, it is made again, and nothing is lost" {
	for e in EINTR ENOMEM ENOBUFS; do
		for options in '' "$NO_BUFFERS"; do
			for when in 1+2 3 2..9; do
				# shellcheck disable=SC2086
				faulty sendto "$e" "$when" $options
				play <<-'END'
				connect a
				roundtrips a 20 100
				connect b*3
				echo b 256K then WR
				write a "ab"
				urgent a "!"
				write a "cd" then WR
				read a -> "ab!cd"
				read a -> EOF
				END
				served
			done
		done
	done
}

@test "ECHO-55: sendto: would-block is believed until the next edge" {
	for options in '' "$NO_BUFFERS"; do
		# shellcheck disable=SC2086
		faulty sendto EAGAIN 2 $options
		play <<-END
		connect b
		roundtrips b 1 100
		connect a
		write a "x"
		run "$(seen 1)"
		roundtrips b 1 100
		write a "y" then WR
		read a -> "xy"
		read a -> EOF
		END
		served
	done
}

# The end of a stream: how much is unacknowledged, our FIN, the close.

@test "ECHO-55: ioctl: every documented errno ends that connection at most" {
	for e in EBADF EFAULT EINVAL ENOTTY EINTR $UNKNOWN; do
		faulty ioctl "$e" 1+2
		play <<-'END'
		connect kept
		connect a*6
		echo a 100 then WR
		roundtrips kept 1 100
		connect last rcvbuf 4096
		write last pattern 100K then WR
		read last -> rest
		read last -> EOF
		roundtrips kept 1 100
		END
		served
	done
}

@test "ECHO-55: ioctl while acknowledgements are awaited: every documented errno" {
	for e in EBADF EFAULT EINVAL ENOTTY EINTR $UNKNOWN; do
		for when in 2 3; do
			faulty ioctl "$e" "$when"
			base=$(process fds "$pid")
			export base
			play <<-END
			connect kept
			connect last rcvbuf 4096
			write last pattern 100K then WR
			run "$(seen 2 ioctl)"
			read last slowly -> rest
			read last -> EOF
			roundtrips kept 1 100
			run "spec/process await-fds $pid $((base + 1))"
			END
			served
		done
	done
}

@test "ECHO-55: shutdown: every documented errno ends that connection at most" {
	for e in ENOTCONN EBADF EINVAL ENOTSOCK EINTR $UNKNOWN; do
		faulty shutdown "$e" 1+2
		base=$(process fds "$pid")
		export base
		play <<-END
		connect kept
		connect last*4 rcvbuf 4096
		write last pattern 100K then WR
		run "$(seen 4 shutdown)"
		roundtrips kept 1 100
		read last -> rest
		read last -> EOF
		roundtrips kept 1 100
		run "spec/process await-fds $pid $((base + 1))"
		END
		served
	done
}

@test "ECHO-81, ECHO-55: shutdown while draining: every documented errno" {
	for e in ENOTCONN EBADF EINVAL ENOTSOCK EINTR $UNKNOWN; do
		faulty shutdown "$e" 1+2
		play <<-'END'
		connect a*4
		roundtrips a 1 100
		run "kill -TERM $pid"
		read a -> EOF
		END
		drained
	done
}

# Each connection is looked at once more, and what comes after our FIN is discarded: the fifth.

@test "ECHO-81, ECHO-55: recvfrom that discards: every documented errno ends that connection" {
	for e in $RECV_ENDS $UNKNOWN; do
		faulty recvfrom "$e" 5 --drain-timeout 60
		play <<-END
		connect a
		connect b
		roundtrips a 1 100
		roundtrips b 1 100
		run "kill -TERM $pid"
		read a -> EOF
		read b -> EOF
		write a "late"
		run "$(seen 1)"
		write b pattern 100K then WR
		END
		drained
		was MSG_TRUNC
	done
}

@test "ECHO-81, ECHO-26: recvfrom that discards: where nothing happened, it is made again" {
	for e in EINTR ENOMEM ENOBUFS EAGAIN; do
		faulty recvfrom "$e" 3 --drain-timeout 60
		play <<-END
		connect a
		roundtrips a 1 100
		run "kill -TERM $pid"
		read a -> EOF
		write a "late"
		run "$(seen 1)"
		write a pattern 100K then WR
		END
		drained
		was MSG_TRUNC
	done
}

@test "ECHO-55: close: whatever it returns, it is made once" {
	for e in EBADF EIO ENOSPC EDQUOT EINTR $UNKNOWN; do
		faulty close "$e" $(($(calls_at_start close) + 1))
		play <<-END
		connect a
		reset a
		run "$(seen 1)"
		connect b
		echo b 256K then WR
		END
		served
		left=$(sed -n 's/^close(\([0-9]*\)).*(INJECTED)$/\1/p' "$trace")
		run grep -c "^close($left)" "$trace"
		assert_output "$(($(grep -c "^close($left)" "$calm") + 1))"
	done
}

@test "ECHO-81: close: errors at the server's own end change nothing" {
	faultless
	for e in EBADF EIO ENOSPC EDQUOT EINTR $UNKNOWN; do
		faulty close "$e" $(($(calls_at_start close) + 1))+
		served
		[ "$(grep -c '^close.*INJECTED' "$trace")" -eq $((3 + 2 * $(grep -c '^pipe2' "$calm"))) ]
	done
}

# Signals.

@test "ECHO-84: read of the signals: it is read again, and no signal is lost" {
	for e in EAGAIN EBADF EFAULT EINTR EINVAL EIO EISDIR $UNKNOWN; do
		first=$(($(calls_at_start read) + 1))
		faulty read "$e" "$first..$((first + 1))"
		play <<-'END'
		connect a
		run "kill -USR1 $pid"
		roundtrips a 5 100
		run "kill -TERM $pid"
		write a "hello" then WR
		read a -> "hello"
		read a -> EOF
		END
		drained
		[ "$(grep -c 'statistics: ' "$log")" -eq 1 ]
	done
}

# The log.

@test "ECHO-91: write of the log: an interrupted one is made again" {
	faulty write EINTR 1+2 --verbose
	play <<-'END'
	connect a
	roundtrips a 20 100
	END
	served
	[ "$(grep -c 'echo: 100 bytes' "$log")" -eq 20 ]
}

@test "ECHO-91: write of the log: with every other errno lines are dropped and counted" {
	for e in EAGAIN EBADF EDESTADDRREQ EDQUOT EFAULT EINVAL EIO ENOSPC EPERM $UNKNOWN \
		EPIPE:signal=PIPE EFBIG:signal=XFSZ; do
		start_traced "-e inject=write:error=$e:when=2..9" --verbose
		fault="write: $e at 2..9" errno=${e%:*}
		play <<-'END'
		connect a
		roundtrips a 20 100
		echo a 256K then WR
		END
		served
		grep -qx 'epoll-echo: log: [1-8] lines dropped' "$log"
	done
}

@test "ECHO-90: getpeername: a peer that cannot be named is told as such" {
	for e in EBADF EFAULT EINVAL ENOBUFS ENOTCONN ENOTSOCK $UNKNOWN; do
		faulty getpeername "$e" 1+2 --verbose
		play <<-'END'
		connect a*3
		roundtrips a 2 100
		END
		served
		[ "$(grep -c 'registered: peer ?, ' "$log")" -eq 2 ]
	done
}

# Standard error as a pipe, of which the log wants a description of its own.
faulty_piped() {
	local piped=$BATS_FILE_TMPDIR/piped
	command -v strace >/dev/null || skip 'strace is not installed'
	# shellcheck disable=SC2016
	printf '%s\n' '#!/bin/bash' 'exec "$@" 2> >(exec cat >&2)' >"$piped"
	chmod +x "$piped"
	trace=$BATS_TEST_TMPDIR/trace fault=$1
	ECHO_SERVER="$piped strace -D -o $trace $1 $ROOT/build/epoll-echo" start_server --verbose
}

@test "ECHO-91: openat: without a description of its own, the log is written all the same" {
	for e in EACCES EBUSY EINTR EINVAL ELOOP EMFILE ENFILE ENOENT ENOMEM ENXIO EOVERFLOW EPERM EROFS $UNKNOWN; do
		errno=$e
		faulty_piped "-e inject=openat:error=$e:when=$(($(calls_at_start openat) + 1))"
		play <<-'END'
		connect a
		roundtrips a 20 100
		END
		served
		[ "$(grep -c 'echo: 100 bytes' "$log")" -eq 20 ]
	done
}

# Of a standard error that cannot be looked at nothing is expected, so the trace tells the port.
@test "ECHO-91: fstat: without a log, the echo goes on" {
	faultless
	local call
	call=$(grep -oE '^(new)?fstat(at)?\(2,' "$calm")
	call=${call%(*}
	trace=$BATS_TEST_TMPDIR/trace
	for errno in EACCES EBADF EFAULT EINVAL ELOOP ENOENT ENOMEM EOVERFLOW $UNKNOWN; do
		fault="$call: $errno"
		: >"$trace"
		strace -D -o "$trace" -e "inject=$call:error=$errno:when=$(position "$call" "$call.2,")" \
			"$ROOT/build/epoll-echo" --address 127.0.0.1 --port 0 --verbose 2>/dev/null 3>&- &
		pid=$!
		log=$trace await_log '^getsockname'
		port=$(sed -n 's/^getsockname.*sin_port=htons(\([0-9]*\)).*/\1/p' "$trace")
		play <<-'END'
		connect a
		roundtrips a 20 100
		END
		served
	done
}

@test "ECHO-72: openat: without /dev/null, the server starts all the same" {
	for e in EACCES EINTR EMFILE ENFILE ENOENT ENOMEM ENXIO EPERM $UNKNOWN; do
		faulty openat "$e" "$(position openat /dev/null)"
		play <<-'END'
		connect a
		roundtrips a 2 100
		END
		served
	done
}

@test "ECHO-91: poll of the log: with every documented errno lines are dropped and counted" {
	for e in EFAULT EINTR EINVAL ENOMEM $UNKNOWN; do
		errno=$e
		faulty_piped "-e inject=openat:error=EACCES:when=$(($(calls_at_start openat) + 1)) -e inject=poll:error=$e:when=2..9"
		play <<-'END'
		connect a
		roundtrips a 20 100
		END
		served
		grep -qx 'epoll-echo: log: 8 lines dropped' "$log"
	done
}
