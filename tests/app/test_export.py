"""`parcel export` as numpy and Python's csv module read it: every value comes back exactly."""

import csv
import io
import subprocess

import h5py
import numpy

from parsquares_runner import main
from tool_runner import PARCEL, ToolTest


class Export(ToolTest):
    def rows(self, *arguments):
        return list(csv.reader(io.StringIO(self.tool_says("export", *arguments))))

    def test_every_value_comes_back(self):
        self.make_waves("waves.h5", "-7000..7000..3")
        rows = self.rows("--header", "waves.h5")
        self.assertEqual(rows[0], ["index", "sine", "cosine", "vector_0", "vector_1", "vector_2", "rest"])
        table = list(zip(*rows[1:]))
        self.assertEqual(list(map(int, table[0])), list(range(-7000, 7001, 3)))
        with h5py.File(self.folder / "waves.h5") as file:
            expected = [file["sine"][:], file["cosine"][:], *file["vector"][:].T, file["rest"][:]]
        for texts, values in zip(table[1:], expected):
            self.assertTrue(numpy.array_equal(numpy.array(texts, dtype=values.dtype), values, equal_nan=True)
                            if values.dtype.kind == "f" else list(map(int, texts)) == values.tolist())

    def test_texts_are_the_shortest(self):
        self.make_waves("waves.h5", "1..3000")
        with h5py.File(self.folder / "waves.h5") as file:
            for row, value in zip(self.rows("-c", "sine", "waves.h5"), file["sine"][:]):
                digits = repr(float(value)).replace("-", "").split("e")[0].replace(".", "").strip("0")
                shown = row[1].replace("-", "").split("e")[0].replace(".", "").strip("0")
                self.assertLessEqual(len(shown), max(len(digits), 15), row)

    def test_columns_and_range_are_chosen(self):
        self.make_squares("squares.h5", "10..-100..-4", "-p", "2,3")
        self.assertEqual(self.rows("-c", "cubes,squares", "-r", "-3..7", "squares.h5"),
                         [["6", "216", "36"], ["2", "8", "4"], ["-2", "-8", "4"]])
        self.assertEqual(self.rows("-c", "squares", "-r", "10..1000", "squares.h5"), [["10", "100"]])
        self.make_squares("up.h5", "5..105..10")
        self.assertEqual([row[0] for row in self.rows("-r", "6..35", "up.h5")], ["15", "25", "35"])
        self.assertEqual(len(self.rows("up.h5")), 11)

    def test_large_whole_numbers_are_exact(self):
        self.make_squares("squares.h5", "4294967290..4294967295")
        self.assertEqual([int(row[1]) for row in self.rows("squares.h5")],
                         [index**2 for index in range(4294967290, 4294967296)])

    def test_cells_of_failed_indices_are_empty(self):
        self.make_waves("waves.h5", "98..302", "fail", "100")
        rows = self.rows("waves.h5")
        self.assertEqual([int(row[0]) for row in rows], list(range(98, 303)))
        self.assertEqual([row[0] for row in rows if row[1:] == [""] * 6], ["100", "200", "300"])

    def test_mistakes(self):
        self.make_squares("squares.h5", "1..50")
        self.make_part("part.h5", "1..50")
        for arguments, mention in (([], "FILE"), (["-c", "cubes", "squares.h5"], "'cubes'"),
                                   (["-c", "", "squares.h5"], "''"), (["-r", "60..70", "squares.h5"], "60..70"),
                                   (["-r", "1..9..2", "squares.h5"], "step"), (["-r", "x", "squares.h5"], "x"),
                                   (["part.h5.part"], "not complete")):
            with self.subTest(arguments=arguments):
                self.assert_fails(self.run_tool("export", *arguments), 2, mention)

    def test_output_that_cannot_be_written_is_a_failure(self):
        self.make_squares("squares.h5", "1..50000")
        with open("/dev/full", "wb") as full:
            ended = subprocess.run([PARCEL, "export", "squares.h5"], cwd=self.folder, stdout=full, check=False,
                                   stderr=subprocess.PIPE)
        self.assertEqual(ended.returncode, 1)
        self.assertIn(b"cannot write to the standard output", ended.stderr)


if __name__ == "__main__":
    main()
