"""Words for states, phases and outcomes are spelled in `bgjobs.vocabulary` alone, and in `bgjobs.states` for it.

Lua is held to it in test_lua.py.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from bgjobs.vocabulary import Outcome, Phase, State
from tests.fundamentals.source_tree import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES: Final = (
    "client/bgjobs",
    "core/bgjobs_core",
    "api/bgjobs_api",
    "operator/bgjobs_operator",
    "local/bgjobs_local",
)
VOCABULARY: Final = ("client/bgjobs/vocabulary.py", "client/bgjobs/states.py")
WORDS: Final = frozenset(map(str, (*State, *Phase, *Outcome)))
# Here the same letters mean something else.
OTHER_MEANINGS: Final = {
    "client/bgjobs/cli/showing/printing.py": {"launched"},  # a title: when the job was launched
    "client/bgjobs/cli/showing/schedules.py": {"paused"},  # a schedule
    "client/bgjobs/cli/commands/holding.py": {"paused"},  # a queue
    "client/bgjobs/testing/memory.py": {"paused"},  # what was to be done with a job
    "client/bgjobs/runner/termination.py": {"timed_out"},  # why the runner sends a signal
    "core/bgjobs_core/actions/pause.py": {"paused"},  # what was to be done with a job
    "core/bgjobs_core/actions/suspend.py": {"suspended"},  # likewise
    "client/bgjobs/refusals.py": {"paused"},  # likewise
    # A field of the spec of a queue or a request.
    "core/bgjobs_core/actions/queue_pause.py": {"paused"},
    "core/bgjobs_core/resources/crd.py": {"paused"},
    "operator/bgjobs_operator/loops/admit.py": {"paused"},
    "local/bgjobs_local/local_resources.py": {"paused"},
    "core/bgjobs_core/jobs/lifecycle.py": {"launching", "launched", "stopping"},  # names of keys
    "core/bgjobs_core/jobs/schedule.py": {"suspended"},  # why a tick was missed
    "core/bgjobs_core/settings.py": {"error"},  # how much is logged
    "core/bgjobs_core/store/keys.py": {"launching", "launched", "stopping"},  # names of keys
    "api/bgjobs_api/pages/shared/errors.py": {"error"},  # a template
    # Names of colours and of icons in the style sheet and the sprite.
    "api/bgjobs_api/pages/job/view.py": {"queued", "paused"},
    "api/bgjobs_api/pages/shared/states.py": {"launched", "launching", "running", "paused", "unreachable"},
    "operator/bgjobs_operator/leader.py": {"pending"},  # a loop
    "operator/bgjobs_operator/loops/pending.py": {"pending"},  # the loop
    "operator/bgjobs_operator/loops/observe_plan.py": {"failed"},  # a step of the plan
    "operator/bgjobs_operator/loops/observe.py": {"failed"},  # what a KubeJob did, an argument of `observe_end`
}
# A field of JSON bodies.
FIELD: Final = "error"
# Written by a generator, which takes the words from the vocabulary.
GENERATED: Final = {f"core/bgjobs_core/store/{name}.py" for name in ("verbs", "deeds", "replies")}


def spelled() -> Iterator[tuple[str, int, str]]:
    """Each file, line and word that stands as text outside the vocabulary."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            if name in VOCABULARY or name in GENERATED:
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in WORDS:
                    yield name, node.lineno, node.value


def is_key(name: str, line: int) -> bool:
    """Whether the word `error` is the key of a dictionary or of a JSON body in this line."""
    text = (ROOT / name).read_text().splitlines()[line - 1]
    return any(part in text for part in ('"error":', '["error"]', '.get("error")', '"error")'))


def test_words_are_spelled_in_the_vocabulary_alone() -> None:
    found = [
        f"{name}:{line}: {word!r}"
        for name, line, word in spelled()
        if word not in OTHER_MEANINGS.get(name, ()) and not (word == FIELD and is_key(name, line))
    ]
    assert not found, "take these from bgjobs.vocabulary:\n" + "\n".join(found)


def test_what_is_excepted_is_there() -> None:
    there = {(name, word) for name, _, word in spelled()}
    gone = {(name, word) for name, words in OTHER_MEANINGS.items() for word in words} - there
    assert not gone
