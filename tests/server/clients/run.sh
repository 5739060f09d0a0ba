#!/usr/bin/env bash
# Real clients against the scripted server: run.sh BUILD_FOLDER. Packages go below the build folder.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
build="$(cd "$1" && pwd)"
work="$build/clients"
mkdir -p "$work"
cp "$here/package.json" "$here/clients.mjs" "$work/"
(cd "$work" && npm install --no-audit --no-fund --silent)
[ -x "$work/venv/bin/python" ] || python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet "openai==$(cat "$here/openai_version.txt")"
coproc SERVER { exec "$build/tests/server/scripted_server"; }
server=$SERVER_PID
trap 'kill -TERM "$server" 2>/dev/null || true' EXIT
read -r url <&"${SERVER[0]}"
(cd "$work" && MINKE_URL="$url" node --test --test-reporter=spec clients.mjs)
MINKE_URL="$url" "$work/venv/bin/python" "$here/openai_client.py"
kill -TERM "$server"
wait "$server"
echo "the server ended by itself with code 0"
