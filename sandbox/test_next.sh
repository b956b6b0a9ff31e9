#!/usr/bin/env bash
# Runs the tests that depend on Django on Python 3.13 with the newest Django, in .venv-next; arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."

find_python() {
    if command -v python3.13 >/dev/null && python3.13 --version >/dev/null 2>&1; then
        command -v python3.13
        return
    fi
    local candidate
    for candidate in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.13.*/bin/python3.13; do
        if [ -x "$candidate" ]; then
            echo "$candidate"
            return
        fi
    done
}

python=$(find_python)
if [ -z "$python" ]; then
    case "${CI:-}" in
        1 | true)
            echo "test-next: Python 3.13 is missing; install it (pyenv install 3.13)." >&2
            exit 1
            ;;
    esac
    echo "test-next: SKIPPED, no Python 3.13 here (pyenv install 3.13)."
    exit 0
fi

if [ ! -x .venv-next/bin/python ]; then
    echo "Making .venv-next with $("$python" --version) …"
    "$python" -m venv .venv-next
fi
if [ ! -e .venv-next/.installed ] || [ pyproject.toml -nt .venv-next/.installed ]; then
    .venv-next/bin/python -m pip install --disable-pip-version-check -q -e '.[dev]'
    touch .venv-next/.installed
fi
.venv-next/bin/python -c 'import django, sys; print("test-next: Python", sys.version.split()[0], "Django", django.__version__)'
# What depends on Django's version and asks a database (TEST_DATABASE_URL; SQLite without one).
# Storms, stories and the sandbox run in the matrix (noxfile.py), and so does what measures time.
.venv-next/bin/python -m pytest -q -n "${WORKERS:-2}" --dist loadgroup --with-database \
    -m "not (browser or slow or storm or alone or postgres or localize)" "$@"
# Of these most ask no database, and what they meet came with a newer Django.
.venv-next/bin/python -m pytest -q -m "not (slow or alone or storm or postgres)" \
    tests/content/test_email_channel.py tests/content/test_headers.py tests/content/test_presets.py
