"""Loads an exported HF directory with transformers and compares its logits with those that minke wrote.

    minke logits MODEL_DIR --jsonl rows.jsonl --out LOGITS.safetensors
    python reference/check_export.py MODEL_DIR LOGITS.safetensors

LOGITS.safetensors holds tokens.{i} [n_tokens] and logits.{i}: [n_tokens, vocab_size], or [vocab_size] for the last
token only. Prints the largest difference relative to the largest logit; exit code 1 if it is above TOLERANCE.
"""

import argparse
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

import official
from checkpoint import read_checkpoint
from make_models import max_relative_difference

TOLERANCE = 1e-4


def sequences(tensors):
    names = sorted(name for name in tensors if name.startswith("tokens."))
    if not names:
        sys.exit(f"no tensor named tokens.N: found {sorted(tensors)}")
    for name in names:
        index = name.removeprefix("tokens.")
        if f"logits.{index}" not in tensors:
            sys.exit(f"{name} has no logits.{index}")
        yield index, tensors[name].flatten(), tensors[f"logits.{index}"]


def compare(model, tensors):
    worst = 0.0
    for index, tokens, logits in sequences(tensors):
        expected, _ = official.forward(model, tokens)
        expected = expected[-1] if logits.dim() == 1 else expected
        if logits.shape != expected.shape:
            sys.exit(f"logits.{index}: shape {list(logits.shape)}, expected {list(expected.shape)}")
        if not logits.isfinite().all():
            sys.exit(f"logits.{index}: not all finite")
        difference = max_relative_difference(logits, expected)
        print(f"sequence {index}: {len(tokens)} tokens, max relative difference {difference:.2e}")
        worst = max(worst, difference)
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model_dir", type=Path)
    parser.add_argument("logits", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    config, weights = read_checkpoint(arguments.model_dir)
    with official.opened(arguments.model_dir, config, weights) as model:
        worst = compare(model, load_file(arguments.logits))
    verdict = "ok" if worst <= TOLERANCE else f"above {TOLERANCE:.0e}"
    print(f"max relative difference {worst:.2e}: {verdict}")
    sys.exit(worst > TOLERANCE)


if __name__ == "__main__":
    main()
