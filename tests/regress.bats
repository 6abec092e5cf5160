#!/usr/bin/env bats
# What keeps findings from coming back: ci/corpus, ci/regress and ci/smoke, on a target with a fault.

load ../spec/helper

# A target that cannot stand inputs that begin with "bad", and leaks at "leak"; unless it is HARMLESS.
setup_file() {
	export CLANG=${CLANG_FUZZ:-clang-19}
	cd "$BATS_FILE_TMPDIR" || return
	cat >fuzz_fault.c <<-'END'
		#include <stdint.h>
		#include <stdlib.h>
		#include <string.h>
		#include "oracle.h"
		int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
		int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
		{
			static void *volatile lost;
		#ifndef HARMLESS
			CHECK(size < 3 || memcmp(data, "bad", 3) != 0, "planted");
			if (size >= 4 && memcmp(data, "leak", 4) == 0)
				lost = malloc(size);
		#endif
			lost = size > 0 ? NULL : &lost;
			return 0;
		}
	END
	mkdir -p build/fuzz build/asan/fuzz
	cc -g -I"$ROOT/fuzz" -o build/fuzz/fuzz_fault fuzz_fault.c "$ROOT"/fuzz/{replay,oracle}.c
	if command -v "$CLANG" >/dev/null; then
		"$CLANG" -g -fsanitize=address,undefined -I"$ROOT/fuzz" -o build/asan/fuzz/fuzz_fault fuzz_fault.c \
			"$ROOT"/fuzz/{replay,oracle}.c
	fi
}

setup() {
	CORPUS=$BATS_TEST_TMPDIR/corpus
	SEEDS=$CORPUS/fuzz_fault/seeds
	mkdir -p "$SEEDS" "$CORPUS/fuzz_fault/regressions"
	echo good >"$SEEDS/good"
}

regress() {
	"$ROOT/ci/regress" --build "$BATS_FILE_TMPDIR/build" --corpus "$CORPUS" --target fuzz_fault "$@"
}

@test "ECHO-133: inputs that do no harm pass, and are counted" {
	run -0 regress plain
	assert_line 'ok 1 - plain: fuzz_fault: 1 seeds, 0 regressions'
}

@test "ECHO-133: every input that fails again is named, with its oracle" {
	echo bad1 >"$CORPUS/fuzz_fault/regressions/one"
	echo good >"$CORPUS/fuzz_fault/regressions/three"
	echo bad2 >"$CORPUS/fuzz_fault/regressions/two"
	run -1 regress plain
	assert_line --partial 'not ok 1 - plain: fuzz_fault'
	assert_line --regexp '^# failed: .*regressions/one: oracle: planted: '
	assert_line --regexp '^# failed: .*regressions/two: oracle: planted: '
	refute_line --partial 'regressions/three'
}

@test "ECHO-133: what is told in the end only is traced to its input: leaks, under ASan" {
	command -v "$CLANG" >/dev/null || skip "there is no $CLANG"
	echo leak >"$SEEDS/a-leak"
	echo leak >"$SEEDS/it-leaks"
	echo good >"$SEEDS/more-good"
	run -1 regress asan
	assert_line --partial 'not ok 1 - asan: fuzz_fault'
	assert_line --regexp '^# failed: .*seeds/a-leak$'
	assert_line --regexp '^# failed: .*seeds/it-leaks$'
	refute_line --regexp '^# failed: .*good'
}

@test "ECHO-133: what is told in the end only is traced to its input: leaks, under Valgrind" {
	command -v valgrind >/dev/null || skip 'there is no valgrind'
	mkdir -p "$BATS_FILE_TMPDIR/build/valgrind"
	ln -s ../fuzz "$BATS_FILE_TMPDIR/build/valgrind/fuzz"
	echo leak >"$SEEDS/it-leaks"
	run -1 regress valgrind
	assert_line --regexp '^# failed: .*seeds/it-leaks$'
	refute_line --regexp '^# failed: .*good'
}

@test "ECHO-133: a target without inputs is skipped, one that was not built fails" {
	rm "$SEEDS/good"
	run -0 regress plain
	assert_line 'ok 1 - plain: fuzz_fault # SKIP nothing is committed for it'
	echo good >"$SEEDS/good"
	run -1 regress memory
	assert_line --partial 'fuzz_fault: not there;'
	run -2 regress fast
	run -2 "$ROOT/ci/regress" --corpus "$BATS_TEST_TMPDIR/none" --target fuzz_fault
	assert_line --partial 'no such folder'
}

