#!/usr/bin/env bats
# ECHO-136 and ECHO-137: the scripts of fuzz/oss-fuzz do what OSS-Fuzz and ClusterFuzzLite want of them. There
# is no Docker here: the scripts are run on a copy of the sources with the environment that the images give
# them, and what they leave is checked as the images check it, and closer.

load ../spec/helper

EDGES_MIN=100 # fewer count as a target without instrumentation

# Their input is a row of choices: no word in it means more than another.
WITHOUT_DICTIONARY=' fuzz_epoll fuzz_epoll_tcp fuzz_epoll_waiters fuzz_world '

# What the images add to the sanitizer's own flags.
FLAGS='-O1 -fno-omit-frame-pointer -gline-tables-only -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION'
ADDRESS='-fsanitize=address -fsanitize-address-use-after-scope'
UNDEFINED='-fsanitize=bool,array-bounds,float-divide-by-zero,function,integer-divide-by-zero,return'
UNDEFINED+=',shift,signed-integer-overflow,unsigned-integer-overflow,vla-bound'
UNDEFINED+=' -fno-sanitize-recover=bool,array-bounds,integer-divide-by-zero,return,shift'
UNDEFINED+=',signed-integer-overflow'
MEMORY='-fsanitize=memory -fsanitize-memory-track-origins'
COVERAGE='-fprofile-instr-generate -fcoverage-mapping'

# Sources without git's data, with nothing built, and with the copies of the scripts beside them. One folder
# for what is built on the way: it holds what the flags of the test before made.
setup_file() {
	export BATS_NO_PARALLELIZE_WITHIN_FILE=true
	export SRC=$BATS_FILE_TMPDIR/src WORK=$BATS_FILE_TMPDIR/work PYTHONDONTWRITEBYTECODE=1
	mkdir -p "$SRC/epoll-echo" "$WORK"
	(cd "$ROOT" && cp -r Makefile ci fuzz src tests "$SRC/epoll-echo")
	cp "$ROOT/fuzz/oss-fuzz/build.sh" "$ROOT/fuzz/oss-fuzz/run_tests.sh" "$SRC"
	cp -rp "$SRC/epoll-echo" "$BATS_FILE_TMPDIR/original"
}

setup() {
	tree=$SRC/epoll-echo
	mapfile -t targets < <(cd "$tree/fuzz" && printf '%s\n' fuzz_*.c | sed 's/\.c$//')
}

need() {
	local command
	for command; do
		command -v "$command" >/dev/null || skip "there is no $command"
	done
}

# Builds with these flags, by clang for libFuzzer unless CC, CXX and ENGINE say otherwise, and goes to what
# came of it, at another place: targets may not depend on where they were built. CXX writes down what it links.
build() {
	# shellcheck disable=SC2016 # for the script that is written here
	printf '#!/bin/sh\necho "$@" >>"$0.log"\nexec %s "$@"\n' "${CXX:-clang++-19}" >"$BATS_TEST_TMPDIR/cxx"
	chmod +x "$BATS_TEST_TMPDIR/cxx"
	mkdir "$BATS_TEST_TMPDIR/built"
	run env CC="${CC:-clang-19}" CXX="$BATS_TEST_TMPDIR/cxx" CFLAGS="$FLAGS $*" CXXFLAGS="$FLAGS $*" \
		LIB_FUZZING_ENGINE="${ENGINE:--fsanitize=fuzzer}" OUT="$BATS_TEST_TMPDIR/built" sh "$SRC/build.sh"
	assert_success
	mv "$BATS_TEST_TMPDIR/built" "$BATS_TEST_TMPDIR/out"
	cd "$BATS_TEST_TMPDIR/out" || return
	assert_complete
	assert_linked "${ENGINE:--fsanitize=fuzzer}"
	unpack_seeds
}

has_dictionary() { [[ $WITHOUT_DICTIONARY != *" $1 "* ]]; }

