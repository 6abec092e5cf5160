#!/usr/bin/env bats
# ECHO-120 to ECHO-127: recordings of live servers, and what epoll-replay makes of them.

load ../spec/helper

REPLAY=$ROOT/build/epoll-replay

setup() {
	file=$BATS_TEST_TMPDIR/run
	pid=
}

teardown() {
	[ -z "$pid" ] || end_server "$pid"
}

# Starts a server that records to $file.
record() {
	start_server --record "$file" "$@"
	export pid port log
}

# The steps of standard input, against the server that was started.
against() {
	ECHO_AT=127.0.0.1:$port scenario
}

helper_of() {
	pgrep -P "$1"
}

# The recording is whole, every action is the recorded one, and it ended like this.
assert_replays() {
	run "$REPLAY" --quiet "${2-$file}"
	assert_success
	assert_line --index 0 --partial 'every action is the recorded one'
	assert_line --index 1 "${2-$file}: the end: $1"
}

# One line on standard error with these texts, and this exit status.
assert_told() {
	local expected=$1 text
	shift
	assert_equal "$status" "$expected"
	assert_equal "$(wc -l <<<"$stderr")" 1
	for text in "$@"; do
		[[ $stderr == *"$text"* ]] || fail "'$stderr' does not say '$text'"
	done
}

# A small recording in $file, of one connection that was echoed 5 bytes and half-closed.
record_hello() {
	record
	against <<-'END'
	connect a
	write a "hello" then WR
	read a -> "hello"
	read a -> EOF
	END
	end_server "$pid"
	pid=
}

@test "ECHO-120: ends of all kinds, slow readers and a drain replay exactly" {
	record --memory 4M --max-connections 40 --drain-timeout 20
	against <<-'END'
	connect a*5
	roundtrips a 20 100
	echo a 300K then WR
	connect slow*10 rcvbuf 4096
	fill slow max 64M
	connect gone*3
	write gone "unread"
	reset gone
	connect half
	write half "x" then WR
	read half -> "x"
	read half -> EOF
	END
	against <<-'END' || true
	connect b*4
	roundtrips b 50 1000
	connect slow*12 rcvbuf 4096
	fill slow max 64M
	run "kill -TERM $pid"
	read slow -> rest
	read slow -> EOF
	read b -> EOF
	END
	await_end "$pid"
	pid=
	assert_replays 'the server stopped in order'
	assert_line --index 0 --partial 'connections, at most'
}

@test "ECHO-120: an idle timeout, reports and a second signal replay exactly" {
	record --idle-timeout 0.3 --stats 0.1 --drain-timeout 3600
	against <<-'END'
	connect a*3
	roundtrips a 1 1
	read a -> EOF
	close a
	connect b
	roundtrips b 1 1
	run "kill -STOP $pid; kill -USR1 $pid; kill -TERM $pid; kill -INT $pid; kill -CONT $pid"
	END
	await_end "$pid"
	pid=
	assert_replays 'the server was made to stop at once'
	run "$REPLAY" "$file"
	assert_line --partial ' close idle -> done'
	assert_line --partial ' report -> done'
}

@test "ECHO-120: slots that run out, and accepting that pauses, replay exactly" {
	record --max-connections 2
	against <<-'END'
	connect a*2
	roundtrips a 1 1
	connect b
	write b "hello"
	read b -> nothing
	close a.1
	read b -> "hello"
	END
	end_server "$pid"
	pid=
	assert_replays 'the server stopped in order'
	run "$REPLAY" "$file"
	assert_line --regexp '^ *[0-9]+ ms  pause -> done$'
	assert_line --regexp '^ *[0-9]+ ms  resume -> done$'
}

@test "ECHO-120: the steps are printed for people" {
	record_hello
	run "$REPLAY" "$file"
	assert_success
	assert_line --regexp '^ *[0-9]+ ms  wait -1 -> listener IN$'
	assert_line --regexp '^ *[0-9]+ ms  accept -> c0$'
	assert_line --regexp '^ *[0-9]+ ms  c0 watch -> done$'
	assert_line --regexp '^ *[0-9]+ ms  c0 read 65536 -> 5$'
	assert_line --regexp '^ *[0-9]+ ms  c0 write 5 -> 5$'
	assert_line --regexp '^ *[0-9]+ ms  c0 close ended -> done$'
	assert_line --regexp '^ *[0-9]+ ms  wait -1 -> stop$'
	assert_equal "$("$REPLAY" - <"$file" | grep -c ' ms  ')" "$(grep -c ' ms  ' <<<"$output")"
	run "$REPLAY" --first 2 "$file"
	assert_success
	assert_equal "$(grep -c ' ms  ' <<<"$output")" 2
	assert_line --partial 'only the beginning was looked at'
}

