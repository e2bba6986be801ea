# Starts the PostgreSQL of a restored copy from the disks of the postgres guest, and looks into it. The program is the
# guest's own, from its restored root disk. Runs in mount and process namespaces of its own, which take everything along.
# Arguments: image of the root disk, image of the data disk (both raw, both are written), an empty folder.
# Prints one line of JSON; what the server said while it started is in the file `log` of the folder.
set -eu
root=$1 data=$2 folder=$3
cluster=/var/lib/postgresql/main
at=$folder/root
mkdir "$at"
mount -o loop "$root" "$at"
mount -o loop "$data" "$at/data"
mount --rbind /dev "$at/dev"
mount -t proc proc "$at/proc"
mount -t tmpfs tmpfs "$at/run"
mkdir -m 777 "$at/run/postgresql"

in_copy() {
    chroot --userspec=postgres:postgres "$at" env -i PATH=/usr/lib/postgresql/15/bin:/usr/bin "$@"
}

# A copy of a server that was not stopped: with this file PostgreSQL says that it recovers by itself.
test -e "$at$cluster/postmaster.pid"
in_copy pg_ctl -D $cluster -w -t 120 -l /run/postgresql/log start >&2 || { cat "$at/run/postgresql/log" >&2; exit 1; }
cp "$at/run/postgresql/log" "$folder/log"
in_copy pg_amcheck --all --install-missing --heapallindexed --parent-check >&2
in_copy psql -XqAt -v ON_ERROR_STOP=1 -d postgres -c "
    SELECT json_build_object(
        'entries', (SELECT count(*) FROM entries),
        'highest', (SELECT coalesce(max(number), 0) FROM entries),
        'wrong', (SELECT count(*) FROM entries WHERE digest <> md5(number || ':' || text)),
        'transfers', (SELECT count(*) FROM pgbench_history),
        'sums', (SELECT json_build_array(
            (SELECT sum(abalance) FROM pgbench_accounts), (SELECT sum(tbalance) FROM pgbench_tellers),
            (SELECT sum(bbalance) FROM pgbench_branches), (SELECT coalesce(sum(delta), 0) FROM pgbench_history))))"
in_copy pg_ctl -D $cluster -w -m fast stop >&2
