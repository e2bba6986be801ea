#!/bin/sh
# SQLite: ends the transactions of pre.sh.
set -eu
state=/run/coffre-sqlite

lost=no
for holder in "$state"/*.holder; do
    [ -e "$holder" ] || continue
    orders=${holder%.holder}.orders answers=${holder%.holder}.answers
    # Only the shell of SQLite itself can say that it is there, and its transaction with it.
    if timeout 5 sh -c 'echo "$1" >"$2"' ask "SELECT 'still';" "$orders"; then
        tries=0
        until grep -q '^still$' "$answers" || [ $tries -ge 50 ]; do
            tries=$((tries + 1))
            sleep 0.1
        done
    fi
    grep -q '^still$' "$answers" || lost=yes
    kill "$(cat "$holder")" 2>/dev/null || true
    rm -f "$holder" "$orders"
done
if [ $lost = yes ]; then
    echo "a transaction had ended before the point was taken" >&2
    exit 1
fi