@test "ECHO-121: nothing of what peers sent is in the file" {
	record
	against <<-'END'
	connect a
	write a "a-marker-that-peers-sent"
	read a -> "a-marker-that-peers-sent"
	write a pattern 300K then WR
	read a -> rest
	read a -> EOF
	END
	end_server "$pid"
	pid=
	assert_replays 'the server stopped in order'
	[ "$(wc -c <"$file")" -lt 3000 ]
	run grep -c 'marker' "$file"
	assert_output 0
}

@test "ECHO-121: only its owner reads a file that is new" {
	(umask 0 && record_hello)
	assert_equal "$(stat -c %a "$file")" 600
}

@test "ECHO-122: a helper that stalls does not stall the echo, and the recording has no gap" {
	record
	helper=$(helper_of "$pid")
	kill -STOP "$helper"
	against <<-'END'
	connect a*50
	roundtrips a 1000 1
	echo a 100K
	END
	await_log 'the recording ends early: the file is written too slowly'
	against <<-'END'
	connect a
	echo a 100K then WR
	END
	run grep -c 'the recording ends early' "$log"
	assert_output 1
	kill -CONT "$helper"
	await_end "$helper"
	assert_replays 'the file was written too slowly, and the rest was not recorded'
	[[ ${lines[0]} =~ \ ([0-9]+)\ steps ]]
	[ "${BASH_REMATCH[1]}" -gt 10000 ]
}

@test "ECHO-122: a helper that stalls does not hold up the end of the server" {
	record
	helper=$(helper_of "$pid")
	kill -STOP "$helper"
	against <<-'END'
	connect a
	echo a 100K then WR
	END
	kill "$pid"
	await_end "$pid"
	status=0
	wait "$pid" || status=$?
	pid=
	kill -CONT "$helper"
	assert_equal "$status" 0
	run tail -n 1 "$log"
	assert_output 'epoll-echo: the recording ends early: it was not complete yet when the server ended'
	await_end "$helper"
	assert_replays 'the server stopped in order'
}

@test "ECHO-122: a full disk is told in one line, and the echo goes on" {
	file=/dev/full
	record
	against <<-'END'
	connect a*20
	roundtrips a 200 1
	END
	await_log 'the recording ends early: No space left on device'
	against <<-'END'
	connect a
	echo a 100K then WR
	END
	kill "$pid"
	await_end "$pid"
	wait "$pid"
	pid=
	run grep -vc 'listening' "$log"
	assert_output 1
}

@test "ECHO-122: as JSON, if the log is" {
	file=/dev/full
	record --log-format json
	end_server "$pid"
	pid=
	run tail -n 1 "$log"
	assert_output '{"event":"recording ended","reason":"No space left on device"}'
}

@test "ECHO-123: a file at its limit ends with a mark, and replays up to there" {
	ECHO_SERVER="$ROOT/spec/limited -f 8 $ROOT/build/epoll-echo" record
	against <<-'END'
	connect a*20
	roundtrips a 100 1
	END
	await_log 'the recording ends early: File too large'
	assert_replays 'the file could not be written further, and the rest was not recorded'
	[[ ${lines[0]} =~ \ ([0-9]+)\ steps ]]
	[ "${BASH_REMATCH[1]}" -gt 50 ]
	against <<-'END'
	connect a
	echo a 100K then WR
	END
}

@test "ECHO-123: a server that is killed leaves what it did until then, and the mark says so" {
	record
	helper=$(helper_of "$pid")
	against <<-'END'
	connect a*3
	roundtrips a 2 10
	run "spec/process rest $pid 0.1; kill -KILL $pid"
	END
	await_end "$helper"
	pid=
	assert_replays 'the server died'
	run "$REPLAY" "$file"
	assert_equal "$(grep -c ' write 10 -> 10$' <<<"$output")" 6
}

@test "ECHO-123: Ctrl-C reaches the helper too, and the recording is whole" {
	# What a shell starts in the background ignores SIGINT, which would be inherited.
	ECHO_SERVER="env --default-signal=INT,QUIT setsid $ROOT/build/epoll-echo" record
	helper=$(helper_of "$pid")
	against <<-'END'
	connect a*3
	roundtrips a 2 10
	run "kill -USR1 -$pid; kill -INT -$pid"
	read a -> EOF
	END
	await_end "$pid"
	pid=
	run kill -0 "$helper"
	assert_failure # the file is complete when the server has ended
	assert_replays 'the server stopped in order'
}

