"""Reports of a run: JSON that adds up, a trace that Perfetto can open, a page whose figures are those of the JSON."""

import json
import re
import shutil
import subprocess
import unittest
from html.parser import HTMLParser

from parsquares_runner import ProgramTest, main

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
TIMES = ("compute_seconds", "write_seconds", "handout_seconds", "idle_seconds")
HOSTILE = "a<script>alert(1)</script>&\"'`<!--.h5"


class Report(ProgramTest):
    """A program with a report."""

    def report_of(self, *arguments, ranks=None, **how):
        self.run_program("-q", "--report=x.json", *arguments, ranks=ranks, **how)
        return json.loads((self.folder / "x.json").read_text())


class Figures(Report):
    """The JSON."""

    def assert_adds_up(self, report):
        totals, workers = report["totals"], report["workers"]
        items = [item for worker in workers for item in worker["items"]]
        self.assertEqual(sum(worker["blocks"] for worker in workers), totals["blocks"])
        self.assertEqual(sum(item[1] for item in items), totals["blocks"])
        self.assertEqual(sum(one["blocks"] for one in report["blocks"]["histogram"]), totals["blocks"])
        self.assertEqual(sum(worker["positions"] for worker in workers), totals["positions"])
        self.assertAlmostEqual(sum(item[4] for item in items), totals["compute_seconds"], places=6)
        self.assertAlmostEqual(sum(item[5] for item in items), totals["write_seconds"], places=6)
        self.assertAlmostEqual(sum(totals[name] for name in TIMES), totals["workers"] * totals["elapsed_seconds"],
                               places=6)
        for name in TIMES:
            self.assertAlmostEqual(sum(worker[name] for worker in workers), totals[name], places=6)
        self.assertEqual(len(report["ranks"]), totals["ranks"])
        for rank in report["ranks"]:
            times = [sample[0] for sample in rank["progress"]]
            self.assertEqual(times, sorted(times))
            self.assertGreater(rank["memory_bytes"], 1e6)

    def test_sums_agree_and_every_position_is_counted(self):
        for ranks, arguments in [(None, ()), (3, ("-t", "2", "-b", "777")), (8, ("1..5",))]:
            report = self.report_of("--force", *arguments, ranks=ranks)
            self.assert_adds_up(report)
            self.assertEqual(report["totals"]["positions"], report["sweep"]["positions"])
            self.assertEqual(report["totals"]["ranks"], ranks or 1)
            self.assertEqual(report["outcome"]["status"], "OK")
            self.assertIsNone(report["commands"]["resume"])

    def test_efficiencies_are_those_of_the_workers(self):
        report = self.report_of("-b", "1000", "1..3_000_000", ranks=3)
        useful = [worker["compute_seconds"] for worker in report["workers"]]
        elapsed, factors = report["totals"]["elapsed_seconds"], report["efficiency"]
        self.assertAlmostEqual(factors["load_balance"], sum(useful) / len(useful) / max(useful), places=6)
        self.assertAlmostEqual(factors["communication"], max(useful) / elapsed, places=6)
        self.assertAlmostEqual(factors["parallel"], factors["load_balance"] * factors["communication"], places=6)

    def test_items_are_bounded_and_sums_stay_exact(self):
        report = self.report_of("-b", "5", "-t", "1", "1..500000")
        self.assertEqual(report["totals"]["blocks"], 100000)
        self.assertLessEqual(len(report["workers"][0]["items"]), 4096)
        self.assert_adds_up(report)

    def test_a_failed_run_is_reported_with_its_reason(self):
        (self.folder / "there").mkdir()
        outcome = self.run_with_fault("results.write", "--report=there/x.json", "1..100", ranks=2)
        report = json.loads((self.folder / "there" / "x.json").read_text())
        self.assertEqual(report["outcome"]["exit_code"], outcome.code)
        self.assertIn(report["outcome"]["message"], outcome.stderr)
        self.assertIn("--resume", report["commands"]["resume"])

    def test_six_lines_say_the_same(self):
        shown = self.run_well("-v", "--report=x.json", "-b", "1000", "1..100000").stdout.splitlines()[-6:]
        report = json.loads((self.folder / "x.json").read_text())
        self.assertIn(f"parallel efficiency {report['efficiency']['parallel']:.3f}", shown[0])
        self.assertIn(f"{report['totals']['blocks']} blocks: ", shown[3])
        self.assertEqual(f"advice: {report['advice'][0]}", shown[5])

    def test_a_report_of_another_kind_is_refused_at_once(self):
        self.assert_refused(self.run_program("--report=x.pdf"), 2, "'x.pdf'")
        self.assertEqual(self.names(), [])

    def test_a_report_that_cannot_be_written_fails_the_run_but_not_its_results(self):
        outcome = self.run_program("-q", "--report=missing/x.json")
        self.assertEqual(outcome.code, 1)
        self.assertIn("missing/x.json", outcome.messages[0])
        self.assertEqual(self.names(), ["squares.h5"])


