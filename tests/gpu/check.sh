#!/usr/bin/env bash
# Proves training on this machine's GPU, in one command (docs/gpu.md):
#   tests/gpu/check.sh [--device cuda|mps|cpu] [--small] [--out FILE.json] [--wheels FOLDER]
# FOLDER holds wheels of pydantic, pydantic-core, annotated-types and typing-inspection, for a Python
# that lacks them. PYTHON names the interpreter (default: python).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python}

unpacked=$(mktemp -d)
trap 'rm -rf "$unpacked"' EXIT
arguments=()
while (($#)); do
    if [[ $1 == --wheels ]]; then
        for wheel in "$2"/*.whl; do "$python" -m zipfile -e "$wheel" "$unpacked"; done
        shift 2
    else
        arguments+=("$1")
        shift
    fi
done

export PYTHONPATH="$here/../../scripts:$unpacked${PYTHONPATH:+:$PYTHONPATH}"
"$python" "$here/check.py" "${arguments[@]}"
