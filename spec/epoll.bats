#!/usr/bin/env bats
# EPOLL-CTL-1 to EPOLL-THR-7: what epoll does, on the kernel in front of you. Each clause is a scenario of
# the same number in spec/epoll/; spec/EPOLL.md is the list.

bats_load_library bats-support
bats_load_library bats-assert
bats_require_minimum_version 1.5.0

setup_file() {
	export ROOT=${BATS_TEST_DIRNAME%/*}
	[ -x "$ROOT/build/epoll-scenario" ] || {
		echo "# build/epoll-scenario is missing: run make" >&3
		return 1
	}
}

# All scenarios of a file hold; the failing ones are shown.
holds() {
	[ -z "${ECHO_HOST-}" ] || skip 'it judges the kernel, not the live server in ECHO_HOST'
	run "$ROOT/build/epoll-scenario" --on kernel "$BATS_TEST_DIRNAME/epoll/$1.scenario"
	refute_line --regexp '^not ok'
	assert_success
	assert_line --regexp '^ok 1 - EPOLL-'
}

@test "EPOLL-CTL-1 and on: epoll_create and epoll_ctl" {
	holds ctl
}

@test "EPOLL-WAIT-1 and on: epoll_wait, epoll_pwait, epoll_pwait2" {
	holds wait
}

@test "EPOLL-LT-1 and on: level-triggered" {
	holds lt
}

@test "EPOLL-ET-1 and on: edge-triggered" {
	holds et
}

@test "EPOLL-TCP-1 and on: TCP sockets" {
	holds tcp
}

@test "EPOLL-LSN-1, EPOLL-UNX-1, EPOLL-PIP-1 and on: listeners, other sockets, pipes and other objects" {
	holds objects
}

@test "EPOLL-ONE-1, EPOLL-EXC-1, EPOLL-LIF-1, EPOLL-NST-1, EPOLL-THR-1 and on: entries, nesting, threads" {
	holds entries
}

@test "EPOLL-CTL-1 and on: the model of epoll says the same, or says what it lacks" {
	run "$ROOT/build/epoll-scenario" --on model "$BATS_TEST_DIRNAME"/epoll/*.scenario
	assert_success
	refute_line --regexp '^not ok'
	[ "$(grep -c '^ok' <<<"$output")" -ge 271 ]
	[ "$(grep -c SKIP <<<"$output")" -le 15 ]
	assert_line --regexp "# SKIP the model has no inotify \('inotify i f'\)"
}

@test "EPOLL-CTL-1: every scenario file is one of these" {
	run ls "$BATS_TEST_DIRNAME/epoll"
	assert_output "$(printf '%s.scenario\n' ctl entries et lt objects tcp wait)"
}
