"""Random weights for a config, and writing / reading them as a checkpoint directory in the hub's layout.

The standard deviations make attention scores and logits vary by 1 to 2: with the usual 0.02 a wrong model would give
nearly the same, nearly constant logits as a right one.
"""

import json
import math
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
FP8_BLOCK = 128
SUFFIX = ".weight"


# ---------------------------------------------------------------------------------------------- names and shapes
def weight_shapes(config):
    """name -> shape, for the whole checkpoint"""
    hidden, vocab = config["hidden_size"], config["vocab_size"]
    shapes = {"model.embed_tokens.weight": (vocab, hidden), "model.norm.weight": (hidden,)}
    if not config["tie_word_embeddings"]:
        shapes["lm_head.weight"] = (vocab, hidden)
    n_layers = config["num_hidden_layers"]
    for layer in range(n_layers + config.get("num_nextn_predict_layers", 0)):
        prefix = f"model.layers.{layer}."
        shapes |= {prefix + name: shape for name, shape in layer_shapes(config, layer).items()}
    for layer in range(n_layers, n_layers + config.get("num_nextn_predict_layers", 0)):
        prefix = f"model.layers.{layer}."
        shapes |= {prefix + name: (hidden,) for name in ("enorm.weight", "hnorm.weight", "shared_head.norm.weight")}
        shapes[prefix + "eh_proj.weight"] = (hidden, 2 * hidden)
        shapes[prefix + "embed_tokens.weight"] = shapes[prefix + "shared_head.head.weight"] = (vocab, hidden)
    return shapes


def layer_shapes(config, layer):
    hidden = config["hidden_size"]
    shapes = {"input_layernorm.weight": (hidden,), "post_attention_layernorm.weight": (hidden,)}
    if config.get("use_post_norm"):
        shapes |= {"post_norm1.weight": (hidden,), "post_norm2.weight": (hidden,)}
    attention = mla_shapes(config) if "kv_lora_rank" in config else gqa_shapes(config)
    shapes |= {"self_attn." + name: shape for name, shape in attention.items()}
    is_moe = "n_routed_experts" in config and layer >= config["first_k_dense_replace"]
    is_moe = is_moe and (layer % config["moe_layer_freq"] == 0 or layer >= config["num_hidden_layers"])
    mlp = moe_shapes(config) if is_moe else mlp_shapes(config, config["intermediate_size"])
    return shapes | {"mlp." + name: shape for name, shape in mlp.items()}


def gqa_shapes(config):
    hidden, n_heads, n_kv_heads = config["hidden_size"], config["num_attention_heads"], config["num_key_value_heads"]
    head_dim = config.get("head_dim") or hidden // n_heads
    rows = {"q_proj": n_heads * head_dim, "k_proj": n_kv_heads * head_dim, "v_proj": n_kv_heads * head_dim}
    shapes = {name + ".weight": (n, hidden) for name, n in rows.items()}
    shapes["o_proj.weight"] = (hidden, n_heads * head_dim)
    if config["model_type"] == "qwen2" or config.get("attention_bias"):
        shapes |= {name + ".bias": (n,) for name, n in rows.items()}
    if config.get("attention_bias"):
        shapes["o_proj.bias"] = (hidden,)
    if config["model_type"] == "qwen3":
        shapes |= {"q_norm.weight": (head_dim,), "k_norm.weight": (head_dim,)}
    return shapes


def mla_shapes(config):
    hidden, n_heads = config["hidden_size"], config["num_attention_heads"]
    q_rank, kv_rank = config["q_lora_rank"], config["kv_lora_rank"]
    nope, rope, v = config["qk_nope_head_dim"], config["qk_rope_head_dim"], config["v_head_dim"]
    shapes = {
        "kv_a_proj_with_mqa.weight": (kv_rank + rope, hidden),
        "kv_a_layernorm.weight": (kv_rank,),
        "kv_b_proj.weight": (n_heads * (nope + v), kv_rank),
        "o_proj.weight": (hidden, n_heads * v),
    }
    if q_rank:
        shapes |= {"q_a_proj.weight": (q_rank, hidden), "q_a_layernorm.weight": (q_rank,)}
        shapes["q_b_proj.weight"] = (n_heads * (nope + rope), q_rank)
    else:
        shapes["q_proj.weight"] = (n_heads * (nope + rope), hidden)
    if config["attention_bias"]:
        biased = [name for name in ("q_a_proj", "kv_a_proj_with_mqa", "o_proj") if name + ".weight" in shapes]
        shapes |= {name + ".bias": shapes[name + ".weight"][:1] for name in biased}
    return shapes


def mlp_shapes(config, width):
    hidden = config["hidden_size"]
    shapes = {"gate_proj.weight": (width, hidden), "up_proj.weight": (width, hidden), "down_proj.weight": (hidden, width)}
    if config.get("mlp_bias"):
        shapes |= {"gate_proj.bias": (width,), "up_proj.bias": (width,), "down_proj.bias": (hidden,)}
    return shapes


def moe_shapes(config):
    n_experts, width = config["n_routed_experts"], config["moe_intermediate_size"]
    shapes = {"gate.weight": (n_experts, config["hidden_size"])}
    if config["topk_method"] == "noaux_tc":
        shapes["gate.e_score_correction_bias"] = (n_experts,)
    parts = {f"experts.{expert}.": width for expert in range(n_experts)}
    parts["shared_experts."] = width * config["n_shared_experts"]
    for part, part_width in parts.items():
        shapes |= {part + name: shape for name, shape in mlp_shapes(config, part_width).items()}
    return shapes


