"""`parcel verify` accepts what was written, and nothing else: any changed byte is found, on any number of ranks."""

import random
import re
import sys

import h5py

from parsquares_runner import main
from tool_runner import RANKS, ToolTest


class Verify(ToolTest):
    def test_finished_file_is_good(self):
        self.make_waves("waves.h5", "-7..9993..4")
        for ranks, deep in ((None, []), (3, ["--deep"]), (8, [])):
            with self.subTest(ranks=ranks, deep=deep):
                text = self.tool_says("verify", *deep, "waves.h5", ranks=ranks)
                self.assertRegex(text, r"^waves.h5: complete, 2501 positions, (\d+) of \1 blocks are good\n")
        self.assertEqual(self.tool_says("verify", "-q", "--deep", "waves.h5"), "")

    def test_bad_blocks_are_named_with_their_indices(self):
        self.make_squares("squares.h5", "1..10000", "-b", "100", "-p", "2,3")
        with h5py.File(self.folder / "squares.h5") as file:
            place = file["cubes"].id.get_offset()
        for position in (250, 350, 499, 7000):
            self.change_bytes("squares.h5", place + 8 * position)
        for ranks in RANKS:
            with self.subTest(ranks=ranks):
                outcome = self.run_tool("verify", "squares.h5", ranks=ranks)
                self.assert_fails(outcome, 1, "4 of its 100 blocks are bad")
                self.assertEqual(re.findall(r"^damaged: .*$", outcome.stdout, re.M),
                                 ["damaged: blocks 2..4, indices 201..500", "damaged: block 70, indices 7001..7100"])

    def add(self, name):
        """What other programs do to a file: an attribute, then a dataset of their own."""
        with h5py.File(self.folder / name, "r+") as file:
            file.attrs["note"] = "seen by us"
            file["ours"] = [1, 2, 3]

    def test_a_file_to_which_something_was_added_is_named_so_and_its_values_are_checked(self):
        for options in ((), ("--compress",)):
            self.make_squares("squares.h5", "1..10000", "-b", "100", "-p", "2,3", "--force", *options)
            self.add("squares.h5")
            for ranks in (None, 3):
                outcome = self.run_tool("verify", "squares.h5", ranks=ranks)
                self.assert_fails(outcome, 1, "changed after it was finished", "bytes more", "blocks are good")
                self.assertNotIn("damaged", outcome.stdout + outcome.stderr)
                self.assertRegex(outcome.stdout, r"10000 positions, (\d+) of \1 blocks are good")

    def test_a_file_to_which_something_was_added_is_read_with_a_warning(self):
        self.make_squares("one.h5", "1..1000")
        self.make_squares("same.h5", "1..1000")
        self.make_squares("next.h5", "1001..2000")
        before = self.tool_says("export", "one.h5")
        self.add("one.h5")
        for command in (("info", "one.h5"), ("export", "one.h5"), ("diff", "one.h5", "same.h5"),
                        ("merge", "whole.h5", "one.h5", "next.h5")):
            outcome = self.run_tool(*command, ranks=3 if command[0] in ("diff", "merge") else None)
            self.assertEqual(outcome.code, 0, outcome)
            self.assertEqual(len(outcome.messages), 1, outcome)
            self.assertIn("parcel: warning: 'one.h5' was changed after it was finished", outcome.messages[0])
            if command[0] == "export":
                self.assertEqual(outcome.stdout, before)
        self.tool_says("verify", "whole.h5")

    def test_a_file_to_which_something_was_added_is_not_sealed_again(self):
        self.make_squares("squares.h5", "1..1000")
        self.add("squares.h5")
        before = (self.folder / "squares.h5").read_bytes()
        for option in ("--resume", "--retry-failed"):
            outcome = self.run_program(option, "1..1000")
            self.assert_refused(outcome, 1, "changed after it was finished")
            self.assertEqual((self.folder / "squares.h5").read_bytes(), before)

    def test_a_bad_block_is_found_beside_what_was_added(self):
        self.make_squares("squares.h5", "1..10000", "-b", "100")
        self.add("squares.h5")
        with h5py.File(self.folder / "squares.h5") as file:
            place = file["squares"].id.get_offset()
        self.change_bytes("squares.h5", place + 8 * 250)
        outcome = self.run_tool("verify", "squares.h5")
        self.assert_fails(outcome, 1, "1 of its 100 blocks are bad")
        self.assertIn("damaged: block 2, indices 201..300", outcome.stdout)

    def test_unfinished_file_is_not_complete(self):
        self.make_part("squares.h5", "1..100000", "-b", "10")
        outcome = self.run_tool("verify", "squares.h5.part", ranks=3)
        self.assert_fails(outcome, 1, "not complete", "the others good")
        self.assertRegex(outcome.stdout, r"missing: blocks \d+\.\.\d+, indices ")

    def test_mistakes(self):
        for arguments, mention in (([], "FILE"), (["a", "b"], "'b'"), (["a", "--dep"], "--dep"), (["-t", "0", "a"], "0")):
            with self.subTest(arguments=arguments):
                self.assert_fails(self.run_tool("verify", *arguments, ranks=3), 2, mention)
        self.assert_fails(self.run_tool("verify", "absent.h5", ranks=3), 1, "absent.h5")


