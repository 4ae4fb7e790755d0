"""Builds the project's own images, if what goes into them has changed, and loads them into the cluster."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

import base_images
from machine import CACHE, HERE, RUN, STATE, fail, run, say
from programs import TOOLS, digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

ROOT = HERE.parent
PARTS = {  # what is others' work, as the chart and the tests name it
    "redis": "redis:8.0",
    "oauth2-proxy": f"oauth2-proxy/oauth2-proxy:{TOOLS['oauth2-proxy'][1]}",
    "kueue": f"registry.k8s.io/kueue/kueue:{TOOLS['kueue'][1]}",
    "oidc": "bgjobs/oidc:dev",
}
ON_REQUEST = {"kueue"}  # made only where they are named, because few need them
UPSTREAM = {"redis": PARTS["redis"], "oauth2-proxy": f"quay.io/{PARTS['oauth2-proxy']}", "kueue": PARTS["kueue"]}
NOT_INPUT = {"__pycache__", ".git", ".venv", ".ruff_cache", ".pytest_cache", ".mypy_cache"}


# ------------------------------------------------------------------------ builders
def docker_works() -> bool:
    if not shutil.which("docker"):
        return False
    try:
        return bool(run("docker", "info", check=False, timeout=30))
    except subprocess.TimeoutExpired:
        return False


class Docker:
    """Builds with a Docker engine, which pulls what FROM names."""

    name = "docker"

    def base(self) -> str:
        return ""  # Docker's own cache notices a new one when it is pulled

    def build(self, image: str, arguments: list[object], output: IO[str]) -> bool:
        words = ["docker", "build", "--tag", image, *(str(argument) for argument in arguments)]
        plain = os.environ | {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}  # an image that `docker save` saves as one
        return subprocess.run(words, check=False, stdout=output, stderr=output, env=plain).returncode == 0

    def save(self, image: str, archive: Path) -> None:
        run("docker", "save", "--output", archive, image)


@dataclass(frozen=True)
class Buildah:
    """Builds with buildah, or podman, which has the same options and storage. Nothing is pulled."""

    name: str
    verb: str

    def base(self) -> str:
        """The Python image on which the others are built; it is made here if there is none."""
        question = ("buildah", "images", "--format", "{{.ID}}", base_images.full_name(base_images.PYTHON))
        if not run(*question, check=False):
            base_images.make_image("python")
        return run(*question).strip()

    def build(self, image: str, arguments: list[object], output: IO[str]) -> bool:
        return base_images.buildah_build(image, *arguments, command=(self.name, self.verb), output=output)

    def save(self, image: str, archive: Path) -> None:
        base_images.buildah_save(image, archive, self.name)


Builder = Docker | Buildah


def builder() -> Builder:
    """The first program for building images that this machine has; `cluster up` installs buildah."""
    if docker_works():
        return Docker()
    if shutil.which("podman"):
        return Buildah("podman", "build")
    if not shutil.which("buildah"):
        fail("there is no docker, podman or buildah; `devcluster/dev up` installs buildah on a machine without Docker")
    return Buildah("buildah", "bud")


# ------------------------------------------------------------------------- clusters
def digest_in(listing: str) -> str:
    """The digest in the output of `ctr images list`: a heading, and a line if the image is there."""
    return next((word for word in listing.split() if word.startswith("sha256:")), "")


class BareNode:
    """The cluster whose node is this machine, which the script `cluster` runs."""

    ledger = STATE / "images.json"

    def ready(self) -> bool:
        return (RUN / "containerd.sock").exists()

    def present(self, image: str) -> str:
        return digest_in(base_images.ctr("images", "list", f"name=={base_images.full_name(image)}"))

    def load(self, image: str, source: Builder) -> None:
        base_images.load(image, source.save)

    def tag(self, image: str, new: str) -> None:
        base_images.ctr("images", "tag", "--force", base_images.full_name(image), base_images.full_name(new))

    def add(self, part: str) -> None:
        """Make the image from Debian's packages, or from a program that is built here."""
        base_images.make_image(part, PARTS[part])


