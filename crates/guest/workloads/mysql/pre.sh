#!/bin/sh
# MySQL and MariaDB: a session that holds everything still until post.sh ends it, or its time is over, or the extension
# forgets it. The server releases the lock when the session ends, however it ends. Parameters go to the client. Ends with
# 66 when the server cannot be asked, and with 69 when the lock is not given in time.
set -eu
state=/run/coffre-mysql

# What workload.conf says; by the usual configuration of scripts these are empty.
user=${COFFRE_USER-}
limit=${COFFRE_LIMIT:-120}
folder=${COFFRE_CLIENTS:+$COFFRE_CLIENTS/}
client=$(command -v "${folder}mariadb" || command -v "${folder}mysql") || {
    echo "neither mariadb nor mysql is there" >&2
    exit 66
}
as=
if [ -n "$user" ] && [ "$user" != "$(id -un)" ]; then
    HOME=$(getent passwd "$user" | cut -d: -f6)
    as="runuser -u $user --"
fi

umask 077
mkdir -p "$state"
if [ -e "$state/holder" ] && kill -0 "$(cat "$state/holder")" 2>/dev/null; then
    echo "an earlier session still holds the lock" >&2
    exit 1
fi
rm -f "$state/orders" "$state/answers" "$state/holder" "$state/read_only"
mkfifo "$state/orders"

found=$($as "$client" "$@" --batch --skip-column-names -e 'SELECT @@global.read_only, VERSION()') || exit 66
echo "${found%%[!0-9A-Z]*}" >"$state/read_only"
case $found in
*MariaDB*) lock='BACKUP STAGE START; BACKUP STAGE FLUSH; BACKUP STAGE BLOCK_DDL; BACKUP STAGE BLOCK_COMMIT;' ;;
*) lock='FLUSH TABLES WITH READ LOCK;' ;;
esac

# The client ends when nobody holds the other end of the pipe any more: that is what `sleep` is for.
timeout "$limit" $as "$client" "$@" --batch --skip-column-names --unbuffered \
    <"$state/orders" >"$state/answers" 2>&1 &
sleep "$limit" >"$state/orders" 2>/dev/null </dev/null &
echo $! >"$state/holder"
{
    echo "$lock"
    echo "SELECT CONCAT('held ', CONNECTION_ID());"
} >"$state/orders"

tries=0
until grep -q '^held [0-9]' "$state/answers"; do
    tries=$((tries + 1))
    code=0
    if grep -q ERROR "$state/answers"; then code=1; fi
    if [ $tries -gt 300 ] || ! kill -0 "$(cat "$state/holder")" 2>/dev/null; then code=69; fi
    if [ $code != 0 ]; then
        kill "$(cat "$state/holder")" 2>/dev/null || true
        rm -f "$state/holder"
        [ $code = 1 ] || echo "the lock was not given in time: long statements hold the server" >&2
        cat "$state/answers" >&2
        exit $code
    fi
    sleep 0.1
done