@test "ECHO-123: the helper outlives a kill of the whole process group, and marks the end" {
	ECHO_SERVER="setsid $ROOT/build/epoll-echo" record
	helper=$(helper_of "$pid")
	against <<-'END'
	connect a
	roundtrips a 2 10
	END
	kill -KILL "-$pid"
	await_end "$helper"
	pid=
	assert_replays 'the server died'
}

@test "ECHO-37: the helper starts before there is memory that a fork would commit twice" {
	start_traced '-e trace=clone,clone3,fork,vfork,mmap' --record "$file" --memory 300M
	end_traced
	pid=
	run grep -nE '^(clone|clone3|fork|vfork)\(|^mmap\([^,]*, [0-9]{9},' "$trace"
	assert_line --index 0 --regexp '^[0-9]+:(clone|clone3|fork|vfork)\('
	assert_line --index 1 --regexp '^[0-9]+:mmap\('
	assert_equal "${#lines[@]}" 2
}

@test "ECHO-122: a reader of the recording that goes away is told, and the echo goes on" {
	mkfifo "$file"
	exec 8<>"$file"
	record 8<&-
	exec 8<&-
	against <<-'END'
	connect a*20
	roundtrips a 200 1
	END
	await_log 'the recording ends early: Broken pipe'
}

@test "ECHO-123: an epoll instance that breaks is a recorded end" {
	command -v strace >/dev/null || skip 'strace is not installed'
	start_traced '-e inject=epoll_wait:error=EBADF:when=3' --record "$file"
	against <<-'END' || true
	connect a*3 async
	END
	await_end "$pid"
	pid=
	assert_replays 'the listener or the epoll instance broke'
}

@test "ECHO-125: a file that cannot be opened is told, and nothing listens" {
	run --separate-stderr timeout 20 "$ROOT/build/epoll-echo" --address 127.0.0.1 --port 0 \
		--record "$BATS_TEST_TMPDIR/none/run.%p"
	assert_told 1 "epoll-echo: cannot record to $BATS_TEST_TMPDIR/none/run.%p: No such file or directory"
	run --separate-stderr timeout 20 "$ROOT/build/epoll-echo" --address 127.0.0.1 --port 0 --record /
	assert_told 1 'epoll-echo: cannot record to /: Is a directory'
	mkfifo "$file"
	run --separate-stderr timeout 20 "$ROOT/build/epoll-echo" --address 127.0.0.1 --port 0 --record "$file"
	assert_told 1 "epoll-echo: cannot record to $file: No such device or address"
}

@test "ECHO-125: a second server cannot record to the same file, and the first goes on" {
	record
	against <<-'END'
	connect a
	roundtrips a 1 10
	END
	run --separate-stderr timeout 20 "$ROOT/build/epoll-echo" --address 127.0.0.1 --port 0 --record "$file"
	assert_told 1 "epoll-echo: cannot record to $file: another server records to it"
	end_server "$pid"
	pid=
	assert_replays 'the server stopped in order'
	run "$REPLAY" "$file"
	assert_line --regexp ' c0 write 10 -> 10$'
}

@test "ECHO-120: what the file held gives way, and what cannot be truncated is written as it is" {
	head -c 100000 /dev/zero >"$file"
	record_hello
	assert_replays 'the server stopped in order'
	mkfifo "$file.pipe"
	exec 8<>"$file.pipe"
	file=$file.pipe record_hello 8<&-
	run ! grep 'the recording ends early' "$log"
	dd bs=65536 count=1 status=none <&8 >"$file"
	exec 8<&-
	assert_replays 'the server stopped in order'
}

@test "ECHO-125: %p in the name is the process" {
	file=$BATS_TEST_TMPDIR/run.%p record
	was=$pid
	end_server "$pid"
	pid=
	assert_replays 'the server stopped in order' "$BATS_TEST_TMPDIR/run.$was"
	assert_equal "$(ls "$BATS_TEST_TMPDIR"/run.*)" "$BATS_TEST_TMPDIR/run.$was"
}

