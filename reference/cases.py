"""The tiny models: one config.json each, spelled as on the hub, plus how its weights are stored.

A case is (config, options). Options: store = dtype of the weights on disk (bf16 unless said), seed, lengths of the
token sequences, n_shards, fp8 = None | "f32" | "pow2" | "e8m0"
(form of the weight_scale_inv tensors),
small_embed / small_latent = shrink what a norm sees until its eps matters.
Every dimension is small and most are not multiples of a SIMD width, on purpose.
"""

DEFAULT_LENGTHS = [1, 8, 23]


def dense(model_type, architecture, **keys):
    config = {
        "architectures": [architecture],
        "model_type": model_type,
        "attention_dropout": 0.0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "hidden_act": "silu",
        "hidden_size": 48,
        "initializer_range": 0.02,
        "intermediate_size": 72,
        "max_position_embeddings": 128,
        "num_attention_heads": 4,
        "num_hidden_layers": 3,
        "num_key_value_heads": 2,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "vocab_size": 128,
    }
    return without_nones(config | keys)


def llama(**keys):
    return dense("llama", "LlamaForCausalLM", **({"attention_bias": False, "mlp_bias": False, "rms_norm_eps": 1e-5} | keys))


def qwen2(**keys):
    window = {"use_sliding_window": False, "sliding_window": 32, "max_window_layers": 2}
    return dense("qwen2", "Qwen2ForCausalLM", **(window | keys))


def qwen3(**keys):
    window = {"use_sliding_window": False, "sliding_window": None, "max_window_layers": 3, "attention_bias": False}
    return dense("qwen3", "Qwen3ForCausalLM", **(window | {"head_dim": 16} | keys))


def hyperclovax(**keys):
    multipliers = {
        "attention_bias": False,
        "attention_multiplier": 0.35,
        "embedding_multiplier": 6.0,
        "head_dim": 12,
        "logits_scaling": 0.375,
        "mlp_bias": False,
        "residual_multiplier": 0.7,
        "use_post_norm": True,
    }
    return dense("hyperclovax", "HyperCLOVAXForCausalLM", **(multipliers | keys))


def deepseek(model_type, architecture, **keys):
    config = {
        "architectures": [architecture],
        "model_type": model_type,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "aux_loss_alpha": 0.001,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "ep_size": 1,
        "first_k_dense_replace": 1,
        "hidden_act": "silu",
        "hidden_size": 48,
        "initializer_range": 0.02,
        "intermediate_size": 72,
        "kv_lora_rank": 28,
        "max_position_embeddings": 256,
        "moe_intermediate_size": 12,
        "moe_layer_freq": 1,
        "num_attention_heads": 4,
        "num_hidden_layers": 3,
        "num_key_value_heads": 4,
        "pretraining_tp": 1,
        "qk_nope_head_dim": 12,
        "qk_rope_head_dim": 8,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000,
        "seq_aux": True,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "v_head_dim": 10,
        "vocab_size": 128,
    }
    return config | keys


def deepseek_v2(**keys):
    router = {
        "n_routed_experts": 12,
        "n_shared_experts": 2,
        "num_experts_per_tok": 4,
        "n_group": 1,
        "topk_group": 1,
        "topk_method": "greedy",
        "scoring_func": "softmax",
        "norm_topk_prob": False,
        "routed_scaling_factor": 1.0,
        "q_lora_rank": None,
    }
    return deepseek("deepseek_v2", "DeepseekV2ForCausalLM", **(router | keys))


def deepseek_v3(**keys):
    router = {
        "n_routed_experts": 16,
        "n_shared_experts": 1,
        "num_experts_per_tok": 6,
        "n_group": 4,
        "topk_group": 2,
        "topk_method": "noaux_tc",
        "scoring_func": "sigmoid",
        "norm_topk_prob": True,
        "routed_scaling_factor": 2.5,
        "q_lora_rank": 20,
        "moe_intermediate_size": 8,
        "num_nextn_predict_layers": 0,
    }
    return deepseek("deepseek_v3", "DeepseekV3ForCausalLM", **(router | keys))


