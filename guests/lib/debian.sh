# The debian guest: systemd on an ext4 root disk, and a data disk with xfs. Packages are unpacked, their maintainer
# scripts do not run (they would need a chroot and minutes); what those scripts would have made is made here.
# shellcheck shell=bash

debian_packages=(base-files base-passwd bash coreutils dash dbus debianutils diffutils e2fsprogs findutils grep gzip
    hostname init-system-helpers kmod libc-bin login mawk mount ncurses-bin passwd procps python3 qemu-guest-agent sed
    sqlite3 systemd systemd-sysv tar udev usr-is-merged util-linux xfsprogs)

build_debian() {
    timed "debian packages" fetch debian "${debian_packages[@]}"
    timed "debian unpacking" unpack debian "$work/debian"
    timed "debian set-up" set_up_debian "$work/debian"
    timed "debian disks" write_debian_disks "$work/debian"
}

set_up_debian() {
    local root=$1 modules=$1/usr/lib/modules/$release
    cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
    cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
    add_system_users "$root"
    # A guest without a network: root has no password on the serial console, and there is no other way in.
    echo 'root::19000::::::' >"$root/etc/shadow"
    chmod 640 "$root/etc/shadow"
    set_up_pam "$root"
    link_alternatives "$root"
    mkdir -p "$root"/{data,dev,proc,sys,run,tmp,root,mnt}
    chmod 1777 "$root/tmp"
    rm -rf "$root/var/run" "$root/var/lock"
    ln -s /run "$root/var/run"
    ln -s /run/lock "$root/var/lock"
    echo debian >"$root/etc/hostname"
    echo '127.0.0.1 localhost debian' >"$root/etc/hosts"
    sha256sum "$root/etc/passwd" | cut -c1-32 >"$root/etc/machine-id"
    ln -sf /usr/share/zoneinfo/UTC "$root/etc/localtime"

    # The modules that virtual hardware may ask for.
    mkdir -p "$modules/kernel"
    module_files virtio_pci virtio_blk virtio_console virtio_rng virtio_scsi virtio_net sd_mod autofs4 button evdev xfs loop \
        dm_mod dm_crypt overlay isofs nfsv3 | xargs cp -t "$modules/kernel"
    cp "$work/kernel/lib/modules/$release"/modules.{order,builtin,builtin.modinfo} "$modules/"
    depmod -b "$root/usr" "$release"

    cp -a --no-preserve=ownership "$here/debian/." "$root/"
    enable_units "$root"
    ldconfig -r "$root"
    # Tells systemd that /etc and /var fit this /usr, so that the first boot is like every other.
    touch "$root/etc/.updated" "$root/var/.updated"
}

# What systemd-sysusers would do: a user or group for each line of sysusers.d, with numbers from 990 down.
add_system_users() {
    local root=$1 kind name id next_id=990
    cat "$root"/usr/lib/sysusers.d/*.conf | sed 's/#.*//' | while read -r kind name id _; do
        case $kind in u | u! | g) ;; *) continue ;; esac
        [[ $id =~ ^[0-9]+$ ]] || { id=$next_id; next_id=$((next_id - 1)); }
        grep -q "^$name:" "$root/etc/group" || echo "$name:x:$id:" >>"$root/etc/group"
        [ "$kind" != g ] || continue
        grep -q "^$name:" "$root/etc/passwd" || echo "$name:x:$id:$id::/:/usr/sbin/nologin" >>"$root/etc/passwd"
    done
    # These come from maintainer scripts, not from sysusers.d.
    for name in input kvm render sgx messagebus; do
        id=$((${id:-900} - 1))
        grep -q "^$name:" "$root/etc/group" || echo "$name:x:$id:" >>"$root/etc/group"
    done
    id=$(sed -n 's/^messagebus:x:\([0-9]*\):.*/\1/p' "$root/etc/group")
    grep -q '^messagebus:' "$root/etc/passwd" ||
        echo "messagebus:x:$id:$id::/nonexistent:/usr/sbin/nologin" >>"$root/etc/passwd"
}

# The smallest PAM that lets root log in.
set_up_pam() {
    local part
    for part in auth account password session session-noninteractive; do
        echo "${part%-noninteractive} required pam_permit.so" >"$1/etc/pam.d/common-$part"
    done
}

link_alternatives() {
    [ -e "$1/usr/bin/sh" ] || ln -s dash "$1/usr/bin/sh"
    [ -e "$1/usr/bin/awk" ] || ln -s mawk "$1/usr/bin/awk"
}

enable_units() {
    local units=$1/etc/systemd/system unit
    ln -sf /lib/systemd/system/multi-user.target "$units/default.target"
    mkdir -p "$units/getty.target.wants"
    ln -sf /lib/systemd/system/serial-getty@.service "$units/getty.target.wants/serial-getty@ttyS0.service"
    # Costly at every boot, and of no use to a guest that lives for a minute and has no screen, network or packages.
    for unit in getty@tty1.service systemd-hwdb-update.service systemd-pstore.service systemd-rfkill.socket \
        e2scrub_reap.service e2scrub_all.timer fstrim.timer dpkg-db-backup.timer motd-news.timer \
        systemd-networkd.service systemd-binfmt.service proc-sys-fs-binfmt_misc.automount; do
        ln -sf /dev/null "$units/$unit"
    done
}

write_debian_disks() {
    write_root_disk "$1" debian
    data_disk debian-data 1G mkfs.xfs -q -L data
}

# The root disk of a guest from its tree.
write_root_disk() {
    local root=$1 raw=$work/$2-root.raw
    truncate -s 2G "$raw"
    mke2fs -q -F -t ext4 -L root -E lazy_itable_init=1,lazy_journal_init=1,root_owner=0:0 -d "$root" "$raw"
    qemu-img convert -q -f raw -O qcow2 "$raw" "$stage/$2-root.qcow2"
    rm "$raw"
}
