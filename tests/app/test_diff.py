"""`parcel diff` agrees with h5diff and numpy about which files hold the same values, and where they do not."""

import re

import h5py
import numpy

from parsquares_runner import main
from tool_runner import RANKS, ToolTest

WAVES = ("sine", "cosine", "vector", "rest")  # the columns of the program waves


class Diff(ToolTest):
    def test_ways_of_storing_do_not_count(self):
        self.make_squares("a.h5", "1..5000", "-p", "2,3", "-b", "7")
        self.make_squares("b.h5", "1..5000", "-p", "3,2", ranks=3)
        self.assertTrue(self.h5diff("a.h5", "b.h5", "squares", "cubes"))
        for ranks in RANKS:
            with self.subTest(ranks=ranks):
                self.assertIn("the same values", self.tool_says("diff", "a.h5", "b.h5", ranks=ranks))

    def test_nan_equals_nan_and_infinity_itself(self):
        self.make_waves("a.h5", "-500..500")
        self.make_waves("b.h5", "-500..500")
        self.assertTrue(self.h5diff("a.h5", "b.h5", *WAVES))
        self.tool_says("diff", "a.h5", "b.h5", ranks=3)

    def test_differing_positions_are_counted_and_named(self):
        self.make_waves("a.h5", "0..3000")
        self.make_waves("b.h5", "0..3000", "305", "0.25")
        self.assertFalse(self.h5diff("a.h5", "b.h5", *WAVES))
        with h5py.File(self.folder / "a.h5") as a, h5py.File(self.folder / "b.h5") as b:
            same = (a["sine"][:] == b["sine"][:]) | (numpy.isnan(a["sine"][:]) & numpy.isnan(b["sine"][:]))
            values = a["sine"][305], b["sine"][305]
        self.assertEqual(list(numpy.flatnonzero(~same)), [305])
        for ranks in RANKS:
            with self.subTest(ranks=ranks):
                outcome = self.run_tool("diff", "a.h5", "b.h5", ranks=ranks)
                self.assert_fails(outcome, 1, "differ in 1 of 4 columns")
                self.assertIn("sine: 1 of 3001 positions differ\n", outcome.stdout)
                shown = re.search(r"  index 305: (\S+) \| (\S+)\n", outcome.stdout).groups()
                self.assertEqual(tuple(map(float, shown)), values)

    def test_tolerance_is_h5diffs_delta(self):
        self.make_waves("a.h5", "300..310")
        self.make_waves("b.h5", "300..310", "305", "0.25")
        for tolerance, is_equal in (("0.2", False), ("0.3", True)):
            self.assertEqual(self.h5diff("a.h5", "b.h5", "sine", options=[f"--delta={tolerance}"]), is_equal)
            outcome = self.run_tool("diff", f"--tolerance={tolerance}", "a.h5", "b.h5")
            self.assertEqual(outcome.code, 0 if is_equal else 1)

    def test_first_differences_of_many_are_shown_in_order(self):
        for name, sign in (("a.h5", 1), ("b.h5", -1)):
            self.make_waves(name, "1..4000", "sign", sign)
        for ranks in RANKS:
            with self.subTest(ranks=ranks):
                outcome = self.run_tool("diff", "a.h5", "b.h5", ranks=ranks)
                self.assert_fails(outcome, 1, "differ in 1 of 4 columns")
                self.assertIn("vector: 4000 of 4000 positions differ\n", outcome.stdout)
                self.assertEqual(re.findall(r"^  index (\d+):", outcome.stdout, re.M), ["1", "2", "3", "4", "5"])
        self.assertEqual(self.run_tool("diff", "-q", "a.h5", "b.h5", ranks=3).stdout, "")

    def test_what_cannot_be_compared_says_so(self):
        self.make_squares("a.h5", "1..500", "-p", "2")
        self.make_squares("range.h5", "1..501", "-p", "2")
        self.make_squares("columns.h5", "1..500", "-p", "2,3")
        self.make_waves("waves.h5", "1..500")
        self.make_part("part.h5", "1..500")
        for other, mention in (("range.h5", "1..501"), ("columns.h5", "'cubes'"), ("waves.h5", "'squares'"),
                               ("part.h5.part", "not complete")):
            with self.subTest(other=other):
                self.assert_fails(self.run_tool("diff", "a.h5", other, ranks=3), 2, mention)
        self.assert_fails(self.run_tool("diff", "a.h5", "absent.h5", ranks=3), 1, "absent.h5")
        for arguments in ([], ["a.h5"], ["a.h5", "a.h5", "a.h5"], ["--tolerance=-1", "a.h5", "a.h5"],
                          ["--tolerance=x", "a.h5", "a.h5"]):
            with self.subTest(arguments=arguments):
                self.assert_fails(self.run_tool("diff", *arguments), 2)


if __name__ == "__main__":
    main()
