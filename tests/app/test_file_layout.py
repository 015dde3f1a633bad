"""The results file is what parcel/results.h says, and tools that know nothing of Parcel can read it."""

import datetime
import os
import re
import shutil
import socket
import tempfile
import time
import unittest
from pathlib import Path

import h5py
import netCDF4
import numpy
import xarray
import xxhash

from parsquares_runner import PARSQUARES, ProgramTest, command_of, finish, main, start
from platform_facts import HAS_PARALLEL_HDF5

RANKS = 3
THREADS = 2
BLOCK = 1000
FIRST, STEP, COUNT = -7, 5, 100003
RANGE = f"{FIRST}..{FIRST + STEP * (COUNT - 1)}..{STEP}"
COLUMNS = ("cubes", "squares")  # in the order of -p 3,2
ENVIRONMENT = {
    "SLURM_JOB_ACCOUNT": "physics = 42",
    "SLURM_JOB_COMMENT": "",
    "OMP_PROC_BIND": "close",
    "OMP_PLACES": "{0},{1}",
    "OTHER_VARIABLE": "unseen",
}


def decoded(value):
    """A text as h5py reads it, without the zeros it was padded with."""
    return bytes(value).rstrip(b"\0").decode()


def seconds_of(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z").timestamp()


def blocks_of(column, parts, blocks_per_part):
    """The column's values block by block, by numpy's rule for equal parts."""
    for part in numpy.array_split(column, parts):
        yield from numpy.array_split(part, blocks_per_part)


def checksum_of(blocks, seed):
    """The ledger's checksum over one block of every column, given in the order of their creation."""
    checksum = seed % 2**64
    for block in blocks:
        checksum = xxhash.xxh3_64_intdigest(block.tobytes(), checksum)
    return checksum


class OneFile(unittest.TestCase):
    """Everything about one file, made by three ranks of two threads."""

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="parsquares-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.path = cls.folder / "with space.h5"
        cls.arguments = ["-t", THREADS, "-b", BLOCK, "-p", "3,2", "-o", cls.path.name, RANGE]
        cls.began = time.time()
        cls.outcome = finish(start(command_of(cls.arguments, RANKS), cls.folder, ENVIRONMENT))
        cls.ended = time.time()
        if cls.outcome.code:
            raise AssertionError(cls.outcome.stderr)

    def setUp(self):
        self.file = h5py.File(self.path)
        self.addCleanup(self.file.close)

    def provenance(self):
        return {name: decoded(item[()]) for name, item in self.file["parcel/provenance"].items()}

    def run_tool(self, *command):
        outcome = finish(start(command, self.folder))
        self.assertEqual((outcome.code, outcome.stderr), (0, ""), command)
        return outcome.stdout

    # ---- h5py ----

    def test_nothing_else_is_left_in_the_folder(self):
        self.assertEqual(os.listdir(self.folder), [self.path.name])

    def test_root_attributes(self):
        root = self.file.attrs
        names = {"title", "history", "source", "Conventions", "parcel_format", "status", "first", "step"}
        self.assertEqual(set(root), names)
        self.assertEqual(decoded(root["status"]), "complete")
        self.assertEqual((root["parcel_format"], root["first"], root["step"]), (2, FIRST, STEP))
        self.assertIn(RANGE, decoded(root["title"]))
        self.assertTrue(decoded(root["source"]).startswith("Parcel "))
        self.assertRegex(decoded(root["Conventions"]), r"^CF-1\.\d+$")
        self.assertIn(PARSQUARES, decoded(root["history"]))

    def test_columns_are_described_and_stand_along_the_index(self):
        self.assertEqual(set(self.file), {"index", "parcel", *COLUMNS})
        for name, kind in (("cubes", "<i8"), ("squares", "<u8")):
            with self.subTest(column=name):
                column = self.file[name]
                self.assertEqual((column.shape, column.dtype), ((COUNT,), numpy.dtype(kind)))
                self.assertEqual(decoded(column.attrs["units"]), "1")
                self.assertTrue(decoded(column.attrs["long_name"]))
                self.assertEqual(column.dims[0][0].name, "/index")

    def test_index_is_a_dimension_without_stored_values(self):
        index = self.file["index"]
        self.assertTrue(h5py.h5ds.is_scale(index.id))
        self.assertEqual(index.shape, (COUNT,))
        self.assertEqual(index.id.get_storage_size(), 0)
        self.assertEqual((index.attrs["first"], index.attrs["step"]), (FIRST, STEP))

    def test_bytes_on_disk_are_little_endian_and_contiguous(self):
        values = [FIRST + STEP * position for position in range(COUNT)]
        for name, kind, power in (("cubes", "<i8", 3), ("squares", "<u8", 2)):
            with self.subTest(column=name):
                dataset = self.file[name].id
                self.assertEqual(dataset.get_type().get_order(), h5py.h5t.ORDER_LE)
                raw = numpy.fromfile(self.path, dtype=kind, count=COUNT, offset=dataset.get_offset())
                self.assertEqual(raw.tolist(), [value**power for value in values])

    def test_grid_has_a_part_for_each_rank_and_no_block_too_large(self):
        grid = self.file["parcel"].attrs
        self.assertEqual(set(grid), {"positions", "parts", "blocks_per_part", "seed"})
        self.assertEqual((grid["positions"], grid["parts"]), (COUNT, RANKS))
        self.assertEqual(grid["blocks_per_part"], 34)  # the largest part has 33335 positions

    def test_ledger_entries_are_done_by_a_rank_at_a_time_of_the_run(self):
        ledger = self.file["parcel/ledger"][:]
        self.assertEqual(ledger.dtype.names, ("checksum", "time", "rank", "state"))
        self.assertEqual(len(ledger), RANKS * 34)
        self.assertTrue((ledger["state"] == 1).all())
        self.assertTrue(((ledger["rank"] >= 0) & (ledger["rank"] < RANKS)).all())
        self.assertTrue(((ledger["time"] >= self.began) & (ledger["time"] <= self.ended)).all())

    def test_only_a_file_with_failures_has_a_table_of_them_and_fill_values(self):
        self.assertNotIn("failures", self.file["parcel"])
        for name in COLUMNS:
            self.assertNotIn("_FillValue", self.file[name].attrs)

    def test_no_header_has_attribute_phase_change_values_which_other_readers_refuse(self):
        data = self.path.read_bytes()
        flags = [data[found.end()] for found in re.finditer(b"OHDR\\x02", data)]
        self.assertGreater(len(flags), len(COLUMNS))
        self.assertEqual([flag for flag in flags if flag & 0x10], [])

    def test_provenance_tells_what_was_run(self):
        texts = self.provenance()
        quoted = " ".join(f"'{word}'" if " " in str(word) else str(word) for word in self.arguments)
        self.assertEqual(texts["command_line"], f"{PARSQUARES} {quoted}")
        self.assertEqual(texts["range"], RANGE)
        self.assertEqual(texts["kernel"], "powers")
        self.assertEqual((texts["ranks"], texts["threads"]), (str(RANKS), str(THREADS)))
        self.assertEqual(texts["schedule"], "steal")
        self.assertEqual(texts["hosts"], socket.gethostname())

    def test_provenance_tells_the_versions(self):
        texts = self.provenance()
        self.assertEqual(texts["parcel_version"], self.run_tool(PARSQUARES, "--version").split()[-1])
        self.assertRegex(texts["hdf5_version"], r"^\d+\.\d+\.\d+$")
        self.assertRegex(texts["mpi_version"], r"\d+\.\d+")

    def test_provenance_tells_start_and_end(self):
        texts = self.provenance()
        started, ended = seconds_of(texts["start_time"]), seconds_of(texts["end_time"])
        self.assertLessEqual(int(self.began), started)
        self.assertLessEqual(started, ended)
        self.assertLessEqual(ended, self.ended)

    def test_provenance_has_the_variables_of_slurm_and_openmp_and_no_others(self):
        lines = self.provenance()["environment"].splitlines()
        kept = {name: value for name, value in ENVIRONMENT.items() if name.startswith(("SLURM_", "OMP_"))}
        self.assertEqual(dict(line.split("=", 1) for line in lines), kept)

    # ---- other tools ----

    def test_ncdump_and_h5dump_show_named_dimensions(self):
        header = self.run_tool("ncdump", "-h", self.path.name)
        self.assertIn(f"index = {COUNT} ;", header)
        self.assertIn("uint64 squares(index) ;", header)
        self.assertIn("ledger_entry ledger(block) ;", header)
        self.assertNotIn("phony_dim", header + self.run_tool("h5dump", "-H", self.path.name))

    def test_xarray_sees_one_dimension(self):
        with xarray.open_dataset(self.path) as dataset:
            self.assertEqual(dict(dataset.sizes), {"index": COUNT})
            self.assertEqual(set(dataset.variables), set(COLUMNS))
            self.assertEqual(int(dataset.squares[3]), (FIRST + 3 * STEP) ** 2)

    def test_xarray_opens_the_groups(self):
        with xarray.open_dataset(self.path, group="parcel") as dataset:
            self.assertEqual(dict(dataset.sizes), {"seal_word": 512, "block": RANKS * 34})

    def test_netcdf_reads_every_text_of_the_provenance(self):
        expected = self.provenance()
        with netCDF4.Dataset(self.path) as dataset:
            found = dataset["parcel/provenance"].variables
            self.assertEqual(set(found), set(expected))
            for name, text in expected.items():
                with self.subTest(text=name):
                    self.assertEqual(found[name][...], text)

    def test_texts_leave_room_for_the_zero_that_netcdf_reads_up_to(self):
        for name, item in self.file["parcel/provenance"].items():
            with self.subTest(text=name):
                self.assertGreater(item.id.get_type().get_size(), len(decoded(item[()])))

    def test_netcdf_reads_the_columns_and_the_status(self):
        with netCDF4.Dataset(self.path) as dataset:
            self.assertEqual(dataset.status, "complete")
            for name in COLUMNS:
                self.assertTrue(numpy.array_equal(dataset[name][:], self.file[name][:]), name)


class ManyFiles(ProgramTest):
    def check_ledger(self, columns, block):
        with h5py.File(self.folder / "squares.h5") as file:
            grid = file["parcel"].attrs
            parts, per_part = int(grid["parts"]), int(grid["blocks_per_part"])
            seed = int(grid["seed"])
            ledger = file["parcel/ledger"][:]
            blocks = list(zip(*(blocks_of(file[name][:], parts, per_part) for name in columns)))
        self.assertEqual(len(blocks), len(ledger))
        self.assertTrue((ledger["state"] == 1).all())
        self.assertLessEqual(max(len(values[0]) for values in blocks), block)
        self.assertEqual(ledger["checksum"].tolist(), [checksum_of(values, seed + b) for b, values in enumerate(blocks)])

    def test_ledger_checksums_are_xxh3_over_the_blocks_of_all_columns(self):
        for ranks, block, range_text in (
            (1, 1000, "1..100003"),
            (3, 1000, "1..100003"),
            (7, 77777, "1..500000"),
            (3, 2**62, "1..1000"),
            (3, 1, "-50..49"),
            (8, 10, "1..7"),
            (1, 10, "5..5"),
        ):
            for powers, columns in (("2", ["squares"]), ("3,2,1", ["cubes", "squares", "power_1"])):
                with self.subTest(ranks=ranks, block=block, range=range_text, powers=powers):
                    arguments = ("--force", "-t", 1, "-b", block, "-p", powers, "--", range_text)
                    self.run_well(*arguments, ranks=ranks)
                    self.check_ledger(columns, block)

    def test_index_values_are_the_coordinate_on_request(self):
        index = numpy.arange(FIRST, FIRST + STEP * 1000, STEP)
        collective = [(2, ("--io=collective",))] if HAS_PARALLEL_HDF5 else []
        for ranks, options in [(1, ()), (3, ()), (2, ("--compress",)), *collective]:
            with self.subTest(ranks=ranks, options=options):
                arguments = ("--force", "--with-index", "-t", 1, "-b", 64, *options, f"{FIRST}..{index[-1]}..{STEP}")
                self.run_well(*arguments, ranks=ranks)
                with xarray.open_dataset(self.folder / "squares.h5") as dataset:
                    self.assertEqual(list(dataset.coords), ["index"])
                    self.assertTrue(numpy.array_equal(dataset.index, index))
                    self.assertEqual(int(dataset.squares.sel(index=index[7])), index[7] ** 2)
                if not options:
                    self.check_ledger(["index", "squares"], 64)

    def test_h5diff_finds_no_difference_between_runs_with_other_ranks(self):
        self.run_well("-o", "one.h5", "-t", 1, "1..123457", ranks=1)
        self.run_well("-o", "many.h5", "-t", 1, "-b", 999, "1..123457", ranks=7)
        self.run_well("-o", "other.h5", "-t", 1, "2..123458", ranks=1)
        for name, code in (("many.h5", 0), ("other.h5", 1)):
            outcome = finish(start(["h5diff", "-q", "one.h5", name, "/squares"], self.folder))
            self.assertEqual(outcome.code, code, f"{name} {outcome.stderr}")

    def test_texts_longer_than_any_attribute_are_kept_whole(self):
        block = "1".zfill(100000)
        nodes = ",".join(f"node{number}" for number in range(10000))
        self.run_well("-b", block, "1..7", environment={"SLURM_JOB_COMMENT": nodes})
        with h5py.File(self.folder / "squares.h5") as file:
            texts = file["parcel/provenance"]
            self.assertEqual(decoded(texts["command_line"][()]), f"{PARSQUARES} -b {block} 1..7")
            self.assertEqual(decoded(texts["environment"][()]), f"SLURM_JOB_COMMENT={nodes}\n")


if __name__ == "__main__":
    main()
