package io.layerskip.bench;

import io.layerskip.engine.EngineSettings;
import io.layerskip.engine.GenerationEngine;
import io.layerskip.forward.Precision;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;

/** Other engines on the same weights, prompts and threads. */
public final class Peers implements Experiment {

    /** The system property that names the folder of the model's GGUF files. */
    private static final String GGUF_FOLDER = "layerskip.bench.gguf";

    private static final List<Integer> THREADS = List.of(1, 2);
    private static final List<Integer> IN_FLIGHT = List.of(1, 16, 32);
    private static final int DEFAULT_MAX_TOKENS = 64;

    @Override
    public String name() {
        return "peers";
    }

    @Override
    public String title() {
        return "Other engines on the same weights";
    }

    @Override
    public Section run(ExperimentSetup setup) throws Exception {
        Table table =
                new Table(
                        "in flight",
                        "engine",
                        "prompts per second",
                        "times the first",
                        "tokens per second",
                        "p50 ms",
                        "same text as the first");
        // Its number of threads can be set once in a process.
        try (Jlama jlama = new Jlama(setup.checkpoint().folder(), 2, maxTokens(setup))) {
            for (int inFlight : IN_FLIGHT) {
                measure(setup, inFlight, jlama, table);
            }
        }
        return new Section(
                this,
                "Nobody reuses an earlier prompt. Two engines of one thread each take turns, as two"
                        + " slots or two processes would.",
                table);
    }

    private static void measure(ExperimentSetup setup, int inFlight, Jlama jlama, Table table)
            throws Exception {
        Deque<AutoCloseable> opened = new ArrayDeque<>();
        try {
            List<Contender> contenders = new ArrayList<>();
            for (Map.Entry<String, Path> gguf : ggufs().entrySet()) {
                for (int threads : THREADS) {
                    contenders.add(llama(setup, gguf, threads, inFlight, opened));
                }
                if (inFlight > 1) {
                    contenders.add(
                            new Pair(
                                    llama(setup, gguf, 1, inFlight / 2, opened),
                                    llama(setup, gguf, 1, inFlight / 2, opened)));
                }
            }
            contenders.add(jlama);
            for (Precision precision : List.of(Precision.FP32, Precision.INT8)) {
                for (int threads : THREADS) {
                    contenders.add(own(setup, precision, threads, opened));
                }
                if (inFlight > 1) {
                    contenders.add(
                            new Pair(
                                    own(setup, precision, 1, opened),
                                    own(setup, precision, 1, opened)));
                }
            }
            for (Measurement measured : setup.comparison().run(contenders, inFlight)) {
                table.row(
                        inFlight,
                        measured.name(),
                        Spread.of(measured.promptsPerSecond()),
                        Spread.of(measured.speedup()),
                        Spread.of(measured.tokensPerSecond()),
                        measured.latencyMillis().getPercentile(50),
                        "%d of %d".formatted(measured.agreeing(), setup.prompts().size()));
            }
        } finally {
            for (AutoCloseable each : opened) {
                each.close();
            }
        }
    }

    private static Contender llama(
            ExperimentSetup setup,
            Map.Entry<String, Path> gguf,
            int threads,
            int slots,
            Deque<AutoCloseable> opened) {
        LlamaCpp llama =
                new LlamaCpp(gguf.getValue(), gguf.getKey(), threads, slots, maxTokens(setup));
        opened.push(llama);
        return llama;
    }

    private static Contender own(
            ExperimentSetup setup, Precision precision, int threads, Deque<AutoCloseable> opened) {
        EngineSettings settings =
                setup.settings().toBuilder().precision(precision).threads(threads).build();
        GenerationEngine engine = setup.open(settings);
        opened.push(engine);
        return EngineContender.asSet(
                "flink-layerskip %s, %d thread(s)".formatted(precision, threads), engine);
    }

    private static int maxTokens(ExperimentSetup setup) {
        return setup.checkpoint().config().defaultMaxNewTokens().orElse(DEFAULT_MAX_TOKENS);
    }

    /** By the name of the weights' type, which is the end of the file's name. */
    private static Map<String, Path> ggufs() throws Exception {
        Path folder =
                Path.of(
                        Optional.ofNullable(System.getProperty(GGUF_FOLDER))
                                .orElseThrow(
                                        () ->
                                                new NoSuchFileException(
                                                        "-D%s=FOLDER is missing: where the model's"
                                                                + " GGUF files are"
                                                                        .formatted(GGUF_FOLDER))));
        Map<String, Path> files = new TreeMap<>();
        try (DirectoryStream<Path> found = Files.newDirectoryStream(folder, "*.gguf")) {
            for (Path file : found) {
                String name = file.getFileName().toString().replace(".gguf", "");
                files.put(name.substring(name.lastIndexOf('-') + 1).toUpperCase(Locale.ROOT), file);
            }
        }
        return files;
    }

    /** Two of the same, which get every other prompt. */
    private record Pair(Contender one, Contender other, AtomicInteger turn) implements Contender {

        Pair(Contender one, Contender other) {
            this(one, other, new AtomicInteger());
        }

        @Override
        public String name() {
            return "two of " + one.name();
        }

        @Override
        public CompletableFuture<Completed> complete(String prompt) {
            return (turn.getAndIncrement() % 2 == 0 ? one : other).complete(prompt);
        }
    }
}
