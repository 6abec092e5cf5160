#!/bin/sh
# ClusterFuzzLite builds what OSS-Fuzz builds.
set -eu
exec sh "${SRC:?is not set}/epoll-echo/fuzz/oss-fuzz/build.sh"
