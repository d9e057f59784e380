"""Damage to a node's files, for the end-to-end test."""


def flip_on_disk(directory):
    """Flips a byte in every MiB of payload: of each run of bytes that look random."""
    flipped = 0
    for path in directory.rglob("*"):
        if not path.is_file() or path.stat().st_size < 1 << 20:
            continue
        with open(path, "r+b") as file:
            for offset in range(512 << 10, path.stat().st_size, 1 << 20):
                file.seek(offset)
                window = file.read(4096)
                if len(set(window)) < 128:
                    continue  # a hole, or the node's own tables
                file.seek(offset + 2048)
                file.write(bytes([window[2048] ^ 0x40]))
                flipped += 1
    return flipped
