"""What the Python module adds to the C library: where it finds it, what it refuses, who frees what."""
import copy
import gc
import glob
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

BINDINGS = os.path.join(os.environ["PARCEL_SOURCE"], "partition", "bindings")
LIBRARY = os.path.join(os.environ["PARCEL_BUILD"], "partition", "libparcel_partition.so")
os.environ["PARCEL_LIBRARY"] = LIBRARY
sys.dont_write_bytecode = True
sys.path.insert(0, BINDINGS)
from parcel_partition import *  # noqa: E402


class FindingTheLibrary(unittest.TestCase):
    def load(self, folder, **environment):
        """What a Python that imports the module from this folder says."""
        program = "from parcel_partition import *; print(parcel_layout_block(10, 3))"
        kept = {name: value for name, value in os.environ.items() if name != "PARCEL_LIBRARY"}
        done = subprocess.run([sys.executable, "-B", "-c", program], capture_output=True, text=True,
                              env={**kept, "PYTHONPATH": folder, **environment})
        return done.stdout.strip() or done.stderr.splitlines()[-1]

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        shutil.copy(os.path.join(BINDINGS, "parcel_partition.py"), self.folder)

    def test_as_installed(self):
        prefix = os.path.join(self.folder, "prefix")
        subprocess.run(["cmake", "--install", os.path.dirname(LIBRARY), "--prefix", prefix], check=True,
                       stdout=subprocess.DEVNULL)
        module, = glob.glob(os.path.join(prefix, "**", "parcel_partition.py"), recursive=True)
        self.assertEqual(self.load(os.path.dirname(module)), "block(10,3)")
        self.assertTrue(glob.glob(os.path.join(prefix, "**", "parcel.f90"), recursive=True))

    def test_beside_the_module(self):
        shutil.copy(LIBRARY, self.folder)
        self.assertEqual(self.load(self.folder), "block(10,3)")

    def test_where_the_environment_says(self):
        self.assertEqual(self.load(self.folder, PARCEL_LIBRARY=LIBRARY), "block(10,3)")
        self.assertIn("/no/such.so", self.load(self.folder, PARCEL_LIBRARY="/no/such.so"))

    def test_by_the_loader(self):
        self.assertEqual(self.load(self.folder, LD_LIBRARY_PATH=os.path.dirname(LIBRARY)), "block(10,3)")

    def test_missing(self):
        self.assertIn("set PARCEL_LIBRARY", self.load(self.folder))


class Refusals(unittest.TestCase):
    grid = parcel_grid_make(2, [GridAxis(10, 2), GridAxis(9, 3)])

    def test_a_status_is_an_error_with_the_reason(self):
        with self.assertRaises(ParcelError) as caught:
            parcel_layout_cyclic(10, 3, 0)
        self.assertEqual(caught.exception.status, PARCEL_INVALID)
        self.assertEqual(str(caught.exception), parcel_last_error())

    def test_numbers_that_do_not_fit(self):
        for call in (lambda: parcel_layout_block(2**63, 3), lambda: parcel_layout_block(-2**63 - 1, 3),
                     lambda: parcel_layout_block(10, 2**31), lambda: parcel_layout_explicit(1, [0, 2**64])):
            self.assertRaises(OverflowError, call)
        self.assertRaises(TypeError, parcel_layout_block, 10.0, 3)

    def test_sequences_of_another_length(self):
        for call in (lambda: parcel_grid_owner(self.grid, [1]),
                     lambda: parcel_grid_owner(self.grid, [1, 2, 3]),
                     lambda: parcel_layout_weighted(10, 3, [1, 2]), lambda: parcel_layout_explicit(2, [0, 5]),
                     lambda: parcel_dims_balanced(6, 2, [10], [0, 0]),
                     lambda: parcel_dims_balanced(6, 2, None, [0]),
                     lambda: parcel_grid_make(2, [GridAxis(1, 1)])):
            self.assertRaises(ValueError, call)

    def test_what_is_of_another_type(self):
        layout = parcel_layout_block(10, 3)
        for call in (lambda: parcel_layout_size(None), lambda: parcel_grid_parts(layout),
                     lambda: parcel_layout_size(self.grid), lambda: parcel_range_at(Span(0, 1), 0),
                     lambda: parcel_layout_block(10)):
            self.assertRaises(TypeError, call)

    def test_a_layout_that_was_freed(self):
        with parcel_layout_block(10, 3) as layout:
            self.assertEqual(parcel_layout_size(layout), 10)
        self.assertRaises(ValueError, parcel_layout_size, layout)
        parcel_layout_free(layout)

    def test_a_text_with_a_zero(self):
        self.assertRaises(ValueError, parcel_range_parse, "1..2\0")


class Lifetimes(unittest.TestCase):
    def test_a_plan_keeps_its_layouts(self):
        plan = parcel_plan_of_sender(parcel_layout_explicit(2, [0, 5, 10]),
                                     parcel_layout_explicit(1, [0, 10]), 1)
        gc.collect()
        for _ in range(100):
            parcel_layout_explicit(2, [0, 7, 9])
        self.assertEqual([move.count for move in plan], [5])

    def test_a_grid_plan_keeps_its_grids(self):
        plan = parcel_grid_plan_of_sender(parcel_grid_make(1, [GridAxis(10, 2)]),
                                          parcel_grid_make(1, [GridAxis(10, 1)]), 1)
        gc.collect()
        for _ in range(100):
            parcel_grid_make(1, [GridAxis(3, 3)])
        self.assertEqual([move.from_.end[0] for move in plan], [5])

    def test_a_copied_plan_goes_on_by_itself(self):
        plan = parcel_plan_of_sender(parcel_layout_block(10, 1), parcel_layout_cyclic(10, 2, 1), 0)
        parcel_plan_next(plan)
        other = copy.copy(plan)
        self.assertEqual(len(list(plan)), 9)
        self.assertEqual(len(list(other)), 9)


unittest.main()
