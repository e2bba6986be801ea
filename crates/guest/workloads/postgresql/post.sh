#!/bin/sh
# PostgreSQL: nothing was locked, so there is nothing to undo. Sees that the server takes writes after the thaw.
# Parameters go to psql.
set -eu
export PGCONNECT_TIMEOUT=10

user=${COFFRE_USER-}
psql=${COFFRE_CLIENTS:+$COFFRE_CLIENTS/}psql
if [ -z "$user" ] && [ "$(id -u)" = 0 ] && [ -z "${PGUSER-}" ] && id postgres >/dev/null 2>&1; then
    user=postgres
fi
as=
if [ -n "$user" ] && [ "$user" != "$(id -un)" ]; then
    HOME=$(getent passwd "$user" | cut -d: -f6)
    as="runuser -u $user --"
fi

words='SELECT CASE WHEN pg_is_in_recovery() THEN 0 ELSE txid_current() END'
exec $as "$psql" -X -A -t -v ON_ERROR_STOP=1 -d postgres "$@" -c "$words"
