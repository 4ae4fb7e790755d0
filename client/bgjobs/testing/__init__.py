"""For the tests of programs that use bgjobs: jobs run in place, and no server is needed.

```python
from bgjobs.testing import eager

with eager() as jobs:
    order.confirm()  # calls run_background_job somewhere
assert jobs.last.result == {"invoices": 5}
```

pytest has the same as the fixture `background_jobs`. Everything is loaded when it is first used: pytest imports this
package in every run, also in those that have no use for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bgjobs.testing.jobs import RecordedJobs, eager
    from bgjobs.testing.recorded import RecordedJob
    from bgjobs.testing.within import within_job

__all__ = ["RecordedJob", "RecordedJobs", "eager", "within_job"]

_MODULES = {"RecordedJob": "recorded", "RecordedJobs": "jobs", "eager": "jobs", "within_job": "within"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - see above

    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
