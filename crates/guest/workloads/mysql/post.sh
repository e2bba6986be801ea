#!/bin/sh
# MySQL and MariaDB: ends the session of pre.sh, and sees that the server takes writes as it did before. Parameters go to
# the client. Ends with 70 when the session had ended already.
set -eu
state=/run/coffre-mysql
user=${COFFRE_USER-}
folder=${COFFRE_CLIENTS:+$COFFRE_CLIENTS/}

held=no
if [ -e "$state/holder" ]; then
    # Only the session itself can say that it is there, and that it is the one that was given the lock.
    question="SELECT CONCAT('still ', CONNECTION_ID());"
    answer="^still $(sed -n 's/^held //p' "$state/answers")\$"
    if timeout 5 sh -c 'echo "$1" >"$2"' ask "$question" "$state/orders"; then
        tries=0
        until grep -q "$answer" "$state/answers" || [ $tries -ge 50 ]; do
            tries=$((tries + 1))
            sleep 0.1
        done
        if grep -q "$answer" "$state/answers"; then held=yes; fi
    fi
    kill "$(cat "$state/holder")" 2>/dev/null || true
    rm -f "$state/holder" "$state/orders"
fi
client=$(command -v "${folder}mariadb" || command -v "${folder}mysql")
as=
if [ -n "$user" ] && [ "$user" != "$(id -un)" ]; then
    HOME=$(getent passwd "$user" | cut -d: -f6)
    as="runuser -u $user --"
fi
# A replica is read-only always.
before=$(cat "$state/read_only" 2>/dev/null || echo 0)
now=$($as "$client" "$@" --batch --skip-column-names -e 'SELECT @@global.read_only')
if [ "$now" != "$before" ]; then
    echo "the server's read_only was $before before the point, and is $now" >&2
    exit 1
fi
if [ $held = no ]; then
    echo "the session had ended before the point was taken" >&2
    exit 70
fi
