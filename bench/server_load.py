#!/usr/bin/env python3
"""What the server costs beside the model: idle connections, active streams, processor time per streamed token.

    bench/server_load.py build/release/tests/server/scripted_server [--idle 1000] [--active 64]

The model is a script that writes a token every 5 ms; the processor time of the process includes its threads (one per request),
so the figure is an upper bound of what HTTP, JSON and sockets cost.
"""

import argparse
import asyncio
import json
import os
import resource
import subprocess
import time

KEY = "sk-minke-test-key-0"
SECONDS = 5


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def idle(port, counts):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    line = await reader.readline()
    counts["idle"] += line.startswith(b"HTTP/1.1 200")
    return writer


async def active(port, counts, deadline):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = json.dumps({"model": "script", "stream": True, "messages": [{"role": "user", "content": "slow"}]})
    writer.write(f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nx-api-key: {KEY}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    while time.monotonic() < deadline:
        line = await asyncio.wait_for(reader.readline(), 30)
        assert line, "the stream ended"
        counts["tokens"] += line.startswith(b"data:")
    writer.close()


async def measure(port, pid, options):
    counts = {"idle": 0, "tokens": 0}
    writers = await asyncio.gather(*(idle(port, counts) for _ in range(options.idle)))
    assert counts["idle"] == options.idle, counts
    before = cpu_seconds(pid)
    deadline = time.monotonic() + SECONDS
    await asyncio.gather(*(active(port, counts, deadline) for _ in range(options.active)))
    used = cpu_seconds(pid) - before
    for writer in writers:
        writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await writer.drain()
        writer.close()
    print(json.dumps({"idle": options.idle, "active": options.active, "tokens": counts["tokens"], "cpu_us_per_token": round(used / counts["tokens"] * 1e6, 1)}))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("server")
    parser.add_argument("--idle", type=int, default=1000)
    parser.add_argument("--active", type=int, default=64)
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    server = subprocess.Popen([options.server], stdout=subprocess.PIPE, text=True)
    try:
        port = int(server.stdout.readline().rsplit(":", 1)[1])
        asyncio.run(measure(port, server.pid, options))
    finally:
        server.terminate()
        server.wait(60)


main()
