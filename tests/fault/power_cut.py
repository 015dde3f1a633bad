"""The power fails while results are written: whatever had reached the disk, a resume never takes a wrong block for
a right one, and a file under its final name is whole.

usage: power_cut.py [CUTS [SEED]]        400 cuts if left out, shared among the kinds of runs

What a run does to its folder is recorded once by recorder.c. Each cut then takes a moment of that record and builds
what a disk may hold: all that an fsync had promised; of what came later, of each page of 4 KiB any version it had
since, of each file any length it had since, and of the names the first few changes, in order."""

import os
import random
import shutil
import struct
import sys
import tempfile
from pathlib import Path

import endurance

PAGE = 4096
HEAD = struct.Struct("=cQqQ")
AT_ONCE = 50
FAIL_EVERY = 97


class Inode:
    """A file, its synced state and what happened to it since."""

    def __init__(self, data=b""):
        self.size = len(data)
        self.pages = {at // PAGE: data[at : at + PAGE].ljust(PAGE, b"\0") for at in range(0, len(data), PAGE)}
        self.sync()

    def sync(self):
        self.sizes = [self.size]
        self.versions = {page: [data] for page, data in self.pages.items()}

    def set_page(self, number, data):
        self.versions.setdefault(number, [self.pages.get(number, bytes(PAGE))]).append(data)
        self.pages[number] = data

    def set_size(self, size):
        for number in [number for number in self.pages if number * PAGE >= size]:
            self.set_page(number, bytes(PAGE))
        self.size = size
        self.sizes.append(size)

    def write(self, offset, data):
        end = offset + len(data)
        for number in range(offset // PAGE, (end + PAGE - 1) // PAGE):
            page = bytearray(self.pages.get(number, bytes(PAGE)))
            begin = max(offset, number * PAGE)
            piece = data[begin - offset : min(end, (number + 1) * PAGE) - offset]
            page[begin - number * PAGE : begin - number * PAGE + len(piece)] = piece
            self.set_page(number, bytes(page))
        if end > self.size:
            self.size = end
            self.sizes.append(end)

    def survivor(self, rng):
        """What may be left of it. Whole runs of pages share their fate in one of two cuts, as on real disks."""
        fate = rng.choice((rng.random, lambda luck=rng.choice((0, 0.5, 0.999)): luck))
        size = self.sizes[int(fate() * len(self.sizes))]
        data = bytearray(size)
        for number, versions in self.versions.items():
            if number * PAGE < size:
                data[number * PAGE : (number + 1) * PAGE] = versions[int(fate() * len(versions))]
        return bytes(data[:size])


class Disk:
    """A folder with what is in memory, and what is certain to be on the disk."""

    def __init__(self, files):
        self.inodes = {inode: Inode(data) for inode, data in files.values()}
        self.synced_names = {name: self.inodes[inode] for name, (inode, _) in files.items()}
        self.names = dict(self.synced_names)
        self.name_states = []  # later ones, in order

    def apply(self, kind, inode, offset, data):
        if kind == b"c":
            self.create(data.decode(), inode)
        elif kind == b"w":
            self.inodes[inode].write(offset, data)
        elif kind == b"t" or (kind == b"f" and offset > self.inodes[inode].size):
            self.inodes[inode].set_size(offset)
        elif kind == b"s" and inode == 0:
            self.synced_names, self.name_states = dict(self.names), []
        elif kind == b"s":
            self.inodes[inode].sync()
        elif kind == b"r":
            old, new = data.decode().split("\0")
            self.names[new] = self.names.pop(old)
            self.name_states.append(dict(self.names))
        elif kind == b"u":
            del self.names[data.decode()]
            self.name_states.append(dict(self.names))

    def create(self, name, inode):
        if name not in self.names:
            self.names[name] = self.inodes[inode] = Inode()
            self.name_states.append(dict(self.names))

    def cut(self, rng, folder):
        """Writes what is left into the folder."""
        for name, inode in rng.choice([self.synced_names, *self.name_states]).items():
            (folder / name).write_bytes(inode.survivor(rng))


def read_record(path):
    data, at, events = Path(path).read_bytes(), 0, []
    while at < len(data):
        kind, inode, offset, size = HEAD.unpack_from(data, at)
        at += HEAD.size
        events.append((kind, inode, offset, data[at : at + size]))
        at += size
    return events


class Campaign:
    def __init__(self, folder, cuts, seed):
        self.folder = Path(os.path.realpath(folder))
        self.cuts = cuts
        self.seed = seed
        self.rng = random.Random(seed)
        self.wrong = []
        reference = self.folder / "reference.h5"
        endurance.run([reference], fail_every=FAIL_EVERY)
        assert endurance.agrees_with_numpy(reference, FAIL_EVERY)
        self.failing = endurance.contents(reference)
        self.whole_file = reference.read_bytes()
        reference.unlink()
        endurance.run([reference])
        assert endurance.agrees_with_numpy(reference, 0)
        self.faultless = endurance.contents(reference)

    def record(self, before, **how):
        """Runs over these files of a folder, by name; their inodes and contents before, and what was done to them."""
        place = Path(tempfile.mkdtemp(dir=self.folder))
        log = self.folder / "record"
        log.unlink(missing_ok=True)
        for name, data in before.items():
            (place / name).write_bytes(data)
        files = {name: ((place / name).stat().st_ino, data) for name, data in before.items()}
        environment = {"LD_PRELOAD": os.environ["RECORDER"], "RECORD_FOLDER": str(place), "RECORD_LOG": str(log)}
        environment["LD_PRELOAD"] = ":".join(filter(None, (os.environ.get("LD_PRELOAD"), environment["LD_PRELOAD"])))
        fault = how.pop("fault", None)
        came = self.folder / "fault"
        if fault:
            environment.update(PARCEL_FAULT=fault, PARCEL_FAULT_LOG=str(came))
        ended, _ = endurance.run([place / "results.h5"], environment=environment, **how)
        assert fault or ended.returncode in (0, 3), ended.stderr
        assert not fault or came.exists(), f"the fault {fault} did not come"
        came.unlink(missing_ok=True)
        events = read_record(log)
        assert any(kind == b"w" for kind, *_ in events), "nothing was recorded"
        left = {entry.name: entry.read_bytes() for entry in place.iterdir()}
        shutil.rmtree(place)
        return files, events, left

    def note(self, kind, cut, what):
        self.wrong.append(f"{kind}, cut {cut}: {what}")

    def cut_record(self, kind, files, events, cuts, *references, mode="resume"):
        """Cuts it so often, resumes all that is left, and looks at what comes of it."""
        last = sorted(self.rng.randint(0, len(events)) for _ in range(cuts))
        # the end of a run, where names change, is short: every third cut is there
        last = sorted(m if n % 3 else self.rng.randint(max(0, len(events) - 40), len(events)) for n, m in enumerate(last))
        disk, done = Disk(files), 0
        for first in range(0, cuts, AT_ONCE):
            places = []
            for moment in last[first : first + AT_ONCE]:
                for event in events[done:moment]:
                    disk.apply(*event)
                done = moment
                places.append(Path(tempfile.mkdtemp(dir=self.folder)))
                disk.cut(self.rng, places[-1])
            self.resume_all(kind, first, places, references, mode)

    def resume_all(self, kind, first, places, references, mode):
        outputs = [place / "results.h5" for place in places]
        for number, output in enumerate(outputs, first):
            if output.exists() and all(self.why_not(output, reference) for reference in references):
                self.note(kind, number, f"the final name: {self.why_not(output, references[0])}")
        ended, outcomes = endurance.run(outputs, mode=mode, fail_every=FAIL_EVERY)
        if len(outcomes) != len(outputs):
            self.note(kind, first, f"a resume ended with {ended.returncode}: {ended.stderr}")
        for number, (output, outcome) in enumerate(zip(outputs, outcomes), first):
            if outcome[0] not in ("OK", "FAILURES"):
                said = [line for line in ended.stderr.splitlines() if str(output) in line]
                self.note(kind, number, f"{outcome[0]} after a resume: {said}")
            elif all(self.why_not(output, reference) for reference in references):
                self.note(kind, number, f"after a resume: {self.why_not(output, references[0])}")
            elif kind != "a retry" and os.listdir(output.parent) != [output.name]:
                self.note(kind, number, f"left over: {os.listdir(output.parent)}")
        for place in places:
            shutil.rmtree(place)

    @staticmethod
    def why_not(output, reference):
        try:
            return endurance.problems_of_whole(output, reference)
        except (OSError, KeyError) as error:
            return str(error)

    def run(self):
        each = self.cuts // 5
        fresh = self.record({}, fail_every=FAIL_EVERY)
        self.cut_record("a fresh run", fresh[0], fresh[1], self.cuts - 4 * each, self.failing)
        half = self.record({}, fail_every=FAIL_EVERY, fault="results.write:nth=150:action=kill")
        again = self.record(half[2], fail_every=FAIL_EVERY)
        self.cut_record("a resumed run", again[0], again[1], each, self.failing)
        settled = self.record({}, fail_every=FAIL_EVERY, fault="results.rename:action=kill")
        again = self.record(settled[2], fail_every=FAIL_EVERY)
        self.cut_record("a resumed end", again[0], again[1], each, self.failing)
        retry = self.record({"results.h5": self.whole_file}, mode="retry")
        self.cut_record("a retry", retry[0], retry[1], each, self.failing, self.faultless)
        packed = self.record({}, mode="packed", fail_every=FAIL_EVERY)
        self.cut_record("a packed run", packed[0], packed[1], each, self.failing, mode="packed")
        for line in self.wrong:
            print(line)
        print(f"{self.cuts} cuts, {len(self.wrong)} of them wrong (seed {self.seed})")
        return 1 if self.wrong else 0


def main():
    cuts = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 32)
    print(f"seed {seed}", flush=True)
    in_memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # where an fsync costs nothing
    with tempfile.TemporaryDirectory(prefix="parcel-power-", dir=in_memory) as folder:
        return Campaign(folder, cuts, seed).run()


if __name__ == "__main__":
    sys.exit(main())
