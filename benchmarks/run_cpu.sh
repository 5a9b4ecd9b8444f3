#!/usr/bin/env bash
# All benchmarks on a CPU, about an hour on one core. No network.
#
#   benchmarks/run_cpu.sh FOLDER              figures as JSON, and all that was printed in run.log
#   benchmarks/run_cpu.sh FOLDER batch ...    only these: command estimate parity settings domain_transform edges
#                                             networks batch training memory rank
#   SMALL=1 benchmarks/run_cpu.sh FOLDER      tiny sizes, to try this script
#
# Figures of README.md and docs/performance.md: benchmarks/run_cpu.sh benchmarks/results/cpu && python -m benchmarks.section
#
# Needs `python3` (or the one that PYTHON names) with the packages of the extra `test`. With PUBLISHED=MODEL_FOLDER
# PHOTO=image_01.png EDGES=edge_01.png, `parity` is the paper's exact system on a photo of its release. With CONTRIB, a
# folder (pip install --no-deps --target FOLDER opencv-contrib-python-headless), the domain transform is compared with
# OpenCV's. A benchmark that fails is named at the end and does not stop the others; the exit status is then 1.
for name in PUBLISHED PHOTO EDGES CONTRIB; do
  [[ -z ${!name:-} ]] || declare "$name=$(realpath "${!name}")"
done
source "$(dirname "${BASH_SOURCE[0]}")/run_common.sh"

export JAX_PLATFORMS=cpu
limit=3600 photo=examples/vase.jpg
if [[ -n ${SMALL:-} ]]; then
  photo=$work/photo.png filters=(64) side=48 counts=(1 2) devices=(1 2) many=50 points=64 contents=8 batches=2 repeats=1
  megapixels=(0.1) channels=(1 3) ranked=(2 0.2)
  make_photo 0.004 "$photo"
else
  filters=(512 1024 2048) side=128 counts=(1 8) devices=(1 8) many=1000 points=256 contents=32 batches=8 repeats=3
  megapixels=(1 10 24 100) channels=(1 3 4) ranked=(24 24)
fi
one_thread="--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1" # as OpenCV's filter

main() {
  bench estimate estimate --photo "$photo" --points "$points" --repeats "$repeats"
  if [[ -n ${PUBLISHED:-} ]]; then
    bench parity estimate --photo "${PHOTO:-$photo}" ${EDGES:+--edges "$EDGES"} --weights "$PUBLISHED" \
      --preset published --points "$points" --repeats "$repeats"
  fi
  bench command command --photo "$photo"
  bench settings settings --settings default two-stage default:bfloat16 --photo "$photo" --repeats "$repeats"
  XLA_FLAGS=$one_thread PYTHONPATH=${CONTRIB:+$CONTRIB:}$PYTHONPATH \
    bench domain_transform domain_transform --sizes "${filters[@]}" --channels "${channels[@]}" --repeats "$repeats"
  bench edges edges --photos "$photo" --repeats "$repeats"
  bench networks networks --photo "$photo" --points 32 --repeats "$repeats"
  bench batch batch --photo "$photo" --side "$side" --counts "${counts[@]}" --many "$many" \
    --devices "${devices[@]}" --repeats "$repeats"
  bench training training --contents "$contents" --batches "$batches"
  bench rank rank --photos "${ranked[0]}" --megapixels "${ranked[1]}"
  bench memory memory --megapixels "${megapixels[@]}" --texture 0.25 --max-memory 4GB
}
run_main
