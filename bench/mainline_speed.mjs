// Speed of llama.cpp through node-llama-cpp, without a sampler, on random tokens; prints {"pp512": tok/s, "tg0": tok/s}.
// node mainline_speed.mjs FOLDER_WITH_NODE_MODULES THREADS N_PROMPT N_GENERATED MODEL.gguf
import {pathToFileURL} from "node:url";
import path from "node:path";

const [folder, threadsText, promptText, generatedText, modelPath] = process.argv.slice(2);
const nThreads = Number(threadsText), nPrompt = Number(promptText), nGenerated = Number(generatedText);
const entry = path.resolve(folder, "node_modules/node-llama-cpp/dist/index.js");
const {getLlama} = await import(pathToFileURL(entry).href);

const llama = await getLlama({gpu: false, build: "never", maxThreads: nThreads, logLevel: "error"});
const model = await llama.loadModel({modelPath: path.resolve(modelPath), gpuLayers: 0, ignoreMemorySafetyChecks: true});
const context = await model.createContext({
  contextSize: nPrompt + nGenerated + 64,
  batchSize: nPrompt,
  threads: {ideal: nThreads, min: nThreads},
  flashAttention: true,
  ignoreMemorySafetyChecks: true
});
const sequence = context.getSequence();

let state = 1n;
function randomToken() {
  state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
  return Number(state >> 33n) % 50000;  // every vocabulary that is measured here has more
}
const randomTokens = n => Array.from({length: n}, randomToken);

async function tokensPerSecond(n, work) {
  await sequence.clearHistory();
  const start = performance.now();
  await work();
  return n / ((performance.now() - start) / 1000);
}
const prefill = () => sequence.evaluateWithoutGeneratingNewTokens(randomTokens(nPrompt));
async function decode() {
  for (let i = 0; i < nGenerated; i++) await sequence.evaluateWithoutGeneratingNewTokens([randomToken()]);
}

await tokensPerSecond(nPrompt, prefill);  // warms up
const speeds = {[`pp${nPrompt}`]: await tokensPerSecond(nPrompt, prefill), tg0: await tokensPerSecond(nGenerated, decode)};
console.log(JSON.stringify(speeds));
process.exit(0);
