#!/usr/bin/env bats
# ci/kernels, on two made-up clauses and made-up results, in a tree of its own: no kernel is booted.

bats_load_library bats-support
bats_load_library bats-assert
bats_require_minimum_version 1.5.0

ROOT=$BATS_TEST_DIRNAME/..

setup() {
	tree=$BATS_TEST_TMPDIR/tree
	mkdir -p "$tree/ci" "$tree/spec/epoll" "$tree/build/kernels"
	cp "$ROOT/ci/kernels" "$ROOT/ci/epoll-clauses" "$tree/ci"
	cat >"$tree/spec/epoll/made-up.scenario" <<-END
		# EPOLL-LT-1: the first (version)
		# Source: made up.
		epoll e

		# EPOLL-LT-2: the second
		# Source: made up.
		epoll e
	END
	echo '# Nothing yet.' >"$tree/spec/kernels.explained"
	for kernel in 6.1 uml-6.1 6.12 running; do
		says "$kernel" 'ok 1 - EPOLL-LT-1: the first' 'ok 2 - EPOLL-LT-2: the second'
	done
}

kernels() {
	"$tree/ci/kernels" "$@"
}

# What the program prints on a kernel: the plan, these lines, the sum.
tap() {
	printf '%s\n' 1..2 "$@" '# all          1 of 2 clauses hold, on Linux 6.1.2-made-up x86_64'
}

says() {
	tap "${@:2}" >"$tree/build/kernels/$1.tap"
}

explain() {
	printf '%s\n' "$@" >"$tree/spec/kernels.explained"
}

