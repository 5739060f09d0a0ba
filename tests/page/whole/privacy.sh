#!/usr/bin/env bash
# The privacy contract of a whole server: privacy.sh COMMAND... starts it (it must print its address), without any network but
# loopback, and chats with it.
#   - it makes no connection and sends no datagram, and listens on loopback only (strace);
#   - no file of its own and nothing that it prints has a word of the chats in it, neither while they are kept nor after shred;
#   - temporary chats, and those of programs that name no conversation, are kept nowhere;
#   - after shred the store's files are gone.
# Exit code 77: this system has no namespaces or no strace for us.
set -euo pipefail

if [ -z "${MINKE_PRIVACY_INSIDE:-}" ]; then
  for tool in strace unshare ip curl; do
    command -v "$tool" >/dev/null || { echo "privacy: $tool is missing: skipped"; exit 77; }
  done
  unshare -rn true 2>/dev/null || { echo "privacy: no namespaces here: skipped"; exit 77; }
  strace -o /dev/null true 2>/dev/null || { echo "privacy: strace may not trace here: skipped"; exit 77; }
  exec env MINKE_PRIVACY_INSIDE=1 unshare -rn "$0" "$@"
fi

ip link set lo up
canary="beluga-$RANDOM-$RANDOM-canary"
work="$(mktemp -d)"
home="$work/home"
mkdir "$home"
server=""
cleanup() {
  [ -z "$server" ] || kill -TERM "$(pgrep -P "$server")" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

fail() {
  echo "privacy: $1" >&2
  exit 1
}

# -s 0: the trace has no bytes of what is sent, so it may lie beside the rest.
env HOME="$home" MINKE_HOME="$home/minke" XDG_STATE_HOME="$home/state" XDG_CONFIG_HOME="$home/config" XDG_DATA_HOME="$home/data" \
  XDG_CACHE_HOME="$home/cache" strace -f -qq -s 0 -e trace=connect,bind,sendto,sendmsg -o "$work/trace" "$@" \
  >"$work/printed" 2>&1 &
server=$!
url=""
for _ in $(seq 600); do
  url="$(grep -oE 'https?://[0-9.:]+' "$work/printed" | head -n 1 || true)"
  [ -z "$url" ] || break
  kill -0 "$server" 2>/dev/null || fail "the server ended: $(cat "$work/printed")"
  sleep 0.1
done
[ -n "$url" ] || fail "the server printed no address in 60 s"

call() {  # METHOD PATH [BODY] -> the reply; any status
  curl -sS -X "$1" "$url$2" -H 'X-Minke: 1' -H 'Content-Type: application/json' ${3:+--data-binary "$3"}
}
expect() {  # WHAT TEXT: the last reply has this text
  case "$reply" in *"$2"*) ;; *) fail "$1: expected $2 in: ${reply:0:300}" ;; esac
}
no_canary() {  # WHEN
  local found
  found="$(grep -rlaF -- "$canary" "$home" "$work/printed" "$work/trace" || true)"
  [ -z "$found" ] || fail "$1: words of a chat in $found"
}
ask() {  # MINKE
  call POST /v1/chat/completions \
    "{\"stream\": true, \"max_tokens\": 16, \"messages\": [{\"role\": \"user\", \"content\": \"Say $canary\"}], \"minke\": $1}"
}

# The search finds what is there.
echo "$canary" >"$home/planted"
grep -rlaqF -- "$canary" "$home" || fail "the search for the canary finds nothing"
rm "$home/planted"

reply="$(ask '{"conversation": null}')"
expect "a chat without a store" '[DONE]'
expect "a chat without a store" '"conversation":null'
reply="$(call POST /api/minke/store/create "{\"passphrase\": \"$canary passphrase\"}")"
expect "making the store" '"open"'
reply="$(ask '{"conversation": null, "temporary": true}')"
expect "a temporary chat" '[DONE]'
reply="$(ask '{"thinking": {"enabled": false}}')"
expect "a chat of a program" '[DONE]'
reply="$(call GET /api/minke/conversations)"
expect "chats that nobody keeps" '"conversations":[]'
reply="$(ask '{"conversation": null}')"
expect "a chat that is kept" '[DONE]'
reply="$(call PUT /api/minke/settings "{\"system\": \"$canary\"}")"
reply="$(call GET "/api/minke/conversations?query=$canary")"
expect "search" "$canary"
# What is refused, and errors, are not written down either.
for body in "{\"model\": \"$canary\", \"messages\": []}" "$canary" "{\"messages\": \"$canary\", \"$canary\": 1}"; do
  reply="$(call POST /v1/chat/completions "$body")"
done
reply="$(call POST "/api/minke/store/unlock" "{\"passphrase\": \"$canary\"}")"
reply="$(call GET "/$canary")"
reply="$(call GET /metrics)"
case "$reply" in *"$canary"*) fail "words of a chat in /metrics" ;; esac
[ -n "$(find "$home/minke/chats" -type f -size +0)" ] || fail "the chat that is kept lies nowhere"
no_canary "while it is kept"
reply="$(call POST /api/minke/shred '{"confirm": "shred"}')"
expect "shred" '{}'
no_canary "after shred"
[ ! -e "$home/minke/chats" ] || fail "after shred: files are left: $(ls "$home/minke/chats")"

kill -TERM "$(pgrep -P "$server" | head -n 1)"
wait "$server" || fail "the server did not end in order: $(cat "$work/printed")"
server=""
no_canary "after the end"
outward="$(grep -E 'connect\(|sin6?_addr|sendto\(.*AF_INET' "$work/trace" | grep -E 'AF_INET6?' |
  grep -vE 'bind\(.*inet_addr\("127\.0\.0\.1"\)|bind\(.*inet_pton\(AF_INET6, "::1"' || true)"
[ -z "$outward" ] || fail "the server reached out: $outward"
grep -q 'bind(.*127\.0\.0\.1' "$work/trace" || fail "strace saw no socket at all"
echo "privacy: no connection but loopback's, no word of a chat on the disk"
