#!/bin/bash
# Shows the files of one recovery point, read-only, until Ctrl-C.
#
# Run it as root on a Linux machine that has the command coffre and reaches the store of the vault:
#   sudo bash THIS_FILE --passphrase-file FILE [FOLDER]
#   sudo bash THIS_FILE --recovery-key-file FILE [FOLDER]
# On the machine of the service the passphrase is in keys/vaults of its data folder.
set -u
STORE=@STORE@
POINT=@POINT@
COFFRE=${COFFRE:-coffre}

stop() { echo "$1" >&2; exit 1; }
[ $# -ge 2 ] || stop "usage: $0 --passphrase-file FILE | --recovery-key-file FILE [FOLDER]"
case $1 in --passphrase-file | --recovery-key-file) ;; *) stop "unknown argument $1" ;; esac
[ -r "$2" ] || stop "cannot read $2"
[ "$(id -u)" = 0 ] || stop "only root can mount file systems"
command -v "$COFFRE" >/dev/null || stop "the command coffre is missing; COFFRE can name it"
HERE=${3:-$PWD/files-$POINT}
mkdir -p "$HERE/disks" "$HERE/files" || exit 1

LOOPS=()
close() {
    trap '' INT TERM
    for folder in "$HERE"/files/*/; do
        mountpoint -q "$folder" && umount "$folder"
        rmdir "$folder" 2>/dev/null
    done
    for loop in "${LOOPS[@]}"; do losetup --detach "$loop"; done
    kill "$MOUNT" 2>/dev/null
    wait "$MOUNT" 2>/dev/null
    rmdir "$HERE/disks" "$HERE/files" "$HERE" 2>/dev/null
}
"$COFFRE" image mount --store "$STORE" "$1" "$2" --point "$POINT" "$HERE/disks" &
MOUNT=$!
trap close EXIT
trap 'exit 0' INT TERM
until mountpoint -q "$HERE/disks"; do
    kill -0 "$MOUNT" 2>/dev/null || stop "the recovery point cannot be mounted"
    sleep 0.1
done

for image in "$HERE"/disks/*.raw; do
    disk=$(basename "$image" .raw)
    loop=$(losetup --find --show --read-only --partscan "$image") || continue
    LOOPS+=("$loop")
    for device in "$loop" "$loop"p*; do
        [ -b "$device" ] || continue
        case $(blkid -p -o value -s TYPE "$device" 2>/dev/null) in
        ext2 | ext3 | ext4) how=ro,noload ;;
        xfs) how=ro,norecovery,nouuid ;;
        btrfs | vfat | ntfs | exfat | iso9660) how=ro ;;
        *) continue ;;
        esac
        folder="$HERE/files/$disk${device#"$loop"}"
        mkdir -p "$folder"
        mount -o "$how" "$device" "$folder" && echo "$device is on $folder"
    done
done
echo "ready: $HERE/files"
wait "$MOUNT"
