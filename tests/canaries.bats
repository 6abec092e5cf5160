#!/usr/bin/env bats
# ECHO-139: the defects that are planted in the engine and the parsers (fuzz/canaries) still fit the sources, and
# the tool that fuzzes them (ci/canaries) tells what was found from what was not.
#
# The whole of it takes too long for a test: `make fuzz-canaries`.

load ../spec/helper

setup() {
	export PYTHONDONTWRITEBYTECODE=1
	cd "$ROOT" || return
	canary=$BATS_TEST_TMPDIR/planted.canary
}

need() {
	local command
	for command; do
		command -v "$command" >/dev/null || skip "there is no $command"
	done
}

# Plants a defect: plant LINE...; behind the fields that all of them have.
plant() {
	printf '%s\n' '# ECHO-1: a defect' 'part     engine' 'target   fuzz_engine' 'oracle   token' \
		'file     src/core/pool.c' "$@" >"$canary"
}

# A canary that is refused: refused MESSAGE
refused() {
	run ci/canaries --check "$canary"
	echo "$output"
	[ "$status" -eq 2 ]
	[[ $output == "canaries: $canary$1" ]]
}

# Fuzzes one canary with libFuzzer, from nothing: fuzzed SECONDS CANARY
fuzzed() {
	need clang-19
	run ci/canaries --engine libfuzzer --from empty --runs 1 --jobs 1 --time "$1" --out "$BATS_TEST_TMPDIR/out" "$2"
	echo "$output"
}

@test "ECHO-139: every canary fits the sources, and every oracle has one or a reason not to" {
	run ci/canaries --check
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output =~ ^([0-9]+)' canaries fit the sources'$ ]]
	[ "${BASH_REMATCH[1]}" -ge 35 ]
}

@test "ECHO-139: the oracles of the simulated world have canaries as well" {
	run ci/canaries --oracles --out "$BATS_TEST_TMPDIR/none"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *'fuzz/simulation.c: endless: '*'(full-not-paused)'* ]]
	[[ $output == *'fuzz/simulation_client.c: end-before-echo: (world-end-overtakes)'* ]]
	[[ $output == *'fuzz/simulation_judge.c: reset-and-not-closed: (reset-not-latched)'* ]]
	[[ $output == *'fuzz/simulation_server.c: stop-hangs: '*'(drain-overslept)'* ]]
	[[ $output == *'fuzz/simulation_judge.c: leaked-buffers: nobody: of an engine that has stopped'* ]]
}

@test "ECHO-139: a canary whose lines the code has left behind is refused, and told where" {
	plant '-	pool->used += 2;'
	refused ':6: these lines stand nowhere in src/core/pool.c, not once: pool->used += 2;'
	plant '-	return pool->used + pool->lost == pool->max; '
	refused ':6: these lines stand nowhere in src/core/pool.c, not once: return pool->used + pool->lost == pool->max;'
	plant '-{' '-}'
	refused ':6: these lines stand nowhere in src/core/pool.c, not once: {'
	plant '-{'
	refused ':6: these lines stand 5 times in src/core/pool.c, not once: {'
	plant 'file     src/core/none.c' '-{'
	refused ':7: there is no src/core/none.c'
}

@test "ECHO-139: a canary that is written wrong is refused" {
	plant
	refused ': expected lines of src/core/pool.c that change'
	plant '+{'
	refused ':6: expected lines that change something, with one that stands in the file'
	plant '-{' '+{'
	refused ':6: expected lines that change something, with one that stands in the file'
	plant 'place    somewhere' '-{'
	refused ":6: expected one of part, target, oracle, file with a value, or lines of the file"
	plant 'oracle   spins' '-{'
	refused ':6: oracle is given twice'
	echo 'part engine' >"$canary"
	refused ":1: expected '# ECHO-n: what it breaks'"
	echo '# ECHO-1: a defect' >"$canary"
	refused ": expected a line 'part ...'"
	rm "$canary"
	refused ': No such file or directory'
	plant '-	return pool->used + pool->lost == pool->max;'
	sed -i 's/fuzz_engine/fuzz_nothing/' "$canary"
	refused ': target: there is no fuzz/fuzz_nothing.c'
}

@test "ECHO-139: a canary that is not in its cage is told" {
	run ci/canaries --check nightingale
	echo "$output"
	[ "$status" -eq 2 ]
	[ "$output" = 'canaries: there is no canary named nightingale in fuzz/canaries' ]
}

@test "ECHO-139: a planted defect is found, and its oracle named" {
	fuzzed 60 generation-kept
	[ "$status" -eq 0 ]
	[[ $output == *'1/1 found in '*' generation-kept  token-used-again'* ]]
	grep -q '"oracle": "token-used-again"' "$BATS_TEST_TMPDIR/out/report.json"
	grep -q '^generation-kept  generations  fuzz_engine  .*  token-used-again$' "$BATS_TEST_TMPDIR/out/report.txt"
	run ci/canaries --oracles --out "$BATS_TEST_TMPDIR/out"
	[ "$status" -eq 0 ]
	[[ $output == *'fuzz/judge_action.c: token-used-again: generation-kept'* ]]
	[[ $output == *'fuzz/judge_action.c: second-fin: (fin-twice)'* ]]
}

@test "ECHO-139: what is no defect is missed" {
	plant '-	return pool->used + pool->lost == pool->max;' '+	return pool->used + pool->lost >= pool->max;'
	fuzzed 2 "$canary"
	[ "$status" -eq 1 ]
	[[ $output == *'1/1 MISSED 1 of 1 times  planted'* ]]
	grep -q '^planted .* missed 1 of 1  *none$' "$BATS_TEST_TMPDIR/out/report.txt"
}

@test "ECHO-139: a defect that does not compile is told" {
	plant '-	return pool->used + pool->lost == pool->max;' '+	return pool->unused == 0;'
	fuzzed 2 "$canary"
	[ "$status" -eq 2 ]
	[[ $output == *'canaries: planted: make '*'src/core/pool.c'*'error: '* ]]
}
