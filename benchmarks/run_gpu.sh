#!/usr/bin/env bash
# All benchmarks that matter on a machine with a GPU. No network.
#
#   benchmarks/run_gpu.sh FOLDER              figures as JSON, and all that was printed in run.log
#   benchmarks/run_gpu.sh FOLDER batch ...    only these: estimate command settings domain_transform networks batch training
#   SMALL=1 benchmarks/run_gpu.sh FOLDER      tiny sizes, to try this script on a CPU
#
# Needs `python3` (or the one that PYTHON names) with the packages of the extra `train`; works on copies of the example
# photos. A benchmark that fails is named at the end and does not stop the others; the exit status is then 1.
source "$(dirname "${BASH_SOURCE[0]}")/run_common.sh"

limit=600 photos=$work/photos photo=$work/photo.png
mkdir "$photos" && cp examples/*.jpg "$photos"
if [[ -n ${SMALL:-} ]]; then
  sizes=(0.004) filters=(64) side=48 counts=(1 2) many=50 points=64 contents=8 batches=2 repeats=1
else
  sizes=(1 12) filters=(1024 3464) side=1024 counts=(1 8 64) many=1000 points=4096 contents=512 batches=16 repeats=10
fi
make_photo "${sizes[0]}" "$photo"

main() {
  bench estimate estimate --photo "$photo" --megapixels "${sizes[@]}" --points "$points" --repeats "$repeats"
  bench command command --photo "$photo"
  bench settings settings --photo "$photo" --repeats "$repeats"
  bench domain_transform domain_transform --sizes "${filters[@]}" --channels 1 4 --repeats "$repeats"
  bench networks networks --photo "$photo" --points "$points" --repeats "$repeats"
  bench batch batch --photo "$photo" --side "$side" --counts "${counts[@]}" --many "$many" --devices 1 \
    --repeats "$repeats"
  bench training training --photos "$photos" --contents "$contents" --batches "$batches"
}
run_main
