#!/usr/bin/env bash
# Real clients against `minke serve models/nano`: run.sh BUILD_FOLDER. Packages go below the build folder.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$here/../../.."
build="$(cd "$1" && pwd)"
work="$build/clients"
mkdir -p "$work"
cp "$root/tests/server/clients/package.json" "$here/nano_clients.mjs" "$work/"
(cd "$work" && npm install --no-audit --no-fund --silent)
[ -x "$work/venv/bin/python" ] || python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet "openai==$(cat "$root/tests/server/clients/openai_version.txt")"
echo "sk-minke-test-key-0" >"$work/keys"
coproc SERVER { exec "$build/minke" --lang en serve "$root/models/nano" --port 0 --api-key-file "$work/keys"; }
server=$SERVER_PID
trap 'kill -TERM "$server" 2>/dev/null || true' EXIT
url=""
while read -r line <&"${SERVER[0]}"; do
  case "$line" in http*) url="${line%% *}" && break ;; esac
done
[ -n "$url" ] || { echo "the server did not start" >&2; exit 1; }
(cd "$work" && MINKE_URL="$url" node --test --test-reporter=spec nano_clients.mjs)
MINKE_URL="$url" "$work/venv/bin/python" "$here/nano_client.py"
kill -TERM "$server"
wait "$server"
echo "the server ended by itself with code 0"
