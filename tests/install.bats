#!/usr/bin/env bats
# ECHO-77: make install and make uninstall.

load ../spec/helper

@test "ECHO-77: the program and its manual page go under DESTDIR and PREFIX, and away again" {
	make -C "$ROOT" install DESTDIR="$BATS_TEST_TMPDIR/root" PREFIX=/usr
	run "$BATS_TEST_TMPDIR/root/usr/bin/epoll-echo" --version
	assert_success
	[ -s "$BATS_TEST_TMPDIR/root/usr/share/man/man8/epoll-echo.8" ]
	run "$BATS_TEST_TMPDIR/root/usr/bin/epoll-replay" --version
	assert_success
	[ -s "$BATS_TEST_TMPDIR/root/usr/share/man/man1/epoll-replay.1" ]
	run find "$BATS_TEST_TMPDIR/root" -type f
	assert_equal "${#lines[@]}" 4
	make -C "$ROOT" uninstall DESTDIR="$BATS_TEST_TMPDIR/root" PREFIX=/usr
	run find "$BATS_TEST_TMPDIR/root" -type f
	assert_output ''
}

@test "ECHO-77: without them, it goes to /usr/local" {
	run make -C "$ROOT" -n install
	assert_output --partial '/usr/local/bin'
	assert_output --partial '/usr/local/share/man/man8/epoll-echo.8'
}
