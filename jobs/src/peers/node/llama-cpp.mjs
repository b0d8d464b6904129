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
let context;

function answer(object) {
    process.stdout.write(JSON.stringify(object) + "\n");
}

async function load({model, threads, sequences, contextSize}) {
    const opened = await llama.loadModel({modelPath: model});
    context = await opened.createContext({sequences, contextSize, threads});
    for (let i = 0; i < sequences; i++) {
        free.push(context.getSequence());
    }
    answer({loaded: true});
}

async function complete({id, tokens, maxTokens}) {
    const sequence = free.pop() ?? (await new Promise(resolve => waiting.push(resolve)));
    await sequence.clearHistory();
    const written = [];
    for await (const token of sequence.evaluate(tokens, {temperature: 0, yieldEogToken: true})) {
        if (written.push(token) === 1) {
            answer({id, first: token});
        }
        if (written.length === maxTokens) {
            break;
        }
    }
    answer({id, tokens: written});
    const next = waiting.shift();
    if (next) {
        next(sequence);
    } else {
        free.push(sequence);
    }
}

function memory() {
    globalThis.gc?.();
    answer({residentBytes: process.memoryUsage.rss()});
}

async function run(command) {
    if (command.load) {
        await load(command.load);
    } else if (command.memory) {
        memory();
    } else {
        await complete(command);
    }
}

answer({started: llama.llamaCppRelease.release});
for await (const line of createInterface({input: process.stdin})) {
    run(JSON.parse(line)).catch(error => {
        answer({error: String(error?.stack ?? error)});
    });
}
process.exit(0);
