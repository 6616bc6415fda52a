"""Makes the golden batches of kafka-python, and reads batches with it.

    /usr/bin/python3 make.py            write kafka-python/<case>.<codec>.batch, lz4-frames/<shape>.lz4
    /usr/bin/python3 make.py read FILE  check CRCs, print a line per record (see README.md)

The records are those of records.ts, spelled out again here: a golden file says nothing if both sides
take them from one place.
"""

import pathlib
import sys

import lz4.frame
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
BASE = 1_700_000_000_000


def fields():
    yield BASE, None, b"no key", []
    yield BASE + 1, b"", b"", []
    yield BASE + 250, "ключ-🔑".encode(), None, []
    yield BASE - 5000, b"\x00\xff\x80", b"v", [
        ("trace", b"a1"),
        ("empty", b""),
        ("null", None),
        ("trace", b"twice"),
        ("имя", b"\xff\x00"),
    ]
    yield BASE + 86_400_000, b"k", bytes(i % 251 for i in range(300)), []


def many():
    for i in range(1000):
        yield BASE + i, f"key-{i}".encode(), f"value-{i}-".encode() * 10, []


def make(directory):
    for case in [fields, many]:
        for code, codec in enumerate(CODECS):
            if case is many and codec == "none":
                continue
            builder = MemoryRecordsBuilder(magic=2, compression_type=code, batch_size=1 << 30)
            for timestamp, key, value, headers in case():
                builder.append(timestamp=timestamp, key=key, value=value, headers=headers)
            builder.close()
            (directory / f"{case.__name__}.{codec}.batch").write_bytes(builder.buffer())


def make_frames(directory):
    """LZ4 frames of the reference library, each announcing something else."""
    text = b"".join(value for _, _, value, _ in many())
    shapes = {
        "linked": dict(block_linked=True),
        "sized": dict(block_linked=False, store_size=True),
        "checksums-64k": dict(block_size=4, block_checksum=True, content_checksum=True),
        "checksums-256k": dict(block_size=5, block_checksum=True, content_checksum=True),
        "block-checksums-1m": dict(block_size=6, block_checksum=True),
        "content-checksum-4m": dict(block_size=7, content_checksum=True),
    }
    for name, options in shapes.items():
        options = {"block_linked": False, "store_size": False, **options}
        (directory / f"{name}.lz4").write_bytes(lz4.frame.compress(text, **options))


def as_hex(field):
    return "-" if field is None else "x" + bytes(field).hex()


def read(path):
    records = MemoryRecords(pathlib.Path(path).read_bytes())
    while records.has_next():
        batch = records.next_batch()
        if not batch.validate_crc():
            sys.exit("CRC mismatch")
        for record in batch:
            headers = ",".join(f"{as_hex(name.encode())}={as_hex(value)}" for name, value in record.headers)
            print(record.offset, record.timestamp, as_hex(record.key), as_hex(record.value), headers or "-")


if __name__ == "__main__":
    if sys.argv[1:2] == ["read"]:
        read(sys.argv[2])
    else:
        make(pathlib.Path(__file__).parent / "kafka-python")
        make_frames(pathlib.Path(__file__).parent / "lz4-frames")
