"""A SLURM cluster of one node on this machine: Debian's munge and slurm-wlm, started by hand.

Everything lies in a folder of its own: configuration, key, sockets, state and logs. Nothing is
accounted and no job is held in a cgroup, so that it runs in a container, without systemd.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol", "sinfo")
NODE = "node1"

CONFIGURATION = """\
ClusterName=persona
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={ctld_port}
SlurmdPort={slurmd_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=10
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
SlurmdTimeout=20
SlurmdParameters=config_overrides
NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 CPUs=8 RealMemory=64000 State=UNKNOWN
PartitionName=main Nodes={node} Default=YES MaxTime=INFINITE State=UP
"""


def missing_programs() -> list[str]:
    """What of SLURM and munge this machine does not have."""
    return [name for name in PROGRAMS if find(name) is None]


def find(name: str) -> str | None:
    """Path of a program; daemons are often outside of a user's PATH."""
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait until a condition holds; `what` is said where it does not."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.2)


class Cluster:
    """The running cluster; `stop` ends what was started.

    Attributes:
        environment: what a user of it has in the environment.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        path = f"{folder}/bin:{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environment = {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": path}
        self._daemons: list[subprocess.Popen[bytes]] = []
        self._node: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        for name in ("state", "spool"):
            (self.folder / name).mkdir(parents=True)
        # A user's name, for a machine whose users have none of SLURM's.
        user = psutil.Process().username()
        text = CONFIGURATION.format(
            host=socket.gethostname().split(".")[0],
            user=user,
            folder=self.folder,
            node=NODE,
            ctld_port=free_port(),
            slurmd_port=free_port(),
        )
        (self.folder / "slurm.conf").write_text(text)
        # No controller of it is used; the plugin of the second version wants systemd.
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        munge = [
            f"--{part}={self.folder}/munge.{part}" for part in ("socket", "pid-file", "log-file")
        ]
        munge += [f"--key-file={key}", f"--seed-file={self.folder}/munge.seed"]
        # Snakemake takes SLURM's variables out of the environment of a step, this one, too; where a
        # cluster has its configuration in /etc nothing is lost by it.
        srun = self.folder / "bin" / "srun"
        srun.parent.mkdir()
        srun.write_text(
            f'#!/bin/sh\nSLURM_CONF={self.environment["SLURM_CONF"]} exec {find("srun")} "$@"\n'
        )
        srun.chmod(0o755)
        self._daemon("munged", "--foreground", "--force", *munge)
        wait((self.folder / "munge.socket").exists, 30, "munged does not answer")
        self._daemon("slurmctld", "-D")
        wait(lambda: self.control("ping").returncode == 0, 60, "slurmctld does not answer")
        self.start_node()

    def _daemon(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        program = find(name)
        assert program
        with open(self.folder / f"{name}.out", "ab") as output:
            daemon = subprocess.Popen(
                [program, *arguments],
                env=os.environ | self.environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._daemons.append(daemon)
        return daemon

    def control(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run scontrol."""
        return subprocess.run(
            ["scontrol", *arguments],
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def node_state(self) -> str:
        found = self.control("show", "node", NODE, "-o").stdout
        return next((part[6:] for part in found.split() if part.startswith("State=")), "")

    def start_node(self) -> None:
        self._node = self._daemon("slurmd", "-D", "-N", NODE)
        wait(self._idle, 60, f"the node is {self.node_state()}")

    def _idle(self) -> bool:
        state = self.node_state()
        if state.startswith("DOWN") and "*" not in state:
            self.control("update", f"nodename={NODE}", "state=resume")
        return state in ("IDLE", "ALLOCATED", "MIXED")

    def fail_node(self) -> int:
        """Kill the node's daemon and all that runs on it, and say so; how much ran."""
        assert self._node
        running = set()
        for process in psutil.process_iter():
            if self._of_a_job(process):
                running |= {process, *process.children(recursive=True)}
                # The step's own daemon, which would report its end.
                if (parent := process.parent()) and parent.name() == "slurmstepd":
                    running.add(parent)
        self._node.kill()
        self._node.wait()
        for process in running:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        down = self.control("update", f"nodename={NODE}", "state=down", "reason=test")
        assert down.returncode == 0, down.stderr
        return len(running)

    def _of_a_job(self, process: psutil.Process) -> bool:
        try:
            environment = process.environ()
        except psutil.Error:
            return False
        ours = environment.get("SLURM_CONF") == self.environment["SLURM_CONF"]
        return ours and "SLURM_JOB_ID" in environment

    def jobs(self) -> list[dict[str, str]]:
        """Every job that the controller remembers, as it describes it."""
        lines = self.control("show", "jobs", "-o").stdout.splitlines()
        return [
            dict(part.split("=", 1) for part in line.split(" ") if "=" in part)
            for line in lines
            if line.startswith("JobId=")
        ]

    def stop(self) -> None:
        for daemon in reversed(self._daemons):
            if daemon.poll() is None:
                daemon.terminate()
                try:
                    daemon.wait(timeout=20)
                except subprocess.TimeoutExpired:
                    daemon.kill()
                    daemon.wait()
