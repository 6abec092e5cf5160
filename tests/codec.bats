#!/usr/bin/env bats
# build/fuzz/codec: from text to bytes and back, and what it says of a text that is wrong.

load ../spec/helper

setup() {
	CODEC=$ROOT/build/fuzz/codec
	[ -x "$CODEC" ] || fail "$CODEC is missing: run make build/fuzz/codec"
	cd "$BATS_TEST_TMPDIR" || return
	printf '# a comment\nrun 1\nread -> 5\n' >run.steps
}

@test "ECHO-130: a committed run is printed as it was read, and read as it was printed" {
	local seed
	for seed in "$ROOT"/fuzz/seeds/fuzz_engine/*.steps; do
		"$CODEC" binary "$seed" first
		"$CODEC" text first >print.steps
		"$CODEC" binary print.steps second
		cmp first second
		"$CODEC" text - <second | cmp - print.steps
	done
	[ -s first ]
}

@test "ECHO-130: arguments and hexadecimal bytes come back as well, and other files as they are" {
	printf 'serve\n--port\n\n' >command.args
	"$CODEC" binary command.args out
	printf 'serve\0--port\0' | cmp - out
	"$CODEC" --as args text out | cmp - command.args
	printf '# bytes\n00 fF7f\n\t10 # the last\n' >bytes.hex
	"$CODEC" binary bytes.hex out
	printf '\0\377\177\20' | cmp - out
	"$CODEC" --as hex text out >again.hex
	"$CODEC" binary again.hex | cmp - out
	printf 'run 2\n' >other.scenario
	"$CODEC" binary other.scenario | cmp - other.scenario
}

@test "ECHO-132: each wrong text is told by file, line and column, and the exit status is 1" {
	printf 'run 1\nread 5\n' >wrong.steps
	printf '00\n0 1\n' >wrong.hex
	printf 'serve\n--po\0rt\n' >wrong.args
	run -1 "$CODEC" check wrong.steps run.steps wrong.hex wrong.args
	assert_line "wrong.steps:2:6: expected '->' and what came of it"
	assert_line "wrong.hex:2:1: expected two hexadecimal digits, or '#'"
	assert_line 'wrong.args:2:5: expected an argument without NUL'
	assert_equal "${#lines[@]}" 3
	run -1 "$CODEC" binary - <wrong.steps
	assert_output "stdin:2:6: expected '->' and what came of it"
	run -1 "$CODEC" binary wrong.steps out run.steps run
	[ ! -e out ]
	[ -s run ]
	run -0 "$CODEC" check run.steps
	assert_output ''
}

@test "ECHO-132: bytes that are no run, or have no lines, are told too" {
	run -1 "$CODEC" text run.steps
	assert_output --partial 'run.steps: no run of version 2'
	printf 'two\nlines' >argument
	run -1 "$CODEC" --as args text argument
	assert_output --partial 'argument: an argument with a line break'
}

@test "ECHO-132: wrong usage and files that cannot be read or written give exit status 2" {
	run -2 "$CODEC"
	assert_output --partial 'a command is missing'
	run -2 "$CODEC" convert run.steps
	assert_output --partial "'convert' is no command"
	run -2 "$CODEC" --frobnicate
	assert_output --partial '--frobnicate'
	run -2 "$CODEC" --as text text run.steps
	assert_output --partial '--as text'
	run -2 "$CODEC" binary run.steps out run.steps
	assert_output --partial 'there is no OUT for run.steps'
	run -2 "$ROOT/build/fuzz/fuzz_engine" run.steps
	assert_output 'replay: run.steps: a run as text; targets take bytes: build/fuzz/codec binary run.steps > FILE'
	run -2 "$CODEC" check run.steps notes.txt
	assert_output --partial 'notes.txt: its ending'
	run -2 "$CODEC" text none
	assert_output 'codec: none: No such file or directory'
	run -2 "$CODEC" binary run.steps none/out
	assert_output 'codec: none/out: No such file or directory'
	"$CODEC" binary run.steps run
	full() { "$CODEC" text run >/dev/full; }
	run -2 full
	assert_output 'codec: stdout: No space left on device'
	run -0 "$CODEC" --help
	assert_output --partial 'Usage: codec'
}