# A qemu that prints what it is told on standard input, and what else it takes to start it.
plant_qemu() {
	[ "$(uname -m)" = x86_64 ] || skip 'the kernels are for x86_64'
	local image=$tree/build/kernels/images/linux-image-6.1.0-0-cloud-amd64_6.1.2-3_amd64/boot/vmlinuz-6.1.0-0-cloud-amd64
	mkdir -p "$BATS_TEST_TMPDIR/bin" "$(dirname "$image")" "$tree/build/static"
	touch "$image" "$tree/build/static/init" "$tree/build/static/epoll-scenario"
	cat >"$BATS_TEST_TMPDIR/console"
	printf '#!/bin/sh\ncat "%s"\n' "$BATS_TEST_TMPDIR/console" >"$BATS_TEST_TMPDIR/bin/qemu-system-x86_64"
	printf '#!/bin/sh\n' >"$BATS_TEST_TMPDIR/bin/make"
	chmod +x "$BATS_TEST_TMPDIR"/bin/*
	PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

@test "ECHO-143: --help explains, --list names the kernels, and what is not known is refused" {
	run kernels --help
	assert_success
	assert_line --partial 'spec/kernels.explained'
	run kernels --list
	assert_success
	assert_equal "${#lines[@]}" 4
	assert_line --regexp '^6[.]12 '
	run --separate-stderr kernels --kernel 2.4
	assert_failure 2
	assert_equal "$stderr" 'ci/kernels: no such kernel: 2.4 (see --list)'
	run --separate-stderr kernels --report --kernel 6.1
	assert_failure 2
	assert_output ''
}

@test "ECHO-143: a kernel that is not available is skipped with the reason, and an error to ask for" {
	local python
	python=$(python3 -c 'import sys; print(sys.executable)')
	run env PATH=/nowhere "$python" "$tree/ci/kernels" --kernel 6.12
	assert_failure 2
	assert_line --regexp '^skip  6[.]12 +(there is no qemu-system-x86_64|it is for x86_64)'
}

@test "ECHO-143: without differences the page is written, and lists what the kernels said" {
	run kernels --report
	assert_success
	assert_output 'spec/KERNELS.md: 2 clauses on 4 kernels, 0 differ'
	run cat "$tree/spec/KERNELS.md"
	assert_line '| EPOLL-LT-2 | holds | holds | holds | holds |'
	assert_line '| clause | 6.1 | uml-6.1 | 6.12 | 6.1.2 |'
}

@test "ECHO-143: a difference is refused until it is explained and marked" {
	says 6.1 'ok 1 - EPOLL-LT-1: the first' 'not ok 2 - EPOLL-LT-2: the second' '#   seen: v IN|OUT'
	run --separate-stderr kernels --report
	assert_failure 1
	assert_equal "${stderr_lines[0]}" \
		'ci/kernels: EPOLL-LT-2: fails on 6.1, holds on uml-6.1, holds on 6.12, holds on running; spec/kernels.explained has to explain it'
	assert_equal "${stderr_lines[1]}" \
		'ci/kernels: EPOLL-LT-2: it holds on some kernels and fails on others; spec/epoll/ has to mark it (version)'
	[ ! -e "$tree/spec/KERNELS.md" ]

	explain '# Of 6.1' 'EPOLL-LT-2: It was' 'made up.'
	sed -i 's/the second/& (version)/' "$tree/spec/epoll/made-up.scenario"
	run kernels --report
	assert_success
	run cat "$tree/spec/KERNELS.md"
	assert_line '| EPOLL-LT-2 | **fails**: v IN\|OUT | holds | holds | holds |'
	assert_line '**EPOLL-LT-2**: The second. It was made up.'
	assert_line --partial '**EPOLL-LT-1**: The first.'
}

@test "ECHO-143: a clause that is skipped on one kernel is a difference too, and needs no mark" {
	says uml-6.1 'ok 1 - EPOLL-LT-1: the first' 'ok 2 - EPOLL-LT-2: the second # SKIP /proc is not there'
	run kernels --report
	assert_failure 1
	assert_line --partial 'EPOLL-LT-2: holds on 6.1, skipped on uml-6.1'
	explain 'EPOLL-LT-2: It has no /proc.'
	run kernels --report
	assert_success
	run grep -F 'skipped: /proc is not there' "$tree/spec/KERNELS.md"
	assert_success
}

@test "ECHO-143: an explanation of nothing is refused" {
	explain 'EPOLL-LT-2: It holds.' '' 'EPOLL-LT-9: It was taken away.'
	run kernels --report
	assert_failure 1
	assert_line --partial 'EPOLL-LT-2: spec/kernels.explained explains it, but it holds everywhere'
	assert_line --partial 'EPOLL-LT-9: spec/kernels.explained explains it, but there is no such clause'
	explain 'It was made up.'
	run kernels --report
	assert_failure 2
	assert_output --partial "expected 'NUMBER: why'"
}

@test "ECHO-143: the page waits for all kernels, and for results about the clauses as they are" {
	rm "$tree/build/kernels/6.12.tap"
	says 6.1 'ok 1 - EPOLL-LT-1: the first'
	run kernels --report
	assert_success
	assert_line --regexp '^skip  6[.]12 +not on the page: it has not been played$'
	assert_line --regexp '^skip  6[.]1 +not on the page: what it played were other clauses than there are now$'
	[ ! -e "$tree/spec/KERNELS.md" ]
}

@test "ECHO-143: --check tells a clause that the page lacks, and one that it should not have" {
	kernels --report
	run kernels --check
	assert_success
	assert_line --index 0 1..2
	sed -i 's/EPOLL-LT-2/EPOLL-LT-3/' "$tree/spec/epoll/made-up.scenario"
	run kernels --check
	assert_failure 1
	assert_line --partial 'not ok 1 - '
	assert_line '# EPOLL-LT-3 is not in it'
	assert_line '# EPOLL-LT-2 is in it, and is no clause'
}

@test "ECHO-143: what a machine prints between the plan and the sum is kept, with how it was played" {
	plant_qemu < <(printf 'SeaBIOS\r\n'; tap 'ok 1 - EPOLL-LT-1: the first' 'ok 2 - EPOLL-LT-2: the second'; echo 'init: ended, status 0')
	run kernels --kernel 6.1
	assert_success
	assert_line --partial '2 of 2 clauses hold, 0 fail, 0 skipped, on Linux 6.1.2-made-up x86_64'
	run cat "$tree/build/kernels/6.1.tap"
	assert_line --index 0 1..2
	assert_line --index -1 '# played in qemu, emulated; Debian 6.1.2-3'
}

@test "ECHO-143: a machine that ends before the last clause is an error, with the end of its console" {
	plant_qemu < <(tap | head -1; echo 'Kernel panic - not syncing: made up')
	run kernels --kernel 6.1
	assert_failure 2
	assert_line --partial 'it ended before the last clause'
	assert_line --partial 'Kernel panic - not syncing: made up'
	[ ! -e "$tree/build/kernels/6.1.tap" ]
}
