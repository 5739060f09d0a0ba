"""Writes tests/goldens/grads/: the loss and every parameter's gradient for rows of tokens, and ten optimizer steps.

    python reference/make_grads.py [case ...]

Gradients come from transformers with autograd in float64 (grads/official_training.py), rounded to f32 at the end. Each case is
compared with the independent model (minimal_model.py, also float64, also autograd) and the script stops if a loss or a
gradient differs by more than TOLERANCE, relative to the largest value of the tensor.
"""

import json
import sys
import zlib
from pathlib import Path

import torch

import checkpoint
from grads.cases import ALPHA, CASES, MODELS, MTP_LAMBDA
from grads.official_training import OfficialTrainer
from grads.optimizer_steps import N_STEPS, SETTINGS, run_steps
from grads.training_loss import MinimalTrainer, Row, relative_difference, training_loss, write_rows

OUT = Path(__file__).resolve().parent.parent / "tests" / "goldens" / "grads"
TOLERANCE = 1e-10
MARGIN = 2e-4  # no expert choice is closer to flipping: f32 code must make the same choices
STEPS_MARGIN = 2e-5  # the same during the ten steps, where weights have moved a little apart
BIAS_RATE = 0.001
N_ATTEMPTS = 400


def seed_of(name):
    return zlib.crc32(f"grads {name}".encode()) % 100000


# ---------------------------------------------------------------------------------------------- rows
def first_close_choice(trainer, tokens):
    """Index of the first token with which some expert choice is too close to flipping, or None."""
    trainer.close_choices = []
    with torch.no_grad():
        trainer.run(tokens[:-1])
    return min(trainer.close_choices, default=None)


class ChoiceWatcher(MinimalTrainer):
    """Notes which token each choice below MARGIN depends on last: its own, and in the MTP layer the one after it."""

    def routings(self, activations, layer=None):
        shift = 0 if layer is None else 1
        for name, value in activations.items():
            if name.endswith("margins"):
                self.close_choices += ((value < MARGIN).nonzero().flatten() + shift).tolist()
        return super().routings(activations, layer)


def clear_row(watcher, n_tokens, generator):
    """Random tokens; while a choice is too close, the last token it depends on is drawn again."""
    vocab_size = watcher.config["vocab_size"]
    tokens = torch.randint(vocab_size, (n_tokens,), generator=generator)
    for _ in range(1000):
        at = first_close_choice(watcher, tokens)
        if at is None:
            return tokens
        tokens[at] = torch.randint(vocab_size, (), generator=generator)
    raise RuntimeError("no tokens without near ties between experts")


def draw_rows(watcher, options, generator):
    rows = []
    for index, n_tokens in enumerate(options["lengths"]):
        mask = torch.ones(n_tokens - 1, dtype=torch.bool)
        mask[options["masked"].get(index, [])] = False
        rows.append(Row(clear_row(watcher, n_tokens, generator), mask))
    return rows


def uses_experts_unevenly(counts):
    """Some expert without a token, one with exactly one, one with more. True without experts."""
    every = torch.cat(list(counts.values())) if counts else None
    return every is None or all(condition.any() for condition in (every == 0, every == 1, every > 1))


def steps_are_clear(config, weights, rows):
    for bias_rate in (0.0, BIAS_RATE):
        trainer = MinimalTrainer(config, weights)
        run_steps(trainer, rows, ALPHA, MTP_LAMBDA, bias_rate if trainer.biases else 0.0)
        if trainer.smallest_margin < STEPS_MARGIN:
            return False
    return True


def find_rows(name, config, weights, options):
    watcher = ChoiceWatcher(config, weights)
    is_short = max(options["lengths"]) < 64
    for attempt in range(N_ATTEMPTS):
        rows = draw_rows(watcher, options, torch.Generator().manual_seed(seed_of(name) + attempt))
        with torch.no_grad():
            counts = training_loss(watcher, rows, ALPHA, MTP_LAMBDA).counts
        if is_short and not uses_experts_unevenly(counts):
            continue
        if not options.get("steps") or steps_are_clear(config, weights, rows):
            return rows
    raise RuntimeError(f"{name}: no rows that use experts as they should")


# ---------------------------------------------------------------------------------------------- goldens
def gradients_of(trainer, rows):
    loss = training_loss(trainer, rows, ALPHA, MTP_LAMBDA)
    loss.total.backward()
    return loss, trainer.gradients()


