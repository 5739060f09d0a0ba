#!/usr/bin/env bash
# Remakes tests/goldens/{models,dequant,quantize,grads,events,optimizer,rl} and MANIFEST.json, and checks that the goldens catch known mistakes.
#   PYTHON        the interpreter that has requirements.txt installed (default: python3)
#   LLAMA_CPP     folder with llama.cpp's convert_hf_to_gguf.py; without it the GGUF goldens stay as they are
#   IK_LLAMA_CPP  the same of ik_llama.cpp
#   GGML_LIBRARY  libggml-base.so; without it the errors of ggml's quantisers stay as they are
set -euo pipefail
cd "$(dirname "$0")/.."
python="${PYTHON:-python3}"
export HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error PYTHONDONTWRITEBYTECODE=1

"$python" reference/make_models.py
"$python" reference/make_dequant.py
"$python" reference/make_grads.py
"$python" reference/make_events.py
"$python" reference/make_optimizer.py
"$python" reference/make_rl.py
if [[ -n "${LLAMA_CPP:-}" ]]; then
  "$python" reference/make_gguf.py --mainline "$LLAMA_CPP" ${IK_LLAMA_CPP:+--ik "$IK_LLAMA_CPP"}
fi
if [[ -n "${GGML_LIBRARY:-}" ]]; then "$python" reference/make_quantize.py; fi
"$python" reference/check_traps.py
"$python" reference/check_grad_traps.py
"$python" reference/make_manifest.py