class EveryByte(ToolTest):
    """A byte in each region of a file, changed: HDF5's structure, attributes, seal, ledger, values, gaps. `test_verify.py
    EveryByte N` tries N bytes instead of a few."""

    tries = 12

    def regions(self):
        with h5py.File(self.folder / "squares.h5") as file:
            names = ("squares", "cubes", "parcel/ledger", "parcel/seal")
            return {name: (file[name].id.get_offset(), file[name].id.get_storage_size()) for name in names}

    def test_no_changed_byte_goes_unnoticed(self):
        self.make_squares("squares.h5", "1..3000", "-b", "300", "-p", "2,3")
        generator = random.Random(5)
        size = (self.folder / "squares.h5").stat().st_size
        places = [generator.randrange(size) for _ in range(self.tries // 2)]
        for offset, length in self.regions().values():
            places += [offset, offset + length - 1]
        places += [generator.randrange(4096) for _ in range(self.tries // 4)] + [0, 8, size - 1]
        for place in places:
            with self.subTest(place=place):
                self.change_bytes("squares.h5", place)
                outcome = self.run_tool("verify", "--deep", "squares.h5")
                self.assertIn(outcome.code, (1, 2), outcome.stdout + outcome.stderr)
                self.assertEqual(len(outcome.messages), 1, outcome.stderr)
                self.change_bytes("squares.h5", place)
        self.tool_says("verify", "--deep", "squares.h5")

    def test_a_part_is_read_or_refused_whatever_changed(self):
        self.make_part("squares.h5", "1..3000", "-b", "300", "-p", "2,3")
        generator = random.Random(7)
        size = (self.folder / "squares.h5.part").stat().st_size
        for place in [generator.randrange(size) for _ in range(self.tries // 2)]:
            with self.subTest(place=place):
                self.change_bytes("squares.h5.part", place)
                outcome = self.run_tool("info", "squares.h5.part")
                self.assertIn(outcome.code, (0, 1, 2), outcome.stderr)
                self.change_bytes("squares.h5.part", place)

    def test_a_file_of_another_length_is_refused(self):
        self.make_squares("squares.h5", "1..3000")
        path = self.folder / "squares.h5"
        whole = path.read_bytes()
        for size in (len(whole) + 1, len(whole) - 1, len(whole) // 2, 4096, 1, 0):
            with self.subTest(size=size):
                path.write_bytes(whole[:size].ljust(size, b"\0"))
                self.assertIn(self.run_tool("verify", "squares.h5").code, (1, 2))


if __name__ == "__main__":
    if len(sys.argv) == 3:
        EveryByte.tries = int(sys.argv.pop())
    main()
