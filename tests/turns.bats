#!/usr/bin/env bats
# Who is served before whom, as the calls of the server tell.

load ../spec/helper

setup_file() {
	make -s bench-programs >"$BATS_FILE_TMPDIR/build" 2>&1 || fail_setup "$(tail -1 "$BATS_FILE_TMPDIR/build")"
}

teardown() {
	[ -z "${pid-}" ] || end_server "$pid"
}

@test "ECHO-46, ECHO-45: beside 64 floods, nothing of theirs is taken in between the wait that announces a message and its read" {
	start_traced '-v -s 0 -e trace=accept4,epoll_ctl,epoll_wait,recvfrom,splice'
	run build/bench/load tail --connect "127.0.0.1:$port" --floods 64 --count 200
	assert_success
	end_traced
	pid=
	run python3 - "$trace" <<-'END'
	import re, sys

	# The honest connection is the first. What was taken in for others from when a wait announced it
	# until it was read from:
	honest, token, announced, others = None, None, None, []
	for line in open(sys.argv[1]):
	    call, _, rest = line.partition("(")
	    result = int(re.search(r"= (-?\d+)[^=]*$", line).group(1)) if "= " in line else -1
	    if call == "accept4" and result >= 0 and honest is None:
	        honest = result
	    elif call == "epoll_ctl" and token is None and f"_ADD, {honest}," in line:
	        token = re.search(r"u64=(\d+)", line).group(1)
	    elif call == "epoll_wait":
	        if announced is None and re.search(rf"EPOLLIN[^}}]*u64={token}[^\d]", line):
	            announced = 0
	    elif call == "recvfrom" and rest.startswith(f"{honest},"):
	        if result > 0 and announced is not None:
	            others.append(announced)
	            announced = None
	    elif result > 0 and (call == "recvfrom" or call == "splice" and "NULL, -1" not in rest):
	        announced = announced + result if announced is not None else None
	print(others)
	# Two messages pass before the floods have shown what they are. A single client never takes as much as
	# a turn before one of them has had its own.
	sys.exit(len(others) < 200 or max(others[2:]) > 0)
	END
	echo "$output"
	assert_success
}