# For each target these files, nothing else, and the sources are as they were.
assert_complete() {
	local target
	for target in "${targets[@]}"; do
		printf '%s\n' "$target" "$target.options" "${target}_seed_corpus.zip"
		! has_dictionary "$target" || echo "$target.dict"
	done | LC_ALL=C sort >"$BATS_TEST_TMPDIR/expected"
	run bash -c "LC_ALL=C ls -A | LC_ALL=C sort | diff '$BATS_TEST_TMPDIR/expected' -"
	assert_success
	assert_untouched
}

# By CXX, and with this engine: compilers know others, and would take those as well.
assert_linked() {
	local target
	for target in "${targets[@]}"; do
		grep -- "-o [^ ]*/$target " "$BATS_TEST_TMPDIR/cxx.log" | grep -qF -- " $1" ||
			fail "$target was not linked by CXX with $1"
	done
}

assert_untouched() {
	run diff -r "$BATS_FILE_TMPDIR/original" "$tree"
	assert_success
}

unpack_seeds() {
	local target
	seeds=$BATS_TEST_TMPDIR/seeds
	for target in "${targets[@]}"; do
		mkdir -p "$seeds/$target"
		unzip -q "${target}_seed_corpus.zip" -d "$seeds/$target"
	done
}

# The options of a target as a command line, as the runner of the images makes it.
options_of() { sed -nE 's/^([a-z_]+) = (.*)/-\1=\2/p' "$1.options"; }

# The target takes its options, loads its dictionary, reads all of its seeds, finds nothing, and can start
# without them.
assert_fuzzes() {
	local options edges files
	mapfile -t options < <(options_of "$1")
	files=$(find "$seeds/$1" -type f -size +0c | wc -l) # an empty input is always tried, and never counted
	run "./$1" "${options[@]}" -runs=0 "$seeds/$1"
	assert_success
	! has_dictionary "$1" || assert_output --regexp 'Dictionary: [1-9][0-9]* entries'
	assert_output --partial "seed corpus: files: $files "
	assert_output --regexp 'INITED cov: [1-9]'
	edges=$(sed -nE 's/.*Loaded 1 modules +\(([0-9]+) inline 8-bit counters\).*/\1/p' <<<"$output")
	echo "# $1: ${edges:-no} edges"
	[ "${edges:-0}" -ge "$EDGES_MIN" ] || fail "$1 has ${edges:-no} edges, $EDGES_MIN are wanted"
	run "./$1" "${options[@]}" -seed=1337 -runs=4
	assert_success
	assert_output --partial 'Done 4 runs'
}

# Calls in the target, by the names of what is called.
calls_in() {
	objdump -dC "$1" | sed -nE 's/.*\<(callq?|bl) +[0-9a-f]+ <(__[a-z]+san[a-z_:]*).*/\2/p'
}

# The thresholds of OSS-Fuzz's check for bad builds count calls of the run-time libraries too, which come with
# any target that is linked with one. So those that the compiler puts into the code are counted as well.
built_with() {
	local calls asan msan ubsan ours
	calls=$(calls_in "$2")
	asan=$(grep -c '^__asan' <<<"$calls") msan=$(grep -c '^__msan' <<<"$calls")
	ubsan=$(grep -c '^__ubsan' <<<"$calls")
	ours=$(grep -cE '^(__asan_report_(load|store)|__msan_warning|__ubsan_handle)' <<<"$calls")
	echo "# $2: $asan calls of ASan, $msan of MSan, $ubsan of UBSan; $ours in what was compiled"
	case $1 in
	address) ((asan >= 1000 && msan <= 3 && ubsan <= 200 && ours >= 100)) ;;
	memory) ((asan == 0 && msan >= 1000 && ubsan <= 200 && ours >= 100)) ;;
	undefined) ((asan == 0 && msan <= 3 && ubsan >= 200 && ours >= 25)) ;;
	esac
}

