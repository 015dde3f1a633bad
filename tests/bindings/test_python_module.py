"""What the Python module adds to the C library: where it finds it, what it refuses, who frees what."""
import copy
import gc
import glob
import os
import pickle
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


def repickle(value):
    return pickle.loads(pickle.dumps(value))


def in_another_process(value):
    """A plan and its moves, as multiprocessing sends them there and back."""
    program = ("import copy, pickle, sys; from parcel_partition import *; value = pickle.load(sys.stdin.buffer); "
               "[parcel_layout_explicit(2, [0, 7, 9]) for _ in range(100)]; "
               "sys.stdout.buffer.write(pickle.dumps((value, list(copy.copy(value)))))")
    done = subprocess.run([sys.executable, "-B", "-c", program], input=pickle.dumps(value), capture_output=True,
                          env={**os.environ, "PYTHONPATH": BINDINGS}, check=True)
    return pickle.loads(done.stdout)


class Copies(unittest.TestCase):
    layouts = {
        "block": lambda: parcel_layout_block(10, 3), "aligned": lambda: parcel_layout_aligned(100, 3, 8),
        "ceiling": lambda: parcel_layout_ceiling(10, 4), "cyclic": lambda: parcel_layout_cyclic(100, 3, 7),
        "weighted": lambda: parcel_layout_weighted(100, 3, [0.1, 1e-310, 3]),
        "explicit": lambda: parcel_layout_explicit(3, [0, 4, 4, 2**62]),
    }

    def test_a_copied_layout_is_a_layout_of_its_own(self):
        for name, make in self.layouts.items():
            for how in (copy.copy, copy.deepcopy, repickle):
                with self.subTest(layout=name, how=how):
                    layout, expected = make(), make()
                    other = how(layout)
                    self.assertTrue(parcel_layout_equal(layout, other))
                    self.assertEqual(repr(layout), repr(other))
                    del other
                    self.assertTrue(parcel_layout_equal(layout, expected))
                    other = how(layout)
                    parcel_layout_free(layout)
                    self.assertTrue(parcel_layout_equal(other, expected))

    def test_a_freed_layout_cannot_be_copied(self):
        layout = parcel_layout_block(10, 3)
        parcel_layout_free(layout)
        for how in (copy.copy, copy.deepcopy, repickle):
            self.assertRaises(ValueError, how, layout)

    def test_no_noise_from_a_layout_that_was_never_made(self):
        done = subprocess.run([sys.executable, "-B", "-c", "from parcel_partition import *; Layout.__new__(Layout)"],
                              env={**os.environ, "PYTHONPATH": BINDINGS}, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_a_copied_plan_has_what_it_points_to(self):
        def layout_plan():
            return parcel_plan_of_sender(parcel_layout_explicit(2, [0, 5, 10]), parcel_layout_explicit(3, [0, 2, 7, 10]), 1)

        def one_layout():
            layout = parcel_layout_explicit(2, [0, 5, 10])
            return parcel_plan_of_receiver(layout, layout, 1)

        def grid_plan():
            return parcel_grid_plan_of_sender(parcel_grid_make(2, [GridAxis(10, 2), GridAxis(9, 1)]),
                                              parcel_grid_make(2, [GridAxis(10, 1), GridAxis(9, 3)]), 1)

        for make in (layout_plan, one_layout, grid_plan):
            expected = list(make())
            self.assertTrue(expected)
            for how in (copy.copy, copy.deepcopy, repickle):
                with self.subTest(plan=make.__name__, how=how):
                    other = how(make())
                    gc.collect()
                    for _ in range(100):
                        parcel_layout_explicit(2, [0, 7, 9])
                    self.assertEqual(list(other), expected)
            there = in_another_process(make())
            self.assertEqual(there[1], expected)

    def test_a_copied_schedule_has_its_shares(self):
        made = parcel_schedule_make_weighted(1000, parcel_layout_weighted(10**6, 3, [1, 2, 3]), 1)
        plain = parcel_schedule_make(PARCEL_SCHEDULE_GUIDED, 1000, 3, 1)
        for schedule in (made, plain):
            spans = [parcel_schedule_span(schedule, step) for step in range(parcel_schedule_steps(schedule))]
            for how in (copy.copy, copy.deepcopy, repickle):
                other = how(schedule)
                gc.collect()
                self.assertEqual([parcel_schedule_span(other, step) for step in range(len(spans))], spans)

    def test_values_can_be_copied(self):
        for value in (Span(1, 2), Range(1, 2, 3), GridAxis(10, 2), parcel_grid_make(1, [GridAxis(10, 2)]),
                      Move(1, 2, 3, Span(1, 2), Span(1, 2), Span(1, 2))):
            for how in (copy.copy, copy.deepcopy, repickle):
                self.assertEqual(how(value), value)

    def test_an_error_can_be_pickled(self):
        error = repickle(ParcelError(PARCEL_RANGE, "too far"))
        self.assertEqual((error.status, str(error)), (PARCEL_RANGE, "too far"))


unittest.main()
