"""The launcher of local mode does what every launcher must."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bgjobs_core.resources.models import QueueSpec
from bgjobs_local.identity import LocalTokens, person
from bgjobs_local.launcher import controller
from bgjobs_local.launcher.memory_guard import MemoryGuard
from bgjobs_local.launcher.pods import Kubelet
from bgjobs_local.launcher.process_launcher import ProcessLauncher
from bgjobs_local.terminal.console import Console
from tests.launchers.conformance import GRACE_SECONDS, Conformance, api, bench_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.launchers.conformance import Bench

SHOP = Path(__file__).parents[2] / "examples/shop"


class TestProcessLauncher(Conformance):
    """With real processes."""

    @pytest.fixture
    async def bench(self, tmp_path: Path) -> AsyncGenerator[Bench]:
        tokens = LocalTokens(person("shop"))
        async with api(tokens, "127.0.0.1") as (store, port):
            kubelet = Kubelet(
                folder=tmp_path / "pods",
                project=tmp_path,
                python=sys.executable,
                path=[SHOP],
                url=f"http://127.0.0.1:{port}",
                tokens=tokens,
                printer=Console(print),
                memory=MemoryGuard(),
                environ=dict(os.environ),
            )
            launcher = ProcessLauncher(tmp_path / "kubejobs", kubelet, controller.FAST)
            await launcher.load()
            controlling = asyncio.create_task(launcher.run())
            spec = QueueSpec(approved_classes=["shop.jobs.*"], image="this-machine", grace_seconds=GRACE_SECONDS)
            async with bench_of(launcher, store, spec) as made:
                yield made
            await launcher.kill()
            controlling.cancel()
            await asyncio.wait({controlling})
