"""The training loss of rows of tokens, for any model that can run one row, and the model of minimal_model.py as such.

    loss = cross_entropy + alpha * balance + (mtp_lambda / n_mtp_layers) * mtp

  cross_entropy  sum over rows of the masked cross entropy of the next token / masked targets of all rows together
  balance        mean over rows of the sum over MoE layers, the MTP layer's included, of sum_i f_i P_i, with
                 f_i = n_experts / (n_experts_per_token * T) * tokens of the row that chose expert i (no gradient),
                 P_i = mean over the row's T tokens of s_i / sum_j s_j; s are the router's scores before any bias
  mtp            the same cross entropy of MTP row i, which sees tokens up to i + 1 and predicts token i + 2, over the
                 masked ones of these targets; 0 without such a target

A row of n tokens enters the model without its last one: T = n - 1 (n - 2 in the MTP layer); positions start at 0 and
attention stays in the row. The MTP layer shares embedding and head with the model, so the copies of them that checkpoints
carry have no gradient of their own, and neither has e_score_correction_bias.
"""

import json
from dataclasses import dataclass, field

import torch

import minimal_model

MOE_BIAS = "e_score_correction_bias"


# ---------------------------------------------------------------------------------------------- rows
@dataclass
class Row:
    tokens: torch.Tensor  # I64 [n]
    mask: torch.Tensor  # bool [n - 1]: entry t is of the target token t + 1


def read_rows(path, vocab_size):
    """JSONL: {"tokens": [...], "mask": [0 or 1, one less than tokens]}; the mask may be missing (all ones)."""
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip():
            continue
        entry = json.loads(line)
        tokens = torch.tensor(entry["tokens"])
        mask = torch.tensor(entry.get("mask", [1] * (len(tokens) - 1)), dtype=torch.bool)
        assert len(tokens) >= 2, f"{path}:{number}: {len(tokens)} tokens, expected at least 2"
        assert 0 <= tokens.min() and tokens.max() < vocab_size, f"{path}:{number}: a token is outside the vocabulary"
        assert len(mask) == len(tokens) - 1, f"{path}:{number}: mask of {len(mask)}, expected {len(tokens) - 1}"
        rows.append(Row(tokens, mask))
    assert any(row.mask.any() for row in rows), f"{path}: no target with loss"
    return rows


def write_rows(path, rows):
    entries = [{"tokens": row.tokens.tolist()} | ({} if row.mask.all() else {"mask": row.mask.int().tolist()}) for row in rows]
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))


# ---------------------------------------------------------------------------------------------- loss
@dataclass
class Routing:
    layer: int
    scores: torch.Tensor  # [T, n_experts], before any bias
    topk_experts: torch.Tensor  # I64 [T, n_experts_per_token]


@dataclass
class RowOutput:
    logits: torch.Tensor  # [n - 1, vocab_size]
    mtp_logits: torch.Tensor | None = None  # [n - 2, vocab_size]
    routings: list = field(default_factory=list)


@dataclass
class Loss:
    total: torch.Tensor
    cross_entropy: torch.Tensor
    balance: torch.Tensor
    mtp: torch.Tensor
    counts: dict  # layer -> tokens that chose each expert, I64 [n_experts]

    def values(self):
        parts = {"loss": self.total, "cross_entropy": self.cross_entropy, "balance": self.balance, "mtp": self.mtp}
        return {name: value.item() for name, value in parts.items()}

    def counts_by_layer(self):
        return {str(layer): count.tolist() for layer, count in self.counts.items()}


def masked_cross_entropy(logits, targets, mask):
    """Sum, not mean."""
    log_probs = logits.log_softmax(-1)[torch.arange(len(targets)), targets]
    return -(log_probs * mask).sum()


def expert_counts(routing):
    return torch.bincount(routing.topk_experts.flatten(), minlength=routing.scores.shape[1])


