"""Compares `minke tokenizer train` with Hugging Face's BpeTrainer on a text, and the ids of both readers of its tokenizer.json.

    reference/check_tokenizer_training.py MINKE TEXT [--vocab-size N]

Both must learn the same merges in the same order, for each pattern. The one known difference: minke stops at pairs that occur once.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import tokenizers
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

SPECIAL = ["<|bos|>", "<|eos|>"]
PATTERNS = ["deepseek-v3", "qwen2", "llama-bpe", "gpt-2", "gpt-4o"]


def train_reference(own: dict, text: str, vocab_size: int) -> dict:
    """A model of BpeTrainer with the normalizer and pre-tokenizer of our file."""
    empty = dict(own, added_tokens=[], post_processor=None, model={"type": "BPE", "vocab": {}, "merges": []})
    tokenizer = Tokenizer.from_str(json.dumps(empty))
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([text], trainer)
    return json.loads(tokenizer.to_str())["model"]


def pair(merge) -> tuple:
    return tuple(merge.split(" ")) if isinstance(merge, str) else tuple(merge)


def check(minke: str, path: str, text: str, pattern: str, vocab_size: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        command = [minke, "tokenizer", "train", path, "--vocab-size", str(vocab_size), "--pre", pattern, "-o", folder]
        subprocess.run(command + ["--bos", SPECIAL[0], "--eos", SPECIAL[1], "--json"], check=True, stdout=subprocess.DEVNULL)
        file = pathlib.Path(folder) / "tokenizer.json"
        own = json.loads(file.read_text(encoding="utf-8"))
        reference = train_reference(own, text, vocab_size)
        ours = [pair(m) for m in own["model"]["merges"]]
        theirs = [pair(m) for m in reference["merges"]]
        same = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)))
        vocab_same = own["model"]["vocab"] == reference["vocab"]
        ids = Tokenizer.from_file(str(file)).encode(text, add_special_tokens=False).ids
        row = json.dumps({"text": text}, ensure_ascii=False)
        result = subprocess.run([minke, "tokenize", "-m", folder, "--jsonl"], input=row, text=True, check=True, capture_output=True)
        ids_same = json.loads(result.stdout)["ids"] == ids
        print(f"{pattern}: {same} of {len(ours)} merges the same (theirs: {len(theirs)}), vocabulary "
              f"{'the same' if vocab_same else 'DIFFERS'}, {len(ids)} ids {'the same' if ids_same else 'DIFFER'}")
        return 0 if same == len(ours) == len(theirs) and vocab_same and ids_same else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("minke")
    parser.add_argument("text")
    parser.add_argument("--vocab-size", type=int, default=1000)
    flags = parser.parse_args()
    text = pathlib.Path(flags.text).read_text(encoding="utf-8")
    print(f"tokenizers {tokenizers.__version__}")
    return max(check(flags.minke, flags.text, text, pattern, flags.vocab_size) for pattern in PATTERNS)


if __name__ == "__main__":
    sys.exit(main())
