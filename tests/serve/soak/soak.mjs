// A soak of `minke serve models/nano`: node soak.mjs PROGRAM MODEL SECONDS. 64 clients ask in mixed lengths, read streams to
// the end or not, hang up, end thoughts, send nonsense; 1,000 connections stay open beside them. It fails when a reply that
// nobody gave up is not whole, when a connection is lost, when memory grows, or when the server does not end by itself.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';

const [program, model, duration] = [process.argv[2], process.argv[3], Number(process.argv[4] ?? 60)];
const nActive = 64, nIdle = 1000;
// Growth of the resident set from its largest in the second quarter to its largest in the last one.
const growthLimit = 1.02;

// Draws that are the same in every run (mulberry32).
let seed = 1;
function random() {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
const draw = (n) => Math.floor(random() * n);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

const faults = [];
const counts = { whole: 0, streamed: 0, hungUp: 0, refused: 0, ended: 0, busy: 0 };
function fault(what) {
  if (faults.length < 20) console.error(`fault: ${what}`);
  faults.push(what);
}

const server = spawn(program, ['--lang', 'en', 'serve', model, '--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
const port = await new Promise((found, failed) => {
  let printed = '';
  server.stdout.on('data', (data) => {
    printed += data;
    const url = /http:\/\/127\.0\.0\.1:(\d+)/.exec(printed);
    if (url) found(Number(url[1]));
  });
  server.on('exit', (code) => failed(new Error(`the server ended with ${code}: ${printed}`)));
});
server.removeAllListeners('exit');
const ended = new Promise((done) => server.on('exit', (code, signal) => done(signal ?? code)));

const agent = new http.Agent({ keepAlive: true, maxSockets: nActive });
const buttons = new http.Agent({ keepAlive: true, maxSockets: 8 });  // what must not wait until a stream has ended
// onData(text, hangUp) may hang up; resolves to {status, text} or null when it did.
function call(path, body, onData = () => {}, through = agent) {
  return new Promise((done, failed) => {
    const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
    let gaveUp = false;
    const request = http.request({ port, path, method: 'POST', agent: through, headers: { 'content-type': 'application/json', 'content-length': bytes.length, 'x-minke': '1' } });
    const hangUp = () => {
      gaveUp = true;
      request.destroy();
      done(null);
    };
    request.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (data) => {
        text += data;
        if (!gaveUp) onData(text, hangUp);
      });
      response.on('end', () => done({ status: response.statusCode, text }));
      response.on('error', (error) => gaveUp || failed(error));
    });
    request.on('error', (error) => gaveUp || failed(error));
    request.end(bytes);
    if (onData === hangUpEarly) setTimeout(hangUp, draw(50));
  });
}
function hangUpEarly() {}

function question() {
  const numbers = Array.from({ length: 3 + draw(2) }, () => 1 + draw(30));
  const text = draw(2) ? `Use ${numbers.join(', ')} to make ${10 + draw(90)}. Each number at most once, with + - * / and parentheses. Reply as 'Answer: expression'.`
    : `${numbers.join(', ')} 중에서 가장 큰 수는?`;
  const before = 'The cat sat on the mat. '.repeat(draw(30));
  const messages = draw(3) ? [] : [{ role: 'system', content: before }];
  messages.push({ role: 'user', content: text });
  return { model: 'nano', messages, max_tokens: 4 + draw(draw(4) ? 60 : 300), seed: draw(1000), temperature: draw(2) ? 0 : 0.8, n: draw(10) ? 1 : 3 };
}

async function whole() {
  const reply = await call('/v1/chat/completions', question());
  if (reply.status === 503) return counts.busy++;
  if (reply.status !== 200 || !JSON.parse(reply.text).choices[0].finish_reason) return fault(`reply ${reply.status}: ${reply.text.slice(0, 200)}`);
  counts.whole++;
}

async function streamed() {
  const limit = draw(3) ? Infinity : 1 + draw(4000);  // bytes after which nobody listens any more
  const endsThought = draw(4) === 0;
  let asked = false;
  const reply = await call('/v1/chat/completions', { ...question(), stream: true }, (text, hangUp) => {
    if (text.length > limit) hangUp();
    const id = endsThought && !asked && /"id":"([^"]+)"/.exec(text);
    if (!id) return;
    asked = true;
    // It may be over by then: 404 is an answer too.
    call(`/api/minke/requests/${id[1]}/end_thinking`, '{}', undefined, buttons).then(
      (r) => (r.status === 200 ? counts.ended++ : r.status === 404 || fault(`end_thinking ${r.status}: ${r.text.slice(0, 200)}`)),
      (error) => fault(`end_thinking: ${error.message}`),
    );
  });
  if (reply === null) return counts.hungUp++;
  if (reply.status === 503) return counts.busy++;
  if (reply.status !== 200 || !reply.text.includes('data: [DONE]')) return fault(`stream ${reply.status}: ...${reply.text.slice(-200)}`);
  counts.streamed++;
}

