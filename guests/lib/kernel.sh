# The kernel: Debian's cloud kernel, unpacked and not installed, and the initramfs that finds the root disk.
# shellcheck shell=bash

build_kernel() { timed kernel unpack_kernel; timed "initramfs of debian" build_boot; }

unpack_kernel() {
    local package
    fetch kernel linux-image-cloud-amd64
    package=$(cat "$work/kernel.list")
    mkdir -p "$work/kernel"
    dpkg-deb -x "$cache/debs/$package" "$work/kernel"
    release=$(ls "$work/kernel/lib/modules")
    depmod -b "$work/kernel" "$release"
    python3 "$here/lib/extract_vmlinux.py" "$work/kernel/boot/vmlinuz-$release" "$stage/vmlinux"
    fetch tiny busybox-static qemu-guest-agent usr-is-merged
    mkdir -p "$work/tiny-root"
    unpack tiny "$work/tiny-root"
}

# The module files that the named modules need, in the order they must be loaded.
module_files() {
    local module
    for module in "$@"; do
        # A module that is built into the kernel has no file.
        modprobe -d "$work/kernel" -S "$release" --show-depends "$module" | awk '$1 == "insmod" { print $2 }'
    done | awk '!seen[$0]++'
}

# An initramfs folder with busybox, the named modules and the list in which order to load them.
start_initramfs() {
    local root=$1 applet file; shift
    mkdir -p "$root"/{bin,sbin,usr/bin,usr/sbin,dev,proc,sys,run,tmp,etc,mnt,root,lib/modules,var}
    ln -s /run "$root/var/run"
    ln -s /bin/busybox "$root/sbin/modprobe"
    cp "$work/tiny-root/bin/busybox" "$root/bin/"
    for applet in $("$root/bin/busybox" --list); do
        [ -e "$root/bin/$applet" ] || ln -s busybox "$root/bin/$applet"
    done
    module_files "$@" | while read -r file; do
        cp "$file" "$root/lib/modules/"
        basename "$file"
    done >"$root/etc/modules"
}

build_boot() {
    start_initramfs "$work/boot" virtio_pci virtio_blk
    install -m 755 "$here/boot/init" "$work/boot/init"
    pack_initramfs "$work/boot" "$stage/boot.cpio"
}
