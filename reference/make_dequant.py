"""Writes tests/goldens/dequant/dequant.safetensors: bytes of every block format and what they mean.

For each GGUF type: <type>.bytes U8 [n_rows, row_bytes], <type>.values F32 [n_rows, row_elems], by gguf.quants.
For f8_e4m3 and f8_e5m2 all 256 codes, for f16 a few thousand patterns, by torch. The products involved fit in 25
bits and are rounded at most once, so any evaluation order should give these values to the bit (NaN payloads aside).
"""

from pathlib import Path

import gguf
import numpy as np
import torch

from checkpoint import save_tensors

OUT = Path(__file__).resolve().parent.parent / "tests" / "goldens" / "dequant"
N_ROWS, N_BLOCKS = 5, 2
# byte offsets of the f16 fields of a block: random bits there could be NaN or infinite, which no real file has
HALF_FIELDS = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108],
    "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0],
}  # fmt: skip


def random_blocks(name, rng):
    """[N_ROWS, row_bytes]; row 0 has all bits of the quants set, row 1 none, row 2 subnormal scales"""
    _, block_bytes = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[name]]
    blocks = rng.integers(0, 256, (N_ROWS, N_BLOCKS, block_bytes), dtype=np.uint8)
    blocks[0], blocks[1] = 255, 0
    scales = (rng.uniform(0.5, 2.0, (N_ROWS, N_BLOCKS, 2)) * rng.choice([-0.01, 0.01, 3.0])).astype(np.float16)
    scales[2] = np.array([[3e-7, -5e-6], [5.9e-8, 6e-5]], dtype=np.float16)
    for field, offset in enumerate(HALF_FIELDS[name]):
        blocks[:, :, offset : offset + 2] = scales[:, :, field : field + 1].view(np.uint8)
    return blocks.reshape(N_ROWS, -1)


def random_bf16(rng):
    return rng.normal(size=(N_ROWS, 64)).astype(np.float32).view(np.uint16)[:, 1::2].copy().view(np.uint8)


def gguf_types(rng):
    golden = {}
    rows = {name: random_blocks(name, rng) for name in HALF_FIELDS}
    rows["F16"] = rng.normal(size=(N_ROWS, 64)).astype(np.float16).view(np.uint8)
    rows["BF16"] = random_bf16(rng)
    for name, row_bytes in rows.items():
        values = gguf.quants.dequantize(row_bytes, gguf.GGMLQuantizationType[name])
        assert np.isfinite(values).all() and values.dtype == np.float32, name
        golden[name.lower() + ".bytes"] = torch.from_numpy(row_bytes.copy())
        golden[name.lower() + ".values"] = torch.from_numpy(values.copy())
    return golden


def float_codes():
    codes = torch.arange(256, dtype=torch.int32).to(torch.uint8)
    # every exponent and sign with some mantissas, all subnormals of both signs, both infinities, several NaNs
    halves = np.concatenate([np.arange(0, 0x400), np.arange(0x8000, 0x8400), np.arange(0, 0x10000, 37), np.arange(0x7BFC, 0x7C04)])
    halves = np.concatenate([halves, np.arange(0xFBFC, 0xFC04), [0x7E00, 0x7FFF, 0xFE00, 0xFFFF]]).astype(np.uint16)
    return {
        "f8_e4m3.bytes": codes[None].clone(),
        "f8_e4m3.values": codes.view(torch.float8_e4m3fn).float()[None],
        "f8_e5m2.bytes": codes[None].clone(),
        "f8_e5m2.values": codes.view(torch.float8_e5m2).float()[None],
        "f8_e8m0.bytes": codes[None].clone(),
        "f8_e8m0.values": codes.view(torch.float8_e8m0fnu).float()[None],
        "f16_patterns.bytes": torch.from_numpy(halves[None].view(np.uint8).copy()),
        "f16_patterns.values": torch.from_numpy(halves.view(np.float16).astype(np.float32)[None]),
    }


if __name__ == "__main__":
    golden = gguf_types(np.random.default_rng(1)) | float_codes()
    OUT.mkdir(parents=True, exist_ok=True)
    save_tensors(golden, OUT / "dequant.safetensors")
    for name in golden:
        print(f"{name:22} {tuple(golden[name].shape)}")
