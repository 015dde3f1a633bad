"""Several hosts on one machine: namespaces, each with its own network, host name, /tmp, /dev/shm and processes.

"head" and node1, node2, ... share one folder and whatever is outside /tmp, as the nodes of a cluster do, and a network
of their own. Nothing of the machine's own network is touched. All of it ends with the test, even if that is killed.
"""

import os
import shutil
import subprocess
import time
from pathlib import Path

NETWORK = "10.99.0"
HEAD_ADDRESS = f"{NETWORK}.254"
START_SECONDS = 10
PROGRAMS = ("unshare", "nsenter", "setpriv", "ip")

# Stands in for ssh where mpirun starts its daemons: 255 when the host is down, or goes down meanwhile.
REMOTE_SHELL = """\
#!/bin/sh
while case $1 in -*) true ;; *) false ;; esac do shift; done
host=$1
shift
pid=$(cat "{folder}/$host.pid") && kill -0 "$pid" || exit 255
nsenter -t "$pid" -m -u -i -n $([ "$host" = head ] || echo -p) --wdns="$PWD" /bin/sh -c "$*"
code=$?
kill -0 "$pid" || code=255
exit $code
"""


def why_not():
    """Why there can be no hosts here; empty if there can."""
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    if missing:
        return f"not installed: {', '.join(missing)}"
    done = subprocess.run(["unshare", "--net", "--uts", "--mount", "--ipc", "--pid", "--fork", "sh", "-c",
                           "ip link add bridge0 type bridge && mount -t tmpfs tmpfs /dev/shm"],
                          capture_output=True, text=True, check=False)
    return f"no namespaces here: {done.stderr.strip()}" if done.returncode != 0 else ""


class Hosts:
    """Up when made: head, node1 ... node<count>; close() ends them. `shared` is a folder that all of them see."""

    def __init__(self, shared, count):
        self.shared = Path(shared)
        self.folder = self.shared / "hosts.d"
        self.folder.mkdir()
        self.names = [f"node{number}" for number in range(1, count + 1)]
        self.launchers = {}
        self.pids = {}
        known = [("127.0.0.1", "localhost"), (HEAD_ADDRESS, "head")]
        known += [(self.address(name), name) for name in self.names]
        (self.shared / "hosts").write_text("".join(f"{address} {name}\n" for address, name in known))
        self.remote_shell = self.folder / "rsh"
        self.remote_shell.write_text(REMOTE_SHELL.format(folder=self.folder))
        self.remote_shell.chmod(0o755)
        try:
            for name in ("head", *self.names):
                self.start(name)
        except BaseException:
            self.close()
            raise

    @staticmethod
    def address(name):
        return HEAD_ADDRESS if name == "head" else f"{NETWORK}.{name.removeprefix('node')}"

    def start(self, name):
        """Starts a host, again if it had crashed."""
        ready = self.folder / f"{name}.ready"
        ready.unlink(missing_ok=True)
        # The head has no process tree of its own: mpirun must see the other hosts to start something there.
        own_tree = [] if name == "head" else ["--pid", "--fork", "--kill-child=KILL", "--mount-proc"]
        self.launchers[name] = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--uts", "--mount", "--ipc", *own_tree,
             Path(__file__).with_name("host_init.sh"), name, self.shared, ready], stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        while not ready.exists():
            if self.launchers[name].poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the host {name} did not start")
            time.sleep(0.01)
        launcher = self.launchers[name].pid
        child = Path(f"/proc/{launcher}/task/{launcher}/children")
        self.pids[name] = int(child.read_text()) if own_tree else launcher
        (self.folder / f"{name}.pid").write_text(f"{self.pids[name]}\n")
        self.connect(name)

    def connect(self, name):
        """A bridge on the head, and a cable from it to each other host."""
        if name == "head":
            self.run("head", "ip", "link", "add", "bridge0", "type", "bridge")
            self.run("head", "ip", "link", "set", "bridge0", "up")
            self.run("head", "ip", "addr", "add", f"{HEAD_ADDRESS}/24", "dev", "bridge0")
            return
        # A cable is made from outside: the head does not see the processes of other hosts.
        cable = ["ip", "link", "add", f"to-{name}", "type", "veth", "peer", "name", "eth0", "netns", str(self.pids[name])]
        subprocess.run(["nsenter", "-t", str(self.pids["head"]), "-n", *cable], check=True)
        self.run("head", "ip", "link", "set", f"to-{name}", "master", "bridge0", "up")
        self.run(name, "ip", "addr", "add", f"{self.address(name)}/24", "dev", "eth0")
        self.run(name, "ip", "link", "set", "eth0", "up")

    def command(self, host, *words):
        """The command line that runs a command on a host, in the current folder."""
        tree = [] if host == "head" else ["-p"]
        return ["nsenter", "-t", str(self.pids[host]), "-m", "-u", "-i", "-n", *tree, f"--wdns={os.getcwd()}",
                *map(str, words)]

    def run(self, host, *words):
        return subprocess.run(self.command(host, *words), check=True, capture_output=True, text=True, timeout=30)

    def cut(self, host):
        """Pulls the cable: what is sent to the host or by it is lost in silence."""
        self.run("head", "ip", "link", "set", f"to-{host}", "down")

    def mend(self, host):
        self.run("head", "ip", "link", "set", f"to-{host}", "up")

    def crash(self, host):
        """Ends every process of the host at once."""
        self.launchers[host].kill()
        self.launchers[host].wait()
        del self.pids[host]

    def close(self):
        for host in list(self.launchers):
            self.launchers[host].kill()
            self.launchers[host].wait()
        self.pids = {}