@test "ECHO-133: a program that runs nothing does not pass" {
	mkdir -p "$BATS_TEST_TMPDIR/build/fuzz"
	cp "$(type -P true)" "$BATS_TEST_TMPDIR/build/fuzz/fuzz_fault"
	run -1 "$ROOT/ci/regress" --build "$BATS_TEST_TMPDIR/build" --corpus "$CORPUS" --target fuzz_fault plain
	assert_line --partial 'did not say that it ran 1 inputs'
}

@test "ECHO-133: coverage by nothing, and seeds of what is not there, are wrong usage" {
	command -v llvm-cov-19 >/dev/null || skip 'there is no llvm-cov-19'
	mkdir "$BATS_TEST_TMPDIR/empty"
	run -2 "$ROOT/ci/coverage" "$BATS_TEST_TMPDIR/empty"
	assert_output "ci/coverage: no input in '$BATS_TEST_TMPDIR/empty'"
	run -2 "$ROOT/ci/coverage" "$BATS_TEST_TMPDIR/none"
	assert_output "ci/coverage: no folder '$BATS_TEST_TMPDIR/none'"
	run -2 "$ROOT/ci/seeds" "$BATS_TEST_TMPDIR/none.bats"
	assert_line --partial "no file '$BATS_TEST_TMPDIR/none.bats'"
	run -0 "$ROOT/ci/seeds" --help
	refute_line --regexp '.{106}'
}

# A tree in which ci/seeds finds what was built, one test, and a target that is the script of standard input.
plant_seeds() {
	local target=$1/build/libfuzzer-address/fuzz/fuzz_engine
	mkdir -p "$1"/{ci,build/fuzz,spec,fuzz/seeds/fuzz_engine} "${target%/*}"
	cp "$ROOT/ci/seeds" "$1/ci"
	ln -s "$ROOT"/build/epoll-{echo,replay} "$1/build"
	ln -s "$ROOT/build/fuzz/codec" "$1/build/fuzz"
	printf '%s\n' "load $ROOT/spec/helper" '@''test "one" {' start_server "end_server \"\$pid\"" '}' \
		>"$1/spec/one.bats" # bats would take an @ at the start of a line for a test of this file
	cat >"$target"
	chmod +x "$target"
}

@test "ECHO-133: a seed that the target does not survive is told and kept, and litters nothing" {
	local tree=$BATS_TEST_TMPDIR/tree
	plant_seeds "$tree" <<-'END'
		#!/bin/sh
		for option; do
			case $option in -artifact_prefix=*) prefix=${option#*=} ;; esac
		done
		echo planted >"${prefix}crash-1"
	END
	cd "$tree" || return
	run -1 env -u ECHO_SERVER ci/seeds --add 1
	assert_line 'seeds: the target does not survive crash-1'
	grep -qx planted build/seeds/wrong/crash-1
	run find . -name 'crash-*'
	assert_output ./build/seeds/wrong/crash-1
}

# Runs a command that has nobody to write to.
unheard() {
	mkfifo "$BATS_TEST_TMPDIR/nobody"
	exec 8<>"$BATS_TEST_TMPDIR/nobody"
	exec 9>"$BATS_TEST_TMPDIR/nobody"
	exec 8<&-
	rm "$BATS_TEST_TMPDIR/nobody"
	run bash -c "exec $1 >&9"
	exec 9>&-
}

@test "ECHO-133: tools whose reader goes away end without a word, and leave nothing running" {
	local tree=$BATS_TEST_TMPDIR/tree tool
	for tool in 'ci/trace --table' 'ci/test --list' 'ci/campaign --list'; do
		unheard "'$ROOT'/$tool"
		assert_equal "$tool: $status: $output" "$tool: 141: "
	done
	mkdir -p "$tree/ci"
	cp "$ROOT/ci/test" "$tree/ci"
	printf '#!/bin/sh\nsleep 600; :\n' >"$tree/ci/trace"
	chmod +x "$tree/ci/trace"
	unheard "'$tree'/ci/test trace"
	assert_equal "$status: $output" '130: '
	run pgrep -f "$tree/"
	assert_output ''
}

