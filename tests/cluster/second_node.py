"""A second node with a kubelet of its own, which a test stops and starts again."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from installation import IMAGE, ROOT

if TYPE_CHECKING:
    from collections.abc import Generator

_NAME: Final = "bgjobs-node-2"
_KUBELET: Final = "kubelet-2"
_TAINT: Final = {"key": "bgjobs.dev/test-node", "operator": "Exists", "effect": "NoSchedule"}


class SecondNode:
    """Made by `second_node`."""

    @staticmethod
    def pod(*tolerations: dict[str, Any]) -> dict[str, Any]:
        """What a queue's pods need in order to go there, and nowhere else."""
        return {
            "imagePullPolicy": "IfNotPresent",
            "nodeSelector": {"kubernetes.io/hostname": _NAME},
            "tolerations": [_TAINT, *tolerations],
        }

    @staticmethod
    def falls_silent() -> None:
        """Its kubelet is killed; containers go on."""
        _cluster("stop", _KUBELET)

    @staticmethod
    def is_back() -> None:
        """Its kubelet is started again."""
        _cluster("start", _KUBELET)


@contextmanager
def second_node() -> Generator[SecondNode]:
    """It is there for the block, with the image of the shop's jobs."""
    try:
        _cluster("join", IMAGE)
        yield SecondNode()
    finally:
        _cluster("leave")


def _cluster(*words: str) -> None:
    command = [sys.executable, ROOT / "devcluster/cluster", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"a second node needs the cluster of `make cluster-up` on Debian: {done.stderr}"