async function hungUp() {
  await call('/v1/chat/completions', { ...question(), stream: draw(2) === 0 }, hangUpEarly);
  counts.hungUp++;
}

async function nonsense() {
  const bodies = ['{', '[]', '{"messages":[]}', JSON.stringify({ ...question(), temperature: 99 }), '{"a":'.repeat(200)];
  const reply = await call('/v1/chat/completions', bodies[draw(bodies.length)]);
  if (reply.status !== 400 && reply.status !== 422) return fault(`nonsense got ${reply.status}: ${reply.text.slice(0, 200)}`);
  counts.refused++;
}

const begin = Date.now();
const elapsed = () => (Date.now() - begin) / 1000;

// A connection that asks for little, and still does at the end.
class IdleConnection {
  constructor() {
    this.socket = net.connect(port);
    this.replies = 0;
    this.asked = 0;
    this.socket.on('data', (data) => (this.replies += data.toString().split('HTTP/1.1 200').length - 1));
    this.socket.on('error', (error) => fault(`idle connection: ${error.message}`));
    this.socket.on('close', () => this.over || fault(`an idle connection was closed after ${elapsed().toFixed(0)} s`));
  }
  ask() {
    this.asked++;
    this.socket.write('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n');
  }
  end() {
    this.over = true;
    this.socket.destroy();
    if (this.replies !== this.asked) fault(`an idle connection got ${this.replies} of ${this.asked} replies`);
  }
}
const idle = [];
for (let i = 0; i < nIdle; i++) {
  idle.push(new IdleConnection());
  idle[i].ask();
  if (i % 50 === 49) await sleep(10);
}

const memory = [];  // [seconds, bytes]
function note() {
  const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'));
  memory.push([elapsed(), Number(line[1]) * 1024]);
}
const watch = setInterval(note, 250);
const asking = setInterval(() => idle.forEach((connection) => connection.ask()), 20000);

async function client() {
  while (elapsed() < duration) {
    const kind = draw(100);
    try {
      await (kind < 35 ? whole() : kind < 80 ? streamed() : kind < 95 ? hungUp() : nonsense());
    } catch (error) {
      fault(error.message);
      await sleep(100);
    }
  }
}
await Promise.all(Array.from({ length: nActive }, client));
clearInterval(watch);
clearInterval(asking);
idle.forEach((connection) => connection.ask());
for (let i = 0; i < 100 && idle.some((connection) => connection.replies !== connection.asked); i++) await sleep(50);
idle.forEach((connection) => connection.end());

const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
for (let i = 0; i < 100 && !/num_requests_running 0\n/.test(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()); i++) await sleep(100);
const after = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
if (!/num_requests_running 0\n/.test(after)) fault(`requests still run when nobody asks: ${/num_requests_running.*/.exec(after)}`);
agent.destroy();
buttons.destroy();
server.kill('SIGTERM');
const code = await Promise.race([ended, sleep(20000).then(() => 'nothing within 20 s of SIGTERM')]);
if (code !== 0) fault(`the server ended with ${code}`);
if (code !== 0) server.kill('SIGKILL');

const largest = (from, to) => Math.max(...memory.filter(([t]) => t >= from * duration && t < to * duration).map(([, bytes]) => bytes));
const [early, late] = [largest(0.25, 0.5), largest(0.75, 1.01)];
console.log(`${duration} s: ${counts.whole} whole replies, ${counts.streamed} streams, ${counts.hungUp} hung up, ${counts.ended} thoughts ended, ${counts.refused} refused, ${counts.busy} told to come later`);
console.log(`${nActive} clients, ${nIdle} idle connections, ${/vllm:generation_tokens_total\S* (\d+)/.exec(metrics)?.[1]} tokens; memory ${(early / 1e6).toFixed(1)} MB, at the end ${(late / 1e6).toFixed(1)} MB (${((100 * late) / early - 100).toFixed(1)} %)`);
if (late > growthLimit * early) fault(`memory grew by more than ${(100 * growthLimit - 100).toFixed(0)} %`);
if (counts.whole + counts.streamed === 0) fault('no reply was whole');
if (counts.ended === 0 && duration >= 30) fault('no thought was ended');
console.log(faults.length === 0 ? 'no faults' : `${faults.length} faults`);
process.exit(faults.length === 0 ? 0 : 1);
