"""Compressed files: what everybody else reads in them, and what is left of a run that was killed."""

import os
import random
import signal
import subprocess
import time

import h5py
import numpy
import xarray
import zstandard

from parsquares_runner import ProgramTest, command_of, finish, main, start

TOOL = os.environ["PARCEL_TOOL"]
COUNT = 400_003
EXPECTED = {"squares": numpy.arange(1, COUNT + 1, dtype="u8") ** 2,
            "cubes": numpy.arange(1, COUNT + 1, dtype="i8") ** 3}
KILLS = 10


def unpacked(dataset):
    """All values of a dataset that was shuffled and packed by zstd, without HDF5's filters."""
    values = []
    for first in range(0, len(dataset), dataset.chunks[0]):
        mask, packed = dataset.id.read_direct_chunk((first,))
        shuffled = packed if mask else zstandard.decompress(packed)
        planes = numpy.frombuffer(shuffled, dtype="u1").reshape(dataset.dtype.itemsize, -1)
        values.append(numpy.ascontiguousarray(planes.T).view(dataset.dtype).ravel())
    return numpy.concatenate(values)[:len(dataset)]


class Compress(ProgramTest):
    def arguments(self, *more, level=1):
        return ("-q", f"--compress=deflate,{level}", "-p", "2,3", "-b", "2000", *more, f"1..{COUNT}")

    def run_tool(self, *arguments):
        return finish(start(command_of(arguments, program=TOOL), self.folder))

    def check_file(self, name="squares.h5"):
        """The values, as numpy computes them; and nothing is left beside the file."""
        with h5py.File(self.folder / name) as file:
            self.assertEqual(file.attrs["status"], b"complete")
            for column, expected in EXPECTED.items():
                self.assertEqual((file[column].compression, file[column].shuffle), ("gzip", True))
                self.assertTrue(numpy.array_equal(file[column][:], expected), column)
        self.assertEqual(self.run_tool("verify", name).code, 0)
        self.assertEqual(self.names(), [name])

    def test_same_values_for_all_ranks_and_threads(self):
        for ranks, threads, level in ((None, 1, 1), (None, 3, 9), (2, 1, 4), (8, 2, 6)):
            with self.subTest(ranks=ranks, threads=threads, level=level):
                self.run_well(*self.arguments("--force", "-t", threads, level=level), ranks=ranks)
                self.check_file()

    def test_the_default_is_deflate(self):
        self.run_well("-q", "--compress", f"1..{COUNT}")
        with h5py.File(self.folder / "squares.h5") as file:
            self.assertEqual((file["squares"].compression, file["squares"].compression_opts), ("gzip", 4))

    def test_others_see_no_difference_to_a_plain_file(self):
        self.run_well(*self.arguments("-o", "packed.h5"))
        self.run_well("-q", "-p", "2,3", "-o", "plain.h5", f"1..{COUNT}")
        for column in EXPECTED:
            command = ["h5diff", "-v", "packed.h5", "plain.h5", column, column]
            compared = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=60)
            self.assertEqual(compared.returncode, 0, compared.stdout)
            self.assertIn("0 differences found", compared.stdout)
        with xarray.open_dataset(self.folder / "packed.h5") as packed, \
                xarray.open_dataset(self.folder / "plain.h5") as plain:
            self.assertTrue(packed.equals(plain))
        self.assertEqual(self.run_tool("diff", "packed.h5", "plain.h5").code, 0)
        self.assertLess((self.folder / "packed.h5").stat().st_size, (self.folder / "plain.h5").stat().st_size / 2)

    def test_zstd_holds_the_same_values(self):
        """As zstandard and numpy read its chunks, and Parcel; HDF5 needs a plugin, and --deep says so."""
        for ranks, level in ((None, 3), (3, 19)):
            with self.subTest(ranks=ranks, level=level):
                self.run_well("--force", "-q", f"--compress=zstd,{level}", "-p", "2,3", "-b", "2000", f"1..{COUNT}",
                              ranks=ranks)
                with h5py.File(self.folder / "squares.h5") as file:
                    for column, expected in EXPECTED.items():
                        self.assertTrue(numpy.array_equal(unpacked(file[column]), expected), column)
                self.assertEqual(self.run_tool("verify", "squares.h5").code, 0)
                self.assertEqual(self.names(), ["squares.h5"])
        self.run_well("-q", "-p", "2,3", "-o", "plain.h5", f"1..{COUNT}")
        self.assertEqual(self.run_tool("diff", "squares.h5", "plain.h5").code, 0)
        deep = self.run_tool("verify", "--deep", "squares.h5")
        self.assertEqual(deep.code, 2)
        self.assertIn("HDF5 finds no plugin", deep.stderr)

    def test_a_zstd_file_is_resumed(self):
        arguments = ("-q", "--compress=zstd", "-p", "2,3", "-b", "2000", f"1..{COUNT}")
        stopped = self.run_with_fault("results.chunk:nth=100:action=kill", *arguments)
        self.assertEqual(stopped.code, -signal.SIGKILL, stopped.stderr)
        other = self.run_program("--resume", "--compress=deflate", *arguments[:1], *arguments[2:])
        self.assertEqual(other.code, 2)
        self.assertIn("zstd,3 there, deflate,4 here", other.stderr)
        self.run_well("--resume", *arguments, ranks=2)
        with h5py.File(self.folder / "squares.h5") as file:
            self.assertTrue(numpy.array_equal(unpacked(file["cubes"]), EXPECTED["cubes"]))

    def test_export_is_that_of_a_plain_file(self):
        self.run_well(*self.arguments("-o", "packed.h5"))
        self.run_well("-q", "-p", "2,3", "-o", "plain.h5", f"1..{COUNT}")
        exports = [self.run_tool("export", name) for name in ("packed.h5", "plain.h5")]
        self.assertEqual(exports[0].code, 0, exports[0].stderr)
        self.assertTrue(exports[0].stdout == exports[1].stdout)

    def test_every_flipped_byte_is_found(self):
        self.run_well(*self.arguments())
        path = self.folder / "squares.h5"
        whole = path.read_bytes()
        places = random.Random(1).sample(range(len(whole)), 30)
        for place in places:
            with self.subTest(place=place):
                path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1:])
                self.assertIn(self.run_tool("verify", "squares.h5").code, (1, 2))

    def check_resumed(self, ranks):
        """What a killed run has left opens; a resumed one makes the file of it."""
        if (self.folder / "squares.h5.part").exists():
            with h5py.File(self.folder / "squares.h5.part", locking=False) as file:
                self.assertIn("squares", file)
        self.run_well(*self.arguments("--resume", "-t", 2), ranks=ranks)
        self.check_file()
        (self.folder / "squares.h5").unlink()

    def test_killed_at_the_end_it_is_resumed(self):
        points = [f"results.chunk:nth={nth}" for nth in (1, 2, 100, 200)]
        for point in [*points, "results.swap", "results.outcome", "results.rename", "results.folder"]:
            with self.subTest(point=point):
                outcome = self.run_with_fault(f"{point}:action=kill", *self.arguments("-t", 2))
                self.assertEqual(outcome.code, -signal.SIGKILL, outcome.stderr)
                self.check_resumed(ranks=2)

    def test_a_failure_at_the_end_is_resumed(self):
        for point in ("results.chunk:nth=7", "results.swap"):
            with self.subTest(point=point):
                outcome = self.run_with_fault(f"{point}:errno=ENOSPC", *self.arguments("-t", 2))
                self.assertEqual(outcome.code, 1)
                self.assertNotIn("squares.h5.part.new", self.names())
                self.check_resumed(ranks=None)

    def test_killed_at_random_moments_it_is_resumed(self):
        chance = random.Random(os.environ.get("PARCEL_TEST_SEED", "7"))
        began = time.monotonic()
        self.run_well(*self.arguments("-t", 2), ranks=2)
        longest = time.monotonic() - began
        self.check_file()
        (self.folder / "squares.h5").unlink()
        for kill in range(KILLS):
            with self.subTest(kill=kill):
                io = "--io=collective" if kill % 2 else "--io=direct"
                process = start(command_of(self.arguments("-t", 2, io), ranks=2), self.folder)
                time.sleep(chance.uniform(0.4, 1) * longest)
                os.killpg(process.pid, signal.SIGKILL)
                finish(process)
                self.check_resumed(ranks=chance.choice((None, 1, 3)))

    def test_collective_only_rank_0_writes_the_ledger(self):
        small = ("-q", "--compress=deflate,1", "-b", "32", f"1..{COUNT}")
        on_rank_2 = "results.ledger:rank=2"
        direct = self.run_with_fault(on_rank_2, *small, ranks=3)
        self.assertEqual(direct.code, 1, "rank 2 writes by itself")
        self.run_well("--force", "--io=collective", *small, ranks=3, environment={"PARCEL_FAULT": on_rank_2})
        with h5py.File(self.folder / "squares.h5") as file:
            self.assertTrue(numpy.array_equal(file["squares"][:], EXPECTED["squares"]))
            self.assertEqual(set(file["parcel/ledger"]["rank"]), {0, 1, 2})
            self.assertTrue((file["parcel/ledger"]["state"] == 1).all())
        on_rank_0 = "results.ledger:rank=0:nth=3:errno=ENOSPC"
        failed = self.run_with_fault(on_rank_0, "--force", "--io=collective", *small, ranks=3)
        self.assert_refused(failed, 1, "No space left on device")
        self.run_well("--force", "--resume", *small, ranks=2)
        self.assertEqual(self.names(), ["squares.h5"])

    def test_what_does_not_go_together_is_refused(self):
        for arguments, words in ((["--compress", "--retry-failed"], "--retry-failed"),
                                 (["--compress=zip"], "'zip'"), (["--compress=deflate,0"], "level"),
                                 (["--compress=deflate,10"], "level"), (["--compress=deflate,"], "level")):
            with self.subTest(arguments=arguments):
                self.assert_refused(self.run_program(*arguments), 2, words)
                self.assertEqual(self.names(), [])


if __name__ == "__main__":
    main()
