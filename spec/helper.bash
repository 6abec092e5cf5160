# What every file of the specification uses. It judges one server:
#
#   ECHO_HOST, ECHO_PORT  a live server, anybody's, which is not touched but over the network;
#   ECHO_PID              its process, if /proc shows it, so that clauses marked "process" can be judged;
#   neither               build/epoll-echo, or the command in ECHO_SERVER, started on a free port.
#
# ECHO_MAY_STOP=1 says that the process in ECHO_PID may be stopped and continued (SIGSTOP, SIGCONT): what
# arrives while it is stopped is there all at once.
#
# ECHO_INSTRUMENTED=1 says that the server runs under Valgrind or a sanitizer, whose own memory says
# nothing about the server's; ECHO_BULK is the length of a long stream (64M).

bats_load_library bats-support
bats_load_library bats-assert
bats_require_minimum_version 1.5.0

ROOT=${BATS_TEST_DIRNAME%/*}
ECHO_BULK=${ECHO_BULK:-64M}
SCENARIO=$ROOT/build/epoll-scenario

fail_setup() {
	echo "# $1" >&3
	return 1
}

# For setup_file: a server to judge, in ECHO_HOST, ECHO_PORT and, if it may be looked at, ECHO_PID.
have_server() {
	# Descriptors, memory and CPU are counted: the tests of a file have their server to themselves.
	export BATS_NO_PARALLELIZE_WITHIN_FILE=true
	[ -x "$SCENARIO" ] || fail_setup "$SCENARIO is missing: run make" || return
	if [ -n "${ECHO_HOST-}${ECHO_PORT-}" ]; then
		[ -n "${ECHO_HOST-}" ] && [ -n "${ECHO_PORT-}" ] ||
			fail_setup 'set both ECHO_HOST and ECHO_PORT, or neither' || return
		export ECHO_FOREIGN=1
		return
	fi
	start_server || return
	export ECHO_HOST=127.0.0.1 ECHO_PORT=$port ECHO_PID=$pid ECHO_STARTED=$pid
}

# For teardown_file: ends what have_server started, and no other.
release_server() {
	[ -z "${ECHO_STARTED-}" ] || end_server "$ECHO_STARTED"
}

# Starts epoll-echo with these options; its process is $pid, its port $port, its log in $log.
start_server() {
	local command
	read -ra command <<<"${ECHO_SERVER:-$ROOT/build/epoll-echo}"
	launch "${command[@]}" --address 127.0.0.1 --port 0 "$@"
}

# Starts any server that says "listening on HOST:PORT". Descriptor 3 is bats' own, and a server that
# kept it would keep bats from ending. A place to wait on is better than a guess: tail reports the line
# the moment it is written.
launch() {
	local follower
	log=$(mktemp "$BATS_FILE_TMPDIR/server.XXXXXX")
	"$@" 2>"$log" 3>&- &
	pid=$!
	exec {follower}< <(exec tail -s 0.05 -n +1 --pid=$pid -F "$log" 2>/dev/null 3>&-)
	local following=$!
	port=
	local line
	while IFS= read -r -t 60 -u "$follower" line; do
		case $line in
		*[Ll]'istening on '* | *'"event":"listening"'*)
			line=${line##*:}
			port=${line%\}}
			break
			;;
		esac
	done
	kill "$following" 2>/dev/null
	exec {follower}<&-
	[ -n "$port" ] || { cat "$log" >&2; return 1; }
}

# SIGTERM, then waits for the end; a server that does not go is killed.
end_server() {
	kill "$1" 2>/dev/null || return 0
	await_end "$1" || kill -KILL "$1"
}

# Waits until a process that need not be a child has ended.
await_end() {
	timeout "${2:-60}" tail -s 0.05 --pid="$1" -f /dev/null 3>&-
}

# Waits until $log has a line with this extended regular expression.
await_log() {
	timeout 30 grep -m1 -qE -- "$1" < <(exec tail -s 0.05 -n +1 --pid=$BASHPID -F "$log" 2>/dev/null 3>&-)
}

# Runs the steps of standard input as one scenario, against the server that is judged.
scenario() {
	{
		echo "# ${BATS_TEST_DESCRIPTION-scenario}"
		cat
	} | "$SCENARIO" --on "server=${ECHO_AT:-$(at "$ECHO_HOST" "$ECHO_PORT")}" --timeout "${ECHO_TIMEOUT:-20}" -
}

at() {
	case $1 in
	*:*) echo "[$1]:$2" ;;
	*) echo "$1:$2" ;;
	esac
}

# Starts the server under strace, which writes to $trace. With -D the process that we started is the
# server itself, and the tracer a process beside it.
start_traced() {
	local expressions=$1
	shift
	command -v strace >/dev/null || skip 'strace is not installed'
	[ -z "${ECHO_INSTRUMENTED-}" ] || skip 'strace does not go with an instrumented server'
	trace=$BATS_TEST_TMPDIR/trace
	ECHO_SERVER="strace -D -o $trace $expressions ${ECHO_SERVER:-$ROOT/build/epoll-echo}" start_server "$@"
}

# Ends the server under strace; the trace is complete when it tells of the end.
end_traced() {
	end_server "$pid"
	log=$trace await_log 'exited with|killed by'
}

# What does not apply to the server that is judged.
needs_process() {
	[ -n "${ECHO_PID-}" ] || skip 'needs ECHO_PID, the process of the server'
}

needs_plain_process() {
	needs_process
	[ -z "${ECHO_INSTRUMENTED-}" ] || skip 'the memory of an instrumented server is not its own'
}

needs_ours() {
	[ -z "${ECHO_FOREIGN-}" ] || skip 'a promise of epoll-echo alone'
}

# For what can only be made sure of by stopping the server for a moment.
needs_stopping() {
	[ -z "${ECHO_FOREIGN-}" ] || [ -n "${ECHO_PID:+${ECHO_MAY_STOP-}}" ] ||
		skip 'needs ECHO_PID and ECHO_MAY_STOP=1'
}

# For what several threads do not promise: a limit that leaves each of them nothing, an exact moment.
needs_one_thread() {
	case ${ECHO_SERVER-} in
	*--threads*) skip 'a promise of one thread' ;;
	esac
}

process() {
	"$ROOT/spec/process" "$@"
}
