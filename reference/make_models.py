"""Writes tests/goldens/models/<case>/: a tiny checkpoint and golden.safetensors with what it must compute.

    python reference/make_models.py [case ...]

Goldens come from transformers in f32 (official.py). Each is compared with the independent float64 model
(minimal_model.py) and the script stops if they differ by more than TOLERANCE relative to the largest value.
"""

import sys
import zlib
from pathlib import Path

import torch

import checkpoint
import minimal_model
import official
from cases import CASES, DEFAULT_LENGTHS

OUT = Path(__file__).resolve().parent.parent / "tests" / "goldens" / "models"
TOLERANCE = 1e-5
MARGIN = 2e-4  # no expert choice is closer to flipping than this: f32 code must make the same choices


def max_relative_difference(a, b):
    return ((a.double() - b.double()).abs().max() / b.double().abs().max()).item()


def random_tokens(config, lengths, seed):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(config["vocab_size"], (n,), generator=generator, dtype=torch.int32) for n in lengths]


def margin(activations):
    return min([value.min().item() for name, value in activations.items() if name.endswith("margins")], default=1.0)


def run_minimal(config, weights, sequences):
    """-> per sequence (logits, activations, mtp logits or None), and the smallest margin of an expert choice"""
    runs, smallest = [], 1.0
    for tokens in sequences:
        logits, activations = minimal_model.forward(config, weights, tokens)
        smallest, mtp_logits = min(smallest, margin(activations)), None
        if config.get("num_nextn_predict_layers") and len(tokens) > 1:
            mtp_logits, keep = minimal_model.mtp_forward(config, weights, tokens, activations["final_norm"])
            smallest = min(smallest, margin(keep))
        runs.append((logits, activations, mtp_logits))
    return runs, smallest


def tokens_with_clear_choices(config, weights, lengths, seed):
    for attempt in range(500):
        sequences = random_tokens(config, lengths, seed + attempt)
        runs, smallest = run_minimal(config, weights, sequences)
        if smallest > MARGIN:
            return sequences, runs, smallest
    raise RuntimeError("no token sequences without near ties between experts")


def check_router_is_exercised(config, weights, activations):
    """The bias must change choices, and so must the difference between masking groups with -inf and with 0."""

    def best(values):
        return values.topk(config["num_experts_per_tok"], -1).indices.sort(-1).values

    n_bias = n_mask = n_negative = 0
    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{layer}.mlp."
        if prefix + "gate.e_score_correction_bias" not in weights:
            continue
        x = activations[f"layers.{layer}.mlp_norm"]
        chosen = activations[f"layers.{layer}.topk_experts"]
        scores, choice = minimal_model.router_scores(config, weights, prefix, x)
        n_negative += (choice.gather(1, chosen) < 0).sum().item()
        n_bias += (best(minimal_model.limit_groups(config, scores)) != chosen).any(-1).sum().item()
        n_mask += (best(minimal_model.limit_groups(config, choice, masked=0.0)) != chosen).any(-1).sum().item()
    assert n_bias > 0, "the router bias never changes a choice"
    assert config["n_group"] == 1 or (n_mask > 0 and n_negative > 0), (n_mask, n_negative)
    return f"bias changes {n_bias} rows, mask value {n_mask}"


def golden_activations(theirs):
    return {name: value.int() if name.endswith("topk_experts") else value.float() for name, value in theirs.items()}


def compare(theirs, ours):
    worst = 0.0
    for name, value in theirs.items():
        if name.endswith("topk_experts"):
            assert torch.equal(value, ours[name]), f"{name}: other experts chosen"
        else:
            worst = max(worst, max_relative_difference(value, ours[name]))
    return worst


def make_golden(config, weights, sequences, runs):
    """weights: name -> f32 tensor. -> (golden tensors, largest relative difference between the two models)"""
    golden, worst = {}, 0.0
    with official.loaded(config, weights) as model:
        mtp = official.load_mtp(model, config, weights) if config.get("num_nextn_predict_layers") else None
        for s, (tokens, (logits, activations, mtp_logits)) in enumerate(zip(sequences, runs)):
            their_logits, theirs = official.forward(model, tokens)
            golden |= {f"tokens.{s}": tokens, f"logits.{s}": their_logits}
            worst = max(worst, compare(theirs | {"logits": their_logits}, activations | {"logits": logits}))
            if mtp_logits is not None:
                golden[f"mtp.logits.{s}"] = official.mtp_forward(model, mtp, tokens, theirs["final_norm"])
                worst = max(worst, max_relative_difference(golden[f"mtp.logits.{s}"], mtp_logits))
        golden |= golden_activations(theirs)  # of the last, longest sequence
    golden = {name: value.contiguous() for name, value in golden.items()}
    assert worst < TOLERANCE, f"the two reference models differ by {worst:.2e}"
    return golden, worst


def case_weights(name):
    """-> (config, options, tensors as stored on disk)"""
    config, options = CASES[name]
    seed = options.get("seed", case_seed(name))
    return config, options, checkpoint.stored_tensors(checkpoint.random_weights(config, seed, options), options)


def case_seed(name):
    return zlib.crc32(name.removesuffix("_f8scale").encode()) % 100000


def report(name, golden, worst, smallest, note):
    size = sum(path.stat().st_size for path in (OUT / name).rglob("*")) / 1000
    spread = max((key, golden[key].std().item()) for key in golden if key.startswith("logits."))[1]
    line = f"{name:28} {size:6.0f} kB  two models differ {worst:.1e}  logits std {spread:.2f}"
    print(f"{line}  margin {smallest:.1e}  {note}", flush=True)


def make_case(name):
    config, options, stored = case_weights(name)
    checkpoint.write_checkpoint(OUT / name, config, stored, options.get("n_shards", 1))
    weights = checkpoint.dequantize_fp8(stored)
    exact = {key: value.double() for key, value in weights.items()}
    lengths = options.get("lengths", DEFAULT_LENGTHS)
    sequences, runs, smallest = tokens_with_clear_choices(config, exact, lengths, case_seed(name))
    note = check_router_is_exercised(config, exact, runs[-1][1]) if config.get("topk_method") == "noaux_tc" else ""
    golden, worst = make_golden(config, weights, sequences, runs)
    checkpoint.save_tensors(golden, OUT / name / "golden.safetensors")
    report(name, golden, worst, smallest, note)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for case in sys.argv[1:] or CASES:
        make_case(case)
