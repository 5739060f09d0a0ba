"""Recomputes a loss and its gradients with transformers and autograd in float64 and compares what minke wrote.

    minke grads MODEL_DIR --tokens ROWS.jsonl --out GRADS.safetensors
    python reference/check_grads.py MODEL_DIR ROWS.jsonl GRADS.safetensors [--alpha A --mtp-lambda L]

The loss is defined at the head of grads/training_loss.py; give the alpha and lambda that minke used. GRADS.safetensors must hold
every parameter under its name on the hub. Prints the loss and its parts, and the tensors with the largest error, relative
to the largest value of the tensor; exit code 1 if a tensor is missing or its error is above TOLERANCE.
"""

import argparse
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers.utils import logging

from checkpoint import read_checkpoint
from grads.official_training import OfficialTrainer
from grads.training_loss import read_rows, relative_difference, training_loss

TOLERANCE = 5e-5  # transformers itself, in f32, is off by up to 6e-6 on the cases of make_grads.py
N_SHOWN = 10


def read_model(directory):
    """As read_checkpoint, without an MTP layer that the config announces and the file lacks."""
    config, weights = read_checkpoint(directory)
    n_mtp_layers = config.get("num_nextn_predict_layers") or 0
    if f"model.layers.{config['num_hidden_layers']}.eh_proj.weight" not in weights:
        config["num_nextn_predict_layers"] = 0
    elif n_mtp_layers > 1:
        sys.exit(f"{directory}: {n_mtp_layers} MTP layers, expected at most one")
    return config, weights


def compare(found, expected):
    """-> name -> error, for the tensors that can be compared, and the number of those that cannot"""
    errors, n_wrong = {}, 0
    for name in sorted(found.keys() | expected.keys()):
        problem = None
        if name not in found or name not in expected:
            problem = "missing" if name not in found else "not a parameter"
        elif found[name].shape != expected[name].shape:
            problem = f"shape {list(found[name].shape)}, expected {list(expected[name].shape)}"
        elif not found[name].isfinite().all():
            problem = "not all finite"
        else:
            errors[name] = relative_difference(found[name].double(), expected[name])
        if problem:
            print(f"{name}: {problem}")
        n_wrong += problem is not None
    return errors, n_wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model_dir", type=Path)
    parser.add_argument("rows", type=Path)
    parser.add_argument("grads", type=Path)
    parser.add_argument("--alpha", type=float, default=0.0, help="weight of the balance loss (default: 0)")
    parser.add_argument("--mtp-lambda", type=float, default=0.0, help="weight of the MTP loss (default: 0)")
    arguments = parser.parse_args()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    config, weights = read_model(arguments.model_dir)
    rows = read_rows(arguments.rows, config["vocab_size"])
    trainer = OfficialTrainer(config, weights, torch.float64)
    loss = training_loss(trainer, rows, arguments.alpha, arguments.mtp_lambda)
    loss.total.backward()
    print("  ".join(f"{name} {value:.12g}" for name, value in loss.values().items()))
    errors, n_wrong = compare(load_file(arguments.grads), trainer.gradients())
    for name, error in sorted(errors.items(), key=lambda item: -item[1])[:N_SHOWN]:
        print(f"{error:.2e}  {name}")
    n_above = sum(error > TOLERANCE for error in errors.values())
    print(f"{len(errors)} tensors compared, {n_above} above {TOLERANCE:.0e}, {n_wrong} not comparable")
    sys.exit(n_above + n_wrong > 0)


if __name__ == "__main__":
    main()
