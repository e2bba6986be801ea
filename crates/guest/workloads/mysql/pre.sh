#!/bin/sh
# MySQL and MariaDB: a session that holds everything still until post.sh ends it, or two minutes are over, or the
# extension forgets it. The server releases the lock when the session ends, however it ends. Parameters go to the client.
set -eu
state=/run/coffre-mysql
limit=120
client=$(command -v mariadb || command -v mysql)

umask 077
mkdir -p "$state"
if [ -e "$state/holder" ] && kill -0 "$(cat "$state/holder")" 2>/dev/null; then
    echo "an earlier session still holds the lock" >&2
    exit 1
fi
rm -f "$state/orders" "$state/answers" "$state/holder"
mkfifo "$state/orders"

case $("$client" "$@" --batch --skip-column-names -e 'SELECT VERSION()') in
*MariaDB*) lock='BACKUP STAGE START; BACKUP STAGE FLUSH; BACKUP STAGE BLOCK_DDL; BACKUP STAGE BLOCK_COMMIT;' ;;
*) lock='FLUSH TABLES WITH READ LOCK;' ;;
esac

# The client ends when nobody holds the other end of the pipe any more: that is what `sleep` is for.
timeout "$limit" "$client" "$@" --batch --skip-column-names --unbuffered \
    <"$state/orders" >"$state/answers" 2>&1 &
sleep "$limit" >"$state/orders" 2>/dev/null </dev/null &
echo $! >"$state/holder"
{
    echo "$lock"
    echo "SELECT 'held';"
} >"$state/orders"

tries=0
until grep -q '^held$' "$state/answers"; do
    tries=$((tries + 1))
    if [ $tries -gt 300 ] || grep -q ERROR "$state/answers"; then
        cat "$state/answers" >&2
        kill "$(cat "$state/holder")" 2>/dev/null || true
        rm -f "$state/holder"
        exit 1
    fi
    sleep 0.1
done
