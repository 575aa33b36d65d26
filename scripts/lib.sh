# Shared by the scripts here: steps with a time budget. Source it after setting `set -uo pipefail`.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
failed=()

# An interrupt ends the running step too, which timeout(1) keeps in a process group of its own.
running=
trap '[[ -n $running ]] && kill "$running" 2>/dev/null; exit 130' INT TERM

# step SECONDS NAME COMMAND...: runs COMMAND within SECONDS and says how long it took; a failure is remembered in
# `failed` and returned.
step() {
  local budget=$1 name=$2 start=$SECONDS status=0
  shift 2
  echo "== $name"
  timeout --kill-after=10 "$budget" "$@" &
  running=$!
  wait "$running" || status=$?
  running=
  local took=$((SECONDS - start))
  if ((status == 0)); then
    echo "== $name: ok, ${took} s of ${budget} s"
    return 0
  fi
  if ((status == 124 || status == 137)); then
    echo "== $name: FAILED, over its ${budget} s" >&2
  else
    echo "== $name: FAILED (exit $status) after ${took} s" >&2
  fi
  failed+=("$name")
  return "$status"
}
