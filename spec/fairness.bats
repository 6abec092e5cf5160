#!/usr/bin/env bats
# ECHO-40 to ECHO-44: nobody is starved. How much each turn may do is pinned by tests/test_engine*.c.

load helper
setup_file() { have_server; }
teardown_file() { release_server; }

@test "ECHO-40: a flooding peer does not starve another" {
	scenario <<-'END'
	connect a
	connect f
	flood f
	roundtrips a 100 64
	stop f
	END
}

@test "ECHO-40: many flooding peers do not starve another" {
	scenario <<-'END'
	connect a
	connect f*64
	flood f
	roundtrips a 50 64
	stop f
	END
}

@test "ECHO-41: new connections are served while others flood" {
	scenario <<-'END'
	connect f*16
	flood f
	storm 50
	connect late*10
	echo late 10K
	stop f
	END
}

@test "ECHO-42: traffic goes on while connections come in a storm" {
	scenario >"$BATS_TEST_TMPDIR/storm" <<-'END' &
	storm 1000
	storm 500 reset
	END
	storm=$!
	scenario <<-'END'
	connect a
	roundtrips a 500 64
	echo a 8M
	END
	wait "$storm" || { cat "$BATS_TEST_TMPDIR/storm"; false; }
}
