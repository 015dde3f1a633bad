"""What is left of runs of `enduring`, judged without a line of Parcel: by h5py and xxhash."""

import os
import re
import struct
import subprocess
from pathlib import Path

import faults
import h5py
import numpy
import xxhash

ENDURING = os.environ["ENDURING"]
COUNT, BLOCK = 2000, 25
SEED_MODULUS = 1 << 64

# A record of a journal (io/journal_impl.h): two checksums, block, position; then index, code, message.
RECORD = struct.Struct("<QQqqqi256s")
ROW = struct.Struct("<qi256s")
COUNTS = re.compile(r"^(.*): ([A-Z]+), (\d+) kept, (\d+) missing, (\d+) damaged$", re.MULTILINE)


def command(outputs, mode="resume", fail_every=0, microseconds=0):
    """The words that start `enduring`."""
    return [ENDURING, mode, str(COUNT), str(BLOCK), str(fail_every), str(microseconds), *map(str, outputs)]


def run(outputs, environment=None, timeout=120, **how):
    """Runs it alone; status and kept, missing, damaged blocks of each output, in order."""
    ended = subprocess.run(
        command(outputs, **how), env={**os.environ, **(environment or {})}, capture_output=True, text=True,
        timeout=timeout, check=False)
    outcomes = [(status, *map(int, counts)) for _, status, *counts in COUNTS.findall(ended.stdout)]
    return ended, outcomes


def contents(path):
    """Every dataset that does not tell of the run itself, as bytes."""
    with h5py.File(path, "r", locking=False) as file:
        values = {name: file[name][()].tobytes() for name in ("twice", "parts")}
        return {**values, "failures": faults.failures_of(file)}


def expected_contents(fail_every):
    """What an undisturbed run must leave, by numpy. Messages are left out."""
    index = numpy.arange(1, COUNT + 1)
    parts = index[:, None] / numpy.arange(1, 4)[None, :]
    failed = index % fail_every == 0 if fail_every else numpy.zeros(COUNT, bool)
    return index, 2 * index, parts, failed


def agrees_with_numpy(path, fail_every):
    index, twice, parts, failed = expected_contents(fail_every)
    with h5py.File(path, "r", locking=False) as file:
        return (
            numpy.array_equal(file["twice"][~failed], twice[~failed])
            and numpy.array_equal(file["parts"][~failed], parts[~failed])
            and [number for number, _, _ in faults.failures_of(file)] == index[failed].tolist()
        )


def spans_of(group):
    """Where numpy puts the blocks of the grid."""
    positions, parts, per_part = (int(group.attrs[name]) for name in ("positions", "parts", "blocks_per_part"))
    pieces = (numpy.array_split(part, per_part) for part in numpy.array_split(numpy.arange(positions), parts))
    return [(int(block[0]), int(block[-1]) + 1) if len(block) else (0, 0) for part in pieces for block in part]


def rows_of(path, file, spans):
    """The failures on record of each block: those of the journals by the block and its checksum, and the
    table's."""
    journaled, tabled = {}, {}
    for journal in Path(path).parent.glob(Path(path).name + ".failures.*"):
        data = journal.read_bytes()
        for at in range(0, len(data) // RECORD.size * RECORD.size, RECORD.size):
            own, block_checksum, block, position, *_ = RECORD.unpack_from(data, at)
            if own == xxhash.xxh3_64_intdigest(data[at + 8 : at + RECORD.size]):
                row = data[at + RECORD.size - ROW.size : at + RECORD.size]
                journaled.setdefault((block, block_checksum), {})[position] = row
    begins = [begin for begin, _ in spans]
    for index, code, message in faults.failures_of(file):
        position = index - 1
        block = int(numpy.searchsorted(begins, position, side="right")) - 1
        tabled.setdefault(block, {})[position] = ROW.pack(index, code, message)
    return journaled, tabled


def right_blocks(path):
    """The blocks that are in the ledger with the checksum of the bytes that are in the file."""
    right = set()
    with h5py.File(path, "r", locking=False) as file:
        spans = spans_of(file["parcel"])
        journaled, tabled = rows_of(path, file, spans)
        seed = int(file["parcel"].attrs["seed"])
        ledger = file["parcel/ledger"][()]
        columns = [file["twice"][()], file["parts"][()]]
    for block, entry in enumerate(ledger):
        if entry["state"] != 1:
            continue
        begin, end = spans[block]
        rows = {**tabled.get(block, {}), **journaled.get((block, int(entry["checksum"])), {})}
        checksum = (seed + block) % SEED_MODULUS
        for piece in [column[begin:end].tobytes() for column in columns] + [rows[p] for p in sorted(rows)]:
            checksum = xxhash.xxh3_64_intdigest(piece, checksum)
        if checksum == int(entry["checksum"]):
            right.add(block)
    return right


def problems_of_whole(path, reference):
    """Why a file under its final name is not whole; None if it is."""
    with h5py.File(path, "r", locking=False) as file:
        status, blocks = file.attrs["status"], len(file["parcel/ledger"])
    if status != b"complete":
        return f"its status is {status}"
    wrong = [name for name, value in contents(path).items() if value != reference[name]]
    if wrong:
        return f"differs in {wrong}"
    missing = set(range(blocks)) - right_blocks(path)
    return f"blocks {sorted(missing)} do not have their checksums" if missing else None