@dataclass(frozen=True)
class KindNode:
    """The cluster that kind runs in a Docker container."""

    cluster: str
    ledger: Path = CACHE / "kind-images.json"

    @property
    def container(self) -> str:
        return f"{self.cluster}-control-plane"

    def ready(self) -> bool:
        question = ("docker", "inspect", "--format", "{{.State.Running}}", self.container)
        return run(*question, check=False).strip() == "true"

    def present(self, image: str) -> str:
        name = f"name=={base_images.full_name(image)}"
        return digest_in(run("docker", "exec", self.container, "ctr", "-n", "k8s.io", "images", "list", name))

    def load(self, image: str, source: Builder) -> None:
        archive = CACHE / f"kind-load-{os.getpid()}.tar"
        try:
            source.save(image, archive)
            run("kind", "load", "image-archive", archive, "--name", self.cluster)
        finally:
            archive.unlink(missing_ok=True)

    def tag(self, image: str, new: str) -> None:
        names = (base_images.full_name(image), base_images.full_name(new))
        run("docker", "exec", self.container, "ctr", "-n", "k8s.io", "images", "tag", "--force", *names)

    def add(self, part: str) -> None:
        """Pull the image; that of the identity provider for tests is not published, so Docker builds it."""
        if part not in UPSTREAM:
            source = builder()
            make(Image(PARTS[part], HERE / part / "Dockerfile", HERE / part), source, build_log(PARTS[part]))
            self.load(PARTS[part], source)
            return
        upstream, wanted = base_images.full_name(UPSTREAM[part]), base_images.full_name(PARTS[part])
        run("docker", "exec", self.container, "crictl", "pull", upstream)
        if wanted != upstream:
            self.tag(upstream, wanted)


Node = BareNode | KindNode


# --------------------------------------------------------------------------- inputs
@dataclass(frozen=True)
class Image:
    name: str
    dockerfile: Path
    context: Path
    above: str = ""  # another image of the project that FROM names
    arguments: dict[str, str] = field(default_factory=dict)


IMAGES = {
    "server": Image("bgjobs/server:dev", ROOT / "server_image/Dockerfile", ROOT),
    "runner": Image("bgjobs/runner:dev", ROOT / "runner_image/Dockerfile", ROOT),
    "example-shop": Image(
        "bgjobs/example-shop:dev",
        ROOT / "examples/shop/Dockerfile",
        ROOT / "examples/shop",
        above="runner",
        arguments={"RUNNER": "bgjobs/runner:dev"},
    ),
}
NAMES = (*IMAGES, *PARTS)


def copied(image: Image) -> Iterator[str]:
    """The paths in the context that the Dockerfile's COPY lines name as sources."""
    if not image.dockerfile.exists():
        fail(f"{image.dockerfile} is not there")
    for line in image.dockerfile.read_text().replace("\\\n", " ").splitlines():
        instruction, *words = line.split() or [""]
        if instruction.upper() == "COPY" and not any(word.startswith("--from=") for word in words):
            yield from [word for word in words if not word.startswith("--")][:-1]


def files(image: Image) -> Iterator[Path]:
    """Every file that is copied into the image, always in the same order."""
    for pattern in copied(image):
        found = sorted(image.context.glob(pattern.rstrip("/")))
        if not found and "*" not in pattern:
            fail(f"{image.dockerfile} copies {pattern}, which is not in {image.context}")
        for path in found:
            yield from sorted(path.rglob("*")) if path.is_dir() else [path]


