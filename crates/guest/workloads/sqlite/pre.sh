#!/bin/sh
# SQLite: moves the write-ahead log into each database that is named, and keeps writers out until post.sh, or until two
# minutes are over. Writers wait (or see SQLITE_BUSY, as with any other writer); readers go on.
set -eu
state=/run/coffre-sqlite
limit=120

umask 077
mkdir -p "$state"
number=0
for database in "$@"; do
    number=$((number + 1))
    rm -f "$state/$number.orders" "$state/$number.answers"
    mkfifo "$state/$number.orders"
    timeout "$limit" sqlite3 -batch -bail "$database" \
        <"$state/$number.orders" >"$state/$number.answers" 2>&1 &
    # The shell of SQLite ends, and its transaction with it, when nobody holds the other end of the pipe any more.
    sleep "$limit" >"$state/$number.orders" 2>/dev/null </dev/null &
    echo $! >"$state/$number.holder"
    {
        echo '.timeout 10000'
        echo 'PRAGMA wal_checkpoint(TRUNCATE);'
        echo 'BEGIN IMMEDIATE;'
        echo "SELECT 'held';"
    } >"$state/$number.orders"
done
while [ $number -gt 0 ]; do
    tries=0
    until grep -q '^held$' "$state/$number.answers"; do
        tries=$((tries + 1))
        if [ $tries -gt 300 ] || grep -qi error "$state/$number.answers"; then
            cat "$state/$number.answers" >&2
            for holder in "$state"/*.holder; do kill "$(cat "$holder")" 2>/dev/null || true; done
            rm -f "$state"/*.holder
            exit 1
        fi
        sleep 0.1
    done
    number=$((number - 1))
done
