#!/bin/bash
# The libraries export parcel_... and nothing else; the lowest floor stands on the C library alone.
set -euo pipefail
unset LD_PRELOAD # ldd would name it
failures=0

for floor in partition core io; do
  library=$PARCEL_BUILD/$floor/libparcel_$floor.so
  symbols=$(nm -D --defined-only "$library" | awk '{print $NF}')
  if ! grep -q '^parcel_' <<<"$symbols"; then
    echo "$library exports nothing"
    failures=1
  fi
  if grep -vE '^parcel_[a-z]' <<<"$symbols"; then
    echo "$library exports the above, which are not of the public interface"
    failures=1
  fi
done

if ldd "$PARCEL_BUILD/partition/libparcel_partition.so" | grep -vE 'linux-vdso|ld-linux|/lib(c|m)\.so'; then
  echo "libparcel_partition.so needs the above; it may use the C library only"
  failures=1
fi
exit $failures
