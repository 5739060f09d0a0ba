#!/usr/bin/env python3
"""minke beside llama.cpp and ik_llama.cpp on the same GGUF file: prefill of 512 tokens and decode of 48 from an empty cache.

Every round starts every engine once, in an order that rotates, so that a phase in which the machine is slow meets all of
them; what counts is the median over rounds of minke's speed divided by that of the better peer of the same round.

    bench/compare.py --minke build/release/minke --ik ik_llama.cpp/build/bin/llama-bench --mainline FOLDER model.gguf
    bench/compare.py ... --rounds 5 --output bench/results/comparison.jsonl model.gguf

--ik      llama-bench of ik_llama.cpp, run with and without run-time repacking (-rtr 1); MLA models with -mla 3 -fmoe 1
--mainline  a folder in which `npm install node-llama-cpp` was run: llama.cpp with its prebuilt CPU binary
"""

import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys

N_PROMPT, N_GENERATED = 512, 48
HERE = os.path.dirname(os.path.abspath(__file__))


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit code {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stdout


class Minke:
    name = "minke"

    def __init__(self, options):
        self.command = [options.minke, "bench", "-t", str(options.threads), "-r", "1", "--json", "--only", "pp512,tg0"]
        self.rows = {}  # the last round's, for what they say about machine and model

    def speeds(self, model):
        self.rows = {row["name"]: row for row in map(json.loads, run(self.command + [model]).splitlines())}
        return {name: self.rows[name]["median"] for name in ("pp512", "tg0")}

    def peak_shares(self):
        return {name: row["percent_of_peak"] for name, row in self.rows.items() if row.get("percent_of_peak") is not None}


class IkLlama:
    def __init__(self, options, repacks, is_mla):
        self.name = "ik_llama.cpp" + (" -rtr 1" if repacks else "")
        self.command = [options.ik, "-t", str(options.threads), "-p", str(N_PROMPT), "-n", str(N_GENERATED), "-r", "1",
                        "-fa", "1", "-rtr", "1" if repacks else "0", "-o", "json"]
        if is_mla:
            self.command += ["-mla", "3", "-fmoe", "1"]

    def speeds(self, model):
        text = run(self.command + ["-m", model])
        rows = json.loads(text[text.index("["):])
        return {"pp512" if row["n_prompt"] > 0 else "tg0": row["avg_ts"] for row in rows}


class Mainline:
    name = "llama.cpp"

    def __init__(self, options):
        script = os.path.join(HERE, "mainline_speed.mjs")
        self.command = ["node", script, options.mainline, str(options.threads), str(N_PROMPT), str(N_GENERATED)]

    def speeds(self, model):
        return json.loads(run(self.command + [model]).splitlines()[-1])


def engines_of(options, model_row):
    engines = [Minke(options)]
    is_mla = model_row["architecture"].startswith(("deepseek_v", "kimi"))
    if options.ik:
        engines += [IkLlama(options, False, is_mla), IkLlama(options, True, is_mla)]
    if options.mainline:
        engines.append(Mainline(options))
    return engines


def short_command(command):
    return " ".join(os.path.basename(part) if os.sep in part else part for part in command)


def row_of(engine, name, samples, about):
    return {"name": name, "unit": "tok/s", "median": statistics.median(samples), "min": min(samples), "max": max(samples),
            "samples": samples, "program": engine.name, "command": short_command(engine.command), **about}


def compare(options, model):
    minke = Minke(options)
    minke.speeds(model)  # brings the file into the page cache, and says what machine and model are
    about = {key: minke.rows["pp512"][key] for key in ("commit", "machine", "model")}
    about["time"] = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    engines = engines_of(options, about["model"])
    rounds = []
    shares = []
    for i in range(options.rounds):
        speeds = {}
        for engine in engines[i % len(engines):] + engines[:i % len(engines)]:
            speeds[engine.name] = engine.speeds(model)
            if isinstance(engine, Minke):
                shares.append(engine.peak_shares())
            print(f"  round {i + 1}/{options.rounds} {engine.name:<22} pp512 {speeds[engine.name]['pp512']:8.2f}"
                  f"  tg0 {speeds[engine.name]['tg0']:7.2f}", file=sys.stderr)
        rounds.append(speeds)
    rows = []
    print(os.path.basename(model))
    for name in ("pp512", "tg0"):
        for engine in engines:
            row = row_of(engine, name, [speeds[engine.name][name] for speeds in rounds], about)
            if engine.name == "minke":
                known = [share[name] for share in shares if name in share]
                row["percent_of_peak"] = statistics.median(known) if known else None
            rows.append(row)
            share = row.get("percent_of_peak")
            print(f"  {name:<6} {engine.name:<22} {row['median']:8.2f} tok/s ({row['min']:.2f} - {row['max']:.2f})"
                  + (f"  {share:.0f} % of peak" if share is not None else ""))
        peers = [engine.name for engine in engines[1:]]
        if peers:
            ratios = [speeds["minke"][name] / max(speeds[peer][name] for peer in peers) for speeds in rounds]
            rows.append({"name": name + " ratio", "unit": "minke / best peer of the round", "median": statistics.median(ratios),
                         "min": min(ratios), "max": max(ratios), "samples": ratios, "program": "compare.py", **about})
            print(f"  {name:<6} minke / best peer     {statistics.median(ratios):8.2f}       ({min(ratios):.2f} - {max(ratios):.2f})")
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL.gguf")
    parser.add_argument("--minke", required=True, metavar="BINARY")
    parser.add_argument("--ik", metavar="BINARY")
    parser.add_argument("--mainline", metavar="FOLDER")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", metavar="FILE.jsonl", help="append the rows to this file")
    options = parser.parse_args()
    for model in options.models:
        rows = compare(options, model)
        if options.output:
            with open(options.output, "a") as file:
                file.writelines(json.dumps(row) + "\n" for row in rows)


if __name__ == "__main__":
    main()
