#!/usr/bin/env python3
"""Aggregate decoding of several requests at once through /v1/completions, minke beside another server on the same file, in turns.

    bench/server_throughput.py MODEL.gguf --minke build/release/minke --other "llama-server -m MODEL.gguf -t 2 -np 8 -c 16384 --port PORT" [-n 8]

Each server runs alone. A round sends N requests with prompts of their own at the same moment and asks for --tokens each. Its rate is that of
decoding: all tokens but each one's first, from the moment when the last request got its first token to the end; "with_prompts" counts all tokens
from the first request on. Prints a row of each server and the ratio of medians. With --prefix TOKENS it
also measures the time to the first token of a prompt of about so many tokens, first seen and seen again (minke).
"""

import argparse
import json
import re
import shlex
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def post(port, body, timeout=600):
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})
    return urllib.request.urlopen(request, timeout=timeout)


class Server:
    def __init__(self, name, command, port):
        self.name, self.port = name, port
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(1200):
            try:
                if urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).status == 200:
                    return
            except OSError:
                if self.process.poll() is not None:
                    sys.exit(f"{name} ended with {self.process.returncode}: {shlex.join(command)}")
                time.sleep(0.1)
        sys.exit(f"{name} was not ready within two minutes")

    def stop(self):
        self.process.terminate()
        self.process.wait(60)


def text(seed, n_bytes):
    words, state = [], seed * 7919 + 1
    while sum(map(len, words)) + len(words) < n_bytes:
        state = (state * 1103515245 + 12345) % 2**31
        words.append("".join(chr(97 + (state >> s) % 26) for s in (3, 8, 13, 18)))
    return " ".join(words)


def one(server, seed, n_tokens):
    # As a stream: with random weights tokens are no whole characters, which not every server can put into one JSON text.
    made, times = 0, []
    body = {"prompt": text(seed, 60), "max_tokens": n_tokens, "temperature": 0, "stream": True, "stream_options": {"include_usage": True}}
    with post(server.port, body) as reply:
        for line in reply:
            if line.startswith(b"data: {"):
                times.append(time.monotonic())
                usage = json.loads(line[6:]).get("usage")
                made = usage["completion_tokens"] if usage else made
    if made != n_tokens:
        sys.exit(f"{server.name}: a reply of {made} tokens, expected {n_tokens}")
    return made, times


def round_of(server, n_requests, n_tokens, seed):
    """Tokens a second of decoding, and of everything."""
    with ThreadPoolExecutor(n_requests) as pool:
        begin = time.monotonic()
        replies = list(pool.map(lambda i: one(server, seed * 1000 + i, n_tokens), range(n_requests)))
    end = max(times[-1] for _, times in replies)
    together = max(times[0] for _, times in replies)
    # A chunk may hold several tokens, or none that is whole: a request's tokens are spread evenly over its chunks.
    decoded = sum(made * sum(t > together for t in times) / len(times) for made, times in replies)
    return decoded / (end - together), sum(made for made, _ in replies) / (end - begin)


def first_token_seconds(server, prompt):
    begin = time.monotonic()
    with post(server.port, {"prompt": prompt, "max_tokens": 2, "temperature": 0, "stream": True}) as reply:
        for line in reply:
            if line.startswith(b"data: "):
                return time.monotonic() - begin
    sys.exit("no token came")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--minke", default="build/release/minke")
    parser.add_argument("--other", help="the other server's command; MODEL and PORT are filled in")
    parser.add_argument("-n", "--requests", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--prefix", type=int, default=0)
    options = parser.parse_args()

    def minke():
        port = free_port()
        return Server("minke", [options.minke, "serve", options.model, "--port", str(port)], port)

    def other():
        port = free_port()
        return Server("other", [word.replace("MODEL", options.model).replace("PORT", str(port)) for word in shlex.split(options.other)], port)

    rates = {}
    for turn in range(2 if options.other else 1):
        for start in [minke] + ([other] if options.other else []):
            server = start()
            round_of(server, options.requests, 8, 99)
            for i in range(options.rounds):
                rates.setdefault(server.name, []).append(round_of(server, options.requests, options.tokens, turn * 100 + i))
            server.stop()
    for name, found in rates.items():
        print(json.dumps({"server": name, "requests": options.requests, "tokens": options.tokens, "tokens_per_s": round(statistics.median(d for d, _ in found), 2), "with_prompts": round(statistics.median(w for _, w in found), 2), "samples": [round(d, 2) for d, _ in found]}))
    if options.other:
        ratio = [statistics.median(r[i] for r in rates["minke"]) / statistics.median(r[i] for r in rates["other"]) for i in range(2)]
        print(json.dumps({"ratio_of_medians": round(ratio[0], 3), "with_prompts": round(ratio[1], 3)}))
    if options.prefix > 0:
        server = minke()
        first_token_seconds(server, "warm up")
        rows = []
        for i in range(3):
            prompt = text(5000 + i, options.prefix * 3)
            cold = first_token_seconds(server, prompt)
            warm = statistics.median(first_token_seconds(server, prompt + f" and {k}") for k in range(3))
            rows.append((cold, warm))
        metrics = urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics").read().decode()
        tokens = [float(x) for x in re.findall(r"^vllm:prompt_tokens_total\S* (\S+)$", metrics, re.M)]
        server.stop()
        cold, warm = statistics.median(r[0] for r in rows), statistics.median(r[1] for r in rows)
        print(json.dumps({"prompt_tokens_all": sum(tokens), "first_token_s": round(cold, 4), "first_token_again_s": round(warm, 4), "share": round(warm / cold, 4)}))


if __name__ == "__main__":
    main()
