"""The paths of the cluster on this machine, and functions by which the scripts of this folder run commands."""

from __future__ import annotations

import os
import platform
import ssl
import string
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, NoReturn

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("BGJOBS_CLUSTER_CACHE") or Path.home() / ".cache/bgjobs-cluster")
STATE = Path(os.environ.get("BGJOBS_CLUSTER_STATE") or CACHE / "state")
BIN, PKI, CONF = CACHE / "bin", STATE / "pki", STATE / "conf"
AUDIT_LOG = STATE / "logs" / "audit.log"
RUN = Path("/run/bgjobs-cluster")  # short, because a socket's path has at most 107 bytes

# The bridge that pods hang on is there before the first pod, and its address is the
# node's: nothing depends on the machine's outer network.
BRIDGE, NODE, NODE_IP = "bgjobs0", "bgjobs-node", "10.244.0.1"
DNS_IP = NODE_IP
POD_CIDR, SERVICE_CIDR = "10.244.0.0/16", "10.96.0.0/16"
SERVER = "https://127.0.0.1:6443"
PAUSE = "docker.io/bgjobs/pause:1"  # what holds a pod's network: made here, see base_images.py
# The second node, which `cluster join` adds: its pods hang on the same bridge, and all else is its own.
NODE_2, NODE_2_IP, CGROUP_2 = "bgjobs-node-2", "10.244.255.1", "bgjobs-2"
STATE_2, CONF_2, RUN_2 = STATE / "node-2", CONF / "node-2", RUN / "node-2"
STARTED = time.monotonic()


def fail(message: str) -> NoReturn:
    sys.exit(f"{Path(sys.argv[0]).name}: {message}")


def say(message: str) -> None:
    print(f"{time.monotonic() - STARTED:6.1f}s  {message}", file=sys.stderr, flush=True)


def run(*command: object, check: bool = True, **options: Any) -> str:
    """Run a command quietly and return its output; without check, "" if it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode == 0:
        return str(done.stdout)
    if check:
        fail(f"{' '.join(words)}\n{done.stdout}")
    return ""


def require_debian_and_root() -> None:
    """Exit with a message if this machine cannot be the node of a cluster."""
    otherwise = "elsewhere install docker and kind, then run `make cluster-up`"
    if sys.platform != "linux":
        fail(f"the cluster without Docker runs on Debian Linux only; {otherwise}")
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    if release.get("ID") != "debian":
        fail(
            f"the cluster without Docker runs on Debian only, and this is {release.get('NAME', 'something else')}; "
            f"{otherwise}"
        )
    if os.geteuid() != 0:
        fail(f"the cluster without Docker needs root, because it runs containers: run this as root; {otherwise}")


def install_packages(*names: str) -> None:
    """Install those of these Debian packages that are missing."""
    listed = run("dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n").splitlines()
    if missing := [name for name in names if f"{name} installed" not in listed]:
        say(f"installing {' '.join(missing)}")
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        run("apt-get", "update", env=environment)
        run("apt-get", "install", "-y", "--no-install-recommends", *missing, env=environment)


def fill(template: str, **others: object) -> str:
    """Replace each $NAME in a file of conf/ by the constant of this name, or by what is given in its place."""
    return string.Template(template).substitute({**globals(), **others})


def get(url: str, token: str = "") -> tuple[int, bytes]:
    """GET a URL of this machine; return status and body, or (0, b"") if nothing answers."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    tls = urllib.request.HTTPSHandler(context=ssl._create_unverified_context())  # loopback only
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({}), tls).open(request, timeout=5) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except OSError:
        return 0, b""
