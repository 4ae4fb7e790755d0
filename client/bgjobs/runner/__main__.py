"""The entry point `python -m bgjobs.runner`: the supervisor, the first process of a job's container."""

from __future__ import annotations

import os
import sys

# `-m` puts the job's folder in front, where a file named like a module of the standard library would end up
# in the supervisor. The child has the folder: there the job's code belongs.
sys.path[:] = [path for path in sys.path if path not in ("", str(os.getcwd()))]  # noqa: PTH109 - no pathlib here

from bgjobs.runner.supervisor import main  # noqa: E402 - see above

if __name__ == "__main__":
    sys.exit(main(os.environ))
