# Fetching and unpacking Debian packages without installing them. Sourced by build.sh.
# shellcheck shell=bash

apt_options=(-qq -y --no-install-recommends -o APT::Sandbox::User=root -o Debug::NoLocking=true
    -o Dir::State::status=/dev/null -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=)

# Lists file name and address of what a machine with nothing on it would need for the named packages.
resolve() {
    apt-get install "${apt_options[@]}" -o Dir::Cache::archives=/nonexistent/ --print-uris "$@" |
        awk -F"[' ]" '{ print $4, $2 }'
}

# Downloads the packages and all they depend on into $cache/debs, and writes their file names to $work/NAME.list.
# The kernel is fetched alone: its dependencies make an initramfs, which we make ourselves.
fetch() {
    local name=$1 list=$work/$1.list; shift
    if ! fetch_once "$name" "$@"; then
        say "cannot fetch $name by the package lists of this machine, they are missing or old: running apt-get update"
        apt-get update -qq >&2
        fetch_once "$name" "$@" || fail "cannot fetch $name: $*"
    fi
}

fetch_once() {
    local name=$1 list=$work/$1.list deb; shift
    resolve "$@" >"$list.all" || return 1
    case $name in
        kernel) grep '^linux-image-[0-9]' "$list.all" >"$list.addresses" || return 1 ;;
        *) mv "$list.all" "$list.addresses" ;;
    esac
    cut -d' ' -f1 "$list.addresses" >"$list"
    mkdir -p "$cache/debs/partial"
    while read -r deb; do
        [ -e "$cache/debs/$deb" ] && continue
        download "$name" "$@" || return 1
        break
    done <"$list"
    while read -r deb; do
        [ -e "$cache/debs/$deb" ] || { say "$deb of $name was not downloaded"; return 1; }
    done <"$list"
}

# apt checks size and hash of what it downloads, by the signed lists.
download() {
    local name=$1 package version; shift
    if [ "$name" != kernel ]; then
        apt-get install "${apt_options[@]}" -o Dir::Cache::archives="$cache/debs" --download-only "$@" >&2
        return
    fi
    package=$(cut -d_ -f1 "$work/kernel.list")
    version=$(cut -d_ -f2 "$work/kernel.list" | sed 's/%3a/:/')
    (cd "$cache/debs" && apt-get download -qq -o APT::Sandbox::User=root "$package=$version" >&2)
}

# Unpacks the packages of $work/NAME.list into a folder; no maintainer script runs.
unpack() {
    local root=$2 dir
    mkdir -p "$root"/usr/{bin,sbin,lib,lib64,lib32,libx32}
    for dir in bin sbin lib lib64; do ln -s "usr/$dir" "$root/$dir"; done
    unpack_into "$1" "$root"
}

# The same into a folder that has packages already.
unpack_into() {
    local list=$work/$1.list root=$2 skip=(doc man locale info lintian bug zoneinfo)
    export root debs=$cache/debs skips="${skip[*]/#/--exclude=./usr/share/}"
    # shellcheck disable=SC2016 # expanded by the inner shell
    xargs -P 2 -I{} sh -c 'dpkg-deb --fsys-tarfile "$debs/$1" | tar -x -C "$root" --keep-directory-symlink $skips' _ {} <"$list"
}
