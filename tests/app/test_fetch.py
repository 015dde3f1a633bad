"""parfetch against a web server on loopback: what good, slow, failing and silent pages leave in the file."""

import collections
import http.server
import os
import re
import signal
import socket
import threading
import time

import h5py
import numpy as np
import xxhash

from parsquares_runner import ProgramTest, command_of, finish, main, start
from platform_facts import only_open_mpi

PARFETCH = os.environ["PARFETCH"]
SLOW_SECONDS = 0.1
BODIES = {"/empty": b"", "/text": b"seven letters", "/large": bytes(range(256)) * 4096}


class Page(http.server.BaseHTTPRequestHandler):
    """/N is a page of its own for each N; the other names say what they do."""

    protocol_version = "HTTP/1.1"

    def answer(self, code, body=b"", **headers):
        self.send_response(code)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        name = self.path.split("?")[0]
        with self.server.lock:
            self.server.asked[self.path] += 1
            count = self.server.asked[self.path]
        if name.startswith("/slow"):
            time.sleep(SLOW_SECONDS)
            self.answer(200, self.path.encode())
        elif name in BODIES:
            self.answer(200, BODIES[name])
        elif name == "/moved":
            self.answer(302, b"elsewhere", Location="/text")
        elif name == "/circle":
            self.answer(302, Location="/circle")
        elif name == "/to-a-file":
            self.answer(302, Location="file:///etc/passwd")
        elif name == "/busy-twice":
            self.answer(200 if count > 2 else 503, b"at last")
        elif name == "/broken":
            self.answer(500, b"no")
        elif name == "/silent":
            self.server.over.wait(30)
        elif name == "/cut":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            self.close_connection = True
        else:
            self.answer(404, b"what?")

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    """On a port of its own; counts how often each page was asked for."""

    request_queue_size = 1024

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Page)
        self.lock = threading.Lock()
        self.asked = collections.Counter()
        self.over = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        """A client that leaves early is no news."""

    def end(self):
        self.over.set()
        self.shutdown()
        self.server_close()


