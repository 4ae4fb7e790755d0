"""The command `bgjobs-api`."""

from __future__ import annotations

import argparse
import signal
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import structlog

from bgjobs_api.http.listening import PortError
from bgjobs_api.serving import serve
from bgjobs_api.settings import ApiSettings
from bgjobs_core import event_loop, log_setup
from bgjobs_core.settings import from_environment

if TYPE_CHECKING:
    from types import FrameType

log: Any = structlog.get_logger(__name__)


def _parser() -> argparse.ArgumentParser:
    names = "\n".join(
        f"  BGJOBS_{name.upper():22} {field.description or ''}" for name, field in ApiSettings.model_fields.items()
    )
    return argparse.ArgumentParser(
        prog="bgjobs-api",
        description="The HTTP API of bgjobs, for programs and the runners of jobs, and the dashboard for people.",
        epilog=f"Settings come from the environment:\n{names}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _leave(number: int, _: FrameType | None = None) -> NoReturn:
    """The end that was asked for is no failure."""
    sys.exit(0 if number in {0, signal.SIGTERM} else 128 + number)


def main() -> None:
    """Entry point."""
    _parser().parse_args()
    settings = from_environment(ApiSettings, "bgjobs-api")
    log_setup.configure(settings.log_level, settings.log_format)
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    try:
        number = event_loop.run(serve(settings))
    except PortError as error:
        log.error(str(error))  # noqa: TRY400 - it says all
        sys.exit(1)
    except Exception:
        log.exception("the API ends")
        sys.exit(1)
    _leave(number)


if __name__ == "__main__":
    main()
