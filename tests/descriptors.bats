#!/usr/bin/env bats
# ECHO-110, ECHO-111, ECHO-140: a judge that cannot condemn is none: scenarios about descriptors that are wrong.

bats_load_library bats-support
bats_load_library bats-assert
bats_require_minimum_version 1.5.0

SCENARIO=$BATS_TEST_DIRNAME/../build/epoll-scenario

# Plays the scenario on standard input, under a heading.
play() {
	{
		echo '# it'
		cat
	} >"$BATS_TEST_TMPDIR/it.scenario"
	cd "$BATS_TEST_TMPDIR" || return
	run --separate-stderr "$SCENARIO" "$@" it.scenario
}

# Commands whose output cannot be written.
full() { "$@" >/dev/full; }
closed() { "$@" >&-; }

# The only point failed, at this line, with these two.
assert_condemned() {
	assert_failure 1
	assert_line --index 1 'not ok 1 - it'
	assert_line --index 2 --partial "it.scenario:$1: "
	assert_line --index 3 "#   expected: $2"
	assert_line --index 4 "#   seen: $3"
}

@test "ECHO-110: events that are missing, too many, of another mask or in another order are condemned" {
	local made=$'eventfd v 1\neventfd w 1\nepoll e\nadd e v IN\nadd e w IN\n'
	play <<<"${made}wait e -> nothing"
	assert_condemned 7 'nothing' 'v IN, w IN'
	play <<<"${made}wait e -> v IN"
	assert_condemned 7 'v IN' 'v IN, w IN'
	play <<<"${made}wait e -> w IN, v IN"
	assert_condemned 7 'w IN, v IN' 'v IN, w IN'
	play <<<"${made}wait e -> v IN|OUT, w IN"
	assert_condemned 7 'v IN|OUT, w IN' 'v IN, w IN'
	play <<<"${made}wait e -> EBADF"
	assert_condemned 7 'EBADF' 'v IN, w IN'
}

@test "ECHO-110: another errno, a success and a failure that nobody expected are condemned" {
	play <<<$'epoll e\nadd e e IN -> EBADF'
	assert_condemned 3 'EBADF' 'EINVAL'
	play <<<$'epoll e\neventfd v\nadd e v IN -> EEXIST'
	assert_condemned 4 'EEXIST' 'done'
	play <<<$'epoll e\nadd e e IN'
	assert_condemned 3 'done' 'EINVAL'
}

@test "ECHO-110: other bytes, counts, masks and words are condemned" {
	play <<<$'unix a b\nwrite a "abc"\nread b -> "abd"'
	assert_condemned 4 '"abd"' '"abc"'
	play <<<$'unix a b\nwrite a "abc"\nread b -> EOF'
	assert_condemned 4 'EOF' '"abc"'
	play <<<$'unix a b\nread b -> "x"'
	assert_condemned 3 '"x"' 'EAGAIN'
	play <<<$'unix a b\nwrite a "abc"\nqueued b -> 2'
	assert_condemned 4 '2' '3'
	play <<<$'eventfd v\npoll v IN|OUT -> IN'
	assert_condemned 3 'IN' 'OUT'
	play <<<$'listener l\nclose l\nconnect c l'
	assert_condemned 4 'connected' 'refused'
	play <<<$'eventfd v\nepoll e\nadd e v IN\nwaiter w e\nwoken w -> v IN'
	assert_condemned 6 'v IN' 'asleep'
	play <<<$'eventfd v\nepoll e\nadd e v IN\nwaiter w e\nwrite v 1\nasleep w'
	assert_condemned 7 'done' 'awake'
}

