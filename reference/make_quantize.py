"""Writes tests/goldens/quantize: rows to quantise, and the errors that ggml's own quantisers make on them.

rows.safetensors: <kind> F32 [n_rows, n_cols] and importance F32 [n_cols].
errors.json: per kind and type the squared error of ggml, and the one weighted with the importances when ggml is given them.
Errors are relative: sum w (x - y)^2 / sum w x^2, with w = 1 for "plain".

GGML_LIBRARY=.../libggml-base.so python reference/make_quantize.py
"""

import ctypes
import json
import os
from pathlib import Path

import gguf
import numpy as np
import torch
from safetensors.numpy import load_file

from checkpoint import save_tensors

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "tests" / "goldens" / "quantize"
STORIES = ROOT / "tests" / "data" / "models" / "stories260K" / "hf" / "model.safetensors"
SEED, N_ROWS, N_COLS = 20, 8, 512
TYPES = "Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K IQ4_NL IQ4_XS".split()
MADE_WITH = "ggml_quantize_chunk of libggml-base.so in node-llama-cpp 3.22.1, llama.cpp release v0.5.0"


class InitParams(ctypes.Structure):
    _fields_ = [("mem_size", ctypes.c_size_t), ("mem_buffer", ctypes.c_void_p), ("no_alloc", ctypes.c_bool)]


def open_ggml(path):
    library = ctypes.CDLL(path)
    library.ggml_init.argtypes, library.ggml_init.restype = [InitParams], ctypes.c_void_p
    library.ggml_init(InitParams(1 << 20, None, False))  # fills the tables of binary16
    library.ggml_quantize_chunk.restype = ctypes.c_size_t
    library.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p] + [ctypes.c_int64] * 3 + [ctypes.c_void_p]
    return library


def stories_rows():
    """rows of the real model, laid end to end: its own are shorter than a super-block"""
    weights = load_file(STORIES)
    flat = np.concatenate([weights[name].ravel() for name in sorted(weights) if "layers.2" in name and weights[name].ndim == 2])
    return flat[: N_ROWS * N_COLS].reshape(N_ROWS, N_COLS)


def make_rows(rng):
    shape = (N_ROWS, N_COLS)
    rows = {
        "normal": rng.standard_normal(shape) * 0.02,
        "heavy": rng.standard_t(3, shape) * 0.02,
        "shifted": rng.standard_normal(shape) * 0.02 + 0.03,
        "uniform": rng.uniform(-1, 1, shape),
        "stories": stories_rows(),
    }
    return {name: np.ascontiguousarray(values, dtype=np.float32) for name, values in rows.items()}


def ggml_values(library, name, rows, importance):
    block, block_bytes = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[name]]
    out = np.zeros((N_ROWS, N_COLS // block * block_bytes), np.uint8)
    weights = importance.ctypes.data if importance is not None else None
    written = library.ggml_quantize_chunk(int(gguf.GGMLQuantizationType[name]), rows.ctypes.data, out.ctypes.data, 0, N_ROWS, N_COLS, weights)
    assert written == out.size, name
    return gguf.quants.dequantize(out, gguf.GGMLQuantizationType[name])


def relative_error(rows, values, weights):
    rows = rows.astype(np.float64)
    return float((weights * (rows - values) ** 2).sum() / (weights * rows**2).sum())


def main():
    library = open_ggml(os.environ["GGML_LIBRARY"])
    rng = np.random.default_rng(SEED)
    rows = make_rows(rng)
    importance = np.exp(1.5 * rng.standard_normal(N_COLS)).astype(np.float32)
    errors = {}
    for kind, values in rows.items():
        for name in TYPES:
            plain = relative_error(values, ggml_values(library, name, values, None), 1.0)
            weighted = relative_error(values, ggml_values(library, name, values, importance), importance.astype(np.float64))
            errors.setdefault(kind, {})[name.lower()] = {"plain": plain, "weighted": weighted}
    OUT.mkdir(parents=True, exist_ok=True)
    tensors = {name: torch.from_numpy(values) for name, values in rows.items()}
    save_tensors(tensors | {"importance": torch.from_numpy(importance)}, OUT / "rows.safetensors")
    (OUT / "errors.json").write_text(json.dumps({"made_with": MADE_WITH, "seed": SEED, "errors": errors}, indent=1) + "\n")
    print(f"{len(errors)} kinds of rows, {len(TYPES)} types")


if __name__ == "__main__":
    main()