def inputs(image: Image, beneath: str) -> str:
    """A digest of everything that the image is made of; `beneath` is the digest of the image that FROM names."""
    total = hashlib.sha256(json.dumps([beneath, image.arguments]).encode())
    ignore = image.context / ".dockerignore"
    for path in (image.dockerfile, *([ignore] if ignore.exists() else []), *files(image)):
        if path.is_file() and path.suffix != ".pyc" and not NOT_INPUT & set(path.parts):
            header = f"\0{path.relative_to(ROOT)}\0{path.stat().st_mode & 0o111}\0{path.stat().st_size}\0"
            total.update(header.encode())
            total.update(path.read_bytes())
    return total.hexdigest()


# --------------------------------------------------------------------------- images
def read(ledger: Path) -> dict[str, list[str]]:
    """What was loaded, by name: the digest of its inputs, and the digest that the cluster has for the image."""
    try:
        found: dict[str, list[str]] = json.loads(ledger.read_text())
    except (OSError, ValueError):
        return {}
    return found


def write(ledger: Path, image: str, stamp: str, present: str) -> None:
    """Remember what was loaded under a name."""
    ledger.write_text(json.dumps(read(ledger) | {image: [stamp, present]}, indent=2))


def build_log(image: str) -> Path:
    """The file for the output of the image's build."""
    return CACHE / "logs" / f"build-{image.partition(':')[0].replace('/', '-')}.log"


def make(image: Image, source: Builder, log: Path) -> None:
    """Build an image; its output goes to a file, the end of which is shown when it fails."""
    log.parent.mkdir(parents=True, exist_ok=True)
    options = [word for name, value in image.arguments.items() for word in ("--build-arg", f"{name}={value}")]
    with log.open("w") as output:
        built = source.build(image.name, ["--file", image.dockerfile, *options, image.context], output)
    if not built:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-30:])
        fail(f"cannot build {image.name}; the end of {log}:\n{tail}")


def make_and_load(node: Node, names: Iterable[str]) -> None:
    """Bring the named images (by default all but `ON_REQUEST`) into the cluster, unless they are there unchanged."""
    wanted = set(names) or set(NAMES) - ON_REQUEST
    if unknown := wanted - set(NAMES):
        fail(f"there is no image {', '.join(sorted(unknown))}; there are: {', '.join(NAMES)}")
    if not node.ready():
        fail("the cluster does not run; start it with `devcluster/dev up`")
    source = builder()
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "images.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # it ends with this block
        for part in [part for part in PARTS if part in wanted]:
            bring_part(node, part)
        digests = {"": source.base() if wanted & set(IMAGES) else ""}
        for short, image in IMAGES.items():
            if short in wanted or any(other.above == short for key, other in IMAGES.items() if key in wanted):
                digests[short] = bring(image, inputs(image, digests[image.above]), source, node)


def bring(image: Image, stamp: str, source: Builder, node: Node) -> str:
    """Build and load one image unless the cluster has what these inputs made; returns their digest."""
    began = time.monotonic()
    present = node.present(image.name)
    if present and read(node.ledger).get(image.name) == [stamp, present]:
        say(f"{image.name}: unchanged")
        return stamp
    log = build_log(image.name)
    say(f"{image.name}: building with {source.name}; its output goes to {log}")
    make(image, source, log)
    built = time.monotonic()
    node.load(image.name, source)
    write(node.ledger, image.name, stamp, node.present(image.name))
    say(f"{image.name}: built in {built - began:.1f} s, loaded in {time.monotonic() - built:.1f} s")
    return stamp


def bring_part(node: Node, part: str) -> None:
    """Add one of `PARTS`, if it is not there; if it is built from a folder of ours, also if that has changed."""
    name, folder = PARTS[part], HERE / part
    stamp = digest(folder) if folder.is_dir() else ""
    present = node.present(name)
    if present and (not stamp or read(node.ledger).get(name) == [stamp, present]):
        say(f"{name}: is loaded already")
        return
    began = time.monotonic()
    say(f"{name}: fetching or making it")
    node.add(part)
    if stamp:
        write(node.ledger, name, stamp, node.present(name))
    say(f"{name}: ready in {time.monotonic() - began:.1f} s")
