#!/usr/bin/env bats
# Campaigns, on targets with planted findings (tests/campaign), in a tree of their own.

load ../spec/helper

setup_file() {
	export BATS_NO_PARALLELIZE_WITHIN_FILE=true
	command -v clang-19 >/dev/null || skip 'clang-19 is not installed'
	plant "$BATS_FILE_TMPDIR/tree"
}

# A project with these targets and nothing else.
plant() {
	mkdir -p "$1/ci" "$1/fuzz" "$1/src/planted"
	cp "$ROOT/Makefile" "$1"
	cp -r "$ROOT/ci/campaign" "$ROOT/ci/fuzzing" "$1/ci"
	cp "$ROOT"/fuzz/oracle.[ch] "$ROOT/fuzz/replay.c" "$ROOT"/tests/campaign/fuzz_*.c "$1/fuzz"
	cp "$ROOT"/tests/campaign/planted.[ch] "$1/src/planted"
	sed -i 's|"planted.h"|"planted/planted.h"|' "$1"/fuzz/fuzz_*.c
}

setup() {
	tree=$BATS_FILE_TMPDIR/tree out=$BATS_TEST_TMPDIR/out pid=
}

# Nothing that a test has started stays behind.
teardown() {
	[ -z "$pid" ] || { kill -KILL "$pid" 2>/dev/null || true; }
	run pgrep -f "artifact_prefix=$BATS_TEST_TMPDIR|-o $BATS_TEST_TMPDIR"
	assert_output ''
}

campaign() {
	"$tree/ci/campaign" --jobs 1 --out "$out" "$@"
}

# In the background; its output is in $log, its process is $pid.
start_campaign() {
	log=$BATS_TEST_TMPDIR/log
	"$tree/ci/campaign" --jobs 1 --out "$out" "$@" >"$log" 2>&1 3>&- &
	pid=$!
}

# Waits for its end, and leaves its exit status.
end_campaign() {
	status=0
	wait "$pid" || status=$?
	pid=
	cat "$log"
}

# What an expression says of the report, `r`.
report() {
	python3 -c 'import json, sys; r = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$out/report.json" "$1"
}

@test "ECHO-134: what is found is kept under its oracle, and reproduces" {
	run campaign --time 3 fuzz_planted
	assert_failure 1
	assert_output --partial 'FOUND fuzz_planted: planted: '
	finding=$out/findings/planted/fuzz_planted
	run "$finding/reproduce"
	assert_failure
	assert_line --regexp '^oracle: planted: '
	[ "$(head -c 3 "$finding/input")" = bug ]
	# How far it is cut down depends on the time that there is: three bytes do it.
	run report '[(f["bucket"], f["target"], f["reproduced"], f["replays"], 3 <= f["minimised"] <= 8) for f in r["findings"]]'
	assert_output "[('planted', 'fuzz_planted', 10, 10, True)]"
	# The page needs nothing else, and takes nothing for markup.
	grep -q 'oracle: planted: [0-9]* &lt;bytes&gt; &amp; more' "$out/report.html"
	run grep -ciE '<bytes>|<(script|link|img|iframe)|(src|href|action)=|url\(|@import|https?://' "$out/report.html"
	assert_output 0
}

@test "ECHO-134: nothing is found, and the report shows the lines that were not reached" {
	run campaign --time 1 fuzz_sound
	assert_success
	assert_line --partial '1 target for 1 s each, 1 at a time, on 1 job of libfuzzer '
	assert_line 'nothing found'
	run report '(r["status"], r["findings"], r["targets"][0]["engines"][0]["executions"] > 0)'
	assert_output '(0, [], True)'
	run report '[(f["path"], f["uncovered"]) for f in r["coverage"]["files"]]'
	assert_output "[('src/planted/planted.c', [4, 5, 6, 7, 8, 9, 10])]"
	[ -n "$(ls "$out/targets/fuzz_sound/corpus")" ]
	grep -q "class='miss'>.*return data\[2\] == &#x27;g&#x27;;" "$out/report.html"
}

