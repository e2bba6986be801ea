#!/bin/sh
# MySQL and MariaDB: ends the session of pre.sh, and sees that the server takes writes. Parameters go to the client.
set -eu
state=/run/coffre-mysql
client=$(command -v mariadb || command -v mysql)

held=no
if [ -e "$state/holder" ]; then
    kill "$(cat "$state/holder")" 2>/dev/null && held=yes
    rm -f "$state/holder" "$state/orders"
fi
if [ "$("$client" "$@" --batch --skip-column-names -e 'SELECT @@global.read_only')" != 0 ]; then
    echo "the server is read-only" >&2
    exit 1
fi
if [ $held = no ]; then
    echo "the session had ended before the point was taken" >&2
    exit 1
fi
