"""Images for pods that are made on this machine, and how images get into its cluster.

Nothing is pulled: what is a registry's image elsewhere is put together here from
Debian packages or from a program built here, under the same name.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

from machine import CACHE, PAUSE, RUN, fail, run, say
from programs import tool

if TYPE_CHECKING:
    from collections.abc import Callable

CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


# ------------------------------------------------------------------- the containerd
def ctr(*arguments: object, check: bool = True, address: object = RUN / "containerd.sock") -> str:
    """Ask containerd: that of the first node, unless the socket of another one is named."""
    return run("ctr", "--address", address, "--namespace", "k8s.io", *arguments, check=check)


def full_name(image: str) -> str:
    """The full name by which containerd and the kubelet know an image."""
    first, slash, _ = image.partition("/")
    if not slash:
        image = f"docker.io/library/{image}"
    elif not ("." in first or ":" in first or first == "localhost"):
        image = f"docker.io/{image}"
    return image if ":" in image.rpartition("/")[2] else f"{image}:latest"


def load(image: str, save: Callable[[str, Path], object] | None = None) -> None:
    """Copy an image into the cluster; save writes it to an archive (default: from buildah)."""
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        archive = Path(folder, "image")
        (save or buildah_save)(image, archive)
        ctr("images", "import", archive)


def buildah_save(image: str, archive: Path, command: str = "buildah") -> None:
    name = full_name(image)
    # A tag without a registry is `localhost/...` to whoever built it with buildah or podman by hand.
    built = next((one for one in (name, f"localhost/{image}") if knows(one, command)), name)
    run(command, "push", built, f"docker-archive:{archive}:{name}")


def knows(image: str, command: str = "buildah") -> bool:
    """Whether buildah or podman has this image."""
    return bool(run(command, "inspect", "--type", "image", image, check=False))


# ---------------------------------------------------------------------------- build
def buildah_build(image: str, *arguments: object, command: tuple[str, ...] = ("buildah", "bud"),
                  output: IO[str] | None = None) -> bool:  # fmt: skip
    """Build by a Dockerfile; RUN sees this machine's certificates and pip configuration."""
    uv = CACHE / "uv.toml"
    uv.write_text("native-tls = true\n")
    mounts = {CERTIFICATES: CERTIFICATES, "/etc/pip.conf": "/etc/pip.conf", str(uv): "/etc/uv/uv.toml"}
    volumes = [f"--volume={here}:{there}:ro" for here, there in mounts.items() if Path(here).exists()]
    options = ["--isolation=chroot", "--network=host", "--layers", "--pull=never", *volumes]
    words = [*command, *options, "--tag", full_name(image), *(str(argument) for argument in arguments)]
    return subprocess.run(words, check=False, stdout=output, stderr=output).returncode == 0


# --------------------------------------------------------------------- made of parts
def debian(root: Path, packages: str) -> None:
    """Unpack a minimal Debian 13 with these packages (kept, since it takes half a minute)."""
    archive = CACHE / "images" / f"trixie-{packages.replace(',', '-')}.tar"
    if not archive.exists():
        say(f"making a Debian 13 with {packages}")
        archive.parent.mkdir(parents=True, exist_ok=True)
        run("mmdebstrap", "--variant=minbase", f"--include={packages}", "trixie", f"{archive}.partial.tar")
        Path(f"{archive}.partial.tar").rename(archive)
    run("tar", "-xpf", archive, "-C", root, "--numeric-owner", "--exclude=./dev/*")


def python(root: Path) -> None:
    """Debian's Python made to look like the official image: `python`, and a pip that may install anything."""
    debian(root, "python3,python3-venv,ca-certificates")
    (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    for marker in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
        marker.unlink()
    # Debian's own pip would bring packages that no pip can replace; the wheel in the venv package brings none.
    wheel = next(root.glob("usr/share/python-wheels/pip-*.whl"))
    inside = Path("/", wheel.relative_to(root))
    run(
        "chroot",
        root,
        "python3",
        inside / "pip",
        "install",
        "--quiet",
        "--no-index",
        "--root-user-action=ignore",
        inside,
    )


def static(root: Path, name: str) -> None:
    """Fill a folder for an image with one static program and the CA certificates."""
    for source, target in ((tool(name), root / "bin" / name), (Path(CERTIFICATES), root / CERTIFICATES[1:])):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


PYTHON = "python:3.13-slim"
IMAGES: dict[str, tuple[str, Callable[[Path], object], list[str]]] = {
    # kind: default name, what fills its root folder, its configuration
    "python": (PYTHON, python, ["--cmd", "python3", "--env", "LANG=C.UTF-8"]),
    "redis": ("redis:8.0", lambda root: debian(root, "redis-server,redis-tools"),
              ["--cmd", "redis-server --protected-mode no", "--port", "6379"]),
    "valkey": ("valkey/valkey:8.1", lambda root: debian(root, "valkey-server,valkey-tools"),
               ["--cmd", "valkey-server --protected-mode no", "--port", "6379"]),
    "oauth2-proxy": ("quay.io/oauth2-proxy/oauth2-proxy:v7.15.6", lambda root: static(root, "oauth2-proxy"),
                     ["--entrypoint", '["/bin/oauth2-proxy"]', "--user", "65532:65532"]),
    "oidc": ("bgjobs/oidc:dev", lambda root: static(root, "oidc"),
             ["--entrypoint", '["/bin/oidc"]', "--user", "65532:65532"]),
    "kueue": ("registry.k8s.io/kueue/kueue:v0.17.0", lambda root: static(root, "kueue"),
              ["--entrypoint", '["/bin/kueue"]', "--user", "65532:65532"]),
    "pause": (PAUSE, lambda root: shutil.copy("/bin/busybox", root / "sleep"),
              ["--entrypoint", '["/sleep", "1000000000"]', "--user", "65535:65535"]),
}  # fmt: skip


def make_image(kind: str, name: str | None = None) -> None:
    if kind not in IMAGES:
        fail(f"there is no image {kind!r}; there are: {', '.join(IMAGES)}")
    default, fill_root, configuration = IMAGES[kind]
    container = run("buildah", "from", "scratch").split()[-1]
    try:
        fill_root(Path(run("buildah", "mount", container).strip()))
        run("buildah", "config", *configuration, container)
        run("buildah", "commit", "--quiet", container, full_name(name or default))
    finally:
        run("buildah", "rm", container, check=False)
    load(name or default)
    say(f"loaded {full_name(name or default)}")
