"""`parcel plan` against numpy and plain Python: the same parts, as table and JSON; mistakes in one line."""

import json
import os
import re
import subprocess
import time
import unittest

import numpy

from parsquares_runner import finish, main, start
from platform_facts import only_open_mpi

PARCEL = os.environ["PARCEL_TOOL"]
LARGEST = 2**63 - 1
HUGE = 10**18

# Arguments after `parcel plan`, and what the line must mention.
MISTAKES = [
    ([], "RANGE"),
    (["1..5"], "--parts"),
    (["5x", "-n", "2"], "'5x'"),
    (["1..5", "-6..7", "-n", "2"], "'-6..7'"),
    (["1..5..-1", "-n", "2"], "step"),
    (["1..9223372036854775808", "-n", "2"], "64 bits"),
    (["1..5", "-n", "0"], "--parts"),
    (["1..5", "-n", "2147483648"], "--parts"),
    (["1..5", "-n", "x"], "'x'"),
    (["1..5", "-n"], "n"),
    (["1..5", "--parts"], "--parts"),
    (["1..5", "-n", "2", "--parts=2"], "--parts was given twice"),
    (["1..5", "-n", "2", "-l", "block", "-l", "block"], "--layout was given twice"),
    (["1..5", "-n", "2", "--json", "--json"], "--json"),
    (["1..5", "-n", "2", "--bogus"], "--bogus"),
    (["1..5", "-n", "2", "-X"], "X"),
    (["1..5", "-n", "2", "--json=3"], "--json"),
    (["1..5", "-n", "2", "-l", "blok"], "cyclic[:N]"),
    (["1..5", "-n", "2", "-l", ""], "unknown layout ''"),
    (["1..5", "-n", "2", "-l", "block:3"], "'block:3'"),
    (["1..5", "-n", "2", "-l", "aligned"], "aligned:512"),
    (["1..5", "-n", "2", "-l", "aligned:0"], "0 is outside"),
    (["1..5", "-n", "2", "-l", "cyclic:"], "a digit"),
    (["1..5", "-n", "2", "-l", "cyclic:1e3"], "'1e3'"),
    (["1..5", "-n", "2", "-l", "cyclic:99999999999999999999"], "64 bits"),
    (["1..5", "-l", "weighted"], "list"),
    (["1..5", "-l", "weighted:"], "no weight"),
    (["1..5", "-l", "weighted:1,,2"], "no weight"),
    (["1..5", "-l", "weighted:1,nan"], "'nan'"),
    (["1..5", "-l", "weighted:1,inf"], "'inf'"),
    (["1..5", "-l", "weighted:1,0x2"], "'0x2'"),
    (["1..5", "-l", "weighted:1,1e999"], "finite"),
    (["1..5", "-l", "weighted:1,-2"], "-2"),
    (["1..5", "-l", "weighted:0,0"], "0"),
    (["1..5", "-l", "weighted:1,2", "-n", "3"], "--parts says 3"),
    (["1..5", "-l", "explicit:0"], "cut points"),
    (["1..5", "-l", "explicit:0,4"], "the range has 5"),
    (["1..5", "-l", "explicit:0,4,3,5"], "--layout"),
    (["1..5", "-l", "explicit:0,5", "-n", "2"], "--parts says 2"),
    (["1..5", "-l", "block(6,2)"], "the range has 5"),
    (["1..5", "-l", "block(5,2)", "-n", "3"], "--parts says 3"),
    (["1..5", "-l", "block(5,2"], "')'"),
    (["1..5", "-n", "2", "--blocks", "0"], "--blocks"),
    (["1..5", "-n", "2", "--blocks", str(LARGEST)], "--blocks"),
    (["1..5", "--blocks", "2"], "--parts"),
    (["1..5", "-n", "2", "--blocks", "2", "-l", "cyclic"], "--blocks"),
    (["1..5", "-n", "2", "--blocks", "2", "-s", "self"], "--blocks and --schedule"),
    (["1..5", "-n", "2", "-s", "dinamic"], "'dinamic'"),
    (["1..5", "-n", "2", "-s", "fixed"], "chunk"),
    (["1..5", "-n", "2", "-s", "fixed:0"], "0 is outside"),
    (["1..5", "-n", "2", "-s", "fixed,2:3"], "'2:3'|more than one chunk"),
    (["1..5", "-n", "2", "-s", "self:3"], "--schedule"),
    (["1..5", "-n", "2", "-s", "guided", "-l", "block"], "--layout"),
    (["1..5", "-n", "2", "-s", "weighted"], "weighted"),
    (["1..5", "-s", "guided"], "--parts"),
]