def closed_port():
    """A port on which nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return unused.getsockname()[1]


def checksums(bodies):
    return [xxhash.xxh3_64_intdigest(body) for body in bodies]


class FetchTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.server = Server()
        self.addCleanup(self.server.end)

    def url(self, page):
        return f"http://127.0.0.1:{self.server.server_port}{page}"

    def write_list(self, urls):
        (self.folder / "urls").write_text("\n".join(urls) + "\n", encoding="ascii")

    def fetch(self, *arguments, ranks=None, **how):
        """Runs parfetch on the list."""
        return self.run_program(*arguments, "--backoff=0.01", "urls", ranks=ranks, program=PARFETCH, **how)

    def failures(self, name="fetched.h5"):
        """The message of each URL that failed."""
        with h5py.File(self.folder / name) as file:
            table = file["parcel/failures"]
            messages = (row.tobytes().rstrip(b"\0").decode() for row in table["message"][:])
            return dict(zip(table["index"][:].tolist(), messages))

    def test_64_threads_wait_together(self):
        self.write_list(self.url(f"/slow?{n}") for n in range(200))
        elapsed = []
        while len(elapsed) < 5 and (not elapsed or min(elapsed) >= 1.5):  # others may have the CPUs
            outcome = self.fetch("--force")
            self.assertEqual((outcome.code, outcome.stderr), (0, ""))
            self.assertIn("fetched.h5: 200 URLs, 1 ranks x 64 threads\n", outcome.stdout)
            elapsed.append(float(re.search(r"elapsed ([\d.]+) s", outcome.stdout).group(1)))
        self.assertLess(min(elapsed), 1.5)
        self.assertGreaterEqual(min(elapsed), 4 * SLOW_SECONDS)  # 200 pages by 64
        with h5py.File(self.folder / "fetched.h5") as file:
            self.assertGreaterEqual(file["seconds"][:].min(), SLOW_SECONDS)

    def test_what_is_noted_of_good_pages(self):
        for ranks in (1, 3):
            pages = [*BODIES, "/moved", "/busy-twice"] + [f"/slow?{n}" for n in range(20)]
            bodies = [*BODIES.values(), BODIES["/text"], b"at last"] + [page.encode() for page in pages[-20:]]
            self.server.asked.clear()
            self.write_list(["# a comment", ""] + [f" {self.url(page)}\t" for page in pages])
            outcome = self.fetch("--force", "-t", 4, ranks=ranks)
            self.assertEqual((outcome.code, outcome.stderr), (0, ""))
            with h5py.File(self.folder / "fetched.h5") as file:
                np.testing.assert_array_equal(file["status"][:], 200)
                self.assertEqual(file["bytes"][:].tolist(), [len(body) for body in bodies])
                self.assertEqual(file["checksum"][:].tolist(), checksums(bodies))
                attempts = [3 if page == "/busy-twice" else 1 for page in pages]
                self.assertEqual(file["attempts"][:].tolist(), attempts)
                self.assertEqual(file["seconds"].attrs["units"], b"s")
                self.assertEqual((file.attrs["first"], file["status"].shape), (0, (25,)))

    def test_every_failure_is_listed_with_its_cause(self):
        pages = {"/text": None, "/broken": "HTTP 500, after 3 attempts",
                 "/nothing": "HTTP 404, after 1 attempt",
                 "/silent": "timed out.*, after 3 attempts", "/cut": "after 3 attempts",
                 "/circle": "Maximum .* redirects followed, after 1 attempt",
                 "/to-a-file": "file.*, after 1 attempt", "/empty": None}
        urls = [self.url(page) for page in pages]
        urls += [f"http://127.0.0.1:{closed_port()}/", "ftp://127.0.0.1/x", "http://[",
                 "http://nowhere.invalid/"]
        causes = [*pages.values(), "Connection refused, after 3 attempts", "ftp.*, after 1 attempt",
                  "URL.*, after 1 attempt", "[Rr]esolv.*, after 3 attempts"]
        for ranks in (1, 3):
            self.write_list(urls)
            outcome = self.fetch("--force", "--timeout=0.5", "-v", ranks=ranks)
            self.assertEqual(outcome.code, 3, outcome.stderr)
            self.assertIn("complete, but 10 of 12 indices failed, listed in ", outcome.stderr)
            self.assertIn("2 URLs fetched, 10 failed", outcome.stdout)
            failures = self.failures()
            self.assertEqual(sorted(failures), [n for n, cause in enumerate(causes) if cause])
            for index, message in failures.items():
                self.assertRegex(message, rf"{causes[index]}: {re.escape(urls[index])}$")
                self.assertIn(f"\nURL {index}: {message}\n", outcome.stdout)
            with h5py.File(self.folder / "fetched.h5") as file:
                self.assertEqual(file["status"][[0, 7]].tolist(), [200, 200])
                self.assertEqual(file["status"][1], file["status"].attrs["_FillValue"])

    def test_retries_can_be_none_and_a_failure_the_end(self):
        self.write_list([self.url("/text"), self.url("/broken")])
        outcome = self.fetch("--retries=0", "--on-error=stop", "-t", 1)
        self.assertEqual(outcome.code, 1)
        self.assertIn(f"failed at index 1: HTTP 500, after 1 attempt: {self.url('/broken')}", outcome.stderr)
        self.assertEqual(self.server.asked["/broken"], 1)

    @only_open_mpi  # whose mpirun passes SIGUSR1 on
    def test_resume_fetches_only_what_is_missing(self):
        for ranks in (1, 3):
            pages = [f"/slow?{ranks}.{n}" for n in range(150)]
            self.write_list(map(self.url, pages))
            command = command_of(["-t", 2, "--force", "urls"], ranks, program=PARFETCH)
            process = start(command, self.folder)
            while len(self.server.asked) < 20:
                time.sleep(0.01)
            process.send_signal(signal.SIGUSR1)
            self.assertEqual(finish(process).code, 75)
            self.assertLess(len(self.server.asked), 150)
            outcome = self.fetch("--resume", ranks=ranks)
            self.assertEqual(outcome.code, 0, outcome.stderr)
            self.assertRegex(outcome.stdout, r"resumed: \d+ URLs kept")
            self.assertEqual([self.server.asked[page] for page in pages], [1] * 150)
            self.assertIn("complete already", self.fetch("--resume", ranks=ranks).stdout)
            with h5py.File(self.folder / "fetched.h5") as file:
                self.assertEqual(file["checksum"][:].tolist(), checksums(pages))
            (self.folder / "fetched.h5").unlink()
            self.server.asked.clear()

    def test_another_list_is_another_sweep(self):
        self.write_list([self.url("/text")])
        self.assertEqual(self.fetch().code, 0)
        self.write_list([self.url("/large")])
        outcome = self.fetch("--resume")
        self.assertEqual(outcome.code, 2)
        self.assertRegex(outcome.stderr, r"another sweep: parameters is 1 URLs, XXH3-64 of the list \w{16}")

    def test_what_has_failed_can_be_fetched_again(self):
        self.write_list([self.url("/text"), self.url("/busy-twice"), self.url("/nothing")])
        self.assertEqual(self.fetch("--retries=0").code, 3)
        self.assertEqual(sorted(self.failures()), [1, 2])
        self.assertEqual(self.fetch("--retry-failed").code, 3)
        self.assertEqual(sorted(self.failures()), [2])
        self.assertEqual(self.server.asked["/text"], 1)

    def test_the_list_may_come_from_the_standard_input(self):
        for ranks in (None, 3):
            self.write_list([self.url("/text")] * 5)
            with open(self.folder / "urls", "rb") as urls:
                outcome = self.run_program("-q", "--force", "-", ranks=ranks, program=PARFETCH, stdin=urls)
            self.assertEqual((outcome.code, outcome.stdout, outcome.stderr), (0, "", ""))

    def test_wrong_use_is_refused(self):
        self.write_list(["# nothing"])
        for arguments, words in (((), "Give a LIST"), (("urls",), "there is no URL in 'urls'"),
                                 (("urls", "more"), "more than one LIST"),
                                 (("--retries=-1", "urls"), "--retries"),
                                 (("--timeout=0", "urls"), "--timeout"),
                                 (("--on-error=so", "urls"), "stop, record"),
                                 (("--retry-failed", "--force", "urls"), "excludes")):
            outcome = self.run_program(*arguments, program=PARFETCH)
            self.assertEqual((outcome.code, outcome.stdout), (2, ""), outcome.stderr)
            self.assertIn(words, outcome.stderr)
        outcome = self.run_program("absent", program=PARFETCH)
        self.assertEqual(outcome.code, 1)
        self.assertIn("cannot read the list of URLs 'absent': No such file", outcome.stderr)
        self.assertEqual(self.names(), ["urls"])

    def test_help_and_version(self):
        for option, words in (("--help", r"(?s)^Usage: parfetch .* LIST\n"),
                              ("-V", r"^parfetch \(Parcel\) \d")):
            self.assertRegex(self.run_program(option, program=PARFETCH).stdout, words)


if __name__ == "__main__":
    main()
