#!/bin/bash
# check_output.sh SOURCE COMMAND...: the command prints exactly what the comment at the top of SOURCE says.
set -euo pipefail
source=$1
shift
expected=$(sed -n '/^ \* Prints$/,/\*\/$/ s/^ \*     \(.*[^ ]\)$/\1/p' "$source" | sed 's| \*/$||')
[ -n "$expected" ] || { echo "$source does not say what it prints"; exit 1; }
diff <(echo "$expected") <("$@" || echo "exit code $?")