# The same for `parcel` itself.
MISTAKES_OF_THE_TOOL = [
    ([], "plan"),
    (["plam"], "'plam'"),
    ([""], "''"),
    (["--bogus"], "--bogus"),
    (["-V", "plan"], "'plan'"),
    (["-V", "-V"], "twice"),
    (["-5..5"], "-"),
]


def run(*arguments):
    return finish(start([PARCEL, *map(str, arguments)], "/"))


def spans_of(owners, parts):
    """For each part its first and last position, its positions and its runs, from an array of owners."""
    shares = []
    for part in range(parts):
        mine = numpy.flatnonzero(owners == part)
        runs = int(numpy.count_nonzero(numpy.diff(mine) != 1)) + 1 if len(mine) else 0
        shares.append((int(mine[0]) if runs else None, int(mine[-1]) if runs else None, len(mine), runs))
    return shares


def rows_of_table(text):
    """The header and the rows of a printed table, `-` as None, without the line of dots."""
    header, *lines = text.split("\n\n")[1].splitlines()
    cells = [line.split() for line in lines if line.strip() != "..."]
    return header.split(), [[None if cell == "-" else int(cell) for cell in row] for row in cells]


def facts_of_table(text):
    """What stands above the rows; a layout's text has commas, but no blank after them."""
    facts = {}
    for fact in re.split(r", |\n", text.split("\n\n")[0]):
        name, value = fact.split(" ")
        facts[name] = value
    return facts


class PlanTest(unittest.TestCase):
    has_json = "without jansson" not in run("plan", "1..2", "-n1", "--json").stderr

    def plan(self, *arguments):
        outcome = run("plan", *arguments)
        self.assertEqual((outcome.code, outcome.stderr), (0, ""), arguments)
        return outcome.stdout

    def rows(self, *arguments):
        return rows_of_table(self.plan(*arguments))[1]

    def check_owners(self, owners, parts, *arguments):
        """The range counts down by threes from 1000, so that positions and values cannot be mistaken."""
        n = len(owners)
        values = [1000 - 3 * position for position in range(n)]
        expected = [
            [part, count, *(None if runs == 0 else values[end] for end in (first, last)), runs]
            for part, (first, last, count, runs) in enumerate(spans_of(owners, parts))
        ]
        with self.subTest(n=n, parts=parts, arguments=arguments):
            self.assertEqual(self.rows(f"1000..{values[-1]}..-3", *arguments), expected)