class Trace(Report):
    """What Perfetto reads: the Trace Event Format."""

    def test_events_are_those_of_the_report(self):
        report = self.report_of("--trace=t.json", "-t", "2", "-b", "5000", ranks=2)
        events = json.loads((self.folder / "t.json").read_text())["traceEvents"]
        names = {(e["pid"], e.get("tid")): e["args"]["name"] for e in events if e["name"] == "thread_name"}
        workers = {(worker["rank"], worker["thread"]): worker for worker in report["workers"]}
        self.assertEqual(set(names), set(workers))
        slices = [e for e in events if e["ph"] == "X"]
        for kind, field in ("compute", "compute_seconds"), ("write", "write_seconds"):
            for place, worker in workers.items():
                micros = sum(e["dur"] for e in slices if e["name"] == kind and (e["pid"], e["tid"]) == place)
                self.assertAlmostEqual(micros / 1e6, worker[field], places=6)
        self.assertTrue(all(e["ts"] >= 0 and e["dur"] >= 0 for e in slices))
        self.assertEqual(len({e["pid"] for e in events if e["name"] == "process_name"}), 2)


class PageParser(HTMLParser):
    """Collects the figures, the plots and the addresses of a page."""

    def __init__(self):
        super().__init__()
        self.figures, self.tags, self.addresses = {}, [], []
        self.path, self.text, self.script = None, {}, None

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        self.path = attrs.get("data-figure")
        if self.path:
            self.figures[self.path] = float(attrs["data-value"])
        if tag == "script":
            self.script = attrs.get("id")
        self.addresses += [attrs[name] for name in ("src", "href") if name in attrs]

    def handle_endtag(self, tag):
        self.script = None if tag == "script" else self.script

    def handle_data(self, data):
        if self.script:
            self.text[self.script] = self.text.get(self.script, "") + data
        elif self.path:
            self.text[self.path] = data
            self.path = None


def value_at(report, path):
    """totals.blocks of the report."""
    for name in path.split("."):
        report = report[name]
    return report


@unittest.skipUnless(CHROMIUM, "skipped: no chromium to open the page with")
class Page(Report):
    """The page as a browser shows it."""

    def show(self, name):
        """The page after its script has run; a browser that has anything to complain about fails the test."""
        command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                   f"--user-data-dir={self.folder}/profile", "--host-resolver-rules=MAP * ~NOTFOUND",
                   "--enable-logging=stderr", "--dump-dom", f"file://{self.folder / name}"]
        shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        self.assertNotIn("CONSOLE", shown.stderr)
        page = PageParser()
        page.feed(shown.stdout)
        return page, shown.stdout

    def assert_shows_its_figures(self, page):
        report = json.loads(page.text["report"])
        for path, value in page.figures.items():
            self.assertEqual(value, float(value_at(report, path)), path)
        self.assertGreaterEqual(len(page.figures), 15)
        self.assertEqual(page.tags.count("svg"), 4)
        self.assertEqual(page.addresses, ["data:,"])
        self.assertEqual(page.text["totals.blocks"].replace("\u202f", ""), str(report["totals"]["blocks"]))
        return report

    def test_figures_are_those_of_the_json(self):
        for ranks, arguments in [(None, ("1..1",)), (3, ("-t", "2", "-b", "500"))]:
            self.run_program("-q", "--force", "--report=x.html", *arguments, ranks=ranks)
            self.assert_shows_its_figures(self.show("x.html")[0])

    def test_texts_from_outside_stay_texts(self):
        self.run_program("-q", "--report=x.html", "-o", HOSTILE.replace("/", "_"))
        page, dom = self.show("x.html")
        report = self.assert_shows_its_figures(page)
        self.assertEqual(report["sweep"]["file"], HOSTILE.replace("/", "_"))
        self.assertEqual(page.tags.count("script"), 2)
        self.assertIn("a&lt;script&gt;alert(1)", dom)

    def test_the_page_forbids_itself_the_network(self):
        self.run_program("-q", "--report=x.html")
        text = (self.folder / "x.html").read_text()
        self.assertIn("default-src 'none'", text)
        self.assertEqual(re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text), [])


if __name__ == "__main__":
    main()