@test "ECHO-37: the server that records stays within its memory, and has one descriptor more" {
	record --memory 8M
	helper=$(helper_of "$pid")
	against <<-'END'
	connect a*50
	roundtrips a 200 1
	END
	[ "$(process memory "$pid")" -le 8192 ]
	run process fds "$helper"
	assert_output 2
	fds=$(process fds "$pid")
	end_server "$pid"
	start_server --memory 8M
	run process fds "$pid"
	assert_output $((fds - 1))
}

# $file.bad is refused in one line that names a byte. Hundreds are: `run` would take its time.
refused() {
	local said status=0
	said=$("$REPLAY" --quiet "$file.bad" 2>&1) || status=$?
	[ "$status" -eq 2 ] || fail "exit status $status, $1"
	[[ $said == "epoll-replay: $file.bad: byte "* && $said != *$'\n'* ]] || fail "'$said', $1"
}

@test "ECHO-126: a recording that is cut off anywhere is told, with the byte, and exit status 2" {
	record_hello
	size=$(stat -c %s "$file")
	cp "$file" "$file.bad"
	for ((n = size - 1; n >= 0; n--)); do
		truncate -s "$n" "$file.bad"
		refused "cut off at $n"
	done
}

@test "ECHO-126: a recording that is damaged anywhere is told, with the byte, and exit status 2" {
	record_hello
	mapfile -t bytes < <(od -An -v -tu1 -w1 "$file")
	for n in "${!bytes[@]}"; do
		# shellcheck disable=SC2059  # an octal escape
		{
			head -c "$n" "$file"
			printf "\\$(printf %03o $((bytes[n] ^ 1 << n % 8)))"
			tail -c "+$((n + 2))" "$file"
		} >"$file.bad"
		refused "damaged at $n"
	done
}

@test "ECHO-126: what is no recording, or cannot be read, is told" {
	run --separate-stderr "$REPLAY" "$BATS_TEST_FILENAME"
	assert_told 2 'byte 0: it is no recording'
	run --separate-stderr "$REPLAY" "$BATS_TEST_TMPDIR/none"
	assert_told 2 'cannot read' "$BATS_TEST_TMPDIR/none" 'No such file or directory'
	run --separate-stderr "$REPLAY" "$BATS_TEST_TMPDIR"
	assert_told 2 'cannot read' 'Is a directory'
	truncate -s 64M "$file"
	run --separate-stderr "$REPLAY" "$file"
	assert_told 2 'byte 0: it is no recording'
	truncate -s +1 "$file"
	run --separate-stderr "$REPLAY" "$file"
	assert_told 2 'larger than any recording'
	: >"$file"
	run --separate-stderr "$REPLAY" "$file"
	assert_told 2 'it is empty: nothing was recorded'
}

# Changes the reason of the last close in $file, and puts the checksums right.
forge() {
	python3 - "$1" <<-'END'
	import struct, sys, zlib
	data = bytearray(open(sys.argv[1], "rb").read())
	at = data.index(b"\n") + 1
	crc = zlib.crc32(data[:at])
	while at < len(data):
	    length, = struct.unpack_from("<H", data, at)
	    payload = slice(at + 2, at + 2 + length)
	    # A close that was done, of slot 0, generation 1: it had ended (1), and is now idle (5).
	    data[payload] = data[payload].replace(b"\x1e\x00\x01\x01", b"\x1e\x00\x01\x05")
	    crc = zlib.crc32(data[at:at + 2 + length], crc)
	    at += 2 + length
	    struct.pack_into("<I", data, at, crc)
	    at += 4
	open(sys.argv[1], "wb").write(data)
	END
}

@test "ECHO-127: the first action that is not the recorded one is told" {
	command -v python3 >/dev/null || skip 'python3 is not installed'
	record_hello
	cp "$file" "$file.same"
	python3 -c '' && forge "$file"
	run cmp -s "$file" "$file.same"
	assert_failure
	steps=$("$REPLAY" "$file.same" | grep -n 'close ended' | cut -d: -f1)
	run --separate-stderr "$REPLAY" --quiet "$file"
	assert_told 1 "step $steps: another reason: expected c0 close idle, seen c0 close ended"
}

