"""The transformers model with autograd, in f32 or in true float64, behind the interface of training_loss.py.

transformers computes norms, softmax, router and rotary angles in float32 whatever the dtype of the model; while
float64_inside() is active, float32 means float64 in its modules, so that gradients can be compared to many digits.
"""

import contextlib

import torch
from transformers import modeling_rope_utils
from transformers.models.deepseek_v2 import modeling_deepseek_v2
from transformers.models.deepseek_v3 import modeling_deepseek_v3
from transformers.models.hyperclovax import modeling_hyperclovax
from transformers.models.llama import modeling_llama
from transformers.models.qwen2 import modeling_qwen2
from transformers.models.qwen3 import modeling_qwen3

import official
from grads.training_loss import MOE_BIAS, RowOutput, Routing, zeros_if_none
from minimal_model import is_noaux

MODULES = [
    modeling_rope_utils,
    modeling_deepseek_v2,
    modeling_deepseek_v3,
    modeling_hyperclovax,
    modeling_llama,
    modeling_qwen2,
    modeling_qwen3,
]


class TorchWithWideFloats:
    float32 = float = torch.float64

    def __getattr__(self, name):
        return getattr(torch, name)


@contextlib.contextmanager
def float64_inside():
    with contextlib.ExitStack() as stack:
        for module in MODULES:
            stack.enter_context(official.patched(module, "torch", lambda _: TorchWithWideFloats()))
        stack.enter_context(official.patched(torch.Tensor, "float", lambda _: torch.Tensor.double))
        yield


class OfficialTrainer:
    def __init__(self, config, weights, dtype):
        self.config, self.dtype = config, dtype
        with self.arithmetic(), official.loaded(config, weights, dtype) as model:
            self.model = model
            self.mtp = official.load_mtp(model, config, weights).to(dtype) if config.get("num_nextn_predict_layers") else None
        self.parameters = self.own_parameters()
        self.biases = {}
        self.routings = []
        self.watch_routers()

    @contextlib.contextmanager
    def arithmetic(self):
        with official.published_behaviour(), float64_inside() if self.dtype == torch.float64 else contextlib.nullcontext():
            yield

    def layers(self):
        yield from enumerate(self.model.model.layers)
        if self.mtp is not None:
            yield self.config["num_hidden_layers"], self.mtp.layers[0].mtp_block

    def watch_routers(self):
        for number, layer in self.layers():
            if hasattr(layer.mlp, "gate"):
                if hasattr(layer.mlp.gate, MOE_BIAS):
                    self.biases[f"model.layers.{number}.mlp.gate.{MOE_BIAS}"] = getattr(layer.mlp.gate, MOE_BIAS)
                layer.mlp.gate.register_forward_hook(lambda _, args, out, number=number: self.take_routing(number, out))

    def take_routing(self, number, out):
        logits, _, topk_experts = out
        scores = logits.sigmoid() if is_noaux(self.config) else logits.softmax(-1)
        self.routings.append(Routing(number, scores, topk_experts))

    def run(self, tokens):
        self.routings, kept = [], {}
        handle = self.model.model.norm.register_forward_hook(lambda _, args, out: kept.update(final_norm=out))
        with self.arithmetic():
            output = RowOutput(self.model(input_ids=tokens[None], use_cache=False).logits[0])
            if self.mtp is not None and len(tokens) > 1:
                positions = torch.arange(1, len(tokens))[None]
                hidden = self.mtp.forward_layer(0, kept["final_norm"][:, :-1], positions, None, input_ids=tokens[None, 1:])
                output.mtp_logits = self.mtp._project_to_logits(hidden)[0]
        handle.remove()
        output.routings = self.routings
        return output

    # ------------------------------------------------------------------------------------------ parameters
    def own_parameters(self):
        """name -> parameter, as transformers names and stacks them"""
        parameters = dict(self.model.named_parameters())
        if self.mtp is not None:
            prefix = f"model.layers.{self.config['num_hidden_layers']}."
            for name, parameter in self.mtp.layers[0].named_parameters():
                name = name.removeprefix("mtp_block.").replace("post_norm.", "shared_head.norm.")
                parameters[prefix + name] = parameter
        return parameters

    def gradients(self):
        """Under the hub's names"""
        gradients = {}
        for name, parameter in self.parameters.items():
            gradients |= unstacked(name, zeros_if_none(parameter))
        return gradients


def unstacked(name, value):
    """experts.gate_up_proj [n_experts, 2 * width, hidden] and experts.down_proj -> the hub's tensor per expert"""
    stem, _, part = name.rpartition(".")
    if not stem.endswith(".experts"):
        return {name: value}
    parts = dict(zip(("gate_proj", "up_proj"), value.chunk(2, 1))) if part == "gate_up_proj" else {part: value}
    return {f"{stem}.{e}.{key}.weight": rows[e].clone() for key, rows in parts.items() for e in range(len(rows))}
