"""Shows that the gradient goldens catch the known mistakes: each wrong loss or backward pass must miss by a wide margin.

    python reference/check_grad_traps.py

A mistake is the independent model (minimal_model.py, grads/training_loss.py) with one function changed, mostly by cutting one
path of the gradient while the loss stays right.
"""

import contextlib

import torch
from safetensors.torch import load_file

import minimal_model
from checkpoint import read_checkpoint
from grads import training_loss
from grads.cases import CASES, DEEPSEEK_DIMS
from grads.training_loss import MinimalTrainer, read_rows, relative_difference
from make_grads import OUT, gradients_of
from official import patched

SMALLEST_EFFECT = 1e-3
N_OWN = DEEPSEEK_DIMS["qk_nope_head_dim"]  # part of a key that its head does not share


# ---------------------------------------------------------------------------------------------- mistakes
def mask_ignored(original):
    return lambda logits, targets, mask: original(logits, targets, torch.ones_like(mask))


def no_gradient_to_hidden(original):
    return lambda config, weights, tokens, final_norm: original(config, weights, tokens, final_norm.detach())


def mtp_without_shared(part):
    def make(original):
        def forward(config, weights, tokens, final_norm):
            cut = {name: value.detach() if name.endswith(part) else value for name, value in weights.items()}
            return original(config, cut, tokens, final_norm)

        return forward

    return make


def no_gradient_to_head(original):
    def head(config, weights, hidden):
        return original(config, {name: value.detach() for name, value in weights.items()}, hidden)

    return head


def no_gradient_to_router(original):
    def route(config, weights, prefix, x):
        topk_experts, topk_weights = original(config, weights, prefix, x)
        return topk_experts, topk_weights.detach()

    return route


def sum_taken_as_constant(original):
    def route(config, weights, prefix, x):
        topk_experts, right = original(config, weights, prefix, x)
        scores = minimal_model.router_scores(config, weights, prefix, x)[0].gather(1, topk_experts)
        return topk_experts, scores * (right / scores).detach()

    return route


def share_of_chosen_experts(original):
    def balance(routing):
        chosen = torch.zeros_like(routing.scores).scatter(1, routing.topk_experts, 1.0)
        return original(training_loss.Routing(routing.layer, routing.scores * chosen, routing.topk_experts))

    return balance


def share_without_division(original):
    def balance(routing):
        total = routing.scores.sum(-1, keepdim=True).detach()
        n_tokens, n_used = routing.topk_experts.shape
        fraction = training_loss.expert_counts(routing) * routing.scores.shape[1] / (n_used * n_tokens)
        return (fraction * (routing.scores / total).mean(0)).sum()

    return balance


def key_gradient_of_one_head(original):
    """Of the rotated part of the key, which all heads share."""

    def attend(q, k, v, scale):
        first, rest = k[:, :1], torch.cat([k[:, 1:, :N_OWN], k[:, 1:, N_OWN:].detach()], -1)
        return original(q, torch.cat([first, rest], 1), v, scale)

    return attend


def keys_cut_at(n_keys):
    """No gradient into keys and values before the last n_keys."""

    def make(original):
        def attend(q, k, v, scale):
            n_cut = max(len(k) - n_keys, 0)
            k, v = (torch.cat([part[:n_cut].detach(), part[n_cut:]]) for part in (k, v))
            return original(q, k, v, scale)

        return attend

    return make


def magnitude_forward_only(original):
    """Backward through cos and sin without the factor that YaRN puts on them."""

    def rotate(x, settings, interleaved):
        right = original(x, settings, interleaved)
        magnitude = minimal_model.rope_frequencies(settings, x.shape[-1])[1]
        return right / magnitude + (right - right / magnitude).detach()

    return rotate


MINIMAL, LOSS = minimal_model, training_loss
MISTAKES = [
    ("llama", "mask ignored", LOSS, "masked_cross_entropy", mask_ignored),
    ("llama_long", "keys before the last 64", MINIMAL, "attend", keys_cut_at(64)),
    ("llama_long", "keys before the last 256", MINIMAL, "attend", keys_cut_at(256)),
    ("qwen2", "tied head without gradient", MINIMAL, "head", no_gradient_to_head),
    ("deepseek_v2_greedy", "router without gradient", MINIMAL, "route", no_gradient_to_router),
    ("deepseek_v2_greedy", "balance forgotten", LOSS, "sequence_balance", lambda _: lambda r: r.scores.new_zeros(())),
    ("deepseek_v2_groups", "router without gradient", MINIMAL, "route", no_gradient_to_router),
    ("deepseek_v2_groups", "magnitude of YaRN forward only", MINIMAL, "rotate", magnitude_forward_only),
    ("deepseek_v2_norm_topk", "sum of weights constant", MINIMAL, "route", sum_taken_as_constant),
    ("deepseek_v3", "sum of weights constant", MINIMAL, "route", sum_taken_as_constant),
    ("deepseek_v3", "balance forgotten", LOSS, "sequence_balance", lambda _: lambda r: r.scores.new_zeros(())),
    ("deepseek_v3", "share of the chosen only", LOSS, "sequence_balance", share_of_chosen_experts),
    ("deepseek_v3", "sum of scores constant", LOSS, "sequence_balance", share_without_division),
    ("deepseek_v3", "shared key from one head", MINIMAL, "attend", key_gradient_of_one_head),
    ("deepseek_v3_long", "keys before the last 64", MINIMAL, "attend", keys_cut_at(64)),
    ("deepseek_v3_long", "keys before the last 256", MINIMAL, "attend", keys_cut_at(256)),
    ("deepseek_v3_mtp", "mask ignored", LOSS, "masked_cross_entropy", mask_ignored),
    ("deepseek_v3_mtp", "hidden state without gradient", MINIMAL, "mtp_forward", no_gradient_to_hidden),
    ("deepseek_v3_mtp", "MTP embedding not shared", MINIMAL, "mtp_forward", mtp_without_shared("embed_tokens.weight")),
    ("deepseek_v3_mtp", "MTP head not shared", MINIMAL, "mtp_forward", mtp_without_shared("shared_head.head.weight")),
    ("deepseek_v3_mtp_tied", "MTP embedding not shared", MINIMAL, "mtp_forward", mtp_without_shared("embed_tokens.weight")),
    ("deepseek_v3_mtp_tied", "MTP head not shared", MINIMAL, "mtp_forward", mtp_without_shared("shared_head.head.weight")),
    ("deepseek_v3_mtp_tied", "tied head without gradient", MINIMAL, "head", no_gradient_to_head),
]


def effect(case, change):
    config, weights = read_checkpoint(OUT / "models" / CASES[case][0])
    rows = read_rows(OUT / case / "rows.jsonl", config["vocab_size"])
    with change:
        _, gradients = gradients_of(MinimalTrainer(config, weights), rows)
    golden = load_file(OUT / case / "grads.safetensors")
    return max(relative_difference(gradients[name], golden[name].double()) for name in golden)


def main():
    for case in CASES:
        assert effect(case, contextlib.nullcontext()) < 1e-6, f"{case}: the right model misses its golden"
    for case, mistake, owner, name, make in MISTAKES:
        found = effect(case, patched(owner, name, make))
        print(f"{case:24} {mistake:32} {found:.1e}", flush=True)
        assert found > SMALLEST_EFFECT, "this mistake would pass"


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
