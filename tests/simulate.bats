#!/usr/bin/env bats
# ECHO-146, ECHO-147: the engine in the simulated world, on the model of epoll (fuzz/simulation.h).

load ../spec/helper

setup() {
	cd "$ROOT" || return
}

@test "ECHO-146: in 500 random worlds every client gets back what it sent, and the server leaves nothing undone" {
	run tests/simulate --runs 500
	assert_success
	assert_line --regexp '^500 runs, [0-9]+ clients, [0-9.]+ MB echoed, [0-9.]+ virtual hours; 0 found$'
	assert_line --regexp 'million simulated calls a second, [0-9]+ % of them the server.s; [0-9.]+ years an hour$'
}

@test "ECHO-147: a seed is the whole run, call by call, and another one is another run" {
	tests/simulate --seed 7 | grep ms >"$BATS_TEST_TMPDIR/first"
	tests/simulate --seed 7 | grep ms >"$BATS_TEST_TMPDIR/second"
	tests/simulate --seed 8 | grep ms >"$BATS_TEST_TMPDIR/other"
	grep -q 'ms  server accept -> done' "$BATS_TEST_TMPDIR/first"
	cmp "$BATS_TEST_TMPDIR/first" "$BATS_TEST_TMPDIR/second"
	run cmp -s "$BATS_TEST_TMPDIR/first" "$BATS_TEST_TMPDIR/other"
	assert_failure 1
}

@test "ECHO-146, ECHO-147: an engine that loses a wake-up is found, and the finding names its seed" {
	command -v clang >/dev/null || skip "there is no clang"
	run ci/canaries --engine simulate --runs 1 --jobs 1 --time 60 --out "$BATS_TEST_TMPDIR/out" short-read-spends-always
	assert_success
	assert_line --regexp '^1/1 found in [0-9.]+ s at most  short-read-spends-always  [a-z-]+$'
}

@test "ECHO-147: --hours plays until so much virtual time has passed" {
	run tests/simulate --hours 2
	assert_success
	assert_line --regexp '^[0-9]+ runs, .* ([2-9]|[0-9]{2,})\.[0-9] virtual hours; 0 found$'
}

@test "ECHO-71: wrong usage of tests/simulate gives one line, and exit status 2" {
	run tests/simulate --runs many
	assert_failure 2
	assert_output "simulate: --runs: 'many' is no number of at least 0 (see --help)"
	run tests/simulate now
	assert_failure 2
	assert_output "simulate: unexpected 'now' (see --help)"
}
