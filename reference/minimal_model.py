"""A second opinion: every supported architecture in plain torch, float64, written from the formulas.

    h = E[token];  h += attention(rms_norm(h));  h += mlp_or_moe(rms_norm(h));  logits = W_head rms_norm(h)

No cache, no batching, one sequence at a time, one row per token. It exists to be read and to be compared with the
official implementations (make_models.py asserts the agreement), so that the few branches in which those are wrong or
silent are still pinned down by code that is right everywhere else.
"""

import math

import torch

LATENT_NORM_EPS = 1e-6  # the latent norms of MLA never follow rms_norm_eps


# ---------------------------------------------------------------------------------------------- rotary positions
def rope_settings(config):
    """One dict {rope_type, rope_theta, ...} from any of the spellings in use."""
    settings = dict(config.get("rope_parameters") or config.get("rope_scaling") or {})
    settings.setdefault("rope_theta", config.get("rope_theta", 10000.0))
    settings["rope_type"] = settings.get("rope_type") or settings.get("type") or "default"
    return settings


def yarn_magnitude(factor, mscale):
    return 1.0 if factor <= 1 else 0.1 * mscale * math.log(factor) + 1.0


def yarn_ramp(settings, rope_dim):
    """0 where a pair keeps its frequency, 1 where it is divided by factor. [rope_dim / 2]"""
    context, theta = settings["original_max_position_embeddings"], settings["rope_theta"]

    def pair_that_turns(n_turns):
        return rope_dim * math.log(context / (2 * math.pi * n_turns)) / (2 * math.log(theta))

    low = max(math.floor(pair_that_turns(settings.get("beta_fast", 32))), 0)
    high = min(math.ceil(pair_that_turns(settings.get("beta_slow", 1))), rope_dim - 1)
    if low == high:
        high += 0.001
    return ((torch.arange(rope_dim // 2, dtype=torch.float64) - low) / (high - low)).clamp(0, 1)


def rope_frequencies(settings, rope_dim):
    """-> (frequency of each pair [rope_dim / 2], factor on cos and sin)"""
    pair = torch.arange(0, rope_dim, 2, dtype=torch.float64)
    freq = settings["rope_theta"] ** (-pair / rope_dim)
    kind = settings["rope_type"]
    if kind == "default":
        return freq, 1.0
    factor = settings["factor"]
    if kind == "linear":
        return freq / factor, 1.0
    if kind == "llama3":
        low, high = settings["low_freq_factor"], settings["high_freq_factor"]
        turns = settings["original_max_position_embeddings"] * freq / (2 * math.pi)
        keep = ((turns - low) / (high - low)).clamp(0, 1)  # the three buckets of the definition are this clamp
        return freq * keep + freq / factor * (1 - keep), 1.0
    if kind == "yarn":
        ramp = yarn_ramp(settings, rope_dim)
        mscale, mscale_all_dim = settings.get("mscale"), settings.get("mscale_all_dim")
        magnitude = settings.get("attention_factor")
        if magnitude is None and mscale and mscale_all_dim:
            magnitude = yarn_magnitude(factor, mscale) / yarn_magnitude(factor, mscale_all_dim)
        if magnitude is None:
            magnitude = yarn_magnitude(factor, 1.0)
        return freq * (1 - ramp) + freq / factor * ramp, magnitude
    raise ValueError(f"rope_type {kind!r}: expected default, linear, llama3 or yarn")


def rotate(x, settings, interleaved):
    """x [n_tokens, n_heads, rope_dim], token index = position"""
    freq, magnitude = rope_frequencies(settings, x.shape[-1])
    angle = torch.arange(len(x), dtype=torch.float64)[:, None, None] * freq
    cos, sin = angle.cos() * magnitude, angle.sin() * magnitude
    out = torch.empty_like(x)
    half = x.shape[-1] // 2
    first, second = (slice(0, None, 2), slice(1, None, 2)) if interleaved else (slice(0, half), slice(half, None))
    out[..., first] = x[..., first] * cos - x[..., second] * sin
    out[..., second] = x[..., first] * sin + x[..., second] * cos
    return out


# ---------------------------------------------------------------------------------------------- blocks
def rms_norm(x, weight, eps):
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps) * weight


def linear(x, weights, name):
    out = x @ weights[name + ".weight"].T
    return out + weights[name + ".bias"] if name + ".bias" in weights else out


def attend(q, k, v, scale):
    """q k [n_tokens, n_heads, qk_head_dim], v [n_tokens, n_heads, v_head_dim] -> [n_tokens, n_heads * v_head_dim]"""
    scores = torch.einsum("thd,jhd->htj", q, k) * scale
    future = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
    probs = scores.masked_fill(future, float("-inf")).softmax(-1)
    return torch.einsum("htj,jhd->thd", probs, v).flatten(1)


def gqa_attention(config, weights, prefix, x):
    n_heads, n_kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    head_dim = config.get("head_dim") or config["hidden_size"] // n_heads
    q = linear(x, weights, prefix + "q_proj").view(len(x), n_heads, head_dim)
    k = linear(x, weights, prefix + "k_proj").view(len(x), n_kv_heads, head_dim)
    v = linear(x, weights, prefix + "v_proj").view(len(x), n_kv_heads, head_dim)
    if prefix + "q_norm.weight" in weights:
        q = rms_norm(q, weights[prefix + "q_norm.weight"], config["rms_norm_eps"])
        k = rms_norm(k, weights[prefix + "k_norm.weight"], config["rms_norm_eps"])
    settings = rope_settings(config)
    q, k = rotate(q, settings, interleaved=False), rotate(k, settings, interleaved=False)
    k, v = (part.repeat_interleave(n_heads // n_kv_heads, dim=1) for part in (k, v))
    scale = config.get("attention_multiplier") or head_dim**-0.5
    return linear(attend(q, k, v, scale), weights, prefix + "o_proj")


def mla_softmax_scale(config):
    settings = rope_settings(config)
    scale = (config["qk_nope_head_dim"] + config["qk_rope_head_dim"]) ** -0.5
    if settings["rope_type"] == "yarn" and settings.get("mscale_all_dim"):
        scale *= yarn_magnitude(settings["factor"], settings["mscale_all_dim"]) ** 2
    return scale


def mla_attention(config, weights, prefix, x):
    n_heads, nope, rope = config["num_attention_heads"], config["qk_nope_head_dim"], config["qk_rope_head_dim"]
    if config.get("q_lora_rank"):
        q = linear(x, weights, prefix + "q_a_proj")
        q = linear(rms_norm(q, weights[prefix + "q_a_layernorm.weight"], LATENT_NORM_EPS), weights, prefix + "q_b_proj")
    else:
        q = linear(x, weights, prefix + "q_proj")
    q = q.view(len(x), n_heads, nope + rope)
    kv = linear(x, weights, prefix + "kv_a_proj_with_mqa")
    kv_latent, k_rope = kv[:, : config["kv_lora_rank"]], kv[:, None, config["kv_lora_rank"] :]
    kv_latent = rms_norm(kv_latent, weights[prefix + "kv_a_layernorm.weight"], LATENT_NORM_EPS)
    kv = linear(kv_latent, weights, prefix + "kv_b_proj").view(len(x), n_heads, nope + config["v_head_dim"])
    settings = rope_settings(config)
    q = torch.cat([q[..., :nope], rotate(q[..., nope:], settings, interleaved=True)], -1)
    k_rope = rotate(k_rope, settings, interleaved=True).expand(-1, n_heads, -1)
    k = torch.cat([kv[..., :nope], k_rope], -1)
    return linear(attend(q, k, kv[..., nope:], mla_softmax_scale(config)), weights, prefix + "o_proj")


def swiglu_mlp(weights, prefix, x):
    gate, up = linear(x, weights, prefix + "gate_proj"), linear(x, weights, prefix + "up_proj")
    return linear(torch.nn.functional.silu(gate) * up, weights, prefix + "down_proj")


# ---------------------------------------------------------------------------------------------- router
def router_scores(config, weights, prefix, x):
    """-> (scores that weigh, scores that choose), both [n_tokens, n_experts]"""
    logits = x @ weights[prefix + "gate.weight"].T
    scores = logits.sigmoid() if is_noaux(config) else logits.softmax(-1)
    bias = weights.get(prefix + "gate.e_score_correction_bias")
    return scores, scores if bias is None else scores + bias


def is_noaux(config):
    default = "greedy" if config["model_type"] == "deepseek_v2" else "noaux_tc"
    return config.get("topk_method", default) == "noaux_tc"


def group_scores(config, choice):
    """[n_tokens, n_groups]: sum of the two best for noaux_tc, the best one for group_limited_greedy"""
    grouped = choice.view(len(choice), config["n_group"], -1)
    return grouped.topk(2, -1).values.sum(-1) if is_noaux(config) else grouped.amax(-1)


def limit_groups(config, choice, masked=float("-inf")):
    if config.get("topk_method") == "greedy" or (config.get("n_group") or 1) == 1:
        return choice
    kept = group_scores(config, choice).topk(config["topk_group"], -1).indices
    mask = torch.ones(len(choice), config["n_group"], dtype=torch.bool).scatter(1, kept, False)
    return choice.masked_fill(mask.repeat_interleave(choice.shape[1] // config["n_group"], 1), masked)


def route(config, weights, prefix, x):
    """-> topk_experts [n_tokens, n_experts_per_token] ascending, topk_weights in the same order"""
    scores, choice = router_scores(config, weights, prefix, x)
    n_used = config["num_experts_per_tok"]
    topk_experts = limit_groups(config, choice).topk(n_used, -1).indices.sort(-1).values
    topk_weights = scores.gather(1, topk_experts)
    normalise = config.get("norm_topk_prob", False) and (n_used > 1 or is_noaux(config))
    if normalise:
        topk_weights = topk_weights / (topk_weights.sum(-1, keepdim=True) + 1e-20)
    if is_noaux(config) or not normalise:  # the V2 code scales only what it did not normalise
        topk_weights = topk_weights * config["routed_scaling_factor"]
    return topk_experts, topk_weights


def choice_margins(config, choice):
    """How far the choice of each token is from flipping [n_tokens]; the goldens keep tokens for which this is far above
    rounding."""

    def gap(values, k):
        best = values.detach().sort(-1, descending=True).values
        return best[:, k - 1] - best[:, k] if k < values.shape[1] else torch.full((len(values),), math.inf, dtype=values.dtype)

    limited = limit_groups(config, choice)
    margin = gap(limited, config["num_experts_per_tok"])
    if limited is choice:
        return margin
    return torch.minimum(margin, gap(group_scores(config, choice), config["topk_group"]))


def moe(config, weights, prefix, x, keep):
    topk_experts, topk_weights = route(config, weights, prefix, x)
    keep["topk_experts"], keep["topk_weights"] = topk_experts, topk_weights
    keep["router_scores"], choice = router_scores(config, weights, prefix, x)
    keep["margins"] = choice_margins(config, choice)
    out = swiglu_mlp(weights, prefix + "shared_experts.", x)
    for expert in topk_experts.unique().tolist():
        row, column = (topk_experts == expert).nonzero(as_tuple=True)
        out[row] += topk_weights[row, column, None] * swiglu_mlp(weights, f"{prefix}experts.{expert}.", x[row])
    return out


# ---------------------------------------------------------------------------------------------- model
def decoder_layer(config, weights, layer, hidden, keep):
    prefix, eps = f"model.layers.{layer}.", config["rms_norm_eps"]
    attention = mla_attention if "kv_lora_rank" in config else gqa_attention
    multiplier = config.get("residual_multiplier", 1.0)

    def post_norm(x, name):
        return rms_norm(x, weights[prefix + name], eps) if prefix + name in weights else x

    keep["attn_norm"] = rms_norm(hidden, weights[prefix + "input_layernorm.weight"], eps)
    keep["attn_out"] = attention(config, weights, prefix + "self_attn.", keep["attn_norm"])
    hidden = hidden + multiplier * post_norm(keep["attn_out"], "post_norm1.weight")
    keep["attn_residual"] = hidden
    keep["mlp_norm"] = rms_norm(hidden, weights[prefix + "post_attention_layernorm.weight"], eps)
    if prefix + "mlp.gate.weight" in weights:
        keep["mlp_out"] = moe(config, weights, prefix + "mlp.", keep["mlp_norm"], keep)
    else:
        keep["mlp_out"] = swiglu_mlp(weights, prefix + "mlp.", keep["mlp_norm"])
    keep["hidden"] = hidden + multiplier * post_norm(keep["mlp_out"], "post_norm2.weight")
    return keep["hidden"]


def head(config, weights, hidden):
    name = "model.embed_tokens.weight" if config.get("tie_word_embeddings") else "lm_head.weight"
    return hidden @ weights[name].T * config.get("logits_scaling", 1.0)


def forward(config, weights, tokens):
    """weights: name -> float64 tensor. -> (logits [n_tokens, vocab_size], activations by golden name)"""
    hidden = weights["model.embed_tokens.weight"][tokens] * config.get("embedding_multiplier", 1.0)
    activations = {"embed": hidden}
    for layer in range(config["num_hidden_layers"]):
        keep = {}
        hidden = decoder_layer(config, weights, layer, hidden, keep)
        activations |= {f"layers.{layer}.{name}": value for name, value in keep.items()}
    activations["final_norm"] = rms_norm(hidden, weights["model.norm.weight"], config["rms_norm_eps"])
    return head(config, weights, activations["final_norm"]), activations


def mtp_forward(config, weights, tokens, final_norm):
    """Logits of the multi-token-prediction layer: row i joins final_norm of token i with the embedding of token i+1
    and predicts token i+2, so there is a row fewer than tokens. Only relative positions matter to it."""
    layer, eps = config["num_hidden_layers"], config["rms_norm_eps"]
    prefix = f"model.layers.{layer}."
    embed = rms_norm(weights[prefix + "embed_tokens.weight"][tokens[1:]], weights[prefix + "enorm.weight"], eps)
    hidden = rms_norm(final_norm[:-1], weights[prefix + "hnorm.weight"], eps)
    keep = {}
    hidden = linear(torch.cat([embed, hidden], -1), weights, prefix + "eh_proj")
    hidden = decoder_layer(config, weights, layer, hidden, keep)
    hidden = rms_norm(hidden, weights[prefix + "shared_head.norm.weight"], eps)
    return hidden @ weights[prefix + "shared_head.head.weight"].T, keep
