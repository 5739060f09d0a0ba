"""Writes tests/goldens/MANIFEST.json: sha256 of every golden, the script that made it and the versions it used.

python reference/make_manifest.py           write it
python reference/make_manifest.py --check   exit code 1 if a file is missing, changed or not listed
"""

import hashlib
import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GOLDENS = ROOT / "tests" / "goldens"
MANIFEST = GOLDENS / "MANIFEST.json"
PACKAGES = ["torch", "transformers", "tokenizers", "safetensors", "gguf", "numpy", "tensorboard"]
CONVERTERS = {
    "mainline": "convert_hf_to_gguf.py of ggml-org/llama.cpp, from the source package llama-cpp-python 0.3.36",
    "ik": "convert_hf_to_gguf.py of ikawrakow/ik_llama.cpp at 8337e4cd3861406fc04e0854b1409cd1b027fbc9",
}
GRADIENTS = "transformers with autograd in float64; minimal_model.py agrees to the number two_models_differ in loss.json"


def made_by(path):
    if path.parts[0] == "dequant":
        return {"script": "reference/make_dequant.py"}
    if path.parts[0] in ("optimizer", "quantize", "rl"):
        return {"script": f"reference/make_{path.parts[0]}.py"}
    if path.parts[0] == "grads":
        gradients = {"gradients": GRADIENTS} if path.name in ("grads.safetensors", "loss.json", "steps.json") else {}
        return {"script": "reference/make_grads.py"} | gradients
    if path.parts[0] == "events":
        return {"script": "reference/make_events.py"}
    if "gguf" in path.parts or "_gguf_" in path.parts[1]:
        converter = CONVERTERS.get(path.name.split("_")[0])
        return {"script": "reference/make_gguf.py"} | ({"converter": converter} if converter else {})
    return {"script": "reference/make_models.py"}


def digests():
    folders = ("models", "dequant", "optimizer", "quantize", "grads", "events", "rl")
    files = [path for folder in folders for path in (GOLDENS / folder).rglob("*") if path.is_file()]
    return {path.relative_to(GOLDENS).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)}


def check():
    listed = {name: entry["sha256"] for name, entry in json.loads(MANIFEST.read_text())["files"].items()}
    found = digests()
    wrong = sorted(name for name in listed.keys() | found.keys() if listed.get(name) != found.get(name))
    for name in wrong:
        print(f"{name}: {'changed' if name in listed and name in found else 'missing' if name in listed else 'not listed'}")
    sys.exit(bool(wrong))


def write():
    versions = {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}
    files = {name: {"sha256": digest} | made_by(Path(name)) for name, digest in digests().items()}
    MANIFEST.write_text(json.dumps({"versions": versions, "files": files}, indent=1) + "\n")
    print(f"{len(files)} files listed in {MANIFEST.relative_to(ROOT)}")


if __name__ == "__main__":
    check() if "--check" in sys.argv else write()
