#!/usr/bin/env bats
# ECHO-100: the check of purity, and that it can fail.

load ../spec/helper

# A copy of the core, to which a test does something impure.
setup() {
	tree=$BATS_TEST_TMPDIR/tree
	mkdir -p "$tree/src"
	cp "$ROOT/Makefile" "$tree"
	cp -r "$ROOT/src/core" "$tree/src"
}

is_impure() {
	run make -C "$tree" pure
	assert_failure
	assert_output --partial "$1"
}

@test "ECHO-100: the core is pure" {
	run make -C "$tree" pure
	assert_success
	assert_output --partial 'src/core includes, calls and keeps nothing of the outside'
}

@test "ECHO-100: a header of the outside is noticed" {
	echo '#include <errno.h>' >>"$tree/src/core/pool.c"
	is_impure 'errno.h'
}

@test "ECHO-100: a call to the outside is noticed" {
	echo 'int puts(const char *text); int outside(void); int outside(void) { return puts("x"); }' \
		>>"$tree/src/core/pool.c"
	is_impure 'puts'
}

@test "ECHO-100: state that is not the caller's is noticed" {
	echo 'int counter(void); int counter(void) { static int n; return ++n; }' >>"$tree/src/core/pool.c"
	is_impure 'static data'
}
