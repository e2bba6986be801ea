# The postgres guest: the debian guest with a PostgreSQL whose cluster lies on the root disk (ext4) and whose
# write-ahead log lies on the data disk (xfs). A point that is not one instant of both disks is not a working database.
# shellcheck shell=bash

postgres_programs=/usr/lib/postgresql/15/bin

# What the packages of PostgreSQL ask for and a server does not need: Perl of the wrappers, LLVM of the just-in-time
# compiler, tools for maintainer scripts.
postgres_spared='^(perl|libperl|libgdbm|liblocale-gettext|libjson-perl|libipc-run|libllvm|libz3|libedit|libbsd|postgresql-client-common|postgresql-common|ssl-cert|openssl|adduser|debconf|ucf|sensible-utils|libcommon-sense|libtypes-serialiser|netbase|locales)'

# Adds to the tree of the debian guest, which is not needed any more.
build_postgres() {
    timed "postgres packages" fetch postgres postgresql-15
    timed "postgres unpacking" add_postgres_packages "$work/debian"
    timed "postgres set-up" set_up_postgres "$work/debian"
    timed "postgres disks" write_root_disk "$work/debian" postgres
    cp "$stage/debian-data.qcow2" "$stage/postgres-data.qcow2"
}

add_postgres_packages() {
    grep -vxFf "$work/debian.list" "$work/postgres.list" | grep -vE "$postgres_spared" >"$work/more.list"
    unpack_into more "$1"
}

set_up_postgres() {
    local root=$1 home=/var/lib/postgresql units=$1/etc/systemd/system tool
    echo 'postgres:x:899:' >>"$root/etc/group"
    echo "postgres:x:899:899::$home:/bin/sh" >>"$root/etc/passwd"
    cp -a --no-preserve=ownership "$here/postgres/." "$root/"
    mkdir -p "$root$home" "$root/usr/local/bin"
    for tool in psql pgbench pg_isready; do
        ln -sf "$postgres_programs/$tool" "$root/usr/local/bin/$tool"
    done
    ldconfig -r "$root"
    chown 899:899 "$root$home"
    # Made here and not at the first boot: an emulated guest needs half a minute for it.
    in_tree "$root" "$postgres_programs/initdb" -D "$home/main" -A trust --data-checksums --encoding=UTF8 --locale=C.UTF-8 --no-sync
    cat >>"$root$home/main/postgresql.conf" <<'CONF'
listen_addresses = ''
unix_socket_directories = '/var/run/postgresql'
shared_buffers = 32MB
max_connections = 20
dynamic_shared_memory_type = posix
timezone = 'GMT'
log_timezone = 'GMT'
jit = off
checkpoint_timeout = 1min
CONF
    mkdir -p "$units/multi-user.target.wants"
    ln -sf ../coffre-postgres.service "$units/multi-user.target.wants/coffre-postgres.service"
}

# Runs a program of the tree as its user postgres. It sees the devices of this machine while it runs.
in_tree() {
    # shellcheck disable=SC2016 # expanded by the inner shell
    unshare --mount --propagation private sh -c \
        'mount --rbind /dev "$0/dev" && exec chroot --userspec=899:899 --groups= "$0" "$@"' "$@" >&2 </dev/null
}
