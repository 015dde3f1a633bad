"""The values are the exact powers; ranks, threads and blocks leave no trace in them."""

import itertools

import h5py
import numpy

from parsquares_runner import ProgramTest, main

ALL_POWERS = tuple(range(1, 10))
LARGEST = 2**63 - 1
LOWEST = -(2**63)

# FIRST, LAST, STEP, powers: ranges that do not divide, go down, cross zero or reach the last value that fits.
RANGES = [
    (1, 7, 1, ALL_POWERS),
    (10, 1, -4, ALL_POWERS),
    (5, 5, 1, ALL_POWERS),
    (0, 0, 1, ALL_POWERS),
    (-1000, 1000, 1, (2, 3, 4)),
    (-1000, 1000, 1, (1, 2, 3, 4, 5, 6)),
    (-128, 127, 1, ALL_POWERS),
    (-255, 255, 17, (8, 2, 5)),
    (65535, -65535, -1, (4,)),
    (-2097152, 2097151, 1, (3,)),
    (2**32 - 10, 2**32 - 1, 1, (2,)),
    (-(2**32) + 1, -(2**32) + 10, 1, (2,)),
    (LARGEST - 7, LARGEST, 1, (1,)),
    (LOWEST, LOWEST + 8, 1, (1,)),
    (LOWEST, LARGEST, 2**62, (1,)),
]


def name_of(power):
    return {2: "squares", 3: "cubes", 4: "quads"}.get(power, f"power_{power}")


def type_of(power):
    return numpy.dtype("u8" if power % 2 == 0 else "i8")


def text_of(first, last, step):
    return f"{first}..{last}" if step == 1 else f"{first}..{last}..{step}"


def values_of(first, last, step):
    return range(first, last + (1 if step > 0 else -1), step)


class SameBytes(ProgramTest):
    def check_columns(self, file_name, first, last, step, powers):
        """The file holds these columns and no other, of the right type, with the values Python computes."""
        values = values_of(first, last, step)
        with h5py.File(self.folder / file_name) as file:
            self.assertEqual(set(file), {"index", "parcel", *map(name_of, powers)})
            for power in powers:
                column = file[name_of(power)]
                self.assertEqual((column.dtype, column.shape), (type_of(power), (len(values),)))
                expected = numpy.array([value**power for value in values], dtype=type_of(power))
                self.assertTrue(numpy.array_equal(column[:], expected), f"{column.name} differs")

    def check_sums(self, outcome, first, last, step, powers):
        values = values_of(first, last, step)
        expected = {name_of(power): sum(value**power for value in values) for power in powers}
        self.assertEqual(outcome.sums, expected)

    def test_million_squares_for_all_ranks_threads_and_blocks(self):
        expected = numpy.arange(1, 1000001, dtype="u8") ** 2
        expected_sum = sum(value**2 for value in range(1, 1000001))
        ways = itertools.product((1, 2, 3, 7, 8), (1, 2, 3), (None, 1000, 77777, LARGEST))
        for ranks, threads, block in ways:
            with self.subTest(ranks=ranks, threads=threads, block=block):
                blocks = [] if block is None else ["-b", block]
                outcome = self.run_program("--force", "-t", threads, *blocks, "1..1000000", ranks=ranks)
                self.assertEqual(outcome.code, 0, outcome.stderr)
                self.assertEqual(outcome.sums, {"squares": expected_sum})
                with h5py.File(self.folder / "squares.h5") as file:
                    self.assertEqual(file["squares"][:].tobytes(), expected.tobytes())

    def test_every_range_and_power_alone_and_on_eight_ranks(self):
        for (first, last, step, powers), ranks in itertools.product(RANGES, (None, 8)):
            text = text_of(first, last, step)
            with self.subTest(range=text, powers=powers, ranks=ranks):
                listed = ",".join(map(str, powers))
                outcome = self.run_well("--force", "-t", 1, "-p", listed, "--", text, ranks=ranks)
                self.check_columns("squares.h5", first, last, step, powers)
                self.check_sums(outcome, first, last, step, powers)

    def test_blocks_of_one_position(self):
        for ranks, threads in ((None, 1), (3, 1), (3, 2), (8, 3)):
            with self.subTest(ranks=ranks, threads=threads):
                arguments = ("--force", "-b", 1, "-t", threads, "-p", "2,3", "1..1000")
                outcome = self.run_program(*arguments, ranks=ranks)
                self.assertEqual(outcome.code, 0, outcome.stderr)
                self.check_columns("squares.h5", 1, 1000, 1, (2, 3))
                self.check_sums(outcome, 1, 1000, 1, (2, 3))

    def test_negative_first_value_wherever_it_stands(self):
        for arguments in (
            ["-1000..1000"],
            ["--", "-1000..1000"],
            ["-t", "1", "-1000..1000", "-b", "100"],
            ["-1000..1000", "--progress=none"],
            ["--block", "100", "--", "-1000..1000"],
        ):
            for ranks in (None, 3):
                with self.subTest(arguments=arguments, ranks=ranks):
                    outcome = self.run_well("--force", *arguments, ranks=ranks)
                    self.check_columns("squares.h5", -1000, 1000, 1, (2,))
                    self.check_sums(outcome, -1000, 1000, 1, (2,))

    def test_million_squares_are_the_default(self):
        outcome = self.run_well()
        self.check_columns("squares.h5", 1, 1000000, 1, (2,))
        self.assertEqual(outcome.sums, {"squares": 333333833333500000})


if __name__ == "__main__":
    main()
