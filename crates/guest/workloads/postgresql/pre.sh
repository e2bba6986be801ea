#!/bin/sh
# PostgreSQL, any version (15 and later have no pg_start_backup): a checkpoint right before the point, so that a restored
# server has little to replay. Parameters go to psql.
set -eu
export PGOPTIONS='-c statement_timeout=0' PGCONNECT_TIMEOUT=10

sql() {
    words=$1
    shift
    if [ "$(id -u)" = 0 ] && [ -z "${PGUSER-}" ] && id postgres >/dev/null 2>&1; then
        # The server trusts its own user on the local socket.
        runuser -u postgres -- psql -X -A -t -v ON_ERROR_STOP=1 -d postgres "$@" -c "$words"
    else
        psql -X -A -t -v ON_ERROR_STOP=1 -d postgres "$@" -c "$words"
    fi
}

for setting in fsync full_page_writes; do
    if [ "$(sql "SHOW $setting" "$@")" != on ]; then
        echo "$setting is off: a copy of this server cannot be relied on" >&2
        exit 1
    fi
done
sql CHECKPOINT "$@"