@test "ECHO-133: the corpus follows what is committed" {
	local tree=$BATS_TEST_TMPDIR/tree out=$BATS_TEST_TMPDIR/tree/build/corpus
	mkdir -p "$tree"/{ci,build,fuzz/{seeds,regressions}/fuzz_engine,fuzz/seeds/fuzz_steps_text}
	cp "$ROOT/ci/corpus" "$tree/ci/"
	touch "$tree"/fuzz/fuzz_{engine,engine_model,steps_text}.c
	printf 'run 1\n' >"$tree/fuzz/seeds/fuzz_engine/old.steps"
	printf 'run 1\n' >"$tree/fuzz/seeds/fuzz_steps_text/own.steps"
	printf '01 02\n' >"$tree/fuzz/regressions/fuzz_engine/kept.hex"
	run -0 "$tree/ci/corpus" --codec "$ROOT/build/fuzz/codec"
	assert_output --partial '3 targets, 4 seeds, 2 regressions; 6 written, 0 removed'
	printf '\1\2' | cmp - "$out/fuzz_engine/regressions/kept"
	cmp "$out/fuzz_engine/seeds/old" "$out/fuzz_engine_model/seeds/fuzz_engine-old"
	printf 'run 1\n' | cmp - "$out/fuzz_steps_text/seeds/fuzz_engine-old.steps"
	printf 'run 1\n' | cmp - "$out/fuzz_steps_text/seeds/own.steps"

	run -0 "$tree/ci/corpus" --codec "$ROOT/build/fuzz/codec"
	assert_output --partial '0 written, 0 removed'
	mv "$tree"/fuzz/seeds/fuzz_engine/{old,new}.steps
	run -0 "$tree/ci/corpus" --codec "$ROOT/build/fuzz/codec"
	assert_output --partial '3 written, 3 removed'
	[ ! -e "$out/fuzz_engine/seeds/old" ]
	[ -s "$out/fuzz_engine/seeds/new" ]

	printf 'read -> 5\n' >"$tree/fuzz/seeds/fuzz_engine/new.steps"
	run -1 "$tree/ci/corpus" --codec "$ROOT/build/fuzz/codec"
	assert_output --partial "new.steps:1:1: expected 'run 1'"
	cp "$tree/fuzz/regressions/fuzz_engine/kept.hex" "$tree/fuzz/seeds/fuzz_engine/new.hex"
	run -2 "$tree/ci/corpus" --codec "$ROOT/build/fuzz/codec"
	assert_output --partial 'would both be fuzz_engine/seeds/new'
	rm "$tree"/fuzz/seeds/fuzz_engine/new.*
	run -2 "$tree/ci/corpus" --codec "$tree/none"
	assert_output --partial 'none: No such file or directory'
	[ -z "$(find "$out" -name '.new-*')" ]
}

@test "ECHO-133: what fuzzing for a few seconds finds is kept, and coverage that collapsed is a failure" {
	command -v "$CLANG" >/dev/null || skip "there is no $CLANG"
	cd "$BATS_TEST_TMPDIR" || return
	mkdir -p build/libfuzzer-address/fuzz
	build_target() {
		"$CLANG" -g -fsanitize=fuzzer,address,undefined -I"$ROOT/fuzz" "$@" \
			-o build/libfuzzer-address/fuzz/fuzz_fault "$BATS_FILE_TMPDIR/fuzz_fault.c" "$ROOT/fuzz/oracle.c"
	}
	smoke() {
		"$ROOT/ci/smoke" --build build --corpus corpus --out out --floor floor --time 1 "$@" fuzz_fault
	}
	build_target
	echo bad >"$SEEDS/bad"
	run -1 smoke
	assert_line --regexp '^# oracle: planted: '
	assert_line --regexp '^# reproducer: out/fuzz_fault/crash-'
	grep -q bad out/fuzz_fault/crash-*

	build_target -DHARMLESS
	run -1 smoke
	assert_line --partial 'has no line in floor'
	run -0 smoke --write-floor
	run -0 smoke
	assert_line --regexp '^ok 1 - fuzz_fault: [1-9][0-9]* executions, the seeds cover [1-9]'
	[ ! -e out/fuzz_fault ]
	echo 'fuzz_fault 100' >floor
	run -1 smoke
	assert_line --regexp 'the floor is 100: coverage collapsed$'
}
