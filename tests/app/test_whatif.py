"""`parcel whatif` on made-up records: what numpy and a heap say of the same blocks."""

import heapq
import json

import numpy

from parsquares_runner import main
from tool_runner import ToolTest

SCHEDULES = ("steal", "static", "dynamic", "guided", "factoring")
SIZES = ((1, 1), (1, 3), (2, 1), (3, 2), (7, 1), (64, 8))
BLOCKS = 600


def linear(count):
    return numpy.arange(1, count + 1) * 1e-3


def lognormal(count):
    return numpy.random.default_rng(6).lognormal(-5, 1, count)


def one_huge(count):
    costs = numpy.full(count, 1e-3)
    costs[count // 3] = 1
    return costs


def report_of(costs, ranks=2, around=0, handout=0):
    """A run of one thread a rank, whose blocks the ranks took in turns."""
    workers = []
    for rank in range(ranks):
        at, items = around, []
        for block in range(rank, len(costs), ranks):
            items.append([block, 1, at, at + costs[block], costs[block] * 0.75, costs[block] * 0.25])
            at += costs[block] + handout
        workers.append({"items": items})
    last = max(item[3] for worker in workers for item in worker["items"])
    totals = {"ranks": ranks, "workers": ranks, "blocks": len(costs), "elapsed_seconds": last,
              "compute_seconds": 0.75 * float(costs.sum()), "handout_seconds": handout * len(costs)}
    return {"parcel_report": 1, "totals": totals, "efficiency": {"parallel": 0.5}, "workers": workers}


def static_makespan(costs, ranks, threads):
    """The longest rank, whose threads take its blocks in order."""
    return max(list_makespan(part, threads) for part in numpy.array_split(costs, ranks))


def list_makespan(costs, workers):
    """Blocks in order, each by the worker that is free first."""
    free_at = [0.0] * workers
    for cost in costs:
        heapq.heapreplace(free_at, free_at[0] + cost)
    return max(free_at)


class WhatIf(ToolTest):
    """Predictions."""

    def write(self, report, name="x.json"):
        (self.folder / name).write_text(report if isinstance(report, str) else json.dumps(report))

    def predict(self, *arguments):
        """Seconds by schedule."""
        answer = json.loads(self.tool_says("whatif", "x.json", "--json", *arguments))
        return {one["schedule"]: one for one in answer["predictions"]}

    def test_static_is_the_longest_rank_by_numpy(self):
        for costs in (linear(BLOCKS), lognormal(BLOCKS), one_huge(BLOCKS), linear(1), linear(5)):
            self.write(report_of(costs, ranks=1))
            for ranks in (1, 2, 3, 7, 64):
                seen = self.predict("--ranks", ranks, "--threads", 1, "--schedule", "static")
                expected = max(part.sum() for part in numpy.array_split(costs, ranks))
                self.assertEqual(list(seen), ["static"])
                self.assertAlmostEqual(seen["static"]["seconds"], expected, places=9)

    def test_threads_of_a_rank_share_its_part_and_dynamic_is_a_list_schedule(self):
        for costs in (linear(BLOCKS), lognormal(BLOCKS), one_huge(BLOCKS)):
            self.write(report_of(costs))
            for ranks, threads in SIZES:
                seen = self.predict("--ranks", ranks, "--threads", threads)
                static, dynamic = (seen[name]["seconds"] for name in ("static", "dynamic"))
                self.assertAlmostEqual(static, static_makespan(costs, ranks, threads), places=9)
                self.assertAlmostEqual(dynamic, list_makespan(costs, ranks * threads), places=9)

    def test_no_schedule_beats_the_work_and_balancing_ones_waste_a_block_at_most(self):
        """Graham's bound: while blocks are left nobody is idle."""
        for costs in (linear(BLOCKS), lognormal(BLOCKS), one_huge(BLOCKS)):
            self.write(report_of(costs))
            for ranks, threads in SIZES:
                seen = self.predict("--ranks", ranks, "--threads", threads, "--schedule", "all")
                self.assertEqual(sorted(seen), sorted(SCHEDULES))
                ideal = costs.sum() / (ranks * threads)
                for name, one in seen.items():
                    self.assertGreaterEqual(one["seconds"], max(ideal, costs.max()) * (1 - 1e-9), name)
                    self.assertAlmostEqual(one["efficiency"], 0.75 * ideal / one["seconds"], places=9)
                for name in ("steal", "dynamic"):
                    self.assertLessEqual(seen[name]["seconds"], ideal + costs.max() + 1e-9)

    def test_linear_work_is_better_balanced_than_by_equal_parts(self):
        self.write(report_of(linear(BLOCKS)))
        for ranks in (2, 3, 7):
            seen = self.predict("--ranks", ranks)
            for name in ("steal", "dynamic", "guided", "factoring"):
                self.assertLess(seen[name]["seconds"], seen["static"]["seconds"], name)

    def test_what_is_around_the_blocks_and_between_them_is_added(self):
        costs = linear(10)
        self.write(report_of(costs, ranks=1, around=2, handout=0.5))
        seen = self.predict("--ranks", 2, "--schedule", "static")
        self.assertAlmostEqual(seen["static"]["seconds"], 2 + 5 * 0.5 + costs[5:].sum(), places=9)

    def test_a_real_report_and_its_page_say_the_same(self):
        options = ("-q", "--force", "-s", "static", "-t", "1", "-b", "1000", "1..1_000_000")
        for name in ("x.json", "x.html"):
            self.assertEqual(self.run_program(f"--report={name}", *options).code, 0)
            words = self.tool_says("whatif", name).split()
            self.assertEqual(words[1:3], ["1000", "blocks"])
            for schedule in SCHEDULES:
                self.assertIn(schedule, words)
        elapsed = json.loads((self.folder / "x.json").read_text())["totals"]["elapsed_seconds"]
        self.assertAlmostEqual(self.predict()["static"]["seconds"] / elapsed, 1, delta=0.05)

    def test_mistakes(self):
        report = report_of(linear(4))
        self.write(report)
        mistakes = [
            (["x.json", "--schedule", "dinamic"], 2, "unknown schedule 'dinamic'; one of: steal, static"),
            (["x.json", "--ranks", "0"], 2, "--ranks"),
            (["x.json", "--threads", "x"], 2, "--threads"),
            (["x.json", "--ranks", "2000", "--threads", "2000"], 2, "workers"),
            (["x.json", "y.json"], 2, "more than one REPORT"),
            ([], 2, "no REPORT"),
            (["none.json"], 1, "none.json"),
            (["."], 1, "cannot read '.'"),
        ]
        for arguments, code, mention in mistakes:
            self.assert_fails(self.run_tool("whatif", *arguments), code, mention)

    def test_no_report(self):
        report = report_of(linear(4))
        report["workers"][0]["items"][0][1] = -3
        lacking = {**report_of(linear(4)), "workers": []}
        for text in ("", "{}", "[1]", "x", "<html>", report, lacking):
            self.write(text)
            outcome = self.run_tool("whatif", "x.json")
            self.assert_fails(outcome, 2, "'x.json'")


if __name__ == "__main__":
    main()
