"""`parcel merge` makes of parts what one run would have made, or nothing."""

import h5py
import numpy

from parsquares_runner import main
from tool_runner import RANKS, ToolTest


class Merge(ToolTest):
    def make_parts(self, *texts, options=("-p", "2,3", "-b", "50")):
        names = [f"part-{number}.h5" for number in range(len(texts))]
        for name, text in zip(names, texts):
            self.make_squares(name, text, *options)
        return names

    def merge(self, texts, whole, order, ranks):
        names = self.make_parts(*texts)
        self.make_squares("whole.h5", whole, "-p", "2,3")
        self.check_merge(names, order, ranks)
        self.tool_says("verify", "--deep", "merged.h5")

    def check_merge(self, names, order, ranks):
        self.tool_says("merge", "--force", "merged.h5", *(names[number] for number in order), ranks=ranks)
        with h5py.File(self.folder / "merged.h5") as merged, h5py.File(self.folder / "whole.h5") as once:
            for name in ("squares", "cubes"):
                self.assertEqual(merged[name][:].tobytes(), once[name][:].tobytes())
                self.assertEqual(dict(merged[name].attrs)["units"], dict(once[name].attrs)["units"])
            for name in ("first", "step", "status"):
                self.assertEqual(merged.attrs[name], once.attrs[name])
            for name in ("kernel", "kernel_version", "range"):
                self.assertEqual(merged[f"parcel/provenance/{name}"][()], once[f"parcel/provenance/{name}"][()])
            line = bytes(merged["parcel/provenance/command_line"][()]).decode()
        for name in names:
            self.assertIn(name, line)

    def test_parts_in_any_order_are_the_whole(self):
        names = self.make_parts("1..1000", "1001..1007", "1008..1008", "1009..5000")
        self.make_squares("whole.h5", "1..5000", "-p", "2,3")
        for ranks, order in zip(RANKS, ((0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1))):
            with self.subTest(ranks=ranks):
                self.check_merge(names, order, ranks)
        self.tool_says("verify", "--deep", "merged.h5")
        self.tool_says("diff", "merged.h5", "whole.h5")

    def test_ranges_go_down_and_have_steps(self):
        self.merge(("100..58..-7", "51..51", "44..-5..-7"), "100..-5..-7", (1, 2, 0), 3)

    def test_single_indices_make_a_range(self):
        self.merge(("9..9", "12..12", "15..15"), "9..15..3", (2, 0, 1), None)

    def test_wide_and_floating_point_columns(self):
        self.make_waves("a.h5", "0..777")
        self.make_waves("b.h5", "778..1500")
        self.make_waves("whole.h5", "0..1500")
        self.tool_says("merge", "merged.h5", "b.h5", "a.h5", ranks=3)
        with h5py.File(self.folder / "merged.h5") as merged, h5py.File(self.folder / "whole.h5") as once:
            for name in ("sine", "cosine", "vector", "rest"):
                self.assertTrue(numpy.array_equal(merged[name][:], once[name][:], equal_nan=name != "rest"))

    def test_failures_of_the_parts_are_on_record(self):
        self.make_waves("a.h5", "1..350", "fail", "100")
        self.make_waves("b.h5", "351..720", "fail", "100")
        self.make_waves("whole.h5", "1..720", "fail", "100")
        outcome = self.run_tool("merge", "merged.h5", "a.h5", "b.h5", ranks=3)
        self.assertEqual(outcome.code, 3, outcome.stderr)
        with h5py.File(self.folder / "merged.h5") as merged, h5py.File(self.folder / "whole.h5") as once:
            self.assertEqual(list(merged["parcel/failures/index"]), [100, 200, 300, 400, 500, 600, 700])
            for name in ("code", "message"):
                self.assertTrue(numpy.array_equal(*(file[f"parcel/failures/{name}"] for file in (merged, once))))
        self.tool_says("verify", "--deep", "merged.h5", ranks=3)
        self.tool_says("diff", "merged.h5", "whole.h5", ranks=3)

    def test_parts_that_do_not_fit_are_named_and_nothing_is_made(self):
        names = self.make_parts("1..100", "102..200", "100..150", "101..201..2", "101..102")
        self.make_waves("waves.h5", "101..200")
        self.make_squares("columns.h5", "101..200", "-p", "2")
        self.make_part("unfinished.h5", "101..200", "-p", "2,3")
        for other, mentions in ((names[1], ("102..200",)), (names[2], ("100..150",)), (names[3], ("step",)),
                                ("waves.h5", ("kernel 'waves'", "'sine'")), ("columns.h5", ("1 columns",)),
                                ("unfinished.h5.part", ("not complete",)), (names[0], ("overlap",))):
            with self.subTest(other=other):
                outcome = self.run_tool("merge", "merged.h5", names[0], other, ranks=3)
                self.assert_fails(outcome, 2, other, *mentions)
                self.assertNotIn("merged.h5", self.names())
                self.assertNotIn("merged.h5.part", self.names())

    def test_damaged_part_is_refused(self):
        names = self.make_parts("1..1000", "1001..2000")
        with h5py.File(self.folder / names[1]) as file:
            place = file["squares"].id.get_offset()
        self.change_bytes(names[1], place + 4000)
        self.assert_fails(self.run_tool("merge", "merged.h5", *names, ranks=3), 1, names[1], "damaged")
        self.assertNotIn("merged.h5", self.names())

    def test_existing_output_is_kept_unless_forced(self):
        names = self.make_parts("1..10", "11..20")
        (self.folder / "merged.h5").write_text("precious")
        self.assert_fails(self.run_tool("merge", "merged.h5", *names), 2, "merged.h5")
        self.assertEqual((self.folder / "merged.h5").read_text(), "precious")
        self.tool_says("merge", "--force", "merged.h5", *names)
        self.tool_says("verify", "merged.h5")
        self.assert_fails(self.run_tool("merge", "--force", names[0], *names), 2, "output")
        self.assert_fails(self.run_tool("merge", "merged.h5"), 2, "PART")


if __name__ == "__main__":
    main()