@test "ECHO-111: what is wrong in a script is told with its place, and exit status 2" {
	play <<<$'epoll e\nadd e v IN'
	assert_failure 2
	assert_equal "$stderr" "it.scenario:3:7: expected a name that was made before, not 'v'"
	play <<<$'epoll e\nadd e e INN'
	assert_equal "$stderr" 'it.scenario:3:9: expected a mask such as IN|OUT|ET, 0x200 or 0'
	play <<<$'epoll e\nwait e'
	assert_equal "$stderr" "it.scenario:3:7: expected '->' and what is observed; -> EVENTS"
	play <<<$'epoll e\nadd e e IN -> ENOTHING'
	assert_equal "$stderr" 'it.scenario:3:15: expected an errno such as ENOENT'
	play <<<$'epoll e\nfrobnicate e'
	assert_equal "$stderr" "it.scenario:3:1: expected a step, such as 'epoll NEW' (see --help)"
	play <<<$'frobnicate e'
	assert_equal "$stderr" \
		"it.scenario:2:1: expected a step, such as 'epoll NEW', or 'connect NAME' about a live server (see --help)"
	play <<<$'epoll e\nwait e -> '
	assert_equal "$stderr" 'it.scenario:3:11: expected what is observed: EVENTS, or an errno'
	play <<<$'socket s\nlisten s\nconnect c s ->'
	assert_equal "$stderr" 'it.scenario:4:15: expected what is observed: connected|pending|refused, or an errno'
}

@test "ECHO-111: output that cannot be written is told, and exit status 2" {
	printf '# it\nepoll e\n' >"$BATS_TEST_TMPDIR/it.scenario"
	cd "$BATS_TEST_TMPDIR"
	for words in it.scenario '--show it.scenario' '--list it.scenario' --conformance --help --version; do
		# shellcheck disable=SC2086
		run full "$SCENARIO" $words
		assert_failure 2
		assert_output 'epoll-scenario: standard output: No space left on device'
	done
	run closed "$SCENARIO" it.scenario
	assert_failure 2
	assert_output 'epoll-scenario: standard output: Bad file descriptor'
}

@test "ECHO-111: a scenario for another world is skipped, and says so" {
	play <<<'connect a'
	assert_success
	assert_line --index 1 'ok 1 - it # SKIP it is about a live server: --on server=HOST:PORT plays it'
}

@test "ECHO-111: a plain number where a name is needed, and more events than can be told, are told" {
	play <<<$'unix a b\npass 5 a b c'
	assert_condemned 3 'a call that can be made' 'it needs a name of the right kind'
	play <<<'pidfd p 5'
	assert_condemned 2 'a call that can be made' 'it needs a name of the right kind'
	play <<<$'socket s\nlisten 5'
	assert_condemned 3 'a call that can be made' 'it needs a name of the right kind'
	play < <(
		echo 'epoll e'
		for i in {1..20}; do printf 'eventfd v%d 1\nadd e v%d IN\n' "$i" "$i"; done
		echo 'wait e max 100 -> nothing'
	)
	assert_condemned 43 'a call that can be made' 'there are 20 events, more than the 16 that can be told'
}

@test "ECHO-140: --show prints what comes of each step, as a scenario says it" {
	play --show <<<$'eventfd v 1\nepoll e\nadd e v IN\nwait e\nadd e v IN\nread v'
	assert_success
	assert_line --index 1 '#   eventfd v 1'
	assert_line --index 4 '#   wait e -> v IN'
	assert_line --index 5 '#   add e v IN -> EEXIST'
	assert_line --index 6 '#   read v -> 1'
}

@test "ECHO-111: what a scenario leaves running ends with it" {
	play <<<$'fork f\nepoll e\nwaiter w e'
	assert_success
	play <<<$'limit 0\npipe r w'
	assert_condemned 3 'done' 'EMFILE'
	run pgrep -f "$SCENARIO it[.]scenario"
	refute_output
}

@test "ECHO-140: the README shows what this kernel does" {
	cd "$BATS_TEST_DIRNAME/.."
	run "$SCENARIO" --show docs/surprises.scenario
	assert_success
	sed -n '/--show docs\/surprises.scenario$/,/^$/{s/^    //;p}' README.md | sed '1d;$d' >"$BATS_TEST_TMPDIR/readme"
	diff "$BATS_TEST_TMPDIR/readme" - <<<"$output"
}

