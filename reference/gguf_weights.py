"""Reads a GGUF file back into hub names and f32 values, undoing what the converters did.

arch llama:     rows of q_proj and k_proj were permuted per head from half-split to interleaved rotation
arch deepseek2: kv_b_proj was split into attn_k_b (per head transposed) and attn_v_b; experts were stacked
"""

import gguf
import torch

DENSE = {
    "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm", "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}  # fmt: skip
MLA_AND_MOE = {
    "attn_q_a": "self_attn.q_a_proj", "attn_q_a_norm": "self_attn.q_a_layernorm", "attn_q_b": "self_attn.q_b_proj",
    "attn_kv_a_mqa": "self_attn.kv_a_proj_with_mqa", "attn_kv_a_norm": "self_attn.kv_a_layernorm",
    "attn_kv_b": "self_attn.kv_b_proj", "ffn_gate_inp": "mlp.gate", "exp_probs_b": "mlp.gate.e_score_correction_bias",
    "ffn_gate_shexp": "mlp.shared_experts.gate_proj", "ffn_up_shexp": "mlp.shared_experts.up_proj",
    "ffn_down_shexp": "mlp.shared_experts.down_proj",
}  # fmt: skip
TOP = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}


def read_tensors(path):
    """GGUF name -> f32 tensor in row-major order (the reverse of the dims in the file)"""
    tensors = {}
    for tensor in gguf.GGUFReader(path).tensors:
        shape = [int(n) for n in reversed(tensor.shape)]
        tensors[tensor.name] = torch.from_numpy(gguf.quants.dequantize(tensor.data, tensor.tensor_type).copy()).view(shape)
    return tensors


def read_keys(path):
    """metadata key -> value, without the tokenizer's arrays"""
    fields = gguf.GGUFReader(path).fields
    return {key: field.contents() for key, field in fields.items() if not key.startswith("tokenizer.ggml.")}


def unpermute(rows, n_heads):
    """interleaved pairs (2i, 2i+1) of each head back to halves (i, i + head_dim / 2)"""
    return rows.view(n_heads, rows.shape[0] // n_heads // 2, 2, -1).transpose(1, 2).reshape(rows.shape)


def hub_name(name):
    if name.startswith("blk."):
        _, layer, part, kind = name.split(".")
        target = (DENSE | MLA_AND_MOE)[part]
        return f"model.layers.{layer}.{target}" + ("" if part == "exp_probs_b" else f".{kind}")
    part, kind = name.split(".")
    return f"{TOP[part]}.{kind}"


def join_kv_b(k_b, v_b, config):
    """attn_k_b [n_heads, kv_lora_rank, nope], attn_v_b [n_heads, v_head_dim, kv_lora_rank] -> kv_b_proj"""
    n_heads, rank = config["num_attention_heads"], config["kv_lora_rank"]
    k_b, v_b = k_b.view(n_heads, rank, -1).transpose(1, 2), v_b.view(n_heads, -1, rank)
    return torch.cat([k_b, v_b], 1).reshape(-1, rank)


def hub_weights(path, config):
    """hub name -> f32 tensor. Files that hold both attn_kv_b and its split are checked to agree with themselves."""
    weights, tensors = {}, read_tensors(path)
    tensors.pop("rope_freqs.weight", None)
    heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
    for name, value in tensors.items():
        part = name.split(".")[-2]
        if part in ("attn_k_b", "attn_v_b"):
            continue
        if part.endswith("_exps"):
            prefix = f"model.layers.{name.split('.')[1]}.mlp.experts."
            matrix = part.removeprefix("ffn_").replace("_exps", "_proj.weight")
            weights |= {f"{prefix}{expert}.{matrix}": value[expert] for expert in range(len(value))}
            continue
        if part in heads and config["model_type"] == "llama":
            value = unpermute(value, heads[part])
        weights[hub_name(name)] = value
    for name in [name for name in tensors if name.endswith("attn_k_b.weight")]:
        joined = join_kv_b(tensors[name], tensors[name.replace("_k_b", "_v_b")], config)
        target = hub_name(name.replace("_k_b", "_kv_b"))
        assert target not in weights or torch.equal(weights[target], joined), name
        weights[target] = joined
    return weights
