#!/usr/bin/env bash
# Checks the arguments, makes the environment on first use, then hands over to Python. --help lists the commands.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
case "${MER_DATA:-/}" in /*) ;; *) export MER_DATA="$PWD/$MER_DATA" ;; esac
[ "$PWD" = "$here" ] || export MER_CALLED_FROM="$PWD" # paths among the arguments are taken from there
cd "$here"

complete() { # does the interpreter $1 have the packages that the file $2 names, in versions that pyproject.toml allows?
  "$1" - "$2" <<'PYTHON' 2>/dev/null
import re, sys
from importlib.metadata import version
numbers = lambda text: [int(n) for n in re.findall(r"\d+", text)[:2]]
least = dict(re.findall(r'"([\w-]+)>=([\d.]+)"', open("pyproject.toml").read()))
for line in open(sys.argv[1]):
    if name := re.match(r"[A-Za-z][\w.-]*", line):
        assert numbers(version(name.group())) >= numbers(least.get(name.group(), "0"))
PYTHON
}

environment() { # sets $python to an interpreter that has the packages that the files $@ name
  local file have=1
  for file in "$@"; do complete "$python" "$file" || have=0; done
  [ "$have" = 0 ] || return 0
  [ -x .venv/bin/python ] || "$python" -m venv .venv
  python="$here/.venv/bin/python"
  for file in "$@"; do
    complete "$python" "$file" && continue
    echo "making the environment in .venv from $file (once; a few minutes, about 6 GB with a GPU build of torch) …" >&2
    "$python" -m pip install --quiet --disable-pip-version-check -r "$file" 2>.venv/pip.log ||
      { tail -n 20 .venv/pip.log >&2; echo "error: pip could not install $file (see above)" >&2; exit 2; }
  done
  echo "environment ready" >&2
}

python=$(command -v python3 || command -v python || true)
[ -n "$python" ] || { echo "error: no python3 found; install Python 3.10 or newer" >&2; exit 2; }
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
  { echo "error: $("$python" -V) is too old; Python 3.10 or newer is needed" >&2; exit 2; }
if [ "${1:-}" = test ]; then
  environment requirements.txt tests/requirements.txt
else
  case " $* " in # printing help and checking arguments needs the standard library alone
    "  " | " help " | *" -h "* | *" --help "*) exec "$python" -m shared "$@" ;;
  esac
  "$python" -m shared check "$@"
  environment requirements.txt
fi
exec "$python" -m shared "$@"
