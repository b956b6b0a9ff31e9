"""mrml behind a guard: it may refuse or panic, but it never takes the process along."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from django.utils.translation import pgettext
from mjml import mjml2html

from ..exceptions import Problem, TemplateError

#: Longest accepted MJML, in characters.
MAX_LENGTH = 200_000
#: Longest accepted HTML, in characters.
MAX_OUTPUT = 1_000_000

#: Turns guarded, checked MJML into HTML; raises TemplateError.
Runner = Callable[[str], str]


def run_here(mjml: str) -> str:
    """Compile in this process; for MJML that `markup.prepare` checked."""
    try:
        html: str = mjml2html(mjml, fonts={})
    except ValueError as error:
        raise _refused(str(error)) from error
    except BaseException as error:
        # mrml's panics are pyo3_runtime.PanicException, which is no Exception and which cannot
        # be imported.
        if type(error).__name__ != "PanicException":
            raise
        raise _refused(pgettext("triggers", "the MJML compiler gave up")) from error
    return _measured(html)


def run_in_process(mjml: str, *, seconds: float = 5.0, memory: int = 512 * 1024 * 1024) -> str:
    """Compile in a short-lived process with limits (seconds, bytes), as for an editor's preview."""
    command = [
        sys.executable,
        "-P",  # or `import mjml` would find this very module beside the script
        str(Path(__file__).with_name("_mrml_process.py")),
        str(memory),
        str(math.ceil(seconds)),
    ]
    try:
        done = subprocess.run(  # noqa: S603 - the program and its arguments are ours
            command, input=mjml.encode(), capture_output=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise _refused(
            pgettext("triggers", "the MJML compiler needed more than %(seconds)g seconds")
            % {"seconds": seconds}
        ) from error
    answer = done.stdout
    if done.returncode == 0 and answer[:1] == b"H":
        return _measured(answer[1:].decode())
    if done.returncode == 0 and answer[:1] == b"E":
        raise _refused(answer[1:].decode())
    raise _refused(
        pgettext("triggers", "the MJML compiler died (code %(code)d); make the letter simpler")
        % {"code": done.returncode}
    )


def _measured(html: str) -> str:
    if len(html) > MAX_OUTPUT:
        raise _refused(
            pgettext("triggers", "the letter becomes %(size)d kB of HTML; make it shorter")
            % {"size": len(html) // 1000}
        )
    return html


def _refused(reason: str) -> TemplateError:
    message = pgettext("triggers", "cannot be compiled: %(reason)s") % {"reason": reason}
    return TemplateError([Problem(where="body", message=message)])
