#!/bin/bash
# Builds the guests that the tests and the demo boot, from Debian packages, into a cache folder.
# Everything a guest contains is either in a Debian package that apt of this machine fetches, or in this folder.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib/common.sh
for part in common packages kernel tiny debian postgres; do source "$here/lib/$part.sh"; done

usage() {
    cat <<'HELP'
Usage: guests/build.sh [--warm] [--fresh] [--cache FOLDER]

Builds the kernel and the guests `tiny`, `debian` and `postgres`, and prints the folder that holds them (the only line on
the standard output; everything else goes to the standard error). A second run with the same recipe prints the folder
at once. Two runs at the same time are safe: the second waits for the first.

  --warm           also boot `tiny` and `debian` once and save their machine states, so that later starts take under a second
  --fresh          build again even when this recipe was built already
  --cache FOLDER   where to build; default $COFFRE_GUEST_CACHE, else target/guests of this checkout
  --help           this text

The folder is named for a hash of everything in guests/. `guests.json` in it describes the guests: kernel, disks and
the QEMU command line of each. Needs root, and the packages that `cargo xtask setup` installs.
HELP
}

warm=no fresh=no cache=${COFFRE_GUEST_CACHE:-$here/../target/guests}
while [ $# -gt 0 ]; do
    case $1 in
        --warm) warm=yes ;;
        --fresh) fresh=yes ;;
        --cache) cache=${2:?--cache needs a folder}; shift ;;
        --help | -h) usage; exit 0 ;;
        *) fail "unknown argument $1 (see --help)" ;;
    esac
    shift
done

mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
key=$(recipe_key "$here")
out=$cache/$key

# A finished folder never changes, so a hit needs no lock.
if [ $fresh = no ] && [ -e "$out/complete" ] && { [ $warm = no ] || [ -e "$(warm_folder "$out")/complete" ]; }; then
    echo "$out"
    exit 0
fi

require_tools
exec 9>"$cache/lock"
flock -n 9 || { say "another build is running here; waiting for it"; flock 9; }

if [ $fresh = yes ] || [ ! -e "$out/complete" ]; then
    [ "$(id -u)" = 0 ] || fail "building the guests needs root (files in them belong to root)"
    work=$(scratch_folder "$cache")
    stage=$cache/stage.$$
    trap 'rm -rf "$work" "$stage"' EXIT
    rm -rf "$cache"/stage.*
    mkdir -p "$stage" "$cache/debs"
    build_kernel
    build_tiny
    build_debian
    build_postgres
    write_description "$stage"
    touch "$stage/complete"
    rm -rf "$out"
    mv "$stage" "$out"
    keep_newest "$cache" "$key"
fi

if [ $warm = yes ] && [ ! -e "$(warm_folder "$out")/complete" ]; then
    state=$(warm_folder "$out")
    rm -rf "$state" "$out"/warm-stage
    mkdir -p "$out/warm-stage"
    for guest in tiny debian; do
        timed "machine state of $guest" python3 "$here/lib/save_state.py" "$out" "$guest" "$out/warm-stage"
    done
    touch "$out/warm-stage/complete"
    mv "$out/warm-stage" "$state"
fi
echo "$out"
