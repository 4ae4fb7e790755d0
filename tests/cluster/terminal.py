"""The shell of somebody who has a kubeconfig, kubectl, and the command `bgjobs`, and nothing else set up."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from installation import ROOT, dev

if TYPE_CHECKING:
    from collections.abc import Mapping


def environment(folder: Path, *, kubectl_flags: str = "", **more: str) -> Mapping[str, str]:
    """Its variables; `folder` gets a kubectl that is the development cluster's, with flags such as `--as=dora`."""
    kubectl = folder / "kubectl"
    kubectl.write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT}/devcluster/dev kubectl {kubectl_flags} "$@"\n')
    kubectl.chmod(0o755)
    path = [str(folder), str(Path(sys.executable).parent), os.environ["PATH"]]
    # Of our variables those stay that say which development cluster is meant.
    without = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("BGJOBS_") or name.startswith("BGJOBS_CLUSTER_")
    }
    return {**without, "PATH": os.pathsep.join(path), "KUBECONFIG": dev("kubeconfig").strip(), **more}
