# The tiny guest: an initramfs with busybox and the QEMU guest agent, and two data disks (xfs and ext4).
# shellcheck shell=bash

build_tiny() { timed "tiny guest" pack_tiny; }

pack_tiny() {
    local root=$work/tiny from=$work/tiny-root library
    start_initramfs "$root" virtio_pci virtio_blk virtio_console virtio_rng virtio_scsi sd_mod button evdev xfs
    install -m 755 "$here/tiny/init" "$root/init"
    install -m 755 "$here/tiny/shutdown" "$root/usr/sbin/shutdown"
    install -m 755 "$here/tiny/scribble" "$root/usr/bin/scribble"
    install -D -m 755 "$here/tiny/fsfreeze-hook" "$root/etc/qemu/fsfreeze-hook"
    cp "$from/usr/sbin/qemu-ga" "$root/usr/sbin/"
    # The loader of the unpacked packages itself says which libraries the agent needs.
    mkdir -p "$root/lib64" "$root/lib/x86_64-linux-gnu"
    "$from/lib64/ld-linux-x86-64.so.2" --library-path "$from/usr/lib/x86_64-linux-gnu" --list "$from/usr/sbin/qemu-ga" |
        awk -v from="$from" 'index($3, from) == 1 { print $3 }' | while read -r library; do
        cp -L "$library" "$root/lib/x86_64-linux-gnu/"
    done
    cp -L "$from/lib64/ld-linux-x86-64.so.2" "$root/lib64/"
    pack_initramfs "$root" "$stage/tiny.cpio"

    data_disk tiny-first 512M mkfs.xfs -q -L first
    data_disk tiny-second 256M mke2fs -q -F -t ext4 -L second -E lazy_itable_init=1,lazy_journal_init=1
}

# An empty file system in a qcow2 image, made by the given command.
data_disk() {
    local name=$1 size=$2 raw=$work/$1.raw; shift 2
    truncate -s "$size" "$raw"
    "$@" "$raw"
    qemu-img convert -q -f raw -O qcow2 "$raw" "$stage/$name.qcow2"
}
