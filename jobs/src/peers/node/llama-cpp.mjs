// Drives llama.cpp for the benchmark: commands on standard input, answers on standard output, a JSON
// object a line.
//   {"load": {"model": FILE, "threads": N, "sequences": N, "contextSize": N}} -> {"loaded": true}
//   {"id": N, "tokens": [IDS], "maxTokens": N} -> {"id": N, "first": ID} as soon as it is there,
//      then {"id": N, "tokens": [IDS]}: a message a token would take time from the model's threads
//   {"memory": true} -> {"residentBytes": N}, once what is unused has been collected
import {createInterface} from "node:readline";
import {getLlama, LlamaLogLevel} from "node-llama-cpp";

const llama = await getLlama({
    gpu: false,
    build: "never",
    skipDownload: true,
    maxThreads: 0,
    logLevel: LlamaLogLevel.error,
    progressLogs: false
});
const free = [];
const waiting = [];
let stepping = false;

function answer(object) {
    process.stdout.write(JSON.stringify(object) + "\n");
}

async function load({model, threads, sequences, contextSize}) {
    const opened = await llama.loadModel({modelPath: model});
    const context = await opened.createContext({sequences, contextSize, threads});
    for (let i = 0; i < sequences; i++) {
        free.push(context.getSequence());
    }
    answer({loaded: true});
}

function complete(request) {
    waiting.push({...request, written: []});
    if (!stepping) {
        stepping = true;
        run().catch(fail);
    }
}

/** All requests take their steps together, so that they share every batch; new ones join between. */
async function run() {
    let running = [];
    while (running.length + waiting.length > 0) {
        while (free.length > 0 && waiting.length > 0) {
            const request = waiting.shift();
            request.sequence = free.pop();
            await request.sequence.clearHistory();
            running.push(request);
        }
        await Promise.all(running.map(step));
        running = running.filter(request => request.written.length < request.maxTokens);
    }
    stepping = false;
}

/** Takes the prompt, or the token that was written last, and writes the next one. */
async function step(request) {
    const {id, tokens, written, sequence, maxTokens} = request;
    const input = written.length === 0 ? [...tokens] : [written.at(-1)];
    input.push([input.pop(), {generateNext: {token: true, options: {temperature: 0}}}]);
    const outputs = await sequence.controlledEvaluate(input);
    written.push(outputs[input.length - 1].next.token);
    if (written.length === 1) {
        answer({id, first: written[0]});
    }
    if (written.length === maxTokens) {
        answer({id, tokens: written});
        free.push(sequence);
    }
}

function fail(error) {
    answer({error: String(error?.stack ?? error)});
}

function memory() {
    globalThis.gc?.();
    answer({residentBytes: process.memoryUsage.rss()});
}

async function carryOut(command) {
    if (command.load) {
        await load(command.load);
    } else if (command.memory) {
        memory();
    } else {
        complete(command);
    }
}

answer({started: llama.llamaCppRelease.release});
for await (const line of createInterface({input: process.stdin})) {
    carryOut(JSON.parse(line)).catch(fail);
}
process.exit(0);
