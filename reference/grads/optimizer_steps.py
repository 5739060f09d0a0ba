"""Ten AdamW steps on the same rows: the loss before each step.

torch.optim.AdamW with a constant rate; decay on everything with two or more dimensions, embedding and head included, and
on nothing with one; gradients clipped to a global norm of 1 over all parameters. An expert without a token has the
gradient 0, so it decays. With bias_rate, e_score_correction_bias += bias_rate * sign(mean - count) after each step, with
the counts of all rows of that step (the auxiliary-loss-free balancing of DeepSeek-V3).
"""

import torch

from grads.training_loss import MOE_BIAS, training_loss

N_STEPS = 10
SETTINGS = {"lr": 1e-3, "beta1": 0.9, "beta2": 0.95, "eps": 1e-8, "weight_decay": 0.1, "clip_norm": 1.0}


def adamw(parameters):
    groups = [
        {"params": [value for value in parameters if value.dim() >= 2], "weight_decay": SETTINGS["weight_decay"]},
        {"params": [value for value in parameters if value.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=SETTINGS["lr"], betas=(SETTINGS["beta1"], SETTINGS["beta2"]), eps=SETTINGS["eps"])


@torch.no_grad()
def update_biases(trainer, counts, bias_rate):
    for layer, count in counts.items():
        bias = trainer.biases[f"model.layers.{layer}.mlp.gate.{MOE_BIAS}"]
        bias += bias_rate * (count.double().mean() - count).sign().to(bias.dtype)


def run_steps(trainer, rows, alpha, mtp_lambda, bias_rate=0.0):
    """-> per step {loss, cross_entropy, balance, mtp, gradient_norm}, and the expert counts of each step"""
    parameters = list(trainer.parameters.values())
    optimizer, steps, counts = adamw(parameters), [], []
    for _ in range(N_STEPS):
        for parameter in parameters:
            parameter.grad = torch.zeros_like(parameter)
        loss = training_loss(trainer, rows, alpha, mtp_lambda)
        loss.total.backward()
        norm = torch.nn.utils.clip_grad_norm_(parameters, SETTINGS["clip_norm"])
        optimizer.step()
        if bias_rate:
            update_biases(trainer, loss.counts, bias_rate)
        steps.append(loss.values() | {"gradient_norm": norm.item()})
        counts.append(loss.counts_by_layer())
    return steps, counts