def compared_gradients(config, weights, rows):
    """-> (loss, gradients) of transformers, and how far the independent model and transformers in f32 are from them"""
    loss, gradients = gradients_of(OfficialTrainer(config, weights, torch.float64), rows)
    our_loss, ours = gradients_of(MinimalTrainer(config, weights), rows)
    assert ours.keys() == gradients.keys(), ours.keys() ^ gradients.keys()
    assert our_loss.counts_by_layer() == loss.counts_by_layer(), "other experts chosen"
    worst = max(relative_difference(ours[name], gradients[name]) for name in gradients)
    worst = max([worst] + [abs(value - loss.values()[name]) for name, value in our_loss.values().items()])
    assert worst < TOLERANCE, f"the two reference models differ by {worst:.2e}"
    _, rounded = gradients_of(OfficialTrainer(config, weights, torch.float32), rows)
    float32_worst = max(relative_difference(rounded[name].double(), gradients[name]) for name in gradients)
    return loss, gradients, {"two_models_differ": worst, "float32_gradients_differ": float32_worst}


def recorded_steps(config, weights, rows, bias_rate):
    """The ten steps by transformers in float64 and f32; the independent model must agree with the former."""
    record, counts = {}, {}
    for key, dtype in (("float64", torch.float64), ("float32", torch.float32)):
        trainer = OfficialTrainer(config, weights, dtype)
        record[key], counts[key] = run_steps(trainer, rows, ALPHA, MTP_LAMBDA, bias_rate)
    ours, our_counts = run_steps(MinimalTrainer(config, weights), rows, ALPHA, MTP_LAMBDA, bias_rate)
    assert our_counts == counts["float64"] == counts["float32"], "other experts chosen"
    worst = max(abs(a["loss"] - b["loss"]) for a, b in zip(ours, record["float64"]))
    assert worst < TOLERANCE, f"the two reference models differ by {worst:.2e} in ten steps"
    apart = max(abs(a["loss"] / b["loss"] - 1) for a, b in zip(record["float32"], record["float64"]))
    return record | {"float32_relative_difference": apart}


def write_json(path, value):
    path.write_text(json.dumps(value, indent=1) + "\n")


def model_weights(name):
    config, path = MODELS[name], OUT / "models" / name
    stored = checkpoint.stored_tensors(checkpoint.random_weights(config, seed_of(name), {}), {})
    checkpoint.write_checkpoint(path, config, stored)
    return config, checkpoint.dequantize_fp8(stored)


def loss_summary(model, rows, loss):
    has_mtp = MODELS[model].get("num_nextn_predict_layers", 0) > 0
    return {
        "model": f"grads/models/{model}",
        "alpha": ALPHA,
        "lambda": MTP_LAMBDA,
        "n_targets": sum(row.mask.sum().item() for row in rows),
        "n_mtp_targets": sum(row.mask[1:].sum().item() for row in rows) if has_mtp else 0,
        **loss.values(),
        "expert_counts": loss.counts_by_layer(),
    }


def make_case(name):
    model, options = CASES[name]
    config, weights = model_weights(model)
    rows = find_rows(name, config, weights, options)
    loss, gradients, differences = compared_gradients(config, weights, rows)
    folder = OUT / name
    folder.mkdir(parents=True, exist_ok=True)
    write_rows(folder / "rows.jsonl", rows)
    write_json(folder / "loss.json", loss_summary(model, rows, loss) | differences)
    gradients = {key: value.float().contiguous() for key, value in gradients.items()}
    checkpoint.save_tensors(gradients, folder / "grads.safetensors")
    note = ""
    if options.get("steps"):
        steps = {"n_steps": N_STEPS, "settings": SETTINGS, "adamw": recorded_steps(config, weights, rows, 0.0)}
        if "n_routed_experts" in config:
            steps |= {"bias_rate": BIAS_RATE, "adamw_bias_update": recorded_steps(config, weights, rows, BIAS_RATE)}
        write_json(folder / "steps.json", steps)
        note = f"ten steps, f32 and f64 differ {steps['adamw']['float32_relative_difference']:.1e}"
    size = sum(path.stat().st_size for path in folder.rglob("*")) / 1000
    differ = f"two models differ {differences['two_models_differ']:.1e}  f32 {differences['float32_gradients_differ']:.1e}"
    print(f"{name:24} {size:5.0f} kB  loss {loss.total.item():.6f}  {differ}  {note}", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for case in sys.argv[1:] or CASES:
        make_case(case)
