"""Whether PEFT reads an adapter of minke and means the same by it.

  python check_lora.py BASE ADAPTER MERGED

BASE: a model folder; ADAPTER: a checkpoint of a [lora] run on it; MERGED: `minke convert BASE MERGED --lora ADAPTER --dtype f32`.
Compares the logits of transformers with PEFT's adapter on BASE with those of transformers on MERGED. Needs peft beside what
the goldens need.
"""
import sys

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM


def logits(model, tokens):
    with torch.no_grad():
        return model(tokens).logits.double()


def main():
    base, adapter, merged = sys.argv[1:]
    plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    tokens = torch.tensor([[(i * 37 + 5) % plain.config.vocab_size for i in range(21)]])
    before = logits(plain, tokens)
    adapted = logits(PeftModel.from_pretrained(plain, adapter), tokens)
    expected = logits(AutoModelForCausalLM.from_pretrained(merged, dtype=torch.float32), tokens)
    change = ((adapted - before).norm() / before.norm()).item()
    difference = ((adapted - expected).norm() / expected.norm()).item()
    print(f"the adapter moves the logits by {change:.3g}; PEFT and the merged model differ by {difference:.3g}")
    # A merged weight is rounded once more than the sum of two products.
    if change < 1e-2 or difference > 2e-5:
        sys.exit("PEFT does not mean the same")


if __name__ == "__main__":
    main()
