#!/usr/bin/env bash
# A few seconds of libFuzzer on one parser, beginning from its kept corpus. What it finds new stays in the
# build folder; see README.md for keeping it.
#
# usage: fuzz.sh PARSER [SECONDS]          in the environment: PARCEL_SOURCE, PARCEL_BUILD
set -eu
parser=$1
seconds=${2:-5}
work=$PARCEL_BUILD/tests/fuzz/$parser
corpus=$PARCEL_SOURCE/tests/fuzz/corpus/$parser
sanitizers=("-fsanitize=fuzzer,address,undefined" -fno-sanitize-recover=all)
mkdir -p "$work/new" "$work/crashes"

skip()
{
  echo "skipped: $*"
  exit 77
}

command -v clang >/dev/null || skip "no clang with libFuzzer (Debian: clang libclang-rt-dev)"
echo 'int LLVMFuzzerTestOneInput(const char *data, long size) { return !data && size; }' >"$work/probe.c"
clang "${sanitizers[@]}" "$work/probe.c" -o "$work/probe" 2>/dev/null ||
  skip "no clang with libFuzzer (Debian: clang libclang-rt-dev)"

clang "${sanitizers[@]}" -std=c17 -D_GNU_SOURCE -O1 -g -I "$PARCEL_SOURCE/partition/include" \
  "$PARCEL_SOURCE/tests/fuzz/fuzz_$parser.c" "$PARCEL_SOURCE"/partition/*.c -o "$work/fuzz"

# The first folder is where new inputs go. Inputs are short: what a parser may get wrong shows in a line of
# text.
"$work/fuzz" -max_total_time="$seconds" -runs=$((seconds * 1000000)) -max_len=200 -timeout=10 \
  -rss_limit_mb=1024 -seed=1 -verbosity=0 -print_final_stats=1 -artifact_prefix="$work/crashes/" \
  "$work/new" "$corpus"
