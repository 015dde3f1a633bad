"""Runs are killed at random moments and resumed, until one ends: nothing is lost, nothing wrong is kept.

usage: campaign.py [KILLS [SEED]]        200 kills if left out; thousands by hand

Each file is made by a chain of runs with random numbers of ranks. Every run of the chain is killed by SIGKILL (one
rank, all of them, or mpirun), at a random moment of its life or just before a random step on the way of the file
(core/fault_impl.h), and the last one is left alone. After every kill the .part opens, no block that was right is lost,
and a final name holds a whole file. At the end the datasets are those of an undisturbed run, byte by byte; what was
computed again is exactly what had no right checksum; and nothing lies beside the file. Verdicts are by content, never by
time, so a busy machine changes which moments are hit, not what is right. The seed repeats the choices, not the
moments."""

import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import endurance
import faults
from platform_facts import HAS_PARALLEL_HDF5

# Steps, and how often a run comes to them at most.
POINTS = {
    "create": 1, "reserve": 2, "lock": 2, "part": 1, "open": 1, "read": 120, "clear": 2, "write": 100, "journal": 10,
    "ledger": 8, "sync": 3, "failures": 80, "outcome": 1, "seal": 1, "rename": 1, "folder": 1,
}
RANKS = (0,) * 16 + (1, 3, 3, 8)  # 0: alone, without mpirun
MODES = ("resume",) * 7 + (("collective",) if HAS_PARALLEL_HDF5 else ())
MICROSECONDS = 1000  # a block takes: 80 blocks keep two threads for 40 ms
LAUNCHER_SECONDS = 40
ENDED_WELL = (0, 3)


class Chain:
    """The runs that make one file."""

    def __init__(self, folder, rng, references, lives):
        self.folder, self.rng, self.lives = folder, rng, lives
        self.output, self.part = folder / "results.h5", folder / "results.h5.part"
        self.fail_every = rng.choice(list(references))
        self.reference = references[self.fail_every]
        self.right = set()  # the blocks that are done
        self.story, self.wrong, self.kills = [], [], 0

    def start(self, ranks, mode, fault=""):
        os.environ["PARCEL_FAULT"] = fault
        words = endurance.command([self.output], mode, self.fail_every, MICROSECONDS)
        run = faults.Run(ranks, *words, has_fault=False)
        del os.environ["PARCEL_FAULT"]
        return run

    def kill(self, run, target):
        """Sends SIGKILL; the ranks that there were. mpirun is stopped before its own, so that it starts none
        meanwhile."""
        launcher = run.process.pid
        if target == "mpirun" and run.process.poll() is None:
            os.kill(launcher, signal.SIGSTOP)
        pids = sorted(run.rank_pids())
        victims = {"mpirun": [launcher], "all": pids, "one": pids and [self.rng.choice(pids)]}[target] or [launcher]
        for pid in victims:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return pids

    @staticmethod
    def await_end(run):
        """Open MPI's mpirun sometimes waits for ever for ranks that died as they started: that is not judged."""
        if run.ranks > 0 and faults.wait_for_end([run.process.pid], timeout=LAUNCHER_SECONDS):
            os.kill(run.process.pid, signal.SIGKILL)
        run.end()

    def hurt(self):
        """One run that is killed, if it has not ended before."""
        ranks, mode = self.rng.choice(RANKS), self.rng.choice(MODES)
        target, fault = self.rng.choice(("one", "all", "mpirun")), ""
        if self.rng.random() < 0.5:
            point = self.rng.choice(list(POINTS))
            rank = self.rng.choice((0, max(ranks - 1, 0)))
            fault = f"results.{point}:rank={rank}:nth={self.rng.randint(1, POINTS[point])}:action=kill"
        self.story.append(f"{ranks} ranks, {mode}, {fault or target}")
        run, pids = self.start(ranks, mode, fault), []
        if not fault:
            time.sleep(self.rng.random() * self.lives[ranks])
            pids = self.kill(run, target)
        self.await_end(run)
        for pid in faults.wait_for_end(pids, timeout=120):
            self.wrong.append(f"process {pid} outlives its killed run")
            os.kill(pid, signal.SIGKILL)
        if run.code not in ENDED_WELL:
            self.kills += 1
        return run.code in ENDED_WELL

    def look(self):
        """At what a kill has left."""
        if self.output.exists():
            problem = endurance.problems_of_whole(self.output, self.reference)
            if problem:
                self.wrong.append(f"the final name: {problem}")
            self.right = set()
        elif self.part.exists():
            right = endurance.right_blocks(self.part)
            if not self.right <= right:
                self.wrong.append(f"blocks {sorted(self.right - right)} are lost")
            self.right = right

    def finish(self):
        """One run that is left alone."""
        was_there = self.output.exists()
        ranks, mode = self.rng.choice(RANKS), self.rng.choice(MODES)
        self.story.append(f"{ranks} ranks, {mode}")
        run = self.start(ranks, mode).end()
        counts = endurance.COUNTS.findall(run.stdout)
        if run.code != (3 if self.fail_every else 0) or len(counts) != 1:
            self.wrong.append(f"the last run ended with {run.code}: {run.stderr}")
            return
        kept = int(counts[0][2])
        if not was_there and kept != len(self.right):
            self.wrong.append(f"{len(self.right)} blocks were right, {kept} were kept")
        problem = endurance.problems_of_whole(self.output, self.reference)
        if problem:
            self.wrong.append(f"at the end: {problem}")
        if os.listdir(self.folder) != [self.output.name]:
            self.wrong.append(f"left over: {sorted(os.listdir(self.folder))}")

    def run(self):
        for _ in range(self.rng.randint(1, 8)):
            if self.hurt():
                break
            self.look()
        self.look()
        self.finish()


def judge(folder, rng, references, lives):
    """One chain; how many kills it took, and whether all was well."""
    place = Path(tempfile.mkdtemp(dir=folder))
    chain = Chain(place, rng, references, lives)
    try:
        chain.run()
    except (OSError, KeyError, AssertionError) as error:
        chain.wrong.append(f"{type(error).__name__}: {error}")
    for line in chain.wrong:
        print(f"WRONG: {line}\n  after: " + "; ".join(chain.story), flush=True)
    shutil.rmtree(place)
    return chain.kills, not chain.wrong


def measure(folder, ranks):
    """How long an undisturbed run takes."""
    begin = time.monotonic()
    output = folder / f"{ranks}.h5"
    run = faults.Run(ranks, *endurance.command([output], microseconds=MICROSECONDS)).end()
    assert run.code == 0, run.stderr
    output.unlink()
    return time.monotonic() - begin


def main():
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 32)
    print(f"seed {seed}", flush=True)
    rng, kills, chains, bad = random.Random(seed), 0, 0, 0
    in_memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # where an fsync costs nothing
    with tempfile.TemporaryDirectory(prefix="parcel-campaign-", dir=in_memory) as name:
        folder, references = Path(name), {}
        for fail_every in (0, 97):
            output = folder / f"undisturbed-{fail_every}.h5"
            endurance.run([output], fail_every=fail_every)
            assert endurance.agrees_with_numpy(output, fail_every)
            references[fail_every] = endurance.contents(output)
        lives = {ranks: measure(folder, ranks) for ranks in sorted(set(RANKS))}
        while kills < wanted:
            killed, is_good = judge(folder, rng, references, lives)
            kills, chains, bad = kills + killed, chains + 1, bad + (not is_good)
    print(f"{kills} kills on the way of {chains} files, {bad} of them wrong (seed {seed})")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