assert_built_with() { built_with "$1" "$2" || fail "$2 is not what OSS-Fuzz takes for a build with $1"; }

assert_libfuzzer_builds() {
	local target
	need clang-19 clang++-19 objdump zip unzip
	build -fsanitize=fuzzer-no-link "${@:2}"
	for target in "${targets[@]}"; do
		assert_fuzzes "$target"
		assert_built_with "$1" "$target"
	done
}

@test "ECHO-136: libFuzzer and ASan" {
	# shellcheck disable=SC2086 # a list of words
	assert_libfuzzer_builds address $ADDRESS
}

@test "ECHO-136: libFuzzer and UBSan" {
	# shellcheck disable=SC2086 # a list of words
	UBSAN_OPTIONS=silence_unsigned_overflow=1 assert_libfuzzer_builds undefined $UNDEFINED
}

@test "ECHO-136: libFuzzer and MSan" {
	# shellcheck disable=SC2086 # a list of words
	assert_libfuzzer_builds memory $MEMORY
}

# Prints how many regions of the source the target has, and how many of them its seeds run.
regions() {
	LLVM_PROFILE_FILE=$BATS_TEST_TMPDIR/raw "./$1" "$seeds/$1"/* >/dev/null 2>&1 || return
	llvm-profdata-19 merge -o "$BATS_TEST_TMPDIR/profile" "$BATS_TEST_TMPDIR/raw" || return
	llvm-cov-19 export -summary-only -instr-profile="$BATS_TEST_TMPDIR/profile" "./$1" |
		python3 -c 'import json, sys
regions = json.load(sys.stdin)["data"][0]["totals"]["regions"]
print(regions["count"], regions["covered"])'
}

@test "ECHO-136: libFuzzer and coverage" {
	local target all run
	need clang-19 clang++-19 llvm-profdata-19 llvm-cov-19 objdump zip unzip
	# shellcheck disable=SC2086 # a list of words
	build $COVERAGE
	for target in "${targets[@]}"; do
		read -r all run < <(regions "$target")
		echo "# $target: ${run:-no} of ${all:-no} regions"
		[ "${all:-0}" -ge "$EDGES_MIN" ] || fail "$target has ${all:-no} regions"
		[ "${run:-0}" -ge "$EDGES_MIN" ] || fail "the seeds of $target run ${run:-no} regions"
		# No sanitizer is in this build: so this is how the check of the other builds fails.
		run ! built_with address "$target"
		run ! built_with memory "$target"
		run ! built_with undefined "$target"
	done
}

# The driver that gives targets of libFuzzer a main() for AFL++ lies where AFL++ keeps its own.
afl_driver() {
	local folder
	for folder in "${AFL_PATH-}" "$(dirname "$(readlink -f "$(command -v afl-clang-fast)")")/../lib/afl"; do
		[ ! -e "$folder/libAFLDriver.a" ] || { echo "$folder/libAFLDriver.a" && return; }
	done
}

# The target starts under afl-fuzz with its seeds and its dictionary, has enough edges, and its seeds find some.
assert_fuzzes_with_afl() {
	local edges dictionary=()
	! has_dictionary "$1" || dictionary=(-x "$1.dict")
	edges=$(AFL_DUMP_MAP_SIZE=1 "./$1") || true # which always fails
	echo "# $1: ${edges:-no} edges"
	[ "${edges:-0}" -ge "$EDGES_MIN" ] || fail "$1 has ${edges:-no} edges, $EDGES_MIN are wanted"
	run afl-showmap -C -i "$seeds/$1" -o "$BATS_TEST_TMPDIR/map" -- "./$1"
	assert_success
	assert_output --regexp 'A coverage of [1-9][0-9]* edges were achieved'
	run timeout -s INT 60 afl-fuzz -E 20 -i "$seeds/$1" -o "$BATS_TEST_TMPDIR/afl-$1" "${dictionary[@]}" -- "./$1"
	assert_success
	! has_dictionary "$1" || assert_output --regexp 'Loaded a total of [1-9][0-9]* extras'
	assert_output --partial 'All set and ready to roll!'
}

@test "ECHO-136: AFL++ and ASan" {
	local target
	need afl-clang-fast afl-clang-fast++ afl-fuzz afl-showmap objdump zip unzip
	ENGINE=$(afl_driver)
	[ -n "$ENGINE" ] || skip 'AFL++ has no libAFLDriver.a'
	export AFL_QUIET=1
	# shellcheck disable=SC2086 # a list of words
	CC=afl-clang-fast CXX=afl-clang-fast++ build $ADDRESS
	unset AFL_QUIET
	export AFL_NO_UI=1 AFL_SKIP_CPUFREQ=1 AFL_NO_AFFINITY=1 AFL_FAST_CAL=1
	export AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1
	for target in "${targets[@]}"; do
		assert_fuzzes_with_afl "$target"
		assert_built_with address "$target"
	done
}

@test "ECHO-136: what the environment lacks is named, and nothing is left" {
	local name out=$BATS_TEST_TMPDIR/out
	mkdir "$out"
	for name in CC CXX CFLAGS CXXFLAGS LIB_FUZZING_ENGINE SRC WORK OUT; do
		run -2 env CC=false CXX=false CFLAGS='' CXXFLAGS='' LIB_FUZZING_ENGINE=none OUT="$out" \
			env -u "$name" sh "$tree/fuzz/oss-fuzz/build.sh"
		assert_output "build.sh: $name is not set (see --help)"
	done
	run -2 env CC=false CXX=false CFLAGS='' CXXFLAGS='' LIB_FUZZING_ENGINE=none OUT="$out/none" \
		sh "$tree/fuzz/oss-fuzz/build.sh"
	assert_output "build.sh: $out/none: no such folder"
	assert_equal "$(ls -A "$out")" ''
}

@test "ECHO-136: ClusterFuzzLite builds by the same script" {
	local out=$BATS_TEST_TMPDIR/out
	run -2 env -u CC OUT="$out" sh "$ROOT/.clusterfuzzlite/build.sh"
	assert_output 'build.sh: CC is not set (see --help)'
}

@test "ECHO-137: the tests pass, whatever is to be fuzzed how, and leave the sources as they were" {
	run env CFLAGS="$ADDRESS" LDFLAGS=-flto LIB_FUZZING_ENGINE=none sh "$SRC/run_tests.sh"
	assert_success
	assert_output --partial '# test_engine'
	refute_output --partial 'not ok'
	assert_untouched
}

@test "ECHO-137: the tests need no network but loopback" {
	unshare -rn true 2>/dev/null || skip 'a network namespace of our own is not permitted'
	run unshare -rn sh -c "ip link set lo up && exec sh '$SRC/run_tests.sh'"
	assert_success
}

# Only a copy of the sources is damaged, which passes before, with a copy of what the tests above have built.
@test "ECHO-137: a damaged function makes the tests fail, in each file of the core" {
	local file src=$BATS_TEST_TMPDIR/src
	mkdir "$src"
	cp -rp "$tree" "$src"
	cp -rp "$WORK" "$BATS_TEST_TMPDIR/work"
	WORK=$BATS_TEST_TMPDIR/work
	run env SRC="$src" sh "$SRC/run_tests.sh"
	assert_success
	for file in "$src"/epoll-echo/src/core/*.c; do
		cp "$file" "$BATS_TEST_TMPDIR/whole"
		awk '{ print } /^\{/ && !done { print "\t__builtin_trap();"; done = 1 }' "$BATS_TEST_TMPDIR/whole" >"$file"
		run -1 env SRC="$src" sh "$SRC/run_tests.sh"
		assert_output --regexp 'run_tests.sh: test_[a-z_]+ failed'
		cp "$BATS_TEST_TMPDIR/whole" "$file"
	done
}
