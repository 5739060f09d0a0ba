#!/usr/bin/env python3
"""A training step of minke beside PyTorch's on the same shape: 8 rows of 256 tokens, AdamW, f32, the threads said.

Every round runs each program once, in an order that rotates; what counts is the median over rounds of PyTorch's time divided
by minke's of the same round. PyTorch runs the official model of transformers (whose experts it calls one by one), and whatever
script is given with --torch (called with the name moe and a number of steps; it prints "step ms median X"), such as one written
for speed.

    bench/training/compare.py --bench build/release/bench/training/bench_training [--torch SCRIPT.py] [--output FILE.jsonl]
    bench/training/compare.py --bench ... --only-minke CONFIG.json:ROWS ...     rows of minke alone, of other shapes
"""

import argparse
import datetime
import json
import os
import re
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
CONFIG = os.path.join(HERE, "moe.json")
STEPS = 7

TRANSFORMERS = """
import sys, time, json, statistics, torch
from transformers import AutoModelForCausalLM, DeepseekV3Config
torch.set_num_threads(int(sys.argv[2])); torch.manual_seed(0)
model = AutoModelForCausalLM.from_config(DeepseekV3Config(**json.load(open(sys.argv[1]))), dtype=torch.float32).train()
model.config.use_cache = False
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
times = []
for step in range(int(sys.argv[3])):
    ids = torch.randint(0, model.config.vocab_size, (8, 257))
    start = time.perf_counter()
    optimizer.zero_grad(set_to_none=True)
    logits = model(ids[:, :-1]).logits
    torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten()).backward()
    optimizer.step()
    times.append(1e3 * (time.perf_counter() - start))
print("step ms median", statistics.median(times[1:]))
"""


def run(command):
    """What it prints, and its peak resident memory in bytes."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise RuntimeError(f"{command[0]}: status {status}")
    return output, usage.ru_maxrss * 1024


class Minke:
    name = "minke"

    def __init__(self, options):
        self.command = [options.bench, CONFIG, "8", "256", str(STEPS)]
        self.row = {}

    def step(self):
        output, memory = run(self.command)
        self.row = json.loads(output.splitlines()[-1])
        return self.row["step_ms"], memory


class Torch:
    def __init__(self, name, command):
        self.name, self.command = name, command

    def step(self):
        output, memory = run(self.command)
        return float(re.search(r"step ms median ([0-9.]+)", output).group(1)), memory


def about(options):
    commit = subprocess.run(["git", "-C", HERE, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True).stdout.strip()
    with open("/proc/cpuinfo") as file:
        cpu = re.search(r"model name\s*: (.*)", file.read()).group(1)
    return {"commit": commit, "machine": {"cpu": cpu, "threads": options.threads},
            "time": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")}


def compare(options):
    engines = [Minke(options), Torch("transformers", [sys.executable, "-c", TRANSFORMERS, CONFIG, str(options.threads), str(STEPS)])]
    if options.torch:
        engines.append(Torch("torch " + os.path.basename(options.torch), [sys.executable, options.torch, "moe", str(STEPS)]))
    times, memory, shares = {e.name: [] for e in engines}, {e.name: 0 for e in engines}, []
    for i in range(options.rounds):
        for engine in engines[i % len(engines):] + engines[:i % len(engines)]:
            ms, used = engine.step()
            times[engine.name].append(ms)
            memory[engine.name] = max(memory[engine.name], used)
            if engine.name == "minke":
                shares.append(100 * engine.row["share_of_peak"])
            print(f"  round {i + 1}/{options.rounds} {engine.name:<22} {ms:8.1f} ms", file=sys.stderr)
    facts, rows = about(options), []
    for engine in engines:
        values = times[engine.name]
        row = {"name": "training step", "program": engine.name, "unit": "ms", "median": statistics.median(values),
               "min": min(values), "max": max(values), "samples": values, "peak_memory_bytes": memory[engine.name],
               "command": "bench/training/compare.py", **facts}
        if engine.name == "minke":
            row["percent_of_peak"] = statistics.median(shares)
        rows.append(row)
        print(f"{engine.name:<24} {row['median']:8.1f} ms ({row['min']:.1f} - {row['max']:.1f})  {row['peak_memory_bytes'] / 1e6:.0f} MB"
              + (f"  {row['percent_of_peak']:.0f} % of peak" if "percent_of_peak" in row else ""))
    for engine in engines[1:]:
        ratios = [a / b for a, b in zip(times[engine.name], times["minke"])]
        rows.append({"name": "training step ratio", "program": engine.name, "unit": "its time / minke's of the round",
                     "median": statistics.median(ratios), "min": min(ratios), "max": max(ratios), "samples": ratios,
                     "command": "bench/training/compare.py", **facts})
        print(f"{engine.name + ' / minke':<24} {statistics.median(ratios):8.2f}    ({min(ratios):.2f} - {max(ratios):.2f})")
    return rows


def shapes(options):
    rows = []
    for shape in options.only_minke:
        config, n_rows = shape.rsplit(":", 1)
        samples = []
        for _ in range(options.rounds):
            output, memory = run([options.bench, config, n_rows, "256", str(STEPS)])
            samples.append(json.loads(output.splitlines()[-1]))
        middle = sorted(samples, key=lambda row: row["step_ms"])[len(samples) // 2]
        rows.append({"name": "training step", "program": "minke", "unit": "ms", "median": middle["step_ms"],
                     "samples": [row["step_ms"] for row in samples], "config": os.path.basename(config), "rows": int(n_rows),
                     "mflop_per_token": middle["mflop_per_token"], "percent_of_peak": 100 * middle["share_of_peak"],
                     "peak_memory_bytes": memory, "command": "bench/training/compare.py --only-minke " + shape, **about(options)})
        print(f"{shape:<40} {middle['step_ms']:8.1f} ms  {middle['mflop_per_token']:.1f} MFLOP/token  "
              f"{100 * middle['share_of_peak']:.0f} % of peak  {memory / 1e6:.0f} MB")
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", required=True, metavar="BINARY")
    parser.add_argument("--torch", metavar="SCRIPT.py")
    parser.add_argument("--only-minke", nargs="+", metavar="CONFIG.json:ROWS")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", metavar="FILE.jsonl", help="append the rows to this file")
    options = parser.parse_args()
    rows = shapes(options) if options.only_minke else compare(options)
    if options.output:
        with open(options.output, "a") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)


if __name__ == "__main__":
    main()