def sequence_balance(routing):
    n_tokens, n_used = routing.topk_experts.shape
    n_experts = routing.scores.shape[1]
    fraction = expert_counts(routing) * n_experts / (n_used * n_tokens)
    mean_share = (routing.scores / routing.scores.sum(-1, keepdim=True)).mean(0)
    return (fraction * mean_share).sum()


def training_loss(model, rows, alpha, mtp_lambda):
    """model.run(tokens) -> RowOutput. Only one MTP layer is known here."""
    outputs = [model.run(row.tokens[:-1]) for row in rows]
    zero = outputs[0].logits.new_zeros(())
    n_targets = sum(row.mask.sum() for row in rows)
    n_mtp_targets = sum(row.mask[1:].sum() for row in rows)
    cross_entropy, balance, mtp, counts = zero, zero, zero, {}
    for row, output in zip(rows, outputs):
        cross_entropy = cross_entropy + masked_cross_entropy(output.logits, row.tokens[1:], row.mask) / n_targets
        if output.mtp_logits is not None and n_mtp_targets > 0:
            mtp = mtp + masked_cross_entropy(output.mtp_logits, row.tokens[2:], row.mask[1:]) / n_mtp_targets
        for routing in output.routings:
            balance = balance + sequence_balance(routing) / len(rows)
            counts[routing.layer] = counts.get(routing.layer, 0) + expert_counts(routing)
    return Loss(cross_entropy + alpha * balance + mtp_lambda * mtp, cross_entropy, balance, mtp, counts)


# ---------------------------------------------------------------------------------------------- the model from formulas
def shared_copies(config):
    """name in the checkpoint -> the tensor of which it is a copy"""
    if not config.get("num_nextn_predict_layers"):
        return {}
    prefix, tied = f"model.layers.{config['num_hidden_layers']}.", config.get("tie_word_embeddings")
    embedding, head = "model.embed_tokens.weight", "model.embed_tokens.weight" if tied else "lm_head.weight"
    return {prefix + "embed_tokens.weight": embedding, prefix + "shared_head.head.weight": head}


class MinimalTrainer:
    """minimal_model with parameters that autograd follows."""

    def __init__(self, config, weights, dtype=torch.float64):
        self.config = config
        self.weights = {name: weight.to(dtype, copy=True) for name, weight in weights.items()}
        copies = shared_copies(config)
        for name, original in copies.items():
            assert torch.equal(weights.get(name, weights[original]), weights[original]), f"{name} is not a copy of {original}"
            self.weights[name] = self.weights[original]
        self.biases = {name: weight for name, weight in self.weights.items() if name.endswith(MOE_BIAS)}
        skipped = copies.keys() | self.biases.keys()
        self.parameters = {name: weight for name, weight in self.weights.items() if name not in skipped}
        for parameter in self.parameters.values():
            parameter.requires_grad_()
        self.smallest_margin = float("inf")

    def routings(self, activations, layer=None):
        """What the MoE layers noted down under layers.{l}.* (or without a prefix, for one layer)."""
        for name in [name for name in activations if name.endswith("router_scores")]:
            prefix = name.removesuffix("router_scores")
            self.smallest_margin = min(self.smallest_margin, activations[prefix + "margins"].min().item())
            number = layer if layer is not None else int(prefix.split(".")[1])
            yield Routing(number, activations[name], activations[prefix + "topk_experts"])

    def run(self, tokens):
        logits, activations = minimal_model.forward(self.config, self.weights, tokens)
        output = RowOutput(logits, None, list(self.routings(activations)))
        if self.config.get("num_nextn_predict_layers") and len(tokens) > 1:
            final_norm = activations["final_norm"]
            output.mtp_logits, keep = minimal_model.mtp_forward(self.config, self.weights, tokens, final_norm)
            output.routings += self.routings(keep, self.config["num_hidden_layers"])
        return output

    def gradients(self):
        return {name: zeros_if_none(parameter) for name, parameter in self.parameters.items()}


def zeros_if_none(parameter):
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.detach()


def relative_difference(ours, theirs):
    largest = theirs.abs().max().item()
    difference = (ours - theirs).abs().max().item()
    return difference / largest if largest > 0 else difference