# ---------------------------------------------------------------------------------------------- values
def random_weight(config, name, shape, generator):
    noise = torch.randn(shape, generator=generator)
    if name.endswith("e_score_correction_bias"):
        return 0.5 * noise - 0.4  # around half of the biased scores are negative
    if name.endswith(".bias"):
        return 0.4 * noise
    if len(shape) == 1:
        return 1.0 + 0.3 * noise  # norms
    if name.endswith("embed_tokens.weight"):
        scale = 0.3 if config["tie_word_embeddings"] else 1.0  # a tied head would make logits of std 7
        return noise * scale / config.get("embedding_multiplier", 1.0)
    gain = 1.0
    if name.endswith((".gate.weight", "lm_head.weight", "head.weight")):
        gain = 2.0
    elif any(part in name for part in ("q_proj", "k_proj", "q_b_proj", "kv_b_proj", "kv_a_proj")):
        gain = 1.3
    return gain / math.sqrt(shape[1]) * noise


def shrink(config, options, name, weight):
    """Rows so small that eps of the norm behind them changes the result by several percent."""
    if options.get("small_embed") and name.endswith("embed_tokens.weight"):
        weight *= 0.01
    if options.get("small_latent") and name.endswith("kv_a_proj_with_mqa.weight"):
        weight[: config["kv_lora_rank"]] *= 0.005


def random_weights(config, seed, options):
    """name -> f32 tensor"""
    generator = torch.Generator().manual_seed(seed)
    weights = {name: random_weight(config, name, shape, generator) for name, shape in weight_shapes(config).items()}
    for name, weight in weights.items():
        shrink(config, options, name, weight)
    for name in weights:  # the published MTP layers carry copies of the embedding and of the head
        if name.startswith("model.layers.") and name.endswith("embed_tokens.weight"):
            weights[name] = weights["model.embed_tokens.weight"].clone()
        if name.endswith("shared_head.head.weight"):
            weights[name] = weights.get("lm_head.weight", weights["model.embed_tokens.weight"]).clone()
    return weights


# ---------------------------------------------------------------------------------------------- fp8
def is_fp8(name):
    """The tensors that the V3 checkpoint holds in FP8: projections of attention and of MLPs, never the router."""
    return name.endswith("_proj.weight") and "eh_proj" not in name or name.endswith("kv_a_proj_with_mqa.weight")


def expand_blocks(scale, shape):
    return scale.repeat_interleave(FP8_BLOCK, 0).repeat_interleave(FP8_BLOCK, 1)[: shape[0], : shape[1]]


def quantize_fp8(weight, powers_of_two):
    """-> (F8_E4M3 [rows, columns], f32 scale [ceil(rows / 128), ceil(columns / 128)])"""
    rows, columns = (-(-size // FP8_BLOCK) for size in weight.shape)
    padded = torch.zeros(rows * FP8_BLOCK, columns * FP8_BLOCK)
    padded[: weight.shape[0], : weight.shape[1]] = weight
    amax = padded.view(rows, FP8_BLOCK, columns, FP8_BLOCK).abs().amax((1, 3)).clamp(min=1e-4)
    scale = amax / 448
    if powers_of_two:
        scale = torch.exp2(scale.log2().ceil())
    return (weight / expand_blocks(scale, weight.shape)).to(torch.float8_e4m3fn), scale


def dequantize_fp8(stored):
    """name -> stored tensor, to name -> f32; no rounding between the product and the f32 result"""
    weights = {}
    for name, tensor in stored.items():
        if name.endswith("_scale_inv"):
            continue
        weights[name] = tensor.float()
        if name + "_scale_inv" in stored:
            weights[name] *= expand_blocks(stored[name + "_scale_inv"].float(), tensor.shape)
    return weights


# ---------------------------------------------------------------------------------------------- files
def save_tensors(tensors, path, metadata=None):
    save_file(tensors, path, metadata=metadata)
    path.chmod(0o644)  # safetensors creates files that only their owner can read


def stored_tensors(weights, options):
    """name -> tensor in the dtype that goes to disk"""
    dtype = DTYPES[options.get("store", "bf16")]
    stored = {}
    for name, weight in weights.items():
        if name.endswith("e_score_correction_bias"):
            stored[name] = weight
        elif options.get("fp8") and is_fp8(name):
            stored[name], scale = quantize_fp8(weight, options["fp8"] != "f32")
            stored[name + "_scale_inv"] = scale.to(torch.float8_e8m0fnu) if options["fp8"] == "e8m0" else scale
        else:
            stored[name] = weight.to(dtype)
    return {name: tensor.contiguous() for name, tensor in stored.items()}


def write_shards(directory, stored, n_shards):
    """Tensors go to shards in turn, so a weight and its scale, or two halves of a layer, part company."""
    file_names = [f"model-{i + 1:05}-of-{n_shards:05}.safetensors" for i in range(n_shards)]
    weight_map = {name: file_names[i % n_shards] for i, name in enumerate(sorted(stored))}
    for file_name in file_names:
        part = {name: stored[name] for name in weight_map if weight_map[name] == file_name}
        save_tensors(part, directory / file_name, {"format": "pt"})
    size = sum(tensor.nbytes for tensor in stored.values())
    index = {"metadata": {"total_size": size}, "weight_map": weight_map}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")


def write_checkpoint(directory, config, stored, n_shards=1):
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.glob("model*"):
        old.unlink()
    (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    if n_shards == 1:
        save_tensors(stored, directory / "model.safetensors", {"format": "pt"})
    else:
        write_shards(directory, stored, n_shards)


def read_checkpoint(directory):
    """-> (config, name -> f32 tensor, dequantised)"""
    config = json.loads((Path(directory) / "config.json").read_text())
    stored = {}
    for path in sorted(Path(directory).glob("model*.safetensors")):
        stored |= load_file(path)
    return config, dequantize_fp8(stored)
