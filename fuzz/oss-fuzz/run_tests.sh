#!/bin/sh
# Runs the unit tests, for OSS-Fuzz to see that a change of the sources is noticed. They are built apart from
# the tree, without the sanitizers and the engine of the environment, and nothing but loopback is needed.
set -eu

usage() {
	cat <<-'END_OF_USAGE'
	usage: fuzz/oss-fuzz/run_tests.sh

	Builds the unit tests and runs them until one fails. From the environment:
	  CC    the compiler (cc)
	  WORK  keeps what was built in $WORK/epoll-echo-tests, for the next time; without it nothing is kept
	  SRC   where a copy of this script finds epoll-echo
	Exit status: 0 all passed, 1 a test failed, 2 they could not be built or run.
	END_OF_USAGE
}

unable() {
	echo "run_tests.sh: $1" >&2
	exit 2
}

case ${1-} in
'') ;;
--help) usage; exit 0 ;;
*) unable "unknown option '$1' (see --help)" ;;
esac

# A copy, as in OSS-Fuzz's own repository, hands over to what belongs to the sources.
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
if [ ! -e "$root/fuzz/oss-fuzz/run_tests.sh" ]; then
	[ "${SRC:+set}" = set ] || unable 'SRC is not set, and this is not a checkout of epoll-echo'
	exec sh "$SRC/epoll-echo/fuzz/oss-fuzz/run_tests.sh"
fi

if [ "${WORK:+set}" = set ]; then
	build=$WORK/epoll-echo-tests
	mkdir -p "$build"
else
	build=$(mktemp -d)
	trap 'rm -rf "$build"' EXIT
	trap 'exit 130' HUP INT TERM
fi

unset CPPFLAGS LDFLAGS LDLIBS MAKEFLAGS
make -C "$root" -j"$(nproc)" MODE=plain BUILD="$build" CC="${CC:-cc}" CFLAGS=-O1 unit-tests >"$build/log" 2>&1 || {
	cat "$build/log" >&2
	unable 'the unit tests could not be built'
}

# A fault may keep a test from ending, so each has its time. All of them together take a few seconds.
export CMOCKA_MESSAGE_OUTPUT=TAP
for source in "$root"/tests/test_*.c; do
	name=$(basename "$source" .c)
	echo "# $name"
	timeout 30 "$build/tests/$name" || {
		echo "run_tests.sh: $name failed, status $?" >&2
		exit 1
	}
done
