#!/bin/sh
# PostgreSQL: nothing was locked, so there is nothing to undo. Sees that the server takes writes after the thaw.
# Parameters go to psql.
set -eu
export PGCONNECT_TIMEOUT=10

words='SELECT CASE WHEN pg_is_in_recovery() THEN 0 ELSE txid_current() END'
if [ "$(id -u)" = 0 ] && [ -z "${PGUSER-}" ] && id postgres >/dev/null 2>&1; then
    exec runuser -u postgres -- psql -X -A -t -v ON_ERROR_STOP=1 -d postgres "$@" -c "$words"
fi
exec psql -X -A -t -v ON_ERROR_STOP=1 -d postgres "$@" -c "$words"
