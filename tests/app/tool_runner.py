"""Runs the tool `parcel` on files that parsquares and waves make."""

import os
import subprocess

from parsquares_runner import PARSQUARES, ProgramTest
from platform_facts import QUIET

PARCEL = os.environ["PARCEL_TOOL"]
WAVES = os.environ["WAVES"]
RANKS = (None, 3, 8)


class ToolTest(ProgramTest):
    """A test with files in a folder of its own."""

    def run_tool(self, *arguments, ranks=None):
        launcher = () if ranks is None else QUIET
        return self.run_program(*arguments, ranks=ranks, launcher=launcher, program=PARCEL)

    def tool_says(self, *arguments, ranks=None):
        """What the tool prints; it must succeed and have nothing to say on stderr."""
        outcome = self.run_tool(*arguments, ranks=ranks)
        self.assertEqual((outcome.code, outcome.stderr), (0, ""), f"{arguments} {ranks}")
        return outcome.stdout

    def assert_fails(self, outcome, code, *mentions):
        """One line of explanation by one rank, which mentions all of these."""
        self.assertEqual(outcome.code, code, outcome.stderr + outcome.stdout)
        self.assertEqual(len(outcome.messages), 1, outcome.stderr)
        self.assertTrue(outcome.messages[0].startswith("parcel: "), outcome.messages[0])
        for mention in mentions:
            self.assertIn(mention, outcome.messages[0])

    def make_squares(self, name, text, *options, ranks=None):
        outcome = self.run_program("-q", "-o", name, *options, text, ranks=ranks, program=PARSQUARES)
        self.assertEqual((outcome.code, outcome.stderr), (0, ""))

    def make_waves(self, name, text, *change):
        outcome = self.run_program(name, text, *change, program=WAVES)
        self.assertIn(outcome.code, (0, 3), outcome.stderr)

    def make_part(self, name, text, *options):
        """An unfinished file, as a run that was killed leaves it: NAME.part."""
        limit = ["--deadline=0.000001"]
        outcome = self.run_program("-q", "-o", name, *options, *limit, text, program=PARSQUARES)
        self.assertEqual(outcome.code, 75, outcome.stderr)

    def change_bytes(self, name, offset, size=1):
        with open(self.folder / name, "r+b") as file:
            file.seek(offset)
            old = file.read(size)
            file.seek(offset)
            file.write(bytes(byte ^ 0x5A for byte in old))

    def h5diff(self, one, other, *columns, options=()):
        """True if h5diff finds no difference in the columns' values."""
        codes = set()
        for column in columns:
            command = ["h5diff", *options, one, other, f"/{column}"]
            ended = subprocess.run(command, cwd=self.folder, stdout=subprocess.DEVNULL, check=False)
            codes.add(ended.returncode)
        self.assertLessEqual(codes, {0, 1})
        return codes == {0}
