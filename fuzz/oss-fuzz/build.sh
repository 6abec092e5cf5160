#!/bin/sh
# Builds the fuzz targets the way OSS-Fuzz and ClusterFuzzLite ask for it. Compiler, flags and engine are those
# of the environment: nothing here knows which engine or sanitizer it is.
set -eu

usage() {
	cat <<-'END_OF_USAGE'
	usage: fuzz/oss-fuzz/build.sh

	Builds each fuzz/fuzz_*.c and leaves it in $OUT, with its seeds (TARGET_seed_corpus.zip), its dictionary
	(TARGET.dict) and its options (TARGET.options). From the environment, as in OSS-Fuzz:
	  CC, CXX              the compilers; CXX links
	  CFLAGS, CXXFLAGS     their flags
	  LIB_FUZZING_ENGINE   what links the engine
	  WORK, OUT            folders for what is built on the way, and for what is to be fuzzed
	  SRC                  where a copy of this script finds epoll-echo
	By hand, for libFuzzer with ASan:
	  export CC=clang CXX=clang++ LIB_FUZZING_ENGINE=-fsanitize=fuzzer WORK=/tmp/work OUT=/tmp/out SRC=..
	  export CFLAGS='-O1 -g -fsanitize=address,fuzzer-no-link' CXXFLAGS='-fsanitize=address,fuzzer-no-link'
	  fuzz/oss-fuzz/build.sh
	Exit status: 0 all is in $OUT, 1 something could not be built, 2 wrong usage or environment.
	END_OF_USAGE
}

unable() {
	echo "build.sh: $1" >&2
	exit 2
}

# Compilers that instrument would have the codec wait for an engine; a plain one is nearly always there.
host_compiler() {
	command -v cc || echo "$CC"
}

# Size of the largest file below a folder, at least 4096, which is what libFuzzer takes where nobody says:
# a lower limit would cut the seeds.
length_max() {
	find "$1" -type f -exec wc -c {} \; | awk -v max=4096 '$1 > max { max = $1 } END { print max }'
}

# Seeds and regressions of a target, in one folder without folders: not every engine looks into them.
gather() {
	rm -rf "$seeds"
	mkdir -p "$seeds"
	for kind in seeds regressions; do
		for input in "$build/corpus/$1/$kind"/*; do
			[ ! -f "$input" ] || cp "$input" "$seeds/$kind-${input##*/}"
		done
	done
}

pack() {
	rm -f "$OUT/$1_seed_corpus.zip"
	if [ -z "$(ls "$seeds")" ]; then
		echo "build.sh: warning: $1 has no seeds" >&2
	else
		(cd "$seeds" && zip -q -X -r "$OUT/$1_seed_corpus.zip" .)
	fi
}

# Standard error stays open (no close_fd_mask): findings tell there which oracle fired.
options() {
	echo '[libfuzzer]'
	[ ! -e "$OUT/$1.dict" ] || echo "dict = $1.dict"
	echo "max_len = $(length_max "$seeds")"
	echo 'timeout = 10'
}

case ${1-} in
'') ;;
--help) usage; exit 0 ;;
*) unable "unknown option '$1' (see --help)" ;;
esac

# Flags may be empty, but whoever forgot them would fuzz without instrumentation.
for variable in CC CXX LIB_FUZZING_ENGINE SRC WORK OUT; do
	eval "[ \"\${$variable:+set}\" = set ]" || unable "$variable is not set (see --help)"
done
for variable in CFLAGS CXXFLAGS; do
	eval "[ \"\${$variable+set}\" = set ]" || unable "$variable is not set (see --help)"
done
for folder in "$WORK" "$OUT"; do
	[ -d "$folder" ] || unable "$folder: no such folder"
done

# A copy, as in OSS-Fuzz's own repository, hands over to what belongs to the sources.
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
if [ ! -e "$root/fuzz/oss-fuzz/build.sh" ]; then
	[ -e "$SRC/epoll-echo/fuzz/oss-fuzz/build.sh" ] || unable "$SRC/epoll-echo: no epoll-echo there"
	exec sh "$SRC/epoll-echo/fuzz/oss-fuzz/build.sh"
fi

OUT=$(cd "$OUT" && pwd)
mkdir -p "$WORK/epoll-echo"
build=$(cd "$WORK/epoll-echo" && pwd)
seeds=$build/gathered
jobs=$(nproc)
unset MAKEFLAGS

make -C "$root" -j"$jobs" MODE=env BUILD="$build/targets" fuzz-targets

# What compiles the seeds runs here and now, without what the environment asks for.
env -u CPPFLAGS -u LDFLAGS -u LDLIBS make -C "$root" -j"$jobs" MODE=plain BUILD="$build/host" \
	CC="$(host_compiler)" CFLAGS=-O1 "$build/host/fuzz/codec"
"$root/ci/corpus" --codec "$build/host/fuzz/codec" --out "$build/corpus"

for source in "$root"/fuzz/fuzz_*.c; do
	target=$(basename "$source" .c)
	cp "$build/targets/fuzz/$target" "$OUT"
	[ ! -e "$root/fuzz/$target.dict" ] || cp -L "$root/fuzz/$target.dict" "$OUT"
	gather "$target"
	pack "$target"
	options "$target" >"$OUT/$target.options"
done
