package io.layerskip.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.layerskip.model.Tokenizer;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * llama.cpp in a process of its own, through node-llama-cpp, which brings newer versions of it than
 * there are for Java. Both sides speak JSON, an object a line; see llama-cpp.mjs. It is given tokens
 * and gives tokens, so nothing depends on its tokenizer.
 */
final class LlamaCppProcess implements AutoCloseable {

    private static final String SCRIPT = "llama-cpp.mjs";
    private static final long ENDING_SECONDS = 10;

    private final JsonMapper json = new JsonMapper();
    private final Tokenizer tokenizer;
    private final Process process;
    private final Writer commands;
    private final BlockingQueue<JsonNode> answers = new LinkedBlockingQueue<>();
    private final Map<Integer, Request> requests = new ConcurrentHashMap<>();
    private final AtomicInteger lastId = new AtomicInteger();
    private final String release;

    /**
     * Starts the process, without a model yet.
     *
     * @param tokenizer of the model
     * @throws IOException if node, the script or its packages are missing
     */
    LlamaCppProcess(Tokenizer tokenizer) throws IOException, InterruptedException {
        this.tokenizer = tokenizer;
        Path folder = folder();
        this.process =
                new ProcessBuilder("node", "--expose-gc", SCRIPT)
                        .directory(folder.toFile())
                        .redirectError(ProcessBuilder.Redirect.INHERIT)
                        .start();
        this.commands = process.outputWriter(StandardCharsets.UTF_8);
        Thread reader = new Thread(this::read, "llama-cpp-reader");
        reader.setDaemon(true);
        reader.start();
        this.release = answer("started").asText();
    }

    /** Beside the jar, or the folder of the classes. */
    private static Path folder() throws IOException {
        try {
            Path built =
                    Path.of(
                            LlamaCppProcess.class
                                    .getProtectionDomain()
                                    .getCodeSource()
                                    .getLocation()
                                    .toURI());
            Path folder = built.resolveSibling("node");
            if (!Files.exists(folder.resolve(SCRIPT))) {
                throw new NoSuchFileException(
                        "%s is missing; a build with the profile peers makes it"
                                .formatted(folder.resolve(SCRIPT)));
            }
            return folder;
        } catch (URISyntaxException e) {
            throw new IOException(e);
        }
    }

    /** The version of llama.cpp. */
    String release() {
        return release;
    }

    /**
     * Loads a model; once.
     *
     * @param sequences in flight at once; further ones wait
     * @param contextSize tokens of a sequence, prompt included
     */
    void load(Path gguf, int threads, int sequences, int contextSize)
            throws IOException, InterruptedException {
        command(
                Map.of(
                        "load",
                        Map.of(
                                "model", gguf.toString(),
                                "threads", threads,
                                "sequences", sequences,
                                "contextSize", contextSize)));
        answer("loaded");
    }

    /** What the process has in memory, in MiB. */
    long residentMebibytes() throws IOException, InterruptedException {
        command(Map.of("memory", true));
        return answer("residentBytes").asLong() >> 20;
    }

    /** Writes so many tokens for a prompt, greedily, whatever they are. */
    Contender contender(int maxTokens) {
        return new Contender() {
            @Override
            public String name() {
                return "llama.cpp";
            }

            @Override
            public CompletableFuture<Completed> complete(String prompt) {
                return LlamaCppProcess.this.complete(prompt, maxTokens);
            }
        };
    }

    private CompletableFuture<Contender.Completed> complete(String prompt, int maxTokens) {
        Request request = new Request();
        int id = lastId.incrementAndGet();
        requests.put(id, request);
        try {
            int[] tokens = tokenizer.encode(prompt);
            command(Map.of("id", id, "tokens", tokens, "maxTokens", maxTokens));
        } catch (IOException e) {
            request.completion.completeExceptionally(e);
        }
        return request.completion;
    }

    private synchronized void command(Map<String, ?> command) throws IOException {
        commands.write(json.writeValueAsString(command) + "\n");
        commands.flush();
    }

    private JsonNode answer(String field) throws IOException, InterruptedException {
        JsonNode answer = answers.take();
        if (!answer.has(field)) {
            throw new IOException("llama.cpp answered " + answer + ", expected " + field);
        }
        return answer.path(field);
    }

    private void read() {
        String end = "llama.cpp's process has ended";
        try (BufferedReader lines = process.inputReader(StandardCharsets.UTF_8)) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                JsonNode answer = json.readTree(line);
                if (answer.has("first")) {
                    requests.get(answer.path("id").asInt()).begin();
                } else if (answer.has("tokens")) {
                    requests.remove(answer.path("id").asInt()).end(answer.path("tokens"));
                } else if (answer.has("error")) {
                    fail(answer.path("error").asText());
                } else {
                    answers.add(answer);
                }
            }
        } catch (IOException | UncheckedIOException e) {
            end = e.toString();
        }
        fail(end);
    }

    private void fail(String why) {
        answers.add(json.createObjectNode().put("error", why));
        requests.values()
                .forEach(request -> request.completion.completeExceptionally(new IOException(why)));
    }

    @Override
    public void close() throws IOException {
        commands.close();
        try {
            if (!process.waitFor(ENDING_SECONDS, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }

    private static final class Request {
        private final CompletableFuture<Contender.Completed> completion = new CompletableFuture<>();
        private final long start = System.nanoTime();
        private long nanosToFirstToken;

        /** The first token is there. */
        void begin() {
            nanosToFirstToken = System.nanoTime() - start;
        }

        /** All are. */
        void end(JsonNode tokens) {
            completion.complete(
                    new Contender.Completed(
                            tokens.toString(),
                            tokens.size(),
                            nanosToFirstToken,
                            System.nanoTime() - start,
                            0,
                            0));
        }
    }
}
