"""The models and rows of the gradient goldens, smaller still than those of cases.py: a gradient is stored for every weight.

A case is (model, options). Options: lengths of the rows, masked = {row: positions of its targets without loss},
steps = True where ten optimizer steps are recorded too. Every case uses ALPHA and MTP_LAMBDA.
"""

from cases import deepseek_v2, deepseek_v3, llama, qwen2, qwen3, yarn

ALPHA, MTP_LAMBDA = 0.01, 0.3

DENSE_DIMS = {"hidden_size": 40, "intermediate_size": 52, "num_hidden_layers": 2, "vocab_size": 72}
DEEPSEEK_DIMS = {
    "hidden_size": 36,
    "intermediate_size": 52,
    "kv_lora_rank": 20,
    "moe_intermediate_size": 6,
    "n_routed_experts": 16,
    "num_attention_heads": 3,
    "num_experts_per_tok": 2,
    "num_hidden_layers": 3,
    "num_key_value_heads": 3,
    "qk_nope_head_dim": 6,
    "v_head_dim": 10,
    "vocab_size": 72,
}
V3_DIMS = DEEPSEEK_DIMS | {"q_lora_rank": 14, "num_experts_per_tok": 3, "max_position_embeddings": 512}
V3_YARN = yarn(40, 16, mscale=1.0, mscale_all_dim=1.0)

MODELS = {
    "llama": llama(**DENSE_DIMS, max_position_embeddings=512),
    "llama_bias": llama(**DENSE_DIMS | {"num_hidden_layers": 1}, attention_bias=True, mlp_bias=True, num_key_value_heads=1),
    "qwen2": qwen2(**DENSE_DIMS, tie_word_embeddings=True),
    "qwen3": qwen3(**DENSE_DIMS),
    "deepseek_v2_greedy": deepseek_v2(**DEEPSEEK_DIMS, n_shared_experts=1),
    # cos and sin are scaled (mscale != mscale_all_dim), and so are the expert weights
    "deepseek_v2_groups": deepseek_v2(
        **DEEPSEEK_DIMS | {"num_hidden_layers": 2, "num_experts_per_tok": 3},
        q_lora_rank=14,
        topk_method="group_limited_greedy",
        n_group=4,
        topk_group=2,
        routed_scaling_factor=4.0,
        rope_scaling=yarn(40, 32, mscale=1.0, mscale_all_dim=0.707),
    ),
    "deepseek_v2_norm_topk": deepseek_v2(**DEEPSEEK_DIMS | {"num_hidden_layers": 2}, norm_topk_prob=True),
    "deepseek_v3": deepseek_v3(**V3_DIMS, rope_scaling=V3_YARN),
    "deepseek_v3_mtp": deepseek_v3(
        **V3_DIMS | {"num_hidden_layers": 2}, n_shared_experts=2, rope_scaling=V3_YARN, num_nextn_predict_layers=1
    ),
    # one tensor is embedding and head of the model and of the MTP layer; the only MoE layer is the MTP layer's
    "deepseek_v3_mtp_tied": deepseek_v3(
        **V3_DIMS | {"num_hidden_layers": 1}, tie_word_embeddings=True, num_nextn_predict_layers=1
    ),
}

# A row of two tokens has no target for the MTP layer.
SHORT = {"lengths": [3, 7, 20, 2], "masked": {1: [1, 4], 2: [0, 11, 18]}}
# Attention is computed in blocks: rows on both sides of 64, and one of more than 256 tokens.
LONG = {"lengths": [70, 5, 275], "masked": {0: [63, 64], 2: [255, 256]}}

CASES = {
    "llama": ("llama", SHORT | {"steps": True}),
    "llama_long": ("llama", LONG),
    "llama_bias": ("llama_bias", SHORT),
    "qwen2": ("qwen2", SHORT),
    "qwen3": ("qwen3", SHORT),
    "deepseek_v2_greedy": ("deepseek_v2_greedy", SHORT),
    "deepseek_v2_groups": ("deepseek_v2_groups", SHORT),
    "deepseek_v2_norm_topk": ("deepseek_v2_norm_topk", SHORT),
    "deepseek_v3": ("deepseek_v3", SHORT),
    "deepseek_v3_long": ("deepseek_v3", LONG),
    "deepseek_v3_mtp": ("deepseek_v3_mtp", SHORT | {"steps": True}),
    "deepseek_v3_mtp_tied": ("deepseek_v3_mtp_tied", SHORT),
}
