"""Runs a config with its weights through transformers in f32 on the CPU and captures the named activations.

Where the pinned transformers (see requirements.txt) differs from the code that DeepSeek published with its weights,
it is corrected here, in the open:
  1. DeepSeek-V2 router: norm_topk_prob is ignored and routed_scaling_factor always applied. Published code: if
     norm_topk_prob and more than one expert is used, divide by the sum and do NOT scale.
  2. moe_layer_freq is ignored. Published code: layer l is MoE only if l % moe_layer_freq == 0.
  3. model_type kimi_k2 is unknown; the published config runs DeepSeek-V3's code.
Older versions also lacked the softmax factor of YaRN in V2 and masked V3's groups with 0.0; this one has both right.
"""

import tempfile
from contextlib import contextmanager

import torch
from transformers import AutoModelForCausalLM
from transformers.models.deepseek_v2 import modeling_deepseek_v2
from transformers.models.deepseek_v3 import modeling_deepseek_v3
from transformers.modeling_layers import MtpModel

from checkpoint import write_checkpoint


@contextmanager
def patched(owner, name, replacement):
    original = getattr(owner, name)
    setattr(owner, name, replacement(original))
    try:
        yield
    finally:
        setattr(owner, name, original)


def normalise_instead_of_scaling(original):
    def forward(router, hidden):
        router_logits, topk_weights, topk_experts = original(router, hidden)
        if router.top_k > 1 and router.published_norm_topk_prob:
            topk_weights = topk_weights / router.routed_scaling_factor
            topk_weights = topk_weights / (topk_weights.sum(-1, keepdim=True) + 1e-20)
        return router_logits, topk_weights, topk_experts

    return forward


def dense_between_moe_layers(original):
    def init(layer, config, layer_idx):
        original(layer, config, layer_idx)
        if layer_idx % getattr(config, "moe_layer_freq", 1) != 0:
            layer.mlp = modeling_deepseek_v3.DeepseekV3MLP(config)

    return init


def load(directory, config, dtype=torch.float32):
    model, info = AutoModelForCausalLM.from_pretrained(
        directory, dtype=dtype, attn_implementation="eager", experts_implementation="eager", output_loading_info=True
    )
    assert not info["missing_keys"] and not info["mismatched_keys"], info
    mtp_prefix = f"model.layers.{config['num_hidden_layers']}."
    assert all(name.startswith(mtp_prefix) for name in info["unexpected_keys"]), info
    for module in model.modules():
        if isinstance(module, modeling_deepseek_v2.DeepseekV2TopkRouter):
            module.published_norm_topk_prob = config.get("norm_topk_prob", False)
    return model.eval()


@contextmanager
def published_behaviour():
    with (
        patched(modeling_deepseek_v2.DeepseekV2TopkRouter, "forward", normalise_instead_of_scaling),
        patched(modeling_deepseek_v3.DeepseekV3DecoderLayer, "__init__", dense_between_moe_layers),
    ):
        yield


@contextmanager
def loaded(config, weights, dtype=torch.float32):
    """The transformers model of a hub-style config and f32 weights, under a model_type that transformers knows."""
    plain = {key: value for key, value in config.items() if key != "quantization_config"}
    plain["torch_dtype"] = "float32"
    if config["model_type"] == "kimi_k2":
        plain["model_type"] = "deepseek_v3"
    with tempfile.TemporaryDirectory() as scratch, published_behaviour():
        write_checkpoint(scratch, plain, weights)
        yield load(scratch, config, dtype)


@contextmanager
def opened(directory, config, weights):
    """The transformers model of a directory, read by transformers itself unless it is FP8 or kimi_k2."""
    if "quantization_config" in config or config["model_type"] == "kimi_k2":
        with loaded(config, weights) as model:
            yield model
    else:
        with published_behaviour():
            yield load(directory, config)


# ---------------------------------------------------------------------------------------------- activations
def first(value):
    return value[0] if isinstance(value, tuple) else value


def watch(model, activations):
    """Hooks that fill activations with [n_tokens, width] tensors under the golden names."""
    handles = []

    def keep_input(module, name):
        def take(_, args, kwargs):
            activations[name] = (args[0] if args else kwargs["hidden_states"])[0]

        handles.append(module.register_forward_pre_hook(take, with_kwargs=True))

    def keep_output(module, name):
        handles.append(module.register_forward_hook(lambda _, args, out: activations.update({name: first(out)[0]})))

    def keep_routing(module, prefix):
        def take(_, args, out):
            activations[prefix + "topk_experts"], order = out[2].sort(-1)
            activations[prefix + "topk_weights"] = out[1].gather(1, order)

        handles.append(module.register_forward_hook(take))

    keep_input(model.model.layers[0].input_layernorm, "embed")
    for index, layer in enumerate(model.model.layers):
        prefix = f"layers.{index}."
        keep_output(layer.input_layernorm, prefix + "attn_norm")
        keep_output(layer.self_attn, prefix + "attn_out")
        keep_input(layer.post_attention_layernorm, prefix + "attn_residual")
        keep_output(layer.post_attention_layernorm, prefix + "mlp_norm")
        keep_output(layer.mlp, prefix + "mlp_out")
        keep_output(layer, prefix + "hidden")
        if hasattr(layer.mlp, "gate"):
            keep_routing(layer.mlp.gate, prefix)
    keep_output(model.model.norm, "final_norm")
    return handles


@torch.no_grad()
def forward(model, tokens):
    """-> (logits [n_tokens, vocab_size], activations by golden name)"""
    activations = {}
    handles = watch(model, activations)
    logits = model(input_ids=tokens[None].long(), use_cache=False).logits[0]
    for handle in handles:
        handle.remove()
    return logits, activations


# ---------------------------------------------------------------------------------------------- MTP
def load_mtp(model, config, weights):
    """transformers' own MTP module, filled by name (its loader only knows layer 61)."""
    mtp = MtpModel(model, 1)
    prefix = f"model.layers.{config['num_hidden_layers']}."
    own = {name.removeprefix(prefix): weight for name, weight in weights.items() if name.startswith(prefix)}
    layer = mtp.layers[0]
    for name in ("enorm", "hnorm", "eh_proj"):
        getattr(layer, name).weight.data.copy_(own.pop(name + ".weight"))
    layer.post_norm.weight.data.copy_(own.pop("shared_head.norm.weight"))
    for name in ("embed_tokens.weight", "shared_head.head.weight"):  # copies of the main model's, which some files leave out
        own.pop(name, None)
    fill_block(layer.mtp_block, own)
    return mtp.eval()


def fill_block(block, own):
    experts = sorted({int(name.split(".")[2]) for name in own if name.startswith("mlp.experts.")})

    def part(expert, name):
        return own.pop(f"mlp.experts.{expert}.{name}.weight")

    own["mlp.experts.gate_up_proj"] = torch.stack([torch.cat([part(e, "gate_proj"), part(e, "up_proj")]) for e in experts])
    own["mlp.experts.down_proj"] = torch.stack([part(e, "down_proj") for e in experts])
    block.load_state_dict(own)


@torch.no_grad()
def mtp_forward(model, mtp, tokens, final_norm):
    positions = torch.arange(1, len(tokens))[None]
    hidden = mtp.forward_layer(0, final_norm[None, :-1], positions, None, input_ids=tokens[None, 1:].long())
    return mtp._project_to_logits(hidden)[0]
