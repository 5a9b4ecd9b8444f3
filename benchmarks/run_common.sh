# Sourced by run_cpu.sh and run_gpu.sh FOLDER [NAME...]. They set `limit`, the seconds that a benchmark may take, and
# define `main`, which calls `bench`; then they call `run_main`.
set -uo pipefail

[[ $# -ge 1 ]] || { sed -n '2,/^[^#]/{/^#/p}' "$0"; exit 2; }
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
mkdir -p "$1" && out=$(cd "$1" && pwd) || exit 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=${PYTHON:-python3} chosen=" ${*:2} " failed=()
cd "$root" && export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1

make_photo() { # MEGAPIXELS FILE: mirrored copies of an example
  "$python" -c "import cv2; from benchmarks.bench_estimate import mirrored; photo = cv2.imread('examples/vase.jpg')
cv2.imwrite('$2', mirrored(photo, $1))" || exit 2
}
bench() { # NAME SCRIPT ARGUMENTS...: the figures go to NAME.json
  [[ -z ${chosen// /} || $chosen == *" $1 "* ]] || return 0
  printf '\n== %s (at %s s)\n' "$*" "$SECONDS"
  timeout "$limit" "$python" -m "benchmarks.bench_$2" "${@:3}" --json "$out/$1.json" || failed+=("$1")
}
run_all() {
  main
  printf '\n%s s, figures in %s\n' "$SECONDS" "$out"
  ((${#failed[@]} == 0)) || { printf 'failed: %s\n' "${failed[*]}"; return 1; }
}
run_main() { run_all 2>&1 | tee "$out/run.log"; }
