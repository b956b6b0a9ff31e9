#!/usr/bin/env bash
# Runs the quick tests on Python 3.13 with the newest Django, in .venv-next.
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
            echo "smoke-next: Python 3.13 is missing; install it (pyenv install 3.13)." >&2
            exit 1
            ;;
    esac
    echo "smoke-next: SKIPPED, no Python 3.13 here (pyenv install 3.13)."
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
.venv-next/bin/python -c 'import django, sys; print("smoke-next: Python", sys.version.split()[0], "Django", django.__version__)'
# What depends on Django's version; storms, stories and the sandbox run in the matrix (noxfile.py).
env -u TEST_DATABASE_URL .venv-next/bin/python -m pytest -q \
    -m "not browser and not storm and not slow and not postgres" \
    tests/content tests/editor tests/engine tests/policy tests/public tests/shop
