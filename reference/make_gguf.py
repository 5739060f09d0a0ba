"""Writes the GGUF goldens: files made by the real converters from the tiny checkpoints, and two quantised models.

    python reference/make_gguf.py --mainline DIR [--ik DIR]

DIR holds convert_hf_to_gguf.py and gguf-py/ of ggml-org/llama.cpp (the vendor/llama.cpp folder of the llama-cpp-python
source package will do) and of ikawrakow/ik_llama.cpp. Every file is read back (gguf_weights.py) and must hold the
very numbers of the checkpoint, so the case's golden.safetensors is what it must compute.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import gguf
import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

import checkpoint
import gguf_weights
import make_models
from cases import deepseek_v3, qwen3, yarn

OUT = make_models.OUT
HERE = Path(__file__).resolve().parent
# case, converter, --outtype (chosen so that nothing is rounded), pre-tokenizer name
CONVERSIONS = [
    ("llama_llama3rope", "mainline", "bf16", "llama-bpe"),
    ("llama_linear", "mainline", "bf16", "llama-bpe"),
    ("llama_bias", "mainline", "bf16", "llama-bpe"),
    ("llama_headdim", "mainline", "f16", "llama-bpe"),
    ("qwen2_tied", "mainline", "bf16", "qwen2"),
    ("qwen2_yarn", "mainline", "bf16", "deepseek-r1-qwen"),
    ("qwen3", "mainline", "f32", "qwen2"),
    ("deepseek_v2_lite", "mainline", "bf16", "deepseek-llm"),
    ("deepseek_v3", "mainline", "bf16", "deepseek-v3"),
    ("kimi_k2", "mainline", "bf16", "kimi-k2"),
    ("deepseek_v2_lite", "ik", "bf16", "deepseek-llm"),
    ("deepseek_v3", "ik", "bf16", "deepseek-v3"),
    ("moonlight", "ik", "bf16", "kimi-k2"),
]
Q8_CASE = "deepseek_v3_gguf_q8_0"
Q8_CONFIG = deepseek_v3(
    hidden_size=64, intermediate_size=96, moe_intermediate_size=32, q_lora_rank=32, kv_lora_rank=64, qk_nope_head_dim=32,
    qk_rope_head_dim=16, v_head_dim=32, num_attention_heads=2, num_key_value_heads=2, num_hidden_layers=2, n_routed_experts=8,
    n_group=2, topk_group=1, num_experts_per_tok=3, rope_scaling=yarn(40, 16, mscale=1.0, mscale_all_dim=1.0),
)  # fmt: skip
MIXED_CASE = "qwen3_gguf_mixed"
MIXED_CONFIG = qwen3(
    hidden_size=256, intermediate_size=256, num_attention_heads=2, num_key_value_heads=1, head_dim=64, num_hidden_layers=2,
    rope_theta=1000000.0, vocab_size=96,
)  # fmt: skip
# every type in one file; rows of attn_output are shorter than the 256 of a superblock
MIXED_TYPES = {
    "token_embd": "Q8_0", "output": "Q6_K", "blk.0.attn_q": "Q4_K", "blk.0.attn_k": "Q5_K", "blk.0.attn_v": "Q6_K",
    "blk.0.attn_output": "IQ4_NL", "blk.0.ffn_gate": "Q3_K", "blk.0.ffn_up": "Q2_K", "blk.0.ffn_down": "IQ4_XS",
    "blk.1.attn_q": "Q5_0", "blk.1.attn_k": "BF16", "blk.1.attn_v": "F16", "blk.1.attn_output": "Q4_1",
    "blk.1.ffn_gate": "Q4_K", "blk.1.ffn_up": "Q4_0", "blk.1.ffn_down": "Q5_1",
}  # fmt: skip


# ---------------------------------------------------------------------------------------------- real converters
def write_toy_tokenizer(directory, config):
    """Byte-level BPE over printable ASCII: enough for a converter to have something to copy."""
    special = sorted({config["bos_token_id"], config["eos_token_id"]})
    words = [chr(c) for c in range(33, 127)] + ["Ġ", "Ċ", "Ġt", "he", "in", "Ġthe"]
    merges = [("Ġ", "t"), ("h", "e"), ("i", "n"), ("Ġt", "he")]
    free = [i for i in range(config["vocab_size"]) if i not in special]
    vocab = dict(zip(words, free, strict=False)) | {f"<special{i}>": i for i in special}
    vocab = {word: index for word, index in vocab.items() if index < config["vocab_size"]}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer.add_special_tokens([f"<special{i}>" for i in special])
    tokenizer.save(str(directory / "tokenizer.json"))
    names = {"bos_token": f"<special{config['bos_token_id']}>", "eos_token": f"<special{config['eos_token_id']}>"}
    settings = names | {"tokenizer_class": "PreTrainedTokenizerFast"}
    (directory / "tokenizer_config.json").write_text(checkpoint.json.dumps(settings))


def convert(converter_dir, config, stored, out_type, pre_tokenizer, out_path):
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch) / out_path.parent.parent.name  # the converter writes this name into the file
        checkpoint.write_checkpoint(directory, config, stored)
        write_toy_tokenizer(directory, config)
        out_path.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, HERE / "run_converter.py", converter_dir, pre_tokenizer, directory]
        command += ["--outtype", out_type, "--outfile", out_path]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"})
        assert done.returncode == 0, done.stderr[-3000:]


def convert_case(name, converter, converter_dir, out_type, pre_tokenizer):
    config, _, stored = make_models.case_weights(name)
    if config["model_type"] == "kimi_k2":
        config = config | {"model_type": "deepseek_v3"}  # transformers' tokenizer loader, used inside, knows no kimi_k2
    out_path = OUT / name / "gguf" / f"{converter}_{out_type}.gguf"
    convert(converter_dir, config, stored, out_type, pre_tokenizer, out_path)
    expected = {key: value.float() for key, value in stored.items() if not is_mtp(key, config)}
    found = gguf_weights.hub_weights(out_path, config)
    assert found.keys() == expected.keys(), found.keys() ^ expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in found), "the converter changed a value"
    keys = gguf_weights.read_keys(out_path)
    if config.get("n_group", 1) > 1 and not any(key.endswith("expert_group_count") for key in keys):
        write_ungrouped_golden(config, expected, name, out_path)
    print(f"{name:24} {out_path.name:20} {out_path.stat().st_size / 1000:5.0f} kB", flush=True)


def is_mtp(name, config):
    return name.startswith(f"model.layers.{config['num_hidden_layers']}.")


def write_ungrouped_golden(config, weights, name, out_path):
    """A file without group keys asks for a plain top-k over all experts: other experts, so other logits."""
    plain = config | {"n_group": 1, "topk_group": 1, "num_nextn_predict_layers": 0}
    exact = {key: value.double() for key, value in weights.items()}
    sequences, runs, _ = make_models.tokens_with_clear_choices(
        plain, exact, make_models.DEFAULT_LENGTHS, make_models.case_seed(name)
    )
    golden, _ = make_models.make_golden(plain, weights, sequences, runs)
    golden = {key: value for key, value in golden.items() if key.startswith(("tokens.", "logits."))}
    checkpoint.save_tensors(golden, out_path.with_suffix(".golden.safetensors"))


def make_classic_case(name):
    """The deepseek2 form of 2024: attn_kv_b alone, and no keys for gating function and weight norm (then: softmax, no)."""
    source = gguf.GGUFReader(OUT / name / "gguf" / "ik_bf16.gguf")
    path = OUT / name / "gguf" / "classic_bf16.gguf"
    writer = gguf.GGUFWriter(path, "deepseek2")
    for key, field in source.fields.items():
        if not key.startswith("GGUF.") and not key.endswith(("architecture", "expert_gating_func", "expert_weights_norm")):
            writer.add_key_value(key, field.contents(), *field.types[:2])
    for tensor in source.tensors:
        if not tensor.name.endswith(("attn_k_b.weight", "attn_v_b.weight")):
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    write_out(writer)
    config, _, stored = make_models.case_weights(name)
    found = gguf_weights.hub_weights(path, config)
    assert all(torch.equal(found[key], value.float()) for key, value in stored.items())
    print(f"{name:24} {path.name:20} {path.stat().st_size / 1000:5.0f} kB", flush=True)


def write_out(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


# ---------------------------------------------------------------------------------------------- quantised models
def write_quantised_golden(name, config, weights):
    exact = {key: value.double() for key, value in weights.items()}
    sequences, runs, smallest = make_models.tokens_with_clear_choices(config, exact, [1, 5, 11], make_models.case_seed(name))
    golden, worst = make_models.make_golden(config, weights, sequences, runs)
    checkpoint.save_tensors(golden, OUT / name / "golden.safetensors")
    make_models.report(name, golden, worst, smallest, "")


def make_q8_case(converter_dir):
    """DeepSeek-V3 as Q8_0 by the real converter: stacked quantised experts, quantised attn_k_b."""
    weights = checkpoint.random_weights(Q8_CONFIG, make_models.case_seed(Q8_CASE), {})
    stored = checkpoint.stored_tensors(weights, {})
    out_path = OUT / Q8_CASE / "gguf" / "mainline_q8_0.gguf"
    convert(converter_dir, Q8_CONFIG, stored, "q8_0", "deepseek-v3", out_path)
    found = gguf_weights.hub_weights(out_path, Q8_CONFIG)
    worst = max((found[key] - weights[key]).abs().max() / weights[key].abs().max() for key in found)
    assert worst < 0.01, f"dequantised weights are off by {worst}"
    write_quantised_golden(Q8_CASE, Q8_CONFIG, found)


def random_quantised(type_name, shape, scale, rng):
    """Random blocks of a type with about the given standard deviation: bytes as gguf-py wants them."""
    qtype = gguf.GGMLQuantizationType[type_name]
    if type_name == "BF16":
        return gguf.quants.quantize(rng.normal(size=shape).astype(np.float32) * scale, qtype)
    if type_name == "F16":
        return (rng.normal(size=shape) * scale).astype(np.float16)
    block, block_bytes = gguf.GGML_QUANT_SIZES[qtype]
    blocks = rng.integers(0, 256, (shape[0], shape[1] // block, block_bytes), dtype=np.uint8)
    # where the f16 fields are, and the second one as a multiple of the first that centres the values on 0
    d, second, ratio = {
        "Q2_K": (80, 82, 1.5), "Q3_K": (108, None, 0), "Q4_K": (0, 2, 7.5), "Q5_K": (0, 2, 15.5), "Q6_K": (208, None, 0),
        "Q4_1": (0, 2, -7.5), "Q5_1": (0, 2, -15.5),
    }.get(type_name, (0, None, 0))  # fmt: skip

    def fill(unit):
        units = (unit * rng.uniform(0.8, 1.2, blocks.shape[:2])).astype(np.float16)
        blocks[..., d : d + 2] = units[..., None].view(np.uint8)
        if second is not None:
            blocks[..., second : second + 2] = (units * np.float16(ratio))[..., None].view(np.uint8)

    fill(0.01)
    fill(0.01 * scale / gguf.quants.dequantize(blocks, qtype).std())
    return blocks.reshape(shape[0], -1)


def make_mixed_case():
    """A qwen3 model in which every supported block format occurs, written with gguf-py."""
    config, rng = MIXED_CONFIG, np.random.default_rng(3)
    (OUT / MIXED_CASE / "gguf").mkdir(parents=True, exist_ok=True)
    path = OUT / MIXED_CASE / "gguf" / "mixed.gguf"
    writer = gguf.GGUFWriter(path, "qwen3")
    write_qwen3_keys(writer, config)
    hub_to_gguf = {name: part for part, name in (gguf_weights.DENSE | gguf_weights.TOP).items()}
    for name, value in checkpoint.random_weights(config, make_models.case_seed(MIXED_CASE), {}).items():
        prefix, stem = "", name.removesuffix(".weight")
        if stem.startswith("model.layers."):
            prefix, stem = f"blk.{stem.split('.')[2]}.", stem.split(".", 3)[3]
        gguf_name = prefix + hub_to_gguf[stem]
        if value.dim() == 1:
            writer.add_tensor(gguf_name + ".weight", value.numpy())
            continue
        type_name = MIXED_TYPES[gguf_name]
        data = random_quantised(type_name, value.shape, value.std().item(), rng)
        writer.add_tensor(gguf_name + ".weight", data, raw_dtype=gguf.GGMLQuantizationType[type_name])
    write_out(writer)
    write_quantised_golden(MIXED_CASE, config, gguf_weights.hub_weights(path, config))


def write_qwen3_keys(writer, config):
    writer.add_name(MIXED_CASE)
    writer.add_quantization_version(2)
    writer.add_vocab_size(config["vocab_size"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])


if __name__ == "__main__":
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser()
    parser.add_argument("--mainline", required=True)
    parser.add_argument("--ik")
    converter_dirs = vars(parser.parse_args())
    for case, converter, out_type, pre_tokenizer in CONVERSIONS:
        if converter_dirs[converter]:
            convert_case(case, converter, converter_dirs[converter], out_type, pre_tokenizer)
    if converter_dirs["ik"]:
        make_classic_case("deepseek_v2_lite")
    make_q8_case(converter_dirs["mainline"])
    make_mixed_case()
