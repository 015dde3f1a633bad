"""Every reader says the same of every dataset, in files of every kind: what numpy reads at the dataset's offset."""

import json
import os
import shutil
import subprocess
import unittest
from pathlib import Path

import h5py
import netCDF4
import numpy
import xarray

from parsquares_runner import PARSQUARES, ProgramTest, main

TOOL = os.environ["PARCEL_TOOL"]
ZOO = os.environ["ZOO"]
NODE = Path(os.environ["PARCEL_BUILD"]) / "tests" / "platform" / "node"
PACKAGES = ("jsfive@0.4.2", "h5wasm@0.10.3")
ALL = {"empty", "one", "new", "packed", "failed", "retried", "resumed", "merged", "indexed", "packed_squares"}
HAVE_FAILURES = {"failed", "retried", "merged"}


def missing_for_node():
    """Installs the packages, once; why they are not there, or None."""
    if not shutil.which("node") or not shutil.which("npm"):
        return "there is no node or no npm"
    if all((NODE / "node_modules" / package.split("@")[0]).exists() for package in PACKAGES):
        return None
    NODE.mkdir(parents=True, exist_ok=True)
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", NODE, *PACKAGES]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=120)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        return f"npm cannot install {' '.join(PACKAGES)}: {error}"
    return None


def datasets_of(path):
    """All datasets by path: values from the bytes at the offset where they are contiguous, else h5py's."""
    found = {}

    def add(name, item):
        if isinstance(item, h5py.Dataset):
            offset, shape = item.id.get_offset(), item.shape
            if offset is None or item.dtype.kind == "O":
                found[name] = numpy.asarray(item[()])
            else:
                count = int(numpy.prod(shape, dtype="i8"))
                found[name] = numpy.fromfile(path, item.dtype, count, offset=offset).reshape(shape)

    with h5py.File(path, locking=False) as file:
        file.visititems(add)
    return found


def same(one, other):
    """Equal values, shapes and types; NaN equals itself."""
    one, other = numpy.asarray(one), numpy.asarray(other)
    if one.shape != other.shape or one.dtype.names != other.dtype.names:
        return False
    if one.dtype.names:
        return all(same(one[name], other[name]) for name in one.dtype.names)
    is_text = one.dtype.kind == other.dtype.kind == "S"  # h5py cuts a scalar text at its end
    return (is_text or one.dtype == other.dtype) and numpy.array_equal(one, other, equal_nan=one.dtype.kind == "f")


