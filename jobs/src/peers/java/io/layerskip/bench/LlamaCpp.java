package io.layerskip.bench;

import de.kherud.llama.InferenceParameters;
import de.kherud.llama.LlamaIterator;
import de.kherud.llama.LlamaModel;
import de.kherud.llama.ModelParameters;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;

/**
 * llama.cpp through java-llama.cpp: a server's context with a slot for each request in flight.
 *
 * <p>One thread collects the tokens of all slots, which was faster than a thread a request that
 * waits for its completion.
 */
final class LlamaCpp implements Contender, AutoCloseable {

    private static final int CONTEXT_OF_SLOT = 512;

    private final String name;
    private final int slots;
    private final int maxTokens;
    private final LlamaModel model;
    private final BlockingQueue<Request> requests = new LinkedBlockingQueue<>();
    private final Thread collector = new Thread(this::collect, "llama-collector");

    LlamaCpp(Path gguf, String weights, int threads, int slots, int maxTokens) {
        this.name = "java-llama.cpp %s, %d thread(s)".formatted(weights, threads);
        this.slots = slots;
        this.maxTokens = maxTokens;
        this.model =
                new LlamaModel(
                        new ModelParameters()
                                .setModel(gguf.toString())
                                .setThreads(threads)
                                .setThreadsBatch(threads)
                                .setParallel(slots)
                                .setCtxSize(slots * CONTEXT_OF_SLOT)
                                .enableFlashAttn()
                                .disableLog());
        collector.setDaemon(true);
        collector.start();
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public CompletableFuture<Completed> complete(String prompt) {
        Request request =
                new Request(
                        new InferenceParameters(prompt)
                                .setNPredict(maxTokens)
                                .setTemperature(0)
                                .setRepeatPenalty(1)
                                .setCachePrompt(false));
        requests.add(request);
        return request.completion;
    }

    private void collect() {
        List<Request> running = new ArrayList<>();
        try {
            while (true) {
                if (running.isEmpty()) {
                    running.add(requests.take().startOn(model));
                }
                while (running.size() < slots && !requests.isEmpty()) {
                    running.add(requests.take().startOn(model));
                }
                running.removeIf(Request::step);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (RuntimeException e) {
            running.forEach(request -> request.completion.completeExceptionally(e));
        }
    }

    @Override
    public void close() {
        collector.interrupt();
        try {
            collector.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        model.close();
    }

    private static final class Request {
        private final InferenceParameters parameters;
        private final CompletableFuture<Completed> completion = new CompletableFuture<>();
        private final StringBuilder text = new StringBuilder();
        private final long start = System.nanoTime();
        private LlamaIterator outputs;
        private int tokens;

        Request(InferenceParameters parameters) {
            this.parameters = parameters;
        }

        Request startOn(LlamaModel model) {
            outputs = model.generate(parameters).iterator();
            return this;
        }

        /** Takes the next token; returns whether it was the last. */
        boolean step() {
            text.append(outputs.next().text);
            if (outputs.hasNext()) {
                tokens++;
                return false;
            }
            // The last output is no token.
            long nanos = System.nanoTime() - start;
            completion.complete(new Completed(text.toString(), tokens, 0, nanos, 0, 0));
            return true;
        }
    }
}
