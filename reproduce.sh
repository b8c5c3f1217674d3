#!/usr/bin/env bash
# Makes the environment on first use, then hands over to Python. `bash reproduce.sh --help` says what there is.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here"

usage() {
  cat <<'TEXT'
bash reproduce.sh PAPER [TABLE[/ROW] …] [--data DIR] [--scale smoke|paper] [--out runs] [--seeds N] [--gpus N] [--set key=value …]
bash reproduce.sh all                     the headline rows of every paper
bash reproduce.sh list [PAPER]            papers, tables, rows, what each needs
bash reproduce.sh data [--data DIR]       every corpus: found or not, counts beside the literature's, every problem in one list
bash reproduce.sh diff PAPER [--out runs] the tables again from the records, nothing is run
bash reproduce.sh diff PAPER --strict     exit code 1 where the paper's number is outside its interval on real data
bash reproduce.sh digits [PAPER]          which numbers of samples and which F1 the printed digits allow
bash reproduce.sh faces DIR [--full]      writes the generated corpora
bash reproduce.sh test                    the tests
PAPER: dvasp, skd_tstsan, mtmnet, sca_au, ma2mi. `bash reproduce.sh PAPER --help` lists all options.
TEXT
}

complete() { # whether the interpreter $1 has what the file $2 names, in versions that pyproject.toml allows
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

environment() { # sets $python to an interpreter that has what the files $@ ask for
  local files=("$@") file have=1
  python=$(command -v python3 || command -v python || true)
  [ -n "$python" ] || { echo "error: no python3 found; install Python 3.10 or newer" >&2; exit 2; }
  for file in "${files[@]}"; do complete "$python" "$file" || have=0; done
  [ "$have" = 0 ] || return 0
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    { echo "error: $("$python" -V) is too old; Python 3.10 or newer is needed" >&2; exit 2; }
  [ -x .venv/bin/python ] || "$python" -m venv .venv
  python="$here/.venv/bin/python"
  for file in "${files[@]}"; do
    complete "$python" "$file" && continue
    echo "making the environment in .venv from $file (once; a few minutes, about 6 GB with a GPU build of torch) …" >&2
    "$python" -m pip install --quiet --disable-pip-version-check -r "$file" 2>.venv/pip.log ||
      { tail -n 20 .venv/pip.log >&2; echo "error: pip could not install $file (see above)" >&2; exit 2; }
  done
  echo "environment ready" >&2
}

case "${1:-}" in
  "" | -h | --help | help) usage; exit 0 ;;
  test) environment requirements.txt tests/requirements.txt ;;
  *) environment requirements.txt ;;
esac
exec "$python" -m shared "$@"