@test "ECHO-134: an engine that dies by itself is a failure of the campaign" {
	PLANTED_DIES=1 run campaign --time 2 fuzz_planted
	assert_failure 2
	assert_output --partial 'campaign: fuzz_planted: libfuzzer ended by itself, signal 9'
	run report '(r["status"], len(r["failures"]))'
	assert_output '(2, 1)'
}

@test "ECHO-134: a build that fails is one, and so is wrong usage" {
	plant "$BATS_TEST_TMPDIR/broken"
	echo '#error planted' >>"$BATS_TEST_TMPDIR/broken/fuzz/fuzz_sound.c"
	tree=$BATS_TEST_TMPDIR/broken run campaign --time 1
	assert_failure 2
	assert_output --regexp 'campaign: make libfuzzer-address failed: .*#error planted|campaign: make .*error: planted'
	run campaign --time 1 fuzz_none
	assert_failure 2
	assert_output --partial "there is no target 'fuzz_none'; the targets are fuzz_planted, fuzz_sound"
	run campaign --time soon
	assert_failure 2
	assert_output --partial "'soon' is no time"
	run campaign --time 1234567 fuzz_none
	assert_failure 2
	assert_output --partial "'1234567' is no time"
}

@test "ECHO-135: a campaign that is interrupted reports what it has, and goes on from there" {
	start_campaign --time 60 --jobs 2 fuzz_planted fuzz_sound
	await_log '^FOUND fuzz_planted: planted'
	kill -TERM "$pid"
	end_campaign
	[ "$status" -eq 1 ]
	run report '(r["interrupted"], [(f["bucket"], f["reproduced"]) for f in r["findings"]], len(r["failures"]))'
	assert_output "(True, [('planted', 10)], 0)"
	before=$(ls "$out/targets/fuzz_planted/corpus")
	[ -n "$before" ]
	run campaign --time 1 fuzz_planted
	assert_failure 1
	assert_line --regexp "^going on from .*: $(wc -w <<<"$before") inputs? in the corpora, "
	run report '(r["interrupted"], r["runs"], r["targets"][0]["seconds_in_all"] > r["targets"][0]["seconds"])'
	assert_output '(False, 2, True)'
}

@test "ECHO-135: a campaign that is interrupted before it executes anything has not found nothing" {
	mkdir "$BATS_TEST_TMPDIR/bin"
	cat >"$BATS_TEST_TMPDIR/bin/make" <<-END
		#!/bin/sh
		$(command -v make) "\$@" || exit
		case "\$*" in *replay-coverage) kill -INT "\$PPID" ;; esac
	END
	chmod +x "$BATS_TEST_TMPDIR/bin/make"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH run campaign --time 3 fuzz_planted
	assert_failure 2
	assert_output --partial 'interrupted before any input was executed'
	refute_line --regexp 'nothing found$'
}

@test "ECHO-135: a campaign that is ended at once leaves what it found for the next one" {
	start_campaign --time 60 fuzz_planted
	await_log '^FOUND fuzz_planted: planted'
	kill -INT "$pid"
	await_log '^SIGINT: ending in order'
	kill -TERM "$pid"
	end_campaign
	[ "$status" -eq 2 ]
	# As if libFuzzer had written it in the last moment.
	mkdir -p "$out/targets/fuzz_planted/artifacts"
	printf unreachable >"$out/targets/fuzz_planted/artifacts/crash-left"
	run campaign --time 1 fuzz_planted
	assert_failure 1
	run report 'sorted(f["bucket"] for f in r["findings"] if f["reproduced"] == 10)'
	assert_output "['planted', 'unreachable']"
}

