"""The subcommand `replay`: the call of a job that a server has, made here and now, in the foreground."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bgjobs.cli import exits
from bgjobs.cli.arguments import completion
from bgjobs.cli.session import Session
from bgjobs.cli.showing import text

if TYPE_CHECKING:
    from bgjobs.cli.replayed import Ended

_Id = Annotated[str, typer.Argument(metavar="ID", help="Id of a job, as in `show`.", autocompletion=completion.job_ids)]
_Pdb = Annotated[bool, typer.Option("--pdb", help="Where the call raises an error, look at it with Python's debugger.")]


def replay(session: Session, word: _Id, pdb: _Pdb = False) -> int:
    r"""Run the call of a job here, in this terminal: to see with a debugger what went wrong on a cluster.

    It fetches class, method and parameters, and makes the call once, with the code of this folder (and of its `src`).
    `breakpoint()` works. Nothing is recorded: the job on the server stays as it is. What the code does, it really does:
    it reaches whatever this machine reaches. `current_job()` is that job, with its checkpoint and what its parents
    returned, as far as you may read results.

    The exit code is 0 if the call succeeded, and 1 if it failed.

    \b
    Examples:
      bgjobs replay last
      bgjobs replay 1122334455 --pdb
    """
    return replay_in(session, session.world.folder, word, pdb=pdb)


def replay_in(session: Session, folder: Path, word: str, *, pdb: bool) -> int:
    """The same with the code of another folder; `bgjobs dev --replay` is this, too.

    Args:
        session: of the command.
        folder: with the code of the job.
        word: the id of the job, or a part of it.
        pdb: whether to look at an error with Python's debugger.

    Returns:
        The exit code.

    Raises:
        UsageError: if the code is not in that folder, or the call does not fit it.
    """
    from bgjobs.cli import replayed  # noqa: PLC0415 - `--help` does not pay for models
    from bgjobs.cli.commands import lookup  # noqa: PLC0415 - as above

    client = session.client()
    job = client.get(lookup.ids(client, [word])[0])
    path = [str(one) for one in (folder / "src", folder) if one.is_dir()]  # as in local mode
    sys.path[:0] = [one for one in path if one not in sys.path]
    session.say(f"{job.cls}.{job.method} of job {job.id} runs here, with the code of {folder}")
    ended = replayed.replay(client, job, session.say)
    if ended.is_unfit:
        raise exits.UsageError(f"{ended.words}; this command runs the code that lies in {folder}")
    if ended.interrupted:
        return exits.INTERRUPTED
    if ended.broken_off:
        print("bgjobs: the call was broken off in the debugger", file=sys.stderr)
        return exits.FAILED
    if ended.traceback:
        print(ended.traceback.rstrip(), file=sys.stderr)
    if pdb and ended.raised is not None:
        from pdb import post_mortem  # noqa: PLC0415 - for who asks for a debugger

        post_mortem(ended.raised.__traceback__)
    return _said(session, ended)


def _said(session: Session, ended: "Ended") -> int:
    if ended.succeeded:
        session.say(f"succeeded in {ended.seconds:.1f} s: {text.plain(ended.result)}")
        return exits.DONE
    print(f"bgjobs: {ended.outcome} after {ended.seconds:.1f} s: {text.clean(ended.words)}", file=sys.stderr)
    return exits.FAILED
