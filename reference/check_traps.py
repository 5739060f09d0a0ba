"""Shows that the goldens catch the known mistakes: each wrong model must miss its case's logits by a wide margin.

    python reference/check_traps.py

A mistake is the independent model (minimal_model.py) with one thing changed: config keys, weights, or a function.
"""

import contextlib
from pathlib import Path

import torch
from safetensors.torch import load_file

import checkpoint
import minimal_model
from make_models import OUT, max_relative_difference

SMALLEST_EFFECT = 1e-3


def without(config, *names):
    return {key: value for key, value in config.items() if key not in names}


def rope_changed(config, **keys):
    key = "rope_parameters" if "rope_parameters" in config else "rope_scaling"
    return config | {key: config[key] | keys}


def scaled(weights, part, factor):
    return {name: value * factor if part in name else value for name, value in weights.items()}


def dropped(weights, part):
    return {name: value for name, value in weights.items() if part not in name}


@contextlib.contextmanager
def replaced(name, make):
    original = getattr(minimal_model, name)
    setattr(minimal_model, name, make(original))
    try:
        yield
    finally:
        setattr(minimal_model, name, original)


def other_pairing(original):
    return lambda x, settings, interleaved: original(x, settings, not interleaved)


def zero_mask(original):
    return lambda config, choice, masked=0.0: original(config, choice, 0.0)


def biased_weights(original):
    def route(config, weights, prefix, x):
        topk_experts, _ = original(config, weights, prefix, x)
        topk_weights = minimal_model.router_scores(config, weights, prefix, x)[1].gather(1, topk_experts)
        return topk_experts, topk_weights / topk_weights.sum(-1, keepdim=True) * config["routed_scaling_factor"]

    return route


def always_scale(original):
    def route(config, weights, prefix, x):
        topk_experts, topk_weights = original(config, weights, prefix, x)
        return topk_experts, topk_weights * config["routed_scaling_factor"]

    return route


def group_maximum(original):
    return lambda config, choice: choice.view(len(choice), config["n_group"], -1).amax(-1)