@test "ECHO-141: all clauses are in the program, and it tells how many hold" {
	clauses=$(grep -c '^- \*\*EPOLL-' "$BATS_TEST_DIRNAME/../spec/EPOLL.md")
	cd "$BATS_TEST_TMPDIR"
	run "$SCENARIO" --conformance
	assert_success
	assert_line --index 0 "1..$clauses"
	assert_line --regexp '^# EPOLL-TCP +[0-9]+ of [0-9]+ clauses hold'
	assert_line --index -1 --regexp "^# all +$clauses of $clauses clauses hold, on Linux "
	run --separate-stderr "$SCENARIO" --conformance x
	assert_failure 2
}

@test "ECHO-141: a clause has its place in spec/epoll, also where that is not" {
	cd "$BATS_TEST_DIRNAME/.."
	"$SCENARIO" --list --json spec/epoll/*.scenario | tr -d '[]' | sed 's/,$//; s/^ //' | sort >"$BATS_TEST_TMPDIR/there"
	cd "$BATS_TEST_TMPDIR"
	"$SCENARIO" --list --json --conformance | tr -d '[]' | sed 's/,$//; s/^ //' | sort >here
	[ -s here ]
	diff there here
}

@test "ECHO-141: in an empty root, what needs /proc or /dev is skipped and the rest holds" {
	[ "$(id -u)" -eq 0 ] || skip 'chroot needs root'
	make -s -C "$BATS_TEST_DIRNAME/.." static >/dev/null 2>&1
	mkdir "$BATS_TEST_TMPDIR/root"
	cp "$BATS_TEST_DIRNAME/../build/static/epoll-scenario" "$BATS_TEST_TMPDIR/root"
	run chroot "$BATS_TEST_TMPDIR/root" /epoll-scenario --conformance
	assert_success
	assert_line --partial '# SKIP /proc is not there'
	assert_line --index -1 --regexp '^# all +[0-9]+ of [0-9]+ clauses hold, [0-9]+ skipped, on Linux '
	skipped=$(grep -c '^ok .* # SKIP ' <<<"$output")
	tr '\n' ' ' <"$BATS_TEST_DIRNAME/../README.md" | grep -F "in an empty root, without \`/proc\` and \`/dev\`, $skipped are skipped"
	run ls "$BATS_TEST_TMPDIR/root"
	assert_output epoll-scenario
	run chroot --userspec=65534:65534 "$BATS_TEST_TMPDIR/root" /epoll-scenario --conformance
	assert_success
	assert_line --partial '# SKIP a folder that can be written to is not there'
}

@test "ECHO-141: the README says how many clauses the model holds" {
	run "$SCENARIO" --conformance --on model
	assert_success
	[[ ${lines[-1]} =~ ^'# all '+([0-9]+)' of '[0-9]+' clauses hold, '([0-9]+)' skipped, on the model'$ ]]
	tr '\n' ' ' <"$BATS_TEST_DIRNAME/../README.md" |
		grep -F "it holds ${BASH_REMATCH[1]} of the clauses, and skips ${BASH_REMATCH[2]},"
}

@test "ECHO-141: where the loopback is down, what needs it is skipped and the rest holds" {
	unshare -n true 2>/dev/null || skip 'unshare -n needs root'
	run unshare -n "$SCENARIO" --conformance
	assert_success
	assert_line --partial '# SKIP a loopback interface that is up is not there'
	assert_line --regexp '^# EPOLL-PIP +11 of 11 clauses hold$'
}

@test "ECHO-111: --list names the scenarios of files" {
	run "$SCENARIO" --list "$BATS_TEST_DIRNAME/../docs/surprises.scenario"
	assert_success
	assert_equal "${#lines[@]}" 10
	assert_line --index 9 --partial 'EPOLL-THR-1: '
	printf '# a "name"\nepoll e\n' >"$BATS_TEST_TMPDIR/it.scenario"
	run python3 -c 'import json, sys; print(json.load(sys.stdin))' \
		< <("$SCENARIO" --list --json "$BATS_TEST_TMPDIR/it.scenario")
	assert_output "[{'name': 'a \"name\"', 'file': '$BATS_TEST_TMPDIR/it.scenario', 'line': 1}]"
	run --separate-stderr "$SCENARIO" --json "$BATS_TEST_TMPDIR/it.scenario"
	assert_failure 2
}

@test "ECHO-111: whatever bytes a name has, --list --json is JSON" {
	cd "$BATS_TEST_TMPDIR"
	while read -r bytes expected; do
		printf '# %b\nepoll e\n' "$bytes" >it.scenario
		"$SCENARIO" --list --json it.scenario >listed
		run python3 -c 'import json; print(ascii(json.load(open("listed", "rb"))[0]["name"]))'
		assert_success
		assert_output "'$expected'"
	done <<-'END'
		\xc3\xa9 \xe9
		\xe2\x82\xac \u20ac
		\xf0\x9f\x98\x80 \U0001f600
		\xffa\xfe \ufffda\ufffd
		a\xc3 a\ufffd
		\xc3( \ufffd(
		\xc0\xaf \ufffd\ufffd
		\xed\xa0\x80 \ufffd\ufffd\ufffd
		\xf4\x90\x80\x80 \ufffd\ufffd\ufffd\ufffd
		\xe2\x82 \ufffd\ufffd
		\xe2\x82( \ufffd\ufffd(
		a\x01b a\x01b
	END
}

@test "ECHO-111: tabs, ends of lines as on Windows and no end of the last line are no errors" {
	for text in 'epoll e\r\nwait e -> nothing\r\n' '\tepoll\te\t\n\n\twait e\t->\tnothing\t\n' 'epoll e\nwait e -> nothing'; do
		run "$SCENARIO" - < <(printf '# it\r\n%b' "$text")
		assert_success
		assert_output $'1..1\nok 1 - it'
	done
}

@test "ECHO-142: the model answers two thousand random programs as the kernel does" {
	run "$BATS_TEST_DIRNAME/../build/fuzz/differ" --programs 2000 --seed 20
	assert_success
	assert_output --regexp '^2000 programs, [0-9]+ steps, 0 differences, '
}

@test "ECHO-142: differ tells what it takes, and refuses the rest by name" {
	differ=$BATS_TEST_DIRNAME/../build/fuzz/differ
	run "$differ" --help
	assert_success
	assert_line --partial '--mode MODE'
	for wrong in '--mode fast' '--seconds soon' '--seed -1' '--programs 0' '--differences x'; do
		run --separate-stderr "$differ" "${wrong% *}" "${wrong#* }"
		assert_failure 2
		assert_equal "$output" ''
		[[ $stderr == "differ: ${wrong% *} "*"'${wrong#* }'"* ]]
	done
	run --separate-stderr "$differ" sync
	assert_failure 2
	run --separate-stderr "$differ" --nothing
	assert_failure 2
}

@test "ECHO-142: programs of TCP, of time and of threads hold as well, and are told apart" {
	run "$BATS_TEST_DIRNAME/../build/fuzz/differ" --mode all --programs 400 --seed 20
	assert_success
	for mode in sync tcp time waiters; do
		assert_line --regexp "^  $mode: [0-9]+ programs in "
	done
}

@test "ECHO-142: a program is a scenario, and the same one for the same seed" {
	differ=$BATS_TEST_DIRNAME/../build/fuzz/differ
	for mode in sync tcp time waiters; do
		"$differ" --mode "$mode" --seed 7 --print >"$BATS_TEST_TMPDIR/$mode"
		"$differ" --mode "$mode" --seed 7 --print | diff "$BATS_TEST_TMPDIR/$mode" -
		(echo '# program'; cat "$BATS_TEST_TMPDIR/$mode") >"$BATS_TEST_TMPDIR/it.scenario"
		run "$SCENARIO" --show --on both "$BATS_TEST_TMPDIR/it.scenario"
		assert_line --regexp '^(not )?ok 1 - program'
	done
}

@test "ECHO-148: --on both plays on the kernel and on the model, and a failure names the world" {
	cat >"$BATS_TEST_TMPDIR/it.scenario" <<-'EOF'
		# holds
		eventfd v 1
		poll v IN -> IN

		# does not
		eventfd v
		poll v IN -> IN

		# is not covered
		udp a b
		poll a OUT -> OUT
	EOF
	run "$SCENARIO" --on both "$BATS_TEST_TMPDIR/it.scenario"
	assert_failure 1
	assert_line --index 1 'ok 1 - holds'
	assert_line --index 2 'not ok 2 - does not'
	assert_line --index 3 '# on the kernel:'
	assert_line --index 6 --partial 'seen: nothing'
	assert_line --index 7 '# on the model:'
	assert_line --index 10 --partial 'seen: nothing'
	assert_line --index 11 --partial 'ok 3 - is not covered # SKIP the model has no udp'
	run "$SCENARIO" --on both --show "$BATS_TEST_TMPDIR/it.scenario"
	assert_line --index 1 '# on the kernel:'
	assert_line --index 4 '# on the model:'
}

@test "ECHO-148: --on both tells which world it was that failed" {
	# The model does not cover the option, which is no failure.
	printf '# differs\nunix a b\nset a SNDBUF 4608\npoll a OUT -> nothing\n' >"$BATS_TEST_TMPDIR/it.scenario"
	run "$SCENARIO" --on both "$BATS_TEST_TMPDIR/it.scenario"
	assert_failure 1
	assert_line --partial 'on the kernel:'
	refute_line --partial 'on the model:'
}

@test "ECHO-148: all clauses that the model covers hold on both" {
	run "$SCENARIO" --on both --conformance
	assert_success
	assert_line --index -1 --regexp ', on the model and on Linux '
	assert_line --index -1 --regexp '^# all +[0-9]+ of [0-9]+ clauses hold, [0-9]+ skipped'
}

@test "ECHO-142: what differ has found, and is no clause, stays mended" {
	run "$SCENARIO" --on both "$BATS_TEST_DIRNAME/differ.scenario"
	assert_success
	refute_line --partial SKIP
}

@test "ECHO-110: what is never full cannot be filled, on the kernel and on the model, and takes no more than 64 MiB" {
	printf '# a file\nfile x\nfill x by 4096\n\n# memory\nmemfd x\nfill x\n\n# nothing\nnull x\nfill x\n' \
		>"$BATS_TEST_TMPDIR/it.scenario"
	for world in kernel model both; do
		run "$SCENARIO" --on "$world" "$BATS_TEST_TMPDIR/it.scenario"
		assert_failure 1
		refute_line --regexp '^ok'
		assert_line --partial 'seen: it is never full'
	done
}

@test "ECHO-142: differ prints a program as a scenario, and refuses what it cannot do" {
	differ=$BATS_TEST_DIRNAME/../build/fuzz/differ
	for mode in sync tcp time waiters; do
		"$differ" --print --mode "$mode" --seed 7 >"$BATS_TEST_TMPDIR/it.scenario"
		run "$SCENARIO" --show "$BATS_TEST_TMPDIR/it.scenario"
		assert_success
		assert_line --index -1 "ok 1 - --mode $mode --seed 7"
	done
	run "$differ" --seconds 0.000001
	assert_success
	assert_output --regexp '^[1-9][0-9]* programs, '
	run "$differ" --seconds 0
	assert_failure 2
	assert_output "differ: --seconds expects a number above 0, not '0' (see differ --help)"
	run full "$differ" --programs 1
	assert_failure 2
	assert_output 'differ: standard output: No space left on device'
}

@test "ECHO-142: where the kernel cannot be asked, the model does not differ from it" {
	unshare -n true 2>/dev/null || skip 'unshare -n needs root'
	run unshare -n "$BATS_TEST_DIRNAME/../build/fuzz/differ" --mode tcp --programs 50
	assert_failure 2
	assert_line --regexp '^# --mode tcp --seed [0-9]+: this kernel cannot be asked here$'
	assert_line --partial '(a loopback interface that is up is not there)'
	assert_line --regexp '^[0-9]+ programs, [0-9]+ steps, 0 differences, '
}
