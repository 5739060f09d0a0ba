// POST /api/minke/plan of the mock: what the real planner answered, as recorded in plan.jsonl (one question and its answer a
// line). With MINKE=../build/release/minke in the environment the real one is asked and every answer is recorded, so that
//   MINKE=../build/release/minke node --test --test-concurrency=1 tests/plan.test.mjs
// makes the file anew.
import { execFile } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";

const kFile = new URL("plan.jsonl", import.meta.url).pathname;

// The same text for the same question, whatever the order of its keys.
const keyOf = (value) => JSON.stringify(value, (_key, part) =>
  part !== null && typeof part === "object" && !Array.isArray(part) ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1))) : part);

let recorded = null;
function records() {
  if (recorded === null) {
    const lines = existsSync(kFile) ? readFileSync(kFile, "utf8").split("\n").filter((line) => line !== "") : [];
    recorded = new Map(lines.map((line) => JSON.parse(line)).map((record) => [keyOf(record.question), record]));
  }
  return recorded;
}

function record(question, reply) {
  records().set(keyOf(question), { question, ...reply });
  const lines = [...records().entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => JSON.stringify(one));
  writeFileSync(kFile, lines.join("\n") + "\n");
}

// {answer} or {error}
function askProgram(program, question) {
  return new Promise((resolve) => {
    const child = execFile(program, ["plan", "ask", "-"], { maxBuffer: 1 << 26 }, (failed, out, err) =>
      resolve(failed ? { error: err.trim().replace(/^minke: /, "") } : { answer: JSON.parse(out) }));
    child.stdin.end(JSON.stringify(question));
  });
}

export async function answerPlan(question) {
  const program = process.env.MINKE;
  if (program) {
    const reply = await askProgram(program, question);
    record(question, reply);
    return reply;
  }
  return records().get(keyOf(question)) ?? { error: `the mock has no recorded answer to ${keyOf(question)}; start it with MINKE=PROGRAM` };
}
