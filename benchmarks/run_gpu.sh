#!/usr/bin/env bash
# All benchmarks that matter on a machine with a GPU. No network.
#
#   benchmarks/run_gpu.sh FOLDER              figures as JSON, and all that was printed in run.log
#   benchmarks/run_gpu.sh FOLDER batch ...    only these: estimate settings domain_transform networks batch training
#   SMALL=1 benchmarks/run_gpu.sh FOLDER      tiny sizes, to try this script on a CPU
#
# Needs `python3` (or the one that PYTHON names) with the packages of the extra `train`; works on copies of the example
# photos. A benchmark that fails is named at the end and does not stop the others; the exit status is then 1.
set -uo pipefail

[[ $# -ge 1 ]] || { sed -n '2,8p' "${BASH_SOURCE[0]}"; exit 2; }
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
mkdir -p "$1" && out=$(cd "$1" && pwd) || exit 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
photos=$work/photos photo=$work/photo.png python=${PYTHON:-python3}
cd "$root" && export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
mkdir "$photos" && cp examples/*.jpg "$photos"

if [[ -n ${SMALL:-} ]]; then
  sizes=(0.004) filters=(64) side=48 counts=(1 2) many=50 points=64 contents=1 steps=1 repeats=1
else
  sizes=(1 12) filters=(1024 3464) side=1024 counts=(1 8 64) many=1000 points=4096 contents=16 steps=5 repeats=10
fi
"$python" -c "import cv2; from benchmarks.bench_estimate import mirrored; photo = cv2.imread('examples/vase.jpg')
cv2.imwrite('$photo', mirrored(photo, ${sizes[0]}))" || exit 2

chosen=" ${*:2} " failed=()
bench() { # NAME ARGUMENTS...
  [[ -z ${chosen// /} || $chosen == *" ${1#bench_} "* ]] || return 0
  printf '\n== %s (at %s s)\n' "$*" "$SECONDS"
  timeout 600 "$python" -m "benchmarks.$1" "${@:2}" || failed+=("$1")
}
main() {
  bench bench_estimate --photo "$photo" --megapixels "${sizes[@]}" --points "$points" --repeats "$repeats" \
    --json "$out/estimate.json"
  bench bench_settings --photo "$photo" --repeats "$repeats" --json "$out/settings.json"
  bench bench_domain_transform --sizes "${filters[@]}" --channels 1 4 --repeats "$repeats" \
    --json "$out/domain_transform.json"
  bench bench_networks --photo "$photo" --points "$points" --repeats "$repeats" --json "$out/networks.json"
  bench bench_batch --photo "$photo" --side "$side" --counts "${counts[@]}" --many "$many" --devices 1 \
    --repeats "$repeats" --json "$out/batch.json"
  bench bench_training --photos "$photos" --contents "$contents" --steps "$steps" --json "$out/training.json"
  printf '\n%s s, figures in %s\n' "$SECONDS" "$out"
  ((${#failed[@]} == 0)) || { printf 'failed: %s\n' "${failed[*]}"; return 1; }
}
main 2>&1 | tee "$out/run.log"