def yarn(factor, context, **keys):
    return {"type": "yarn", "factor": factor, "original_max_position_embeddings": context, "beta_fast": 32, "beta_slow": 1} | keys


def without_nones(config):
    return {key: value for key, value in config.items() if value is not None or key == "sliding_window"}


# 136 = 128 + 8 leaves a partial last 128 x 128 block in both directions; so does kv_a_proj (120 + 16 rows).
FP8_DIMS = {
    "hidden_size": 136,
    "intermediate_size": 144,
    "moe_intermediate_size": 136,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "num_key_value_heads": 3,
    "q_lora_rank": 40,
    "kv_lora_rank": 120,
    "qk_nope_head_dim": 48,
    "qk_rope_head_dim": 16,
    "v_head_dim": 32,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "n_group": 2,
    "topk_group": 1,
    "vocab_size": 96,
    "rope_scaling": yarn(40, 16, mscale=1.0, mscale_all_dim=1.0),
}
UE8M0_DIMS = FP8_DIMS | {"moe_intermediate_size": 24, "kv_lora_rank": 40, "q_lora_rank": None, "vocab_size": 64}
FP8 = {"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8", "weight_block_size": [128, 128]}
LLAMA3_ROPE = {
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
    "rope_type": "llama3",
}

CASES = {
    # pairs 0 / 1 / 2.. fall into the kept / blended / divided bucket
    "llama_llama3rope": (
        llama(rope_theta=500000.0, rope_scaling=LLAMA3_ROPE, tie_word_embeddings=True),
        {},
    ),
    "llama_linear": (
        llama(rope_scaling={"type": "linear", "factor": 4.0}, num_hidden_layers=2),
        {"small_embed": True, "lengths": [1, 120, 23]},
    ),
    "llama_bias": (llama(attention_bias=True, mlp_bias=True, num_key_value_heads=1, num_hidden_layers=2), {}),
    "llama_headdim": (
        llama(num_hidden_layers=2, head_dim=16, num_attention_heads=6, num_key_value_heads=3, torch_dtype="float16"),
        {"store": "f16"},
    ),
    "qwen2_tied": (qwen2(rope_theta=1000000.0, tie_word_embeddings=True), {}),
    "qwen2_yarn": (
        qwen2(
            num_hidden_layers=2,
            rope_theta=100.0,
            rope_scaling={"factor": 4.0, "original_max_position_embeddings": 16, "type": "yarn"},
        ),
        {},
    ),
    "qwen3": (qwen3(rope_theta=1000000, torch_dtype="float32", num_hidden_layers=2), {"store": "f32"}),
    "qwen3_yarn_newspelling": (
        qwen3(
            num_hidden_layers=2,
            rope_theta=None,
            torch_dtype=None,
            dtype="bfloat16",
            tie_word_embeddings=True,
            rope_parameters={
                "rope_type": "yarn",
                "rope_theta": 50.0,
                "factor": 4.0,
                "attention_factor": 1.25,
                "original_max_position_embeddings": 32,
                "beta_fast": 2.0,
                "beta_slow": 0.5,
            },
        ),
        {"lengths": [1, 8, 39]},
    ),
    "deepseek_v2_lite": (
        deepseek_v2(
            n_routed_experts=8,
            moe_intermediate_size=8,
            rope_theta=100,
            rope_scaling=yarn(40, 16, mscale=0.707, mscale_all_dim=0.707),
        ),
        {},
    ),
    # mscale != mscale_all_dim: cos and sin are scaled too; beta_* give a ramp that starts above pair 0
    "deepseek_v2_groups": (
        deepseek_v2(
            q_lora_rank=20,
            topk_method="group_limited_greedy",
            n_group=4,
            topk_group=2,
            routed_scaling_factor=16.0,
            qk_rope_head_dim=16,
            rope_theta=50,
            rope_scaling=yarn(40, 32, mscale=1.0, mscale_all_dim=0.707, beta_fast=2, beta_slow=0.5),
            num_hidden_layers=2,
        ),
        {"lengths": [1, 8, 39]},
    ),
    # original context 4 makes both ends of the YaRN ramp 0, the case in which the ramp would divide by zero
    "deepseek_v2_norm_topk": (
        deepseek_v2(
            norm_topk_prob=True,
            routed_scaling_factor=16.0,
            num_hidden_layers=2,
            num_experts_per_tok=3,
            n_shared_experts=1,
            rope_scaling=yarn(40, 4, mscale=0.707, mscale_all_dim=0.707),
        ),
        {},
    ),
    "deepseek_v3": (
        deepseek_v3(rope_scaling=yarn(40, 16, mscale=1.0, mscale_all_dim=1.0), num_nextn_predict_layers=1),
        {},
    ),
    "deepseek_v3_sharded": (
        deepseek_v3(
            n_routed_experts=12,
            n_group=3,
            topk_group=1,
            num_experts_per_tok=3,
            num_hidden_layers=2,
            rope_scaling=yarn(40, 16, mscale=1.0, mscale_all_dim=1.0),
        ),
        {"n_shards": 3, "lengths": [1, 5, 17]},
    ),
    "deepseek_v3_moe_freq": (
        deepseek_v3(moe_layer_freq=2, num_hidden_layers=4, n_routed_experts=8, n_group=2, topk_group=1, num_experts_per_tok=3),
        {"lengths": [1, 5, 17]},
    ),
    "deepseek_v3_attention_bias": (
        deepseek_v3(attention_bias=True, num_hidden_layers=2, n_routed_experts=8, n_group=2, topk_group=1, num_experts_per_tok=3),
        {"lengths": [1, 5, 17]},
    ),
    "moonlight": (
        deepseek_v3(
            q_lora_rank=None,
            n_group=1,
            topk_group=1,
            n_routed_experts=12,
            num_experts_per_tok=3,
            n_shared_experts=2,
            routed_scaling_factor=2.446,
            rms_norm_eps=1e-5,
            rope_theta=50000.0,
            rope_scaling=None,
            num_hidden_layers=2,
        ),
        {"small_embed": True, "small_latent": True, "lengths": [1, 150, 23]},
    ),
    "kimi_k2": (
        deepseek_v3(
            n_group=1,
            topk_group=1,
            n_routed_experts=12,
            num_experts_per_tok=4,
            num_hidden_layers=2,
            routed_scaling_factor=2.827,
            rope_theta=50000.0,
            qk_rope_head_dim=16,
            rope_scaling=yarn(32.0, 32, beta_fast=1.0, beta_slow=1.0, mscale=1.0, mscale_all_dim=1.0),
        ),
        {"lengths": [1, 8, 39]},
    ),
    "deepseek_v3_fp8": (
        deepseek_v3(**FP8_DIMS, quantization_config=FP8),
        {"fp8": "f32", "n_shards": 2, "lengths": [1, 5, 17], "seed": 2},
    ),
    "deepseek_v3_ue8m0": (
        deepseek_v3(**UE8M0_DIMS, quantization_config=FP8 | {"scale_fmt": "ue8m0"}),
        {"fp8": "pow2", "lengths": [1, 4, 11]},
    ),
    # the same model as deepseek_v3_ue8m0 with one-byte scales
    "deepseek_v3_ue8m0_f8scale": (
        deepseek_v3(**UE8M0_DIMS, quantization_config=FP8 | {"scale_fmt": "ue8m0"}),
        {"fp8": "e8m0", "lengths": [1, 4, 11]},
    ),
    "hyperclovax": (hyperclovax(num_hidden_layers=2), {}),
    "hyperclovax_nopost": (hyperclovax(use_post_norm=False, logits_scaling=2.5, tie_word_embeddings=True, num_hidden_layers=2), {}),
}
CASES["kimi_k2"][0]["model_type"] = "kimi_k2"
