"""Takes the uncompressed kernel out of a bzImage.

QEMU starts an ELF kernel through its PVH entry point, which saves the guest the decompression: a second of emulated
work per boot. The payload's place is in the header (Documentation/arch/x86/boot.rst: setup_sects, payload_offset,
payload_length).
"""
import gzip, lzma, struct, subprocess, sys


def payload(image):
    if image[0x202:0x206] != b"HdrS":
        raise SystemExit("not a bzImage: no HdrS at 0x202")
    setup_sectors = image[0x1F1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (setup_sectors + 1) * 512 + offset
    # The last four bytes are the uncompressed length that the build appends.
    return image[start : start + length - 4]


def by_tool(tool, data):
    return subprocess.run([tool, "-dc"], input=data, stdout=subprocess.PIPE, check=True).stdout


def decompress(data):
    if data.startswith(b"\x02\x21\x4c\x18"):
        return by_tool("lz4", data)
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        return by_tool("zstd", data)
    if data.startswith(b"\xfd7zXZ\x00"):
        return lzma.LZMADecompressor().decompress(data)
    if data.startswith(b"\x1f\x8b"):
        return gzip.decompress(data)
    raise SystemExit(f"unknown compression of the kernel: starts with {data[:8].hex()}")


def main():
    source, target = sys.argv[1:]
    with open(source, "rb") as file:
        kernel = decompress(payload(file.read()))
    if not kernel.startswith(b"\x7fELF"):
        raise SystemExit("the payload of the kernel is not an ELF file")
    with open(target, "wb") as file:
        file.write(kernel)


main()