@test "ECHO-135: a finding of an earlier run that is gone is told, and counts no more" {
	# What is built already need not be built again.
	cp -a "$tree" "$BATS_TEST_TMPDIR/tree"
	tree=$BATS_TEST_TMPDIR/tree
	mkdir -p "$out/targets/fuzz_planted/artifacts"
	printf bug >"$out/targets/fuzz_planted/artifacts/crash-left"
	run campaign --time 1 fuzz_planted
	assert_failure 1
	sed -i "s/data\[0\] != 'b'/true/" "$tree/src/planted/planted.c"
	run campaign --time 1 fuzz_planted
	assert_success
	run report '[(f["bucket"], f["reproduced"], f["counts"]) for f in r["findings"]]'
	assert_output "[('planted', 0, False)]"
	grep -q 'it no longer reproduces' "$out/report.html"
}

@test "ECHO-135: one campaign at a time works in a folder" {
	mkdir -p "$out"
	exec {held}>"$out/lock"
	flock "$held"
	run campaign --time 1 fuzz_sound
	assert_failure 2
	assert_output --partial "$out: another campaign is running there"
}

@test "ECHO-134: what other machines and other engines have found is taken" {
	for queue in sync/fuzz_planted/other out/targets/fuzz_planted/afl-address/other; do
		rm -rf "$out"
		mkdir -p "$BATS_TEST_TMPDIR/$queue/queue"
		printf unreachable >"$BATS_TEST_TMPDIR/$queue/queue/id:000000,orig:a"
		run campaign --time 1 --sync "$BATS_TEST_TMPDIR/sync" fuzz_planted
		assert_failure 1
		assert_output --partial 'FOUND fuzz_planted: unreachable: '
		rm -rf "$BATS_TEST_TMPDIR/sync"
	done
}

@test "ECHO-134: inputs that no engine came to and merging does not survive are kept before they go" {
	local number seeds=$tree/build/corpus/fuzz_planted/seeds
	mkdir -p "$seeds"
	for number in {10..21}; do # a worker needs more than a second for these: it starts again after each
		echo "bug $number" >"$seeds/$number"
	done
	cd "$BATS_TEST_TMPDIR" || return
	run campaign --time 1 fuzz_planted
	rm -r "$seeds"
	assert_failure 1
	run report '[(f["bucket"], f["count"] >= 12, f["reproduced"]) for f in r["findings"]]'
	assert_output "[('planted', True, 10)]"
	run grep -rl '^bug' "$out/targets/fuzz_planted/corpus"
	assert_output ''
	run find . "$tree" \( -name 'crash-*' -o -name 'timeout-*' \) -not -path "$out/*"
	assert_output ''
}

@test "ECHO-135: a campaign to which nobody listens any more ends its engines, and keeps what it found" {
	local statuses
	"$tree/ci/campaign" --jobs 1 --out "$out" --time 2 fuzz_planted 2>"$BATS_TEST_TMPDIR/err" |
		grep -m1 '^FOUND fuzz_planted: planted' && statuses=("${PIPESTATUS[@]}")
	[ "${statuses[0]}" -eq 2 ]
	[ ! -s "$BATS_TEST_TMPDIR/err" ]
	[ -s "$out/findings/planted/fuzz_planted/finding.json" ]
}

@test "ECHO-134: what it has found is given to other machines" {
	mkdir -p "$tree/build/corpus/fuzz_sound/seeds"
	echo 'a seed' >"$tree/build/corpus/fuzz_sound/seeds/one"
	run campaign --time 1 --sync "$BATS_TEST_TMPDIR/sync" fuzz_sound
	assert_success
	run grep -rlx 'a seed' "$BATS_TEST_TMPDIR/sync/fuzz_sound"
	assert_line --regexp '/sync/fuzz_sound/campaign-[0-9a-f]*/queue/id:00000[0-9],orig:[0-9a-f]*$'
}

@test "ECHO-134: AFL++ and libFuzzer work on a target side by side" {
	command -v afl-fuzz >/dev/null || skip 'afl-fuzz is not installed'
	run campaign --engine both --time 3 fuzz_planted
	assert_failure 1
	run report '[(x["engine"], x["executions"] > 0) for x in r["targets"][0]["engines"]]'
	assert_output "[('libfuzzer', True), ('afl', True)]"
	run report 'r["targets"][0]["engines"][1]["stability"]'
	assert_output 100.0
}
