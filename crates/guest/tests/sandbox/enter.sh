#!/bin/sh
# Runs a program in a machine of its own: mounts, network and processes that nobody else sees.
# enter.sh FOLDER ROOT PROGRAM ARGUMENTS… with ROOT `memory` or `ext4`: where `/` is. No disk of the real machine is
# visible inside: what is needed of it shows through an overlay.
set -eu
folder=$1 kind=$2
shift 2
mount -t tmpfs -o mode=755 tmpfs "$folder"
mkdir "$folder/up" "$folder/work" "$folder/all" "$folder/new"
mount -t overlay -o "lowerdir=/,upperdir=$folder/up,workdir=$folder/work" overlay "$folder/all"
root=$folder/all
if [ "$kind" = ext4 ]; then
    root=$folder/new
    truncate -s 128M "$folder/root.img"
    mkfs.ext4 -q -O ^has_journal "$folder/root.img"
    mount -o loop "$folder/root.img" "$root"
    mkdir "$root/var" "$root/var/lib" "$root/var/log" "$root/proc" "$root/dev" "$root/run" "$root/tmp" "$root/etc"
    for name in usr etc bin sbin lib lib64; do
        if [ -L "/$name" ]; then
            cp -a "/$name" "$root/$name"
        else
            mkdir -p "$root/$name"
            mount --bind "$folder/all/$name" "$root/$name"
        fi
    done
fi
mount -t devtmpfs devtmpfs "$root/dev"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=777 tmpfs "$root/tmp"
for name in var/lib/waagent var/log/azure data; do mkdir -p "$root/$name"; done
mkdir "$root/run/old"
cp "$1" "$root/run/test"
cp "$COFFRE_GUEST" "$root/run/program"
truncate -s 64M "$folder/ext4.img"
mkfs.ext4 -q "$folder/ext4.img"
truncate -s 320M "$folder/xfs.img"
mkfs.xfs -q "$folder/xfs.img"
mount -o loop "$folder/ext4.img" "$root/data"
mkdir "$root/data/inner"
mount -o loop "$folder/xfs.img" "$root/data/inner"
ip link set lo up
ip addr add 168.63.129.16/32 dev lo
shift
cd "$root"
pivot_root . run/old
mount -t proc proc /proc
umount -l /run/old
exec env -C / /run/test "$@"
