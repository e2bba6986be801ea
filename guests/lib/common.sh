# Small things that every part of the build uses. Sourced by build.sh.
# shellcheck shell=bash

say() { echo "guests: $*" >&2; }
fail() { say "$*"; exit 1; }

# Runs a step and says how long it took.
timed() {
    local what=$1 from; shift
    from=$(date +%s%N)
    "$@" >&2
    say "$what: $((($(date +%s%N) - from) / 1000000)) ms"
}

require_tools() {
    local tool missing=""
    for tool in qemu-system-x86_64 qemu-img depmod modprobe cpio mke2fs mkfs.xfs zstd lz4 python3 flock apt-get dpkg-deb; do
        command -v "$tool" >/dev/null || missing="$missing $tool"
    done
    [ -z "$missing" ] || fail "missing tools:$missing (run: cargo xtask setup)"
}

# The first 16 hex digits of a hash over the names, modes and contents of the recipe.
recipe_key() {
    (cd "$1" && find . -type f -not -name '*.md' -printf '%m %p\n' | LC_ALL=C sort | while read -r mode path; do
        echo "$mode $path"; cat "$path"
    done) | sha256sum | cut -c1-16
}

# Machine state only fits the QEMU that saved it.
warm_folder() { echo "$1/warm-$(qemu-system-x86_64 --version | sha256sum | cut -c1-8)"; }

# Unpacking thousands of small files is several times faster in memory, where there is room for them.
scratch_folder() {
    local base=$1 free
    free=$(df --output=avail -k /dev/shm 2>/dev/null | tail -1) || free=0
    [ "${free:-0}" -lt 2000000 ] || base=/dev/shm
    mktemp -d "$base/coffre-guests.XXXXXX"
}

# Removes builds of old recipes: all but the three newest.
keep_newest() {
    local cache=$1 key=$2 old
    for old in $(cd "$cache" && ls -1td -- */complete | cut -d/ -f1 | tail -n +4); do
        [ "$old" = "$key" ] || rm -rf "${cache:?}/$old"
    done
}

# Packs a folder as an initramfs. Not compressed: QEMU copies it to memory as it is, the guest would pay for unpacking.
pack_initramfs() {
    (cd "$1" && find . -print0 | LC_ALL=C sort -z | cpio --null --create --format=newc --quiet) >"$2"
}

write_description() {
    cat "$here/guests.json" >"$1/guests.json"
}
