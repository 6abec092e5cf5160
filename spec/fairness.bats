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
	wait 0.2
	roundtrips a 100 64
	stop f
	END
}

@test "ECHO-40: many flooding peers do not starve another" {
	scenario <<-'END'
	connect a
	connect f*64
	flood f
	wait 0.2
	roundtrips a 50 64
	stop f
	END
}

@test "ECHO-41: new connections are served while others flood" {
	scenario <<-'END'
	connect f*16
	flood f
	wait 0.2
	storm 50
	connect late*10
	echo late 10K
	stop f
	END
}

@test "ECHO-41: connections that come all at once are all served" {
	needs_stopping
	scenario <<-'END'
	connect f
	flood f
	wait 0.2
	run "kill -STOP $ECHO_PID"
	connect a*20
	write a "hello"
	run "kill -CONT $ECHO_PID"
	read a -> "hello"
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

@test "ECHO-42: traffic goes on for as long as connections come" {
	local storm=$BATS_TEST_TMPDIR/storming begun status=0
	touch "$storm"
	exec {begun}< <(while [ -e "$storm" ]; do scenario <<<'connect s*200' >/dev/null && echo; done 3>&-)
	read -r -t 60 -u "$begun" || status=$?
	scenario <<-'END' || status=$?
	connect a
	roundtrips a 500 64
	END
	rm "$storm"
	cat <&"$begun" >/dev/null
	exec {begun}<&-
	return "$status"
}
