"""Where the time of a letter goes: the whole path under cProfile.

`python -m benchmarks.profile_letters [cumulative|tottime]`
"""

from __future__ import annotations

import cProfile
import os
import pstats
import sys

from benchmarks import letters
from benchmarks.stage import fresh_database


def main() -> None:
    """Profile one round after a warm-up."""
    from tests.storm.sink import running_sink

    with running_sink(None) as sink:
        os.environ["SMTP_PORT"] = str(sink.port)
        with fresh_database():
            for turn in range(2):
                letters.forget()
                letters.plan()
                profile = cProfile.Profile()
                if turn:
                    profile.enable()
                letters.send_all()
                profile.disable()
            stats = pstats.Stats(profile)
            stats.sort_stats(sys.argv[1] if len(sys.argv) > 1 else "cumulative").print_stats(70)


if __name__ == "__main__":
    main()
