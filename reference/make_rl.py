"""Writes tests/goldens/rl/: advantages and policy losses with autograd in float64, from the papers' formulas.

    python reference/make_rl.py

advantages.json  rewards of groups and their advantages, for every scale and epsilon
policy.json      rollouts with their log-probs (numbers that f32 holds exactly), and for every combination of options the loss,
                 its gradient by the policy's log-probs and the statistics
logits.json      rows of logits, sampled tokens, temperatures: log-probs and entropies

Rollouts are rows of a padded matrix with a mask, as in the public implementations; the program under test has them one after
the other.
"""

import itertools
import json
from pathlib import Path

import torch

OUT = Path(__file__).resolve().parent.parent / "tests" / "goldens" / "rl"
LENGTHS = [5, 1, 9, 0, 7, 3]
MAX_LENGTH = 12


def exact(values):
    """numbers that f32 holds exactly"""
    return values.float().double()


# ---------------------------------------------------------------------------------------------- advantages
def advantages(rewards, scale, epsilon):
    """rewards [n_groups, group_size]"""
    centered = rewards - rewards.mean(dim=1, keepdim=True)
    if scale == "none":
        return centered
    std = rewards.std(dim=1, keepdim=True) if scale == "group" else rewards.std()
    return centered / (std + epsilon)


def make_advantages(generator):
    rewards = torch.rand(4, 5, generator=generator, dtype=torch.float64)
    rewards[0] = torch.tensor([0.0, 1.0, 1.0, 0.0, 1.0])  # right and wrong
    rewards[1] = torch.tensor([0.0, 0.0, 0.0, 0.0, 1.1])  # one of a kind
    rewards[2] = 1.0  # all equal
    cases = [
        {"scale": scale, "epsilon": epsilon, "advantages": advantages(rewards, scale, epsilon).flatten().tolist()}
        for scale, epsilon in itertools.product(("group", "batch", "none"), (1e-4, 1e-6))
    ]
    return {"group_size": rewards.shape[1], "rewards": rewards.flatten().tolist(), "cases": cases}


# ---------------------------------------------------------------------------------------------- policy loss
def padded(values, fill=0.0):
    """one row a rollout"""
    out = torch.full((len(LENGTHS), MAX_LENGTH), fill, dtype=torch.float64)
    at = 0
    for row, length in enumerate(LENGTHS):
        out[row, :length] = values[at : at + length]
        at += length
    return out


def policy_objective(logprobs, behavior, reference, advantage, mask, options):
    """-> (loss, statistics); matrices [n_rollouts, MAX_LENGTH]"""
    n_tokens_each = mask.sum(dim=1)
    has_tokens = n_tokens_each > 0
    log_ratio = (logprobs - behavior) * mask
    if options["ratio"] == "sequence":  # GSPO, equation 7: one ratio a rollout, the length-normalised likelihood
        log_ratio = (log_ratio.sum(dim=1) / n_tokens_each.clamp(min=1)).unsqueeze(1).expand_as(mask)
    ratio = log_ratio.exp()
    a = advantage.unsqueeze(1)
    low, high = 1 - options["clip_low"], 1 + options["clip_high"]
    surrogate = torch.minimum(ratio * a, ratio.clamp(low, high) * a)
    k3 = ((reference - logprobs).exp() - (reference - logprobs) - 1) * mask
    objective = (surrogate - options["kl_coef"] * k3) * mask
    if options["reduction"] == "rollout":
        total = (objective.sum(dim=1)[has_tokens] / n_tokens_each[has_tokens]).sum() / len(LENGTHS)
    elif options["reduction"] == "token":
        total = objective.sum() / mask.sum()
    else:
        total = objective.sum() / (len(LENGTHS) * MAX_LENGTH)

    counted = mask.bool()
    if options["ratio"] == "sequence":
        counted = counted & (torch.arange(MAX_LENGTH) == 0)  # a rollout's ratio once
    ratio, k3 = ratio.detach(), k3.detach()
    below = (a < 0) & (ratio < low) & counted
    above = (a > 0) & (ratio > high) & counted
    delta = (logprobs - behavior).detach()[mask.bool()]
    statistics = {
        "n_ratios": int(counted.sum()),
        "n_clipped_low": int(below.sum()),
        "n_clipped_high": int(above.sum()),
        "ratios": float(ratio[counted].sum()),
        "ref_kl": float(k3.sum()) if options["kl_coef"] else 0.0,
        "behavior_kl": float((delta.exp() - 1 - delta).sum()),
    }
    return -total, statistics


def make_policy(generator):
    n = sum(LENGTHS)
    behavior = exact(-3 * torch.rand(n, generator=generator) - 0.01)
    # Most ratios near 1, some far below and above.
    logprobs = exact(behavior + 0.3 * torch.randn(n, generator=generator).double())
    reference = exact(behavior + 0.5 * torch.randn(n, generator=generator).double())
    advantage = exact(torch.tensor([1.3, -0.7, -1.1, 0.9, 0.8, 0.0]))
    mask = padded(torch.ones(n, dtype=torch.float64))
    clips = ((0.2, 0.2), (0.2, 0.28), (0.03, 0.04), (10.0, 10.0))
    cases = []
    for ratio, reduction, kl_coef, (clip_low, clip_high) in itertools.product(
        ("token", "sequence"), ("rollout", "token", "constant"), (0.0, 0.04), clips
    ):
        options = {
            "ratio": ratio, "reduction": reduction, "kl_coef": kl_coef, "clip_low": clip_low, "clip_high": clip_high,
        }
        leaf = logprobs.clone().requires_grad_()
        loss, statistics = policy_objective(padded(leaf), padded(behavior), padded(reference), advantage, mask, options)
        loss.backward()
        cases.append(options | {"loss": loss.item(), "d_logprobs": leaf.grad.tolist(), "statistics": statistics})
    # Both clips must be seen, for both kinds of ratio.
    for ratio in ("token", "sequence"):
        seen = [case["statistics"] for case in cases if case["ratio"] == ratio]
        assert any(s["n_clipped_low"] for s in seen) and any(s["n_clipped_high"] for s in seen), ratio
    return {
        "lengths": LENGTHS, "max_length": MAX_LENGTH, "advantages": advantage.tolist(), "logprobs": logprobs.tolist(),
        "behavior_logprobs": behavior.tolist(), "ref_logprobs": reference.tolist(), "cases": cases,
    }


# ---------------------------------------------------------------------------------------------- logits
def make_logits(generator):
    logits = exact(3 * torch.randn(3, 37, generator=generator))
    tokens = torch.tensor([0, 36, 11])
    cases = []
    for temperature in (1.0, 0.7, 1.5):
        distribution = torch.distributions.Categorical(logits=logits / temperature)
        cases.append({
            "temperature": temperature, "logprobs": distribution.log_prob(tokens).tolist(),
            "entropies": distribution.entropy().tolist(),
        })
    return {"n_rows": 3, "logits": logits.flatten().tolist(), "tokens": tokens.tolist(), "cases": cases}


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(5)
    for name, make in (("advantages", make_advantages), ("policy", make_policy), ("logits", make_logits)):
        path = OUT / f"{name}.json"
        golden = make(generator)
        path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
        print(f"{path.name}: {len(golden['cases'])} cases, {path.stat().st_size} bytes")
