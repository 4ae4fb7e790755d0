"""What is known against the project from outside: `make audit`.

Three checks: vulnerabilities that are known of the packages whose versions are locked, secrets in the files that git
knows, and what helm says of the chart. A check whose data or program cannot be had here is said to be missing, which is
no success. The chart's manifests are compared with the models of six versions of Kubernetes by the unit tests.

It is not part of `make test`: what is known changes from day to day, and needs the network.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import helm_python

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

ROOT: Final = Path(__file__).resolve().parents[1]
TOOLS: Final = ROOT / ".venv" / "audit" / "bin"
LOCKS: Final = ("server", "local", "dev", "build", "bench", "uv", "audit", "django")
_WARNING: Final = 2  # of helm's severities
# Guesses by randomness take each hash of a lock file and each id of a test for a secret.
_GUESSES: Final = ("KeywordDetector", "Base64HighEntropyString", "HexHighEntropyString")


@dataclass(frozen=True)
class Verdict:
    """What a check has found.

    Attributes:
        word: `ok`, `FAIL`, or `missing` where it could not be made.
        lines: what it has to say, the first line beside the word.
    """

    word: str
    lines: tuple[str, ...]


def vulnerabilities(lock: str, said: str) -> Verdict:
    """What pip-audit has said of a lock file, as JSON; "" if it has said nothing."""
    if not said:
        return Verdict("missing", (f"{lock}: pip-audit has said nothing; run it by hand to see why",))
    packages: list[dict[str, Any]] = json.loads(said)["dependencies"]
    known = [one for one in packages if "skip_reason" not in one]
    found = [
        f"{one['name']} {one['version']}: {each['id']}, mended in {', '.join(each['fix_versions']) or 'no version yet'}"
        for one in known
        for each in one["vulns"]
    ]
    if found:
        return Verdict("FAIL", (f"{lock}: {len(found)} known vulnerabilities", *found))
    if len(known) < len(packages):
        missing = f"{lock}: nothing is known of {len(packages) - len(known)} of {len(packages)} packages, as the index"
        return Verdict(
            "missing", (f"{missing} that is asked here has no such data; run this where pypi's JSON is reached",)
        )
    return Verdict("ok", (f"{lock}: nothing is known against {len(known)} packages",))


def secrets(said: str) -> Verdict:
    """What detect-secrets has said of the files of the project, as JSON; "" if it has said nothing."""
    if not said:
        return Verdict("missing", ("detect-secrets has said nothing; run it by hand to see why",))
    results: dict[str, list[dict[str, Any]]] = json.loads(said)["results"]
    found = [f"{file}:{one['line_number']}: {one['type']}" for file, ones in results.items() for one in ones]
    if found:
        return Verdict("FAIL", (f"{len(found)} secrets in files that git knows", *found))
    return Verdict("ok", ("no secret in the files that git knows",))


def chart(report: Mapping[str, Any]) -> Verdict:
    """What helm's linter has reported of the chart: warnings and errors count, hints do not."""
    found = [f"{one['path']}: {one['error']}" for one in report["messages"] if one["severity"] >= _WARNING]
    found += [str(one) for one in report["errors"]]
    if found:
        return Verdict("FAIL", ("helm lint of charts/bgjobs", *found))
    return Verdict("ok", ("helm lint has nothing against charts/bgjobs",))


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)


def _checks() -> Iterable[Callable[[], Verdict]]:
    def of_lock(name: str) -> Verdict:
        file = f"requirements/{name}.txt"
        words = ("--disable-pip", "--require-hashes", "--progress-spinner", "off", "-f", "json", "-r", file)
        return vulnerabilities(file, _run(str(TOOLS / "pip-audit"), *words).stdout)

    def of_secrets() -> Verdict:
        off = [word for guess in _GUESSES for word in ("--disable-plugin", guess)]
        return secrets(_run(str(TOOLS / "detect-secrets"), "scan", *off).stdout)

    def of_chart() -> Verdict:
        return chart(helm_python.lint(ROOT / "charts" / "bgjobs"))

    yield of_secrets
    yield of_chart
    for name in LOCKS:
        yield lambda name=name: of_lock(name)


def main() -> int:
    """Make all checks; 1 if one fails or cannot be made."""
    words: list[str] = []
    for check in _checks():
        verdict = check()
        words.append(verdict.word)
        print(
            f"{verdict.word:8}{verdict.lines[0]}",
            *(f"        {line}" for line in verdict.lines[1:]),
            sep="\n",
            flush=True,
        )
    return int(any(word != "ok" for word in words))


if __name__ == "__main__":
    sys.exit(main())
