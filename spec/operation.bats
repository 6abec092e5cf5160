#!/usr/bin/env bats
# ECHO-70 to ECHO-77: what users type, and what they are told.

load helper

setup_file() {
	export BATS_NO_PARALLELIZE_WITHIN_FILE=true
	[ -z "${ECHO_HOST-}${ECHO_PORT-}" ] || export ECHO_FOREIGN=1
}

setup() {
	needs_ours
	read -ra server <<<"${ECHO_SERVER:-$ROOT/build/epoll-echo}"
}

# Wrong usage: one line that holds these texts, and exit status 2.
refuses() {
	local options=$1 text
	shift
	# shellcheck disable=SC2086  # one word an option
	run --separate-stderr timeout 60 "${server[@]}" $options
	assert_equal "$status" 2
	assert_equal "$output" ''
	assert_equal "$(wc -l <<<"$stderr")" 1
	for text in "$@"; do
		[[ $stderr == *"$text"* ]] || fail "'$stderr' does not say '$text'"
	done
}

@test "ECHO-70: one line tells the real address and port" {
	start_server
	run cat "$log"
	assert_output "epoll-echo: listening on 127.0.0.1:$port"
	[ "$port" -gt 0 ]
	ECHO_AT=127.0.0.1:$port scenario <<-'END'
	connect a
	roundtrips a 1 10
	END
	end_server "$pid"
}

@test "ECHO-71: wrong usage names the option and the value" {
	refuses '--frobnicate' '--frobnicate'
	refuses '-x' '-x'
	refuses '--port' '--port' 'value'
	refuses '--verbose=yes' '--verbose=yes'
	refuses '--port 70000' '--port' '70000'
	refuses '--port -1' '--port' '-1'
	refuses '-p http' '--port' 'http'
	refuses '--address 1.2.3' '--address' '1.2.3'
	refuses '--address localhost' '--address' 'localhost'
	refuses '--backlog 0' '--backlog' "'0'"
	refuses '--max-connections 0' '--max-connections' "'0'"
	refuses '--max-connections 65537' '--max-connections' '65537'
	refuses '--memory 0' '--memory' "'0'"
	refuses '--memory 12Q' '--memory' '12Q'
	refuses '--memory 1K' '--memory' '1024' 'one connection'
	refuses '--idle-timeout soon' '--idle-timeout' 'soon'
	refuses '--drain-timeout -1' '--drain-timeout' '-1'
	refuses '--log-format xml' '--log-format' 'xml'
	refuses '--stats 1e9' '--stats' '1e9'
	refuses '--record a%d' '--record' 'a%d'
	refuses 'now' 'now'
}

@test "ECHO-71: an explicit pair that does not fit is wrong usage" {
	refuses '--memory 4M --max-connections 60000' '--max-connections' '60000' '--memory' '4194304'
}

@test "ECHO-71: more connections than descriptors are wrong usage" {
	[ -z "${ECHO_INSTRUMENTED-}" ] || skip 'an instrumented server needs descriptors of its own'
	server=("$ROOT/spec/limited" -n 64 "${server[@]}")
	refuses '--max-connections 100' '--max-connections' '100' 'descriptors'
}

@test "ECHO-72: a port that is taken gives the address, the reason, and exit status 1" {
	start_server
	run --separate-stderr timeout 60 "${server[@]}" --address 127.0.0.1 --port "$port"
	assert_equal "$status" 1
	assert_equal "$stderr" "epoll-echo: cannot listen on 127.0.0.1:$port: Address already in use"
	end_server "$pid"
}

@test "ECHO-72: an address that is not this machine's gives the reason, and exit status 1" {
	run --separate-stderr timeout 60 "${server[@]}" --address 192.0.2.1 --port 0
	assert_equal "$status" 1
	assert_equal "$stderr" 'epoll-echo: cannot listen on 192.0.2.1:0: Cannot assign requested address'
}

@test "ECHO-72: a port that takes a privilege gives the reason, and exit status 1" {
	[ -z "${ECHO_INSTRUMENTED-}" ] || skip 'the tools of an instrumented server need privileges here'
	[ "$(id -u)" -eq 0 ] || skip 'needs root, to give the privilege up'
	# shellcheck disable=SC2016  # for sh to expand
	run --separate-stderr setpriv --bounding-set=-net_bind_service --inh-caps=-net_bind_service \
		unshare --net sh -c 'ip link set lo up; exec "$0" "$@"' \
		"${server[@]}" --address 127.0.0.1 --port 7
	assert_equal "$status" 1
	assert_equal "$stderr" 'epoll-echo: cannot listen on 127.0.0.1:7: Permission denied'
}

@test "ECHO-73: --address :: serves IPv4 and IPv6" {
	[ -e /proc/net/if_inet6 ] || skip 'this kernel has no IPv6'
	start_server --address ::
	run grep -F "listening on [::]:$port" "$log"
	assert_success
	for at in "127.0.0.1:$port" "[::1]:$port"; do
		ECHO_AT=$at scenario <<-'END'
		connect a
		echo a 100K then WR
		END
	done
	end_server "$pid"
}

@test "ECHO-74: descriptors bound the number of connections" {
	needs_one_thread
	[ -z "${ECHO_INSTRUMENTED-}" ] || skip 'an instrumented server needs descriptors of its own'
	ECHO_SERVER="$ROOT/spec/limited -n 30 ${server[*]}" start_server --verbose
	export log
	ECHO_AT=127.0.0.1:$port scenario <<-'END'
	connect a*22
	roundtrips a 1 1
	connect b
	write b "x"
	read b -> nothing
	close a.1
	read b -> "x"
	run "grep -q 'listener pause: done' $log"
	END
	end_server "$pid"
}

@test "ECHO-74: --max-connections bounds the number of connections" {
	start_server --max-connections 3
	ECHO_AT=127.0.0.1:$port scenario <<-'END'
	connect a*3
	roundtrips a 1 1
	connect b
	write b "x"
	read b -> nothing
	close a.1
	read b -> "x"
	END
	end_server "$pid"
}

@test "ECHO-75: a second server on the same port is refused" {
	start_server
	run timeout 60 "${server[@]}" -a 127.0.0.1 -p "$port"
	assert_failure 1
	assert_output --partial 'Address already in use'
	ECHO_AT=127.0.0.1:$port scenario <<-'END'
	connect a
	roundtrips a 1 1
	END
	end_server "$pid"
}

@test "ECHO-75: a server that was ended does not keep its port" {
	start_server
	ECHO_AT=127.0.0.1:$port scenario <<-'END'
	connect a
	roundtrips a 1 1
	END
	end_server "$pid"
	was=$port
	start_server --port "$port"
	assert_equal "$port" "$was"
	end_server "$pid"
}

@test "ECHO-76: help, version and manual page name every option" {
	run timeout 60 "${server[@]}" --help
	assert_success
	help=$output
	for option in address port backlog max-connections memory idle-timeout drain-timeout verbose \
		log-format stats record help version; do
		[[ $help == *"--$option"* ]] || fail "--help does not name --$option"
		grep -qE "(Fl -|\\\\-\\\\-)${option//-/(\\\\)?-}" "$ROOT/epoll-echo.8" ||
			fail "the manual page does not name --$option"
	done
	run timeout 60 "${server[@]}" --version
	assert_success
	assert_output --regexp '^epoll-echo [0-9]+\.[0-9]+\.[0-9]+$'
}
