"""The example that listens to SIGTERM, in a real process."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .conftest import Pod


def test_stubborn_tidies_up(pod: Pod) -> None:
    pod.call("stubborn", 60, **{"class": "bgjobs.examples.Hello", "approved_classes": ["bgjobs.examples.*"]})
    pod.launch()
    pod.api.wait_for(lambda api: "working" in api.log)
    pod.terminate()

    code, _, _ = pod.ends()

    assert code == 75
    assert "told to stop: tidying up" in pod.api.log
    assert pod.finished()["outcome"] == "disrupted"