class Readers(ProgramTest):
    def run_zoo(self, code, *arguments, ranks=None):
        outcome = self.run_program(*arguments, ranks=ranks, program=ZOO)
        self.assertEqual(outcome.code, code, outcome.stderr)

    def make_zoo(self):
        self.run_zoo(0, "empty.h5", "empty", "new", 0)
        self.run_zoo(0, "one.h5", "7..7", "new", 0)
        self.run_zoo(0, "new.h5", "-500..730", "new", 0, ranks=3)
        self.run_zoo(0, "packed.h5", "-500..730", "packed", 0)
        self.run_zoo(3, "failed.h5", "1..1000", "fail", 97)
        self.run_zoo(3, "retried.h5", "1..1000", "fail", 97)
        self.run_zoo(3, "retried.h5", "1..1000", "retry", 970)
        self.run_zoo(1, "resumed.h5", "1..1000", "stop", 777)
        self.run_zoo(0, "resumed.h5", "1..1000", "resume", 0, ranks=2)
        self.run_zoo(0, "upper.h5", "501..1000", "new", 0)
        self.run_zoo(3, "lower.h5", "1..500", "fail", 123)
        merged = self.run_program("merge", "merged.h5", "lower.h5", "upper.h5", program=TOOL)
        self.assertEqual(merged.code, 3, merged.stderr)
        self.run_well("-q", "--with-index", "-o", "indexed.h5", "1..3000..7", program=PARSQUARES)
        self.run_well("-q", "--compress=deflate,3", "-o", "packed_squares.h5", "1..30000", program=PARSQUARES)
        return {name: self.folder / f"{name}.h5" for name in sorted(ALL)}

    def check_each(self, check):
        """Calls check(name, path, datasets) for every file of the zoo."""
        for name, path in self.make_zoo().items():
            with self.subTest(file=name):
                expected = datasets_of(path)
                self.assertGreaterEqual(len(expected), 3)
                check(name, path, expected)

    def run_command(self, *command):
        ended = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(ended.returncode, 0, f"{command}: {ended.stdout[-1000:]}{ended.stderr}")
        return ended.stdout

    def check_h5py(self, _, path, expected):
        with h5py.File(path) as file:
            for key, values in expected.items():
                self.assertTrue(same(file[key][()], values), key)

    def check_netcdf(self, _, path, expected):
        with netCDF4.Dataset(path) as file:
            file.set_auto_maskandscale(False)
            keys = expected.keys() & file.variables.keys()
            self.assertTrue(keys)
            for key in keys:
                self.assertTrue(same(file[key][...], expected[key]), key)

    def check_xarray(self, name, path, expected):
        with xarray.open_dataset(path, mask_and_scale=False) as file:
            keys = expected.keys() & file.variables.keys()
            self.assertTrue(keys)
            for key in keys:
                self.assertTrue(same(file[key].values, expected[key]), key)
        if name not in HAVE_FAILURES:
            with xarray.open_dataset(path) as file:
                key = "u64" if "u64" in file else "squares"
                self.assertEqual(expected[key].dtype, numpy.dtype("u8"))
                self.assertTrue(same(file[key].values, expected[key]), key)

    def check_nccopy(self, name, path, expected):
        self.run_command("ncdump", path)
        self.run_command("nccopy", path, f"{path}.nc")
        self.check_netcdf(name, f"{path}.nc", expected)

    def check_h5repack(self, name, path, expected):
        # h5repack of 1.10 cannot filter a dataset without a position.
        filters = [] if name == "empty" else ["-f", "GZIP=3"]
        self.run_command("h5repack", *filters, path, f"{path}.repacked")
        self.check_h5py(name, f"{path}.repacked", expected)
        self.run_command("h5diff", path, f"{path}.repacked")

    def check_node(self, reader):
        reason = missing_for_node()
        if reason:
            print(f"skipped: {reason}")
            self.skipTest(reason)
        script = Path(__file__).with_name("readers.mjs")

        def check(_, path, expected):
            if reader == "jsfive":  # it follows no named types, such as the ledger's, and reads no dataset without storage
                expected = {key: values for key, values in expected.items()
                            if "/" not in key and values.dtype != ">f4"}
            said = json.loads(self.run_command("node", script, reader, NODE, path, *expected))
            for key, values in expected.items():
                with self.subTest(dataset=key, kind=values.dtype):
                    self.assertNotIn("error", said[key], said[key].get("error"))
                    self.assertEqual(said[key]["shape"], list(values.shape))
                    if reader == "jsfive" and values.dtype.kind in "iu":  # its numbers are doubles
                        values = values.astype("f8")
                    self.check_texts(said[key]["values"], values)

        self.check_each(check)

    def check_texts(self, texts, values):
        """Numbers as JavaScript writes them: double precision is kept, and 64-bit integers are whole."""
        if values.dtype.kind in "iu":
            self.assertEqual([int(text) for text in texts], values.ravel().tolist())
        elif values.dtype.kind == "f":
            self.assertTrue(same([float(text) for text in texts], values.ravel().astype("f8")))
        else:
            self.skipTest(f"{values.dtype}: only that it is read is checked")

    def test_h5py(self):
        self.check_each(self.check_h5py)

    def test_netcdf4(self):
        self.check_each(self.check_netcdf)

    def test_xarray(self):
        self.check_each(self.check_xarray)

    def test_ncdump_and_nccopy(self):
        self.check_each(self.check_nccopy)

    def test_h5repack_and_h5diff(self):
        self.check_each(self.check_h5repack)

    def test_h5wasm(self):
        self.check_node("h5wasm")

    def test_jsfive(self):
        self.check_node("jsfive")


if __name__ == "__main__":
    main()
