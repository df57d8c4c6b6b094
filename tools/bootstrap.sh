#!/bin/sh
# Prepare this checkout: find a Python >= 3.11, then let tools/bootstrap.py make .venv and install what is locked.
# Does nothing when all that is done. PYTHON=/path/to/python3 chooses the interpreter.
set -eu
cd "$(dirname "$0")/.."

# the usual server folders are not on every user's PATH
has_server() {
  [ -n "${HUBSPOT_SYNC_MYSQLD:-}${HUBSPOT_SYNC_MYSQL_URL:-}" ] ||
    (PATH="$PATH:/usr/sbin:/usr/local/sbin:/usr/libexec" && { command -v mysqld || command -v mariadbd; }) >/dev/null
}

# only tests of the alerts need them: see HUBSPOT_SYNC_PROMETHEUS in bootstrap.py
has_monitoring() {
  [ -z "${HUBSPOT_SYNC_PROMETHEUS:-}" ] || { command -v prometheus && command -v prometheus-alertmanager; } >/dev/null
}

is_current() {
  [ -r .venv/bootstrap.stamp ] && has_server && has_monitoring && .venv/bin/python -c '' 2>/dev/null || return 1
  { read -r locks && read -r python; } <.venv/bootstrap.stamp || return 1
  [ "$locks" = "$(cat requirements-dev.lock tools/bootstrap_uv.txt | sha256sum | cut -d ' ' -f 1)" ] || return 1
  [ -z "${PYTHON:-}" ] || [ "$python" = "$(command -v "$PYTHON")" ]
}

# a version manager's shim exists for versions that are not installed: only running it tells
is_usable() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

# the interpreter of an existing .venv comes first: changing it unasked would throw the environment away
venv_python() { .venv/bin/python -c 'import sys; print(sys._base_executable)' 2>/dev/null || true; }

find_python() {
  for name in ${PYTHON:-$(venv_python) python3.12 python3.13 python3.11 python3 python3.14}; do
    if is_usable "$name"; then
      command -v "$name"
      return
    fi
  done
  if [ -n "${PYTHON:-}" ]; then
    echo "error: PYTHON=$PYTHON is no Python 3.11 or newer: name another one" >&2
  else
    echo "error: no Python 3.11 or newer found: install one (sudo apt-get install python3) or set PYTHON=" >&2
  fi
  return 1
}

if [ "${1:-install}" = install ] && is_current; then
  exit 0
fi
python=$(find_python)
exec "$python" tools/bootstrap.py "${1:-install}" "$python"