class Parts(PlanTest):
    def test_block_is_numpys_array_split(self):
        for n, parts in ((1, 1), (10, 4), (11, 4), (3, 5), (97, 10), (1000, 7)):
            pieces = numpy.array_split(numpy.arange(n), parts)
            owners = numpy.repeat(numpy.arange(parts), [len(piece) for piece in pieces])
            self.check_owners(owners, parts, "-n", parts)
            self.check_owners(owners, parts, "--parts", parts, "--layout=block")
            self.check_owners(owners, parts, "--layout", f"block({n},{parts})")

    def test_aligned_is_array_split_of_units(self):
        for n, parts, align in ((100, 3, 8), (97, 10, 16), (5, 2, 100)):
            units = numpy.array_split(numpy.arange(-(-n // align)), parts)
            unit_owners = numpy.repeat(numpy.arange(parts), [len(piece) for piece in units])
            owners = unit_owners[numpy.arange(n) // align]
            self.check_owners(owners, parts, "-n", parts, "-l", f"aligned:{align}")

    def test_ceiling_is_division_by_the_rounded_up_share(self):
        for n, parts in ((10, 4), (11, 10), (100, 8)):
            self.check_owners(numpy.arange(n) // -(-n // parts), parts, "-n", parts, "-l", "ceiling")

    def test_cyclic_goes_round(self):
        for n, parts, block in ((10, 4, 1), (97, 5, 8), (7, 9, 2), (64, 4, 16)):
            owners = numpy.arange(n) // block % parts
            self.check_owners(owners, parts, "-n", parts, "-l", f"cyclic:{block}")
        self.check_owners(numpy.arange(23) % 3, 3, "-n", 3, "-l", "cyclic")

    def test_weighted_gives_shares_by_weight(self):
        self.check_owners(numpy.repeat([0, 1, 3], [10, 25, 5]), 4, "-l", "weighted:1,2.5,0,5e-1")
        block = self.rows("1..1000", "-n", 7)
        self.assertEqual(self.rows("1..1000", "-l", "weighted:3,3,3,3,3,3,3", "-n", 7), block)

    def test_explicit_is_what_it_says(self):
        self.check_owners(numpy.repeat([0, 2, 3], [1, 30, 9]), 5, "-l", "explicit:0,1,1,3_1,40,40")

    def test_summary_is_of_the_rows(self):
        for layout in ("block", "ceiling", "cyclic:7", "weighted:1,2,3,0", "aligned:16"):
            with self.subTest(layout=layout):
                text = self.plan("1..101", "-n", 4, "-l", layout)
                facts = facts_of_table(text)
                counts = [row[1] for row in rows_of_table(text)[1]]
                self.assertEqual((facts["range"], facts["positions"], facts["parts"]), ("1..101", "101", "4"))
                self.assertEqual((int(facts["smallest"]), int(facts["largest"])), (min(counts), max(counts)))
                self.assertEqual(facts["imbalance"], f"{max(counts) / numpy.mean(counts):.4f}")
                self.assertEqual(self.plan("1..101", "-l", facts["layout"]), text)

    def test_range_may_begin_with_a_negative_number(self):
        for arguments in (["-5..5", "-n", 3], ["-n3", "-5..5"], ["-n", 3, "--", "-5..5"]):
            expected = [[0, 4, -5, -2, 1], [1, 4, -1, 2, 1], [2, 3, 3, 5, 1]]
            self.assertEqual(self.rows(*arguments), expected)

    def test_whole_of_int64_is_divided_exactly(self):
        rows = self.rows(f"1..{LARGEST}", "-n", 3)
        self.assertEqual([row[2] for row in rows], [1, LARGEST // 3 + 1 + (LARGEST % 3 > 0),
                                                    2 * (LARGEST // 3) + 1 + LARGEST % 3])
        self.assertEqual(rows[-1][3], LARGEST)

    def test_largest_ranges_take_no_time(self):
        weighted = "weighted:" + "1,2," * 499 + "3"
        for layout in ("block", "aligned:4096", "ceiling", "cyclic", "cyclic:64", weighted):
            with self.subTest(layout=layout[:20]):
                begin = time.monotonic()
                rows = self.rows(f"1..{HUGE}", "-l", layout, *([] if "w" in layout else ["-n", 1000]))
                self.assertLess(time.monotonic() - begin, 0.5)
                self.assertEqual(sum(row[1] for row in rows), HUGE)


class Blocks(PlanTest):
    def test_grid_is_array_split_twice(self):
        for n, parts, blocks in ((100, 3, 4), (7, 3, 5), (2, 4, 3), (1000, 7, 1)):
            pieces = numpy.array_split(numpy.arange(1, n + 1), parts)
            expected = []
            for part, piece in enumerate(pieces):
                sizes = [len(block) for block in numpy.array_split(piece, blocks)]
                ends = [int(piece[0]), int(piece[-1])] if len(piece) else [None, None]
                numbers = [part * blocks, part * blocks + blocks - 1]
                expected.append([part, len(piece), *ends, *numbers, min(sizes), max(sizes)])
            with self.subTest(n=n, parts=parts, blocks=blocks):
                text = self.plan(f"1..{n}", "-n", parts, "--blocks", blocks)
                self.assertEqual(rows_of_table(text)[1], expected)
                self.assertEqual(int(facts_of_table(text)["blocks"]), parts * blocks)
                self.assertEqual(int(facts_of_table(text)["largest_block"]), max(row[7] for row in expected))


class Steps(PlanTest):
    def test_steps_cover_the_range(self):
        for kind in ("static", "self", "fixed:3", "guided", "guided:2", "trapezoid", "factoring", "fixed,4"):
            with self.subTest(kind=kind):
                rows = self.rows("1..10", "-n", 3, "-s", kind)
                values = [value for _, _, first, last in rows for value in range(first, last + 1)]
                self.assertEqual(values, list(range(1, 11)))
                self.assertEqual([row[0] for row in rows], list(range(len(rows))))

    def test_only_the_ends_of_long_sequences_are_shown(self):
        text = self.plan(f"1..{HUGE}", "-n", 1000, "-s", "fixed:7")
        steps = -(-HUGE // 7)
        self.assertEqual(facts_of_table(text)["steps"], str(steps))
        rows = rows_of_table(text)[1]
        self.assertEqual([row[0] for row in rows], [*range(5), *range(steps - 5, steps)])
        self.assertEqual(text.count("...\n"), 1)
        before = 7 * (steps - 1)
        self.assertEqual(rows[-1], [steps - 1, HUGE - before, before + 1, HUGE])

    def test_ten_steps_are_shown_without_a_gap(self):
        self.assertNotIn("...\n", self.plan("1..10", "-n", 1, "-s", "self"))
        self.assertIn("...\n", self.plan("1..11", "-n", 1, "-s", "self"))

    def test_factoring_halves_what_is_left(self):
        """Batches of P steps, each of half of what remains (Flynn Hummel et al., 1992)."""
        sizes = [row[1] for row in self.rows("1..1000", "-n", 4, "-s", "factoring")]
        self.assertEqual(sizes[:5], [125, 125, 125, 125, 63])

    def test_weighted_steps_follow_the_weights(self):
        rows = self.rows("1..1000", "-s", "weighted", "-l", "weighted:1,3")
        self.assertEqual([row[1] for row in rows][:2], [125, 375])


class Json(PlanTest):
    def setUp(self):
        if not self.has_json:
            self.skipTest("built without jansson")

    def test_json_equals_the_table(self):
        for arguments in (
            ["1..1000", "-n", 7],
            ["-100..-3..3", "-n", 50, "-l", "cyclic:2"],
            [f"1..{LARGEST}", "-l", "weighted:1,2,0.1"],
            ["1..1000", "-n", 3, "--blocks", 400],
            [f"1..{HUGE}", "-n", 9, "-s", "guided:10"],
            ["1..5", "-s", "weighted", "-l", "weighted:1,0,2"],
        ):
            with self.subTest(arguments=arguments):
                table = self.plan(*arguments)
                document = json.loads(self.plan(*arguments, "--json"))
                columns, rows = rows_of_table(table)
                self.assertEqual([list(row.values()) for row in document["rows"]], rows)
                self.assertTrue(all(list(row) == columns for row in document.pop("rows")))
                facts = {name: f"{value:.4f}" if isinstance(value, float) else str(value)
                         for name, value in document.items()}
                self.assertEqual(facts, facts_of_table(table))


class CommandLine(PlanTest):
    def test_every_mistake_is_one_line_and_exit_code_2(self):
        mistakes = [(["plan", *arguments], mentions) for arguments, mentions in MISTAKES]
        for arguments, mentions in mistakes + MISTAKES_OF_THE_TOOL:
            with self.subTest(arguments=arguments):
                outcome = run(*arguments)
                self.assertEqual((outcome.code, outcome.stdout), (2, ""))
                self.assertRegex(outcome.stderr, r"\Aparcel: .+\n\Z")
                self.assertTrue(any(word in outcome.stderr for word in mentions.split("|")), outcome.stderr)

    def test_help_and_version(self):
        commands = ("diff", "doctor", "export", "info", "job", "merge", "plan", "top", "verify", "whatif")
        for arguments in (["--version"], ["-V"], *([command, "--version"] for command in commands)):
            self.assertRegex(run(*arguments).stdout, r"\Aparcel \(Parcel\) \d+\.\d+\.\d+\n\Z")
        for command in commands:
            self.assertTrue(run(command, "--help").stdout.startswith(f"Usage: parcel {command} "))
        for arguments in (["--help"], ["-?"]):
            self.assertIn("plan", run(*arguments).stdout)
            text = self.plan(*arguments)
            self.assertTrue(text.startswith("Usage: parcel plan "))
            for option in ("-l, --layout=", "-n, --parts=", "--blocks=N", "-s, --schedule=", "--json"):
                self.assertEqual(len(re.findall(rf"(?m)^ +{re.escape(option)}", text)), 1, option)

    def test_json_is_there_or_its_absence_is_told(self):
        outcome = run("plan", "1..2", "-n", 1, "--json")
        self.assertEqual(outcome.code, 0 if self.has_json else 2)

    def test_output_that_cannot_be_written_is_a_failure(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            command = [PARCEL, "plan", "1..1000", "-n", "3"]
            outcome = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(outcome.returncode, 1)
        self.assertIn("No space left", outcome.stderr)

    @only_open_mpi
    def test_plan_starts_no_mpi(self):
        environment = os.environ | {"OMPI_MCA_pml": "nonsense"}
        for command, works in [(["plan", "1..9", "-n", "3"], True), (["doctor"], False)]:
            finished = subprocess.run([PARCEL, *command], env=environment, capture_output=True, check=False)
            self.assertEqual(finished.returncode == 0, works, finished.stderr)


if __name__ == "__main__":
    main()
