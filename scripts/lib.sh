# Shared by the scripts here: steps with a time budget. Source it after setting `set -uo pipefail`.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
failed=()

# An interrupt ends the running step too, which timeout(1) keeps in a process group of its own.
running=
trap '[[ -n $running ]] && kill "$running" 2>/dev/null; exit 130' INT TERM

# What a step printed, by its name: for who wants to say it again.
step_log() { echo "$root/build/steps/${1//[ \/]/-}.log"; }

# step SECONDS NAME COMMAND...: runs COMMAND within SECONDS and says how long it took; a failure is remembered in
# `failed` and returned.
step() {
  local budget=$1 name=$2 start=$SECONDS status=0
  shift 2
  echo "== $name"
  mkdir -p "$root/build/steps"
  local out shown
  exec {out}> >(exec tee "$(step_log "$name")")
  shown=$!
  timeout --kill-after=10 "$budget" "$@" >&"$out" 2>&1 {out}>&- &
  running=$!
  exec {out}>&-
  wait "$running" || status=$?
  running=
  # what it left running may still hold the pipe: nobody waits for that
  timeout 2 tail --pid="$shown" -s 0.02 -f /dev/null
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
