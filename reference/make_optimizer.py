"""Writes tests/goldens/optimizer/optimizer.safetensors: ten steps of AdamW and of Muon on fixed gradients.

adamw.*: torch.optim.AdamW in f32, a matrix that decays and a vector that does not, a rate that changes every step.
  adamw.{matrix,vector}.start, .grads [10, ...], .values [10, ...]; adamw.lr [10]
muon.*:  the formulas of the published Muon in float64, for wide, tall and square matrices, with and without Nesterov, in
  both scales. torch.optim.Muon iterates in bf16; it must agree with the float64 run to what bf16 allows.
  muon.{case}.start, .grads [10, ...], .values [10, ...] F32
"""

from pathlib import Path

import numpy as np
import torch

from checkpoint import save_tensors

OUT = Path(__file__).resolve().parent.parent / "tests" / "goldens" / "optimizer"
N_STEPS = 10
BETAS, EPS, WEIGHT_DECAY = (0.9, 0.95), 1e-8, 0.1
MOMENTUM, MUON_LR = 0.95, 0.02
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
CASES = {
    "wide": ((24, 40), True, "match_rms_adamw"),
    "tall": ((40, 24), True, "original"),
    "square": ((17, 17), False, "match_rms_adamw"),
}


def fixed_gradients(rng, shape):
    """gradients that share a direction, as those of training do, and whose scale differs between elements by 1000"""
    scale = 10.0 ** rng.uniform(-3, 0, shape)
    mean = rng.normal(size=shape)
    return np.stack([scale * (mean + rng.normal(size=shape)) for _ in range(N_STEPS)]).astype(np.float32)


def adamw(rng):
    golden = {}
    rates = np.array([1e-2 * min(1.0, (k + 1) / 4) for k in range(N_STEPS)])
    golden["adamw.lr"] = torch.from_numpy(rates)
    for name, shape, decay in (("matrix", (5, 23), WEIGHT_DECAY), ("vector", (19,), 0.0)):
        start = rng.normal(size=shape).astype(np.float32)
        grads = fixed_gradients(rng, shape)
        parameter = torch.nn.Parameter(torch.from_numpy(start.copy()))
        optimizer = torch.optim.AdamW([parameter], lr=1.0, betas=BETAS, eps=EPS, weight_decay=decay, foreach=False)
        values = []
        for rate, grad in zip(rates, grads):
            optimizer.param_groups[0]["lr"] = rate
            parameter.grad = torch.from_numpy(grad)
            optimizer.step()
            values.append(parameter.detach().clone())
        golden[f"adamw.{name}.start"] = torch.from_numpy(start)
        golden[f"adamw.{name}.grads"] = torch.from_numpy(grads)
        golden[f"adamw.{name}.values"] = torch.stack(values)
    return golden


def newton_schulz(update):
    x = update.T if update.shape[0] > update.shape[1] else update
    x = x / max(np.linalg.norm(x), 1e-7)
    a, b, c = COEFFICIENTS
    for _ in range(5):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if update.shape[0] > update.shape[1] else x


def muon_float64(start, grads, nesterov, adjust):
    value, buffer = start.astype(np.float64), np.zeros(start.shape)
    rows, cols = start.shape
    scale = max(1.0, rows / cols) ** 0.5 if adjust == "original" else 0.2 * max(rows, cols) ** 0.5
    values = []
    for grad in grads.astype(np.float64):
        buffer = MOMENTUM * buffer + (1 - MOMENTUM) * grad
        update = (1 - MOMENTUM) * grad + MOMENTUM * buffer if nesterov else buffer
        value = value * (1 - MUON_LR * WEIGHT_DECAY) - MUON_LR * scale * newton_schulz(update)
        values.append(value)
    return np.stack(values)


def muon_torch(start, grads, nesterov, adjust):
    parameter = torch.nn.Parameter(torch.from_numpy(start.copy()))
    optimizer = torch.optim.Muon(
        [parameter], lr=MUON_LR, weight_decay=WEIGHT_DECAY, momentum=MOMENTUM, nesterov=nesterov, adjust_lr_fn=adjust
    )
    values = []
    for grad in grads:
        parameter.grad = torch.from_numpy(grad)
        optimizer.step()
        values.append(parameter.detach().double().numpy().copy())
    return np.stack(values)


def muon(rng):
    golden = {}
    for name, (shape, nesterov, adjust) in CASES.items():
        start = rng.normal(size=shape).astype(np.float32)
        grads = fixed_gradients(rng, shape)
        exact = muon_float64(start, grads, nesterov, adjust)
        moved = np.linalg.norm(exact[-1] - start)
        difference = np.linalg.norm(muon_torch(start, grads, nesterov, adjust)[-1] - exact[-1])
        print(f"muon {name:7} torch (bf16) and float64 differ by {difference / moved:.2e} of the way")
        assert difference < 0.03 * moved, name
        golden[f"muon.{name}.start"] = torch.from_numpy(start)
        golden[f"muon.{name}.grads"] = torch.from_numpy(grads)
        golden[f"muon.{name}.values"] = torch.from_numpy(exact.astype(np.float32))
    return golden


if __name__ == "__main__":
    rng = np.random.default_rng(20)
    golden = adamw(rng) | muon(rng)
    OUT.mkdir(parents=True, exist_ok=True)
    save_tensors(golden, OUT / "optimizer.safetensors")
    print(f"{sum(t.nbytes for t in golden.values())} bytes in {len(golden)} tensors")
