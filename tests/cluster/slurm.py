"""A real Slurm of its own: munged, slurmctld and a slurmd for each host, without systemd, in a private folder.

On this machine alone, or on the hosts of hosts.py. The daemons are children of the test, and end with it even
if it is killed.
"""

import os
import secrets
import shutil
import socket
import subprocess
import time
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scancel", "scontrol", "squeue", "setpriv")
START_SECONDS = 20

# What differs from a cluster's usual settings: no accounting, no cgroups, and nothing waits for long. A job that
# was requeued starts again after cred_expire (2 minutes by default); KillWait is the time from SIGTERM to SIGKILL.
# Jobs are numbered from the port on, since PMIx does not keep jobs of the same number on one machine apart.
SETTINGS = """\
ClusterName=test
SlurmctldHost={controller}({address})
SlurmctldPort={port}
FirstJobId={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmdSpoolDir={folder}/spool-%n
SlurmdParameters=config_overrides
SlurmdTimeout=5
MessageTimeout=3
TCPTimeout=1
KillWait=3
InactiveLimit=0
ReturnToService=2
ProctrackType=proctrack/linuxproc
TaskPlugin=task/affinity
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0,sched_min_interval=0
PropagateResourceLimits=NONE
NodeName={nodes}{where} CPUs={cpus} State=UNKNOWN
PartitionName=main Nodes={nodes} Default=YES DefaultTime=10 OverSubscribe=FORCE:16
"""

# Jobs of the partition `urgent` take the place of those in `spare`. Jobs of `main` then share no CPUs any more.
PREEMPTION = """\
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=spare Nodes={nodes} DefaultTime=10 PriorityTier=1 GraceTime=10
PartitionName=urgent Nodes={nodes} DefaultTime=10 PriorityTier=10 PreemptMode=OFF
"""


def missing_programs():
    """What is not installed of what a Slurm needs."""
    return [name for name in PROGRAMS if not shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")]


def free_ports():
    """The first of two ports next to each other that nobody listens on."""
    while True:
        first = 20000 + secrets.randbelow(10000)
        try:
            for port in (first, first + 1):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return first
        except OSError:
            continue


class Slurm:
    """Up when made; close() ends it. With hosts, the controller runs on "head" and the jobs on the others."""

    def __init__(self, folder, hosts=None, preempts=False):
        self.folder = Path(folder)
        self.hosts = hosts
        self.daemons = []
        self.nodes = hosts.names if hosts else ["localhost"]
        self.environment = {**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf")}
        self.environment["PATH"] += ":/usr/sbin:/sbin"
        try:
            self.write_settings(SETTINGS + (PREEMPTION if preempts else ""))
            self.start()
        except BaseException:
            self.close()
            raise

    def write_settings(self, settings):
        munge = self.folder / "munge"
        for folder in (munge, self.folder / "state", self.folder / "log"):
            folder.mkdir(parents=True)
        self.folder.chmod(0o755)
        munge.chmod(0o711)
        key = munge / "key"
        key.touch(0o600)
        key.write_bytes(secrets.token_bytes(1024))
        port = free_ports()
        name = socket.gethostname().split(".")[0]
        text = settings.format(
            folder=self.folder,
            user=subprocess.check_output(["id", "-un"], text=True).strip(),
            controller="head" if self.hosts else name,
            address=self.hosts.address("head") if self.hosts else "127.0.0.1",
            port=port,
            nodes=",".join(self.nodes),
            where="" if self.hosts else f" NodeHostname={name} NodeAddr=127.0.0.1 Port={port + 1}",
            cpus=os.cpu_count(),
        )
        (self.folder / "slurm.conf").write_text(text)
        # slurmd looks for cgroups although nothing uses them, and does not start where none are mounted.
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n")

    def start(self):
        munge = self.folder / "munge"
        self.start_daemon("head", "munged", "--foreground", f"--socket={munge}/socket", f"--key-file={munge}/key",
                          f"--log-file={munge}/log", f"--pid-file={munge}/pid", f"--seed-file={munge}/seed")
        self.wait_until(lambda: (munge / "socket").exists(), "munged has no socket")
        self.start_daemon("head", "slurmctld", "-D")
        for node in self.nodes:
            (self.folder / f"spool-{node}").mkdir()
            self.start_daemon(node, "slurmd", "-D", "-N", node)
        self.wait_until(lambda: len(self.ask("sinfo", "-h", "-N", "-p", "main", "-t", "idle")) == len(self.nodes),
                        "the nodes are not idle")

    def on(self, host, *words):
        """The command line that runs a command on a host; the tests' own host has all names."""
        return self.hosts.command(host, *words) if self.hosts else [str(word) for word in words]

    def start_daemon(self, host, name, *arguments):
        """A child that ends with this process, however that ends."""
        with open(self.folder / "log" / f"{name}-{host}", "ab") as log:
            command = self.on(host, "setpriv", "--pdeathsig", "KILL", name, *arguments)
            self.daemons.append(subprocess.Popen(command, env=self.environment, stdin=subprocess.DEVNULL, stdout=log,
                                                 stderr=subprocess.STDOUT))

    def wait_until(self, is_so, failure):
        deadline = time.monotonic() + START_SECONDS
        while not is_so():
            if time.monotonic() > deadline:
                logs = "\n".join(log.read_text()[-1000:] for log in (self.folder / "log").iterdir())
                raise AssertionError(f"{failure}; the daemons say:\n{logs}")
            time.sleep(0.05)

    def run(self, *words, **how):
        """Runs a command of Slurm's (on head) to its end."""
        how = {"env": self.environment, "stdin": subprocess.DEVNULL, "capture_output": True, "text": True,
               "timeout": 60, **how}
        return subprocess.run(self.on("head", *words), check=False, **how)

    def ask(self, *words):
        """The lines that a command of Slurm's prints."""
        return self.run(*words).stdout.splitlines()

    def submit(self, *words, **how):
        """Submits a job by sbatch; its number."""
        done = self.run("sbatch", "--parsable", *words, **how)
        if done.returncode != 0:
            raise AssertionError(f"sbatch {words}: {done.stderr}")
        return int(done.stdout)

    def job(self, number):
        """A job (or the members of an array) as scontrol shows it: a list of dictionaries."""
        lines = self.ask("scontrol", "show", "job", "-o", number)
        return [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]

    def states(self, number):
        return [job["JobState"] for job in self.job(number)]

    def close(self):
        """Cancels what still runs and ends the daemons."""
        if not self.daemons:
            return
        self.run("scancel", "-f", "-u", str(os.getuid()))
        deadline = time.monotonic() + 10
        while self.ask("squeue", "-h") and time.monotonic() < deadline:
            time.sleep(0.1)
        self.run("scontrol", "shutdown")
        self.daemons[0].terminate()  # munged
        for daemon in self.daemons:
            try:
                daemon.wait(5)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        self.daemons = []
