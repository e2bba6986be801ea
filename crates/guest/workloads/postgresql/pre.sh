#!/bin/sh
# PostgreSQL, any version (15 and later have no pg_start_backup): a checkpoint right before the point, so that a restored
# server has little to replay. Parameters go to psql. Ends with 66 when the server cannot be asked.
set -eu
export PGOPTIONS='-c statement_timeout=0' PGCONNECT_TIMEOUT=10

# What workload.conf says; by the usual configuration of scripts these are empty.
user=${COFFRE_USER-}
psql=${COFFRE_CLIENTS:+$COFFRE_CLIENTS/}psql
if [ -z "$user" ] && [ "$(id -u)" = 0 ] && [ -z "${PGUSER-}" ] && id postgres >/dev/null 2>&1; then
    # The server trusts its own user on the local socket.
    user=postgres
fi
as=
if [ -n "$user" ] && [ "$user" != "$(id -un)" ]; then
    HOME=$(getent passwd "$user" | cut -d: -f6)
    as="runuser -u $user --"
fi

sql() {
    words=$1
    shift
    $as "$psql" -X -A -t -v ON_ERROR_STOP=1 -d postgres "$@" -c "$words"
}

sql 'SELECT 1' "$@" >/dev/null || exit 66
for setting in fsync full_page_writes; do
    if [ "$(sql "SHOW $setting" "$@")" != on ]; then
        echo "$setting is off: a copy of this server cannot be relied on" >&2
        exit 1
    fi
done
sql CHECKPOINT "$@"