# case, mistake, change of config, change of weights, (function, its replacement)
SAME = None
MISTAKES = [
    ("llama_llama3rope", "no rope scaling", lambda c: without(c, "rope_scaling"), SAME, SAME),
    ("llama_llama3rope", "llama3 read as linear", lambda c: rope_changed(c, rope_type="linear"), SAME, SAME),
    ("llama_llama3rope", "interleaved pairs", SAME, SAME, ("rotate", other_pairing)),
    ("llama_linear", "no rope scaling", lambda c: without(c, "rope_scaling"), SAME, SAME),
    ("llama_linear", "eps 1e-6", lambda c: c | {"rms_norm_eps": 1e-6}, SAME, SAME),
    ("llama_bias", "no q bias", SAME, lambda w: dropped(w, "q_proj.bias"), SAME),
    ("llama_bias", "no o bias", SAME, lambda w: dropped(w, "o_proj.bias"), SAME),
    ("llama_bias", "no mlp bias", SAME, lambda w: dropped(dropped(w, "up_proj.bias"), "down_proj.bias"), SAME),
    ("qwen2_tied", "no k bias", SAME, lambda w: dropped(w, "k_proj.bias"), SAME),
    ("qwen2_yarn", "no YaRN", lambda c: without(c, "rope_scaling"), SAME, SAME),
    ("qwen2_yarn", "no factor on cos and sin", lambda c: rope_changed(c, attention_factor=1.0), SAME, SAME),
    ("qwen3", "no q norm", SAME, lambda w: dropped(w, "q_norm"), SAME),
    ("qwen3_yarn_newspelling", "no YaRN", lambda c: c | {"rope_parameters": {"rope_theta": 50.0}}, SAME, SAME),
    ("qwen3_yarn_newspelling", "theta lost", lambda c: rope_changed(c, rope_theta=10000.0), SAME, SAME),
    ("qwen3_yarn_newspelling", "betas lost", lambda c: rope_changed(c, beta_fast=32, beta_slow=1), SAME, SAME),
    ("qwen3_yarn_newspelling", "attention_factor lost", lambda c: rope_changed(c, attention_factor=None), SAME, SAME),
    ("deepseek_v2_lite", "no YaRN", lambda c: without(c, "rope_scaling"), SAME, SAME),
    ("deepseek_v2_lite", "half-split pairs", SAME, SAME, ("rotate", other_pairing)),
    ("deepseek_v2_lite", "no squared mscale", SAME, SAME, ("mla_softmax_scale", lambda _: lambda c: 20**-0.5)),
    ("deepseek_v2_lite", "normalised weights", lambda c: c | {"norm_topk_prob": True}, SAME, SAME),
    ("deepseek_v2_groups", "no groups", lambda c: c | {"topk_method": "greedy"}, SAME, SAME),
    ("deepseek_v2_groups", "mscale ratio lost", lambda c: rope_changed(c, mscale=0.707), SAME, SAME),
    ("deepseek_v2_groups", "factor lost", lambda c: c | {"routed_scaling_factor": 1.0}, SAME, SAME),
    ("deepseek_v2_norm_topk", "scaled after normalising", SAME, SAME, ("route", always_scale)),
    ("deepseek_v2_norm_topk", "not normalised", lambda c: c | {"norm_topk_prob": False}, SAME, SAME),
    ("deepseek_v3", "no router bias", SAME, lambda w: dropped(w, "e_score_correction_bias"), SAME),
    ("deepseek_v3", "bias in the weights", SAME, SAME, ("route", biased_weights)),
    ("deepseek_v3", "groups masked with 0", SAME, SAME, ("limit_groups", zero_mask)),
    ("deepseek_v3", "group score is the maximum", SAME, SAME, ("group_scores", group_maximum)),
    ("deepseek_v3", "no groups", lambda c: c | {"n_group": 1}, SAME, SAME),
    ("deepseek_v3", "scaled shared expert", SAME, lambda w: scaled(w, "shared_experts.down_proj", 2.5), SAME),
    ("deepseek_v3", "MTP layer in the stack", lambda c: c | {"num_hidden_layers": 4}, SAME, SAME),
    ("deepseek_v3_attention_bias", "no kv_a bias", SAME, lambda w: dropped(w, "kv_a_proj_with_mqa.bias"), SAME),
    ("moonlight", "latent eps = rms_norm_eps", SAME, SAME, ("LATENT_NORM_EPS", lambda _: 1e-5)),
    ("moonlight", "eps 1e-6 everywhere", lambda c: c | {"rms_norm_eps": 1e-6}, SAME, SAME),
    ("moonlight", "factor lost", lambda c: c | {"routed_scaling_factor": 1.0}, SAME, SAME),
    ("kimi_k2", "betas lost", lambda c: rope_changed(c, beta_fast=32), SAME, SAME),
    ("hyperclovax", "no residual multiplier", lambda c: without(c, "residual_multiplier"), SAME, SAME),
    ("hyperclovax", "no attention multiplier", lambda c: without(c, "attention_multiplier"), SAME, SAME),
    ("hyperclovax", "no embedding multiplier", lambda c: without(c, "embedding_multiplier"), SAME, SAME),
    ("hyperclovax", "logits divided", lambda c: c | {"logits_scaling": 1 / c["logits_scaling"]}, SAME, SAME),
    ("hyperclovax", "no post norm", SAME, lambda w: dropped(w, "post_norm"), SAME),
    ("hyperclovax_nopost", "no residual multiplier", lambda c: without(c, "residual_multiplier"), SAME, SAME),
]


def effect(case, change_config, change_weights, change_function):
    """How far the mistaken logits are from the golden ones."""
    config, weights = checkpoint.read_checkpoint(Path(OUT) / case)
    golden = load_file(Path(OUT) / case / "golden.safetensors")
    weights = {name: value.double() for name, value in weights.items()}
    longest = max(name for name in golden if name.startswith("tokens.")).removeprefix("tokens.")
    config = change_config(config) if change_config else config
    weights = change_weights(weights) if change_weights else weights
    with replaced(*change_function) if change_function else contextlib.nullcontext():
        logits, _ = minimal_model.forward(config, weights, golden["tokens." + longest])
    return max_relative_difference(logits, golden["logits." + longest])


if __name__ == "__main__":
    torch.set_num_threads(1)
    cases = sorted({mistake[0] for mistake in MISTAKES})
    missed = [case for case in cases if effect(case, SAME, SAME, SAME) > 1e-5]
    for case, mistake, *changes in MISTAKES:
        size = effect(case, *changes)
        print(f"{case:28} {mistake:28} {size:.1e}")
        missed += [f"{case}: {mistake}"] if size < SMALLEST_EFFECT else []
    assert not missed, f"not caught: {missed}"