@test "ECHO-127: a seed is the same run, as bytes and as text" {
	record_hello
	run "$REPLAY" --quiet --seed "$file.steps" "$file"
	assert_success
	assert_line --regexp 'run\.steps: [0-9]+ bytes, 2 slots, 2 buffers$'
	run cat "$file.steps"
	assert_line --index 0 'run 1'
	assert_line 'slots 2'
	assert_line 'read -> 5'
	assert_line 'write -> all'
	assert_line --regexp '^wait [0-9]+ -> c0 IN\|OUT\|RDHUP$'
	assert_line --regexp '^wait [0-9]+ -> stop$'
	"$REPLAY" --quiet --seed "$file.seed" "$file"
	"$REPLAY" --quiet --text --seed "$file.text" "$file"
	cmp "$file.text" "$file.steps"
	[ -x "$ROOT/build/fuzz/codec" ] || skip 'build/fuzz/codec is not built'
	"$ROOT/build/fuzz/codec" binary "$file.steps" "$file.binary"
	cmp "$file.binary" "$file.seed"
}

# The operations of a run, one a line, as epoll-replay or a traced target shows it.
operations() {
	sed -nE 's/^#? *[0-9]+ ms +(c[0-9]+ +)?([a-z]+).*/\2/p'
}

@test "ECHO-127: a fuzz target does on the seed of a long run what the server did" {
	[ -x "$ROOT/build/fuzz/fuzz_engine" ] || skip 'build/fuzz/fuzz_engine is not built'
	record
	against <<-'END'
	connect a*3
	roundtrips a 1500 100
	storm 200
	END
	end_server "$pid"
	pid=
	"$REPLAY" --seed "$file.seed" "$file" | operations >"$file.recorded"
	[ "$(wc -l <"$file.recorded")" -gt 9000 ]
	ECHO_TRACE=1 "$ROOT/build/fuzz/fuzz_engine" "$file.seed" 2>&1 | operations >"$file.traced"
	diff "$file.recorded" "$file.traced"
}

@test "ECHO-127: what does not fit a seed is told" {
	record
	against <<-'END'
	connect a*64
	roundtrips a 1 1
	END
	end_server "$pid"
	pid=
	run --separate-stderr "$REPLAY" --quiet --seed "$file.seed" "$file"
	assert_told 1 'no seed: it had too many connections at once'
	[ ! -e "$file.seed" ]
	"$REPLAY" --quiet --first 30 --seed "$file.seed" "$file"
	rm "$file.seed"
	record
	against <<<'storm 300'
	end_server "$pid"
	pid=
	run --separate-stderr "$REPLAY" --quiet --seed "$file.seed" "$file"
	assert_told 1 'no seed: it has more connections than a run; take its beginning (--first)'
	[ ! -e "$file.seed" ]
	"$REPLAY" --quiet --first 30 --seed "$file.seed" "$file"
	run --separate-stderr "$REPLAY" --quiet --first 30 --seed "$BATS_TEST_TMPDIR/none/seed" "$file"
	assert_told 1 'cannot write' 'none/seed' 'No such file or directory'
}

# Names begin with what is wrong with a seed; an engine that decides otherwise ends all of them at one
# step, and their target sees nothing behind it.
@test "ECHO-126, ECHO-127: the committed recordings are what they are named" {
	local seed name expected seen=
	for seed in "$ROOT"/fuzz/seeds/fuzz_recording/*.hex; do
		name=$(basename "$seed" .hex)
		case $name in
		damaged-* | wrong-*) expected=2 ;;
		differs) expected=1 ;;
		*) expected=0 ;;
		esac
		"$ROOT/build/fuzz/codec" binary "$seed" >"$file"
		run --separate-stderr "$REPLAY" --quiet "$file"
		[ "$status" = "$expected" ] || fail "$name: exit status $status instead of $expected: $output $stderr"
		seen+=$expected
	done
	[[ $seen == *0* && $seen == *1* && $seen == *2* ]]
}

@test "ECHO-76: help and manual page of epoll-replay name every option" {
	run "$REPLAY" --help
	assert_success
	for option in quiet first seed text help version; do
		[[ $output == *"--$option"* ]] || fail "--help does not name --$option"
		grep -q "Fl -$option" "$ROOT/epoll-replay.1" || fail "the manual page does not name --$option"
	done
	run "$REPLAY" --version
	assert_success
	assert_output --regexp '^epoll-replay [0-9]+\.[0-9]+\.[0-9]+$'
}

@test "ECHO-71: wrong usage of epoll-replay is told, and exit status 2" {
	for options in '' 'a b' '--frobnicate a' '-x a' '--first x a' '--first -1 a' '--seed' '--quiet=1 a'; do
		# shellcheck disable=SC2086  # one word an option
		run --separate-stderr "$REPLAY" $options
		assert_told 2 'epoll-replay: ' '--help'
	done
}
