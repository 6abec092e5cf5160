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

@test "ECHO-147: at least one run is played, and --all goes on from there" {
	run tests/simulate --seconds 0.000001
	assert_success
	assert_line --regexp '^[1-9][0-9]* runs, .*; 0 found$'
	run tests/simulate --runs 2 --all
	assert_success
	assert_line --regexp '^2 runs, .*; 0 found$'
	run tests/simulate --seed 18446744073709551615
	assert_success
	assert_line --regexp '^1 runs, .*; 0 found$'
}

@test "ECHO-71: wrong usage of tests/simulate gives one line, and exit status 2" {
	refuses() {
		run tests/simulate "${@:2}"
		assert_failure 2
		assert_output "simulate: $1 (see --help)"
	}
	for value in many 0 ' 5' +5 1.5; do
		refuses "--runs: '$value' is no whole number from 1 up" --runs "$value"
	done
	for value in -1 ' -5' 18446744073709551616 ''; do
		refuses "--seed: '$value' is no whole number from 0 up" --seed "$value"
	done
	for option in --hours --seconds; do
		for value in 0 -1 inf nan soon; do
			refuses "$option: '$value' is no number above 0" "$option" "$value"
		done
	done
	refuses '--seed: it plays one run, and goes with no other option' --runs 3 --seed 7
	refuses "unexpected 'now'" now
}

@test "ECHO-146: a run that cannot be told is not one that found nothing" {
	full() { tests/simulate --runs 1 >/dev/full; }
	run full
	assert_failure 2
	assert_output 'simulate: standard output: No space left on device'
}
