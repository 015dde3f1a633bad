"""Programs started without standard streams, on full ones, and with texts of any bytes: what is printed never gets into a
file, and what is told is valid JSON, CSV and UTF-8, one message a line."""

import csv
import io
import itertools
import json
import os
import re

import h5py
import numpy as np

from parsquares_runner import PARSQUARES, main
from tool_runner import ToolTest

NAME = "caf\u00e9 'x' \"y\"\n<b>\x1b[7m.h5"
LATIN_1 = NAME.encode("latin-1")


class Streams(ToolTest):
    def assert_squares(self, name):
        with h5py.File(self.folder / name) as file:
            np.testing.assert_array_equal(file["squares"][:], np.arange(1, 1001, dtype=np.uint64) ** 2)
        self.tool_says("verify", name)

    def close(self, *numbers):
        def act():
            for number in numbers:
                os.close(number)

        return {"preexec_fn": act}

    def test_closed_streams_get_nothing_into_the_file(self):
        for count in (1, 2, 3):
            for numbers in itertools.combinations(range(3), count):
                for options in (("-v",), ("--compress",), ("--workers=processes",)):
                    with self.subTest(numbers=numbers, options=options):
                        outcome = self.run_program("--progress=log", "--force", *options, "1..1000", **self.close(*numbers))
                        self.assertEqual((outcome.code, outcome.stderr if 2 in numbers else ""), (0, ""))
                        self.assert_squares("squares.h5")
                        self.assertEqual(self.names(), ["squares.h5"])

    def test_a_mistake_told_to_nobody_is_still_a_mistake(self):
        outcome = self.run_program("1..2..0", **self.close(1, 2))
        self.assertEqual((outcome.code, self.names()), (2, []))

    def test_the_tool_reads_with_closed_streams(self):
        self.make_squares("squares.h5", "1..1000")
        for numbers in ((0,), (1,), (0, 1, 2)):
            for command in (("info",), ("verify",), ("export",)):
                outcome = self.run_program(*command, "squares.h5", program=os.environ["PARCEL_TOOL"], **self.close(*numbers))
                self.assertEqual(outcome.code, 0, (numbers, command, outcome))
        self.assert_squares("squares.h5")

    def test_full_streams(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            outcome = self.run_program("1..1000", stdout=full)
            self.assertEqual((outcome.code, len(outcome.messages)), (1, 1), outcome)
            self.assertIn("cannot write to the standard output", outcome.messages[0])
            self.assert_squares("squares.h5")
            self.assertEqual(self.run_program("--force", "--progress=log", "1..1000", stderr=full).code, 0)
            self.assert_squares("squares.h5")
            for command in ("info", "verify", "export"):
                outcome = self.run_program(command, "squares.h5", program=os.environ["PARCEL_TOOL"], stdout=full)
                self.assertEqual((outcome.code, len(outcome.messages)), (1, 1), outcome)


class Texts(ToolTest):
    """A file whose name, and with it the command line, has bytes that are not UTF-8, a line end, quotes, an escape."""

    def run_in_bytes(self, *arguments):
        """Like run_program; the file system's names are bytes."""
        return self.run_program(*(os.fsdecode(word) if isinstance(word, bytes) else word for word in arguments))

    def test_reports_are_valid_whatever_the_names(self):
        outcome = self.run_in_bytes("-q", "-o", LATIN_1, "--report=r.json", "1..1000")
        self.assertEqual((outcome.code, outcome.stderr), (0, ""))
        report = json.loads((self.folder / "r.json").read_text("utf-8"))
        self.assertEqual(report["sweep"]["file"], NAME.replace("\u00e9", "\ufffd"))
        self.assertIn("'caf\ufffd '\\''x'\\'' \"y\"\n<b>\x1b[7m.h5'", report["provenance"]["command_line"])
        outcome = self.run_in_bytes("-q", "-o", b"2" + LATIN_1, "--report=r.html", "1..1000")
        page = (self.folder / "r.html").read_text("utf-8")
        self.assertNotIn("<b>", page[page.index('"command_line"') :].partition("</script>")[0])

    def test_info_is_valid_whatever_the_names(self):
        self.run_in_bytes("-q", "-o", LATIN_1, "1..1000")
        path = os.fsdecode(LATIN_1)
        told = json.loads(self.tool_says("info", "--json", path))
        self.assertIn("\n<b>\x1b[7m.h5'", told["provenance"]["command_line"])
        os.rename(os.fsencode(self.folder) + b"/" + LATIN_1, self.folder / "plain.h5")
        text = self.tool_says("info", "plain.h5")
        self.assertEqual(re.findall(r"[\x00-\x09\x0b-\x1f\x7f]", text), [])
        self.assertIn("\\x1b[7m", text)
        rows = list(csv.reader(io.StringIO(self.tool_says("export", "--header", "plain.h5"))))
        self.assertEqual(rows[0], ["index", "squares"])
        self.assertEqual(rows[1000], ["1000", "1000000"])

    def test_texts_of_an_older_file_are_valid(self):
        self.make_part("squares.h5", "1..100000", "-b", "10")
        part = self.folder / "squares.h5.part"
        data = part.read_bytes()
        place = data.rindex(b"-q -o squares.h5")  # the text of the provenance
        part.write_bytes(data[:place] + b"\xe9" + data[place + 1 :])
        told = json.loads(self.tool_says("info", "--json", part.name))
        self.assertIn("\ufffdq -o squares.h5", told["provenance"]["command_line"])
        self.assertIn("\ufffdq -o squares.h5", self.tool_says("info", part.name))

    def test_a_message_is_one_line_of_utf8(self):
        outcome = self.run_in_bytes("-o", b"caf\xe9\n/x\r.h5", "1..1000")
        self.assert_refused(outcome, 1, "caf\ufffd ")
        outcome = self.run_in_bytes("1..2\n..x")
        self.assert_refused(outcome, 2)


if __name__ == "__main__":
    assert PARSQUARES
    main()
