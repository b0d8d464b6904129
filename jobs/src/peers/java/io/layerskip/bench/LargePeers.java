package io.layerskip.bench;

import io.layerskip.bench.Contender.Completed;
import io.layerskip.engine.GenerationEngine;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.flink.ConfiguredCheckpoint;
import io.layerskip.flink.ConfiguredEngine;
import io.layerskip.flink.LayerSkipConfiguration;
import io.layerskip.flink.LayerSkipOptions;
import io.layerskip.forward.Precision;
import io.layerskip.model.Checkpoint;
import io.layerskip.model.ModelFolder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.commons.math3.stat.descriptive.DescriptiveStatistics;
import org.apache.flink.configuration.Configuration;

/** llama.cpp on the same weights of a model of real size, with as many bits. */
public final class LargePeers implements Experiment {

    private static final Map<Precision, GgufType> TYPES =
            Map.of(Precision.INT8, GgufType.Q8_0, Precision.INT4, GgufType.Q4_0);
    private static final List<Integer> THREADS = List.of(1, 2);
    private static final int IN_FLIGHT = 8;
    private static final int NEW_TOKENS = 32;
    private static final int SHORT_PROMPT = 32;
    private static final int PROMPT = 512;
    private static final int LONG_PROMPT = 2048;

    @Override
    public String name() {
        return "large-peers";
    }

    @Override
    public String title() {
        return "llama.cpp and a model of real size";
    }

    @Override
    public Section run(ExperimentSetup setup) throws Exception {
        Table table = new Table("what", "flink-layerskip", "llama.cpp", "ratio");
        LargeCheckpoint checkpoint = LargeCheckpoint.all(setup).get(0);
        String release;
        try (LargeCheckpoint.Opened opened = checkpoint.open();
                ModelFolder files = ModelFolder.temporary()) {
            try (ConfiguredCheckpoint model =
                    ConfiguredCheckpoint.open(
                            LayerSkipConfiguration.from(opened.options(Precision.INT8)),
                            LargePeers.class.getClassLoader())) {
                for (Precision precision : setup.precisions()) {
                    if (TYPES.containsKey(precision)) {
                        Configuration options =
                                opened.options(precision)
                                        .set(
                                                LayerSkipOptions.CACHE_FOLDER,
                                                files.path().toString());
                        new Pair(setup, model.checkpoint(), precision, options, files.path(), table)
                                .measure();
                    }
                }
                try (LlamaCppProcess llama = new LlamaCppProcess(model.checkpoint().tokenizer())) {
                    release = llama.release();
                }
            }
        }
        return new Section(
                this,
                ("llama.cpp %s through node-llama-cpp, on the same weights and tokens: INT8 against"
                                + " Q8_0, INT4 against Q4_0 (whose embedding and head have 8 bits)."
                                + " A ratio above 1 says that flink-layerskip is ahead. Exit after"
                                + " layer %d, later: %s. Loading ends with the first token of a"
                                + " short prompt; flink-layerskip's weights come from its cache"
                                + " folder, but the first time. Memory is what an engine adds to a"
                                + " process of its own.")
                        .formatted(
                                release,
                                LargeCheckpoint.exitLayers(setup).get(0),
                                checkpoint.name()),
                table);
    }

    /** Our engine and llama.cpp with as many bits a weight. */
    private record Pair(
            ExperimentSetup setup,
            Checkpoint checkpoint,
            Precision precision,
            Configuration options,
            Path folder,
            Table table) {

        void measure() throws Exception {
            GgufFile.write(checkpoint, type(), gguf());
            load();
            memory();
            List<Integer> threads =
                    setup.options()
                            .getOptional(LayerSkipOptions.THREADS)
                            .map(List::of)
                            .orElse(THREADS);
            for (int count : threads) {
                speeds(count);
            }
        }

        private GgufType type() {
            return TYPES.get(precision);
        }

        private Path gguf() {
            return folder.resolve(type() + ".gguf");
        }

        private void load() throws Exception {
            String what = precision + " and " + type() + ": load, s";
            double first = loadOwn();
            table.row(what + ", the first time", first, "", "");
            addRows(
                    what,
                    false,
                    new Turns(setup.rounds())
                            .add("", () -> loadOwn())
                            .add("", () -> loadLlama()));
        }

        private double loadOwn() throws Exception {
            long start = System.nanoTime();
            try (ConfiguredEngine opened = open(options)) {
                own(opened.engine(), OptionalInt.of(0), 1).complete(prompt(0, SHORT_PROMPT)).get();
                return seconds(System.nanoTime() - start);
            }
        }

        private double loadLlama() throws Exception {
            try (LlamaCppProcess llama = new LlamaCppProcess(checkpoint.tokenizer())) {
                long start = System.nanoTime();
                llama.load(gguf(), setup.settings().threads(), 1, 2 * SHORT_PROMPT);
                llama.contender(1).complete(prompt(0, SHORT_PROMPT)).get();
                return seconds(System.nanoTime() - start);
            }
        }

        private void memory() throws Exception {
            Object own = ResidentMemory.ofEngine(options, prompt(0, SHORT_PROMPT));
            try (LlamaCppProcess llama = new LlamaCppProcess(checkpoint.tokenizer())) {
                long before = llama.residentMebibytes();
                llama.load(gguf(), setup.settings().threads(), 1, 2 * SHORT_PROMPT);
                llama.contender(NEW_TOKENS / 2).complete(prompt(0, SHORT_PROMPT)).get();
                long added = llama.residentMebibytes() - before;
                table.row(
                        precision + " and " + type() + ": settled memory, MiB",
                        own,
                        added,
                        own instanceof Integer known ? (double) added / known : "");
            }
        }

        private void speeds(int threads) throws Exception {
            int context = Math.min(LONG_PROMPT, checkpoint.config().maxPositionEmbeddings() / 2);
            String name = "%s and %s, %d thread(s): ".formatted(precision, type(), threads);
            Configuration own = new Configuration(options).set(LayerSkipOptions.THREADS, threads);
            try (ConfiguredEngine opened = open(own);
                    LlamaCppProcess llama = new LlamaCppProcess(checkpoint.tokenizer())) {
                llama.load(gguf(), threads, IN_FLIGHT, 2 * context);
                GenerationEngine engine = opened.engine();
                prefill(name, LONG_PROMPT, context, engine, llama);
                prefill(name, PROMPT, context, engine, llama);
                decode(name, Math.min(PROMPT, context), engine, llama);
                if (threads > 1) {
                    many(name, engine, llama);
                }
            }
        }

        private void prefill(
                String name, int tokens, int context, GenerationEngine engine, LlamaCppProcess llama)
                throws Exception {
            String prompt = prompt(0, Math.min(tokens, context));
            int length = checkpoint.tokenizer().encode(prompt).length;
            addRows(
                    name + "prefill of %d, tokens per second".formatted(length),
                    true,
                    new Turns(setup.rounds())
                            .add("", () -> prefill(own(engine, OptionalInt.of(0), 1), prompt, length))
                            .add("", () -> prefill(llama.contender(1), prompt, length)));
        }

        private static double prefill(Contender contender, String prompt, int tokens)
                throws Exception {
            return tokens / seconds(contender.complete(prompt).get().nanosToFirstToken());
        }

        private void decode(
                String name, int tokens, GenerationEngine engine, LlamaCppProcess llama)
                throws Exception {
            String prompt = prompt(0, tokens);
            int length = checkpoint.tokenizer().encode(prompt).length;
            Turns turns = new Turns(setup.rounds());
            ownContenders(engine)
                    .forEach(own -> turns.add(own.name(), () -> decode(own, prompt)));
            turns.add("", () -> decode(llama.contender(NEW_TOKENS), prompt));
            addRows(name + "ms a token after a prompt of %d".formatted(length), false, turns);
        }

        private static double decode(Contender contender, String prompt) throws Exception {
            Completed completed = contender.complete(prompt).get();
            return 1e3
                    * seconds(completed.nanos() - completed.nanosToFirstToken())
                    / (completed.tokens() - 1);
        }

        private void many(String name, GenerationEngine engine, LlamaCppProcess llama)
                throws Exception {
            List<String> prompts = new ArrayList<>();
            for (int i = 0; i < IN_FLIGHT; i++) {
                prompts.add(prompt(i, SHORT_PROMPT));
            }
            Turns turns = new Turns(setup.rounds());
            ownContenders(engine).forEach(own -> turns.add(own.name(), () -> many(own, prompts)));
            turns.add("", () -> many(llama.contender(NEW_TOKENS), prompts));
            addRows(name + IN_FLIGHT + " in flight, tokens per second", true, turns);
        }

        private static double many(Contender contender, List<String> prompts)
                throws Exception {
            long start = System.nanoTime();
            List<CompletableFuture<Completed>> completions =
                    prompts.stream().map(contender::complete).toList();
            int tokens = 0;
            for (CompletableFuture<Completed> completion : completions) {
                tokens += completion.get().tokens();
            }
            return tokens / seconds(System.nanoTime() - start);
        }

        private static List<Contender> ownContenders(GenerationEngine engine) {
            return List.of(
                    own(engine, OptionalInt.of(0), NEW_TOKENS),
                    own(engine, OptionalInt.empty(), NEW_TOKENS));
        }

        private static Contender own(GenerationEngine engine, OptionalInt drafts, int maxTokens) {
            GenerationParameters.Builder parameters =
                    GenerationParameters.builder()
                            .temperature(0)
                            .maxTokens(maxTokens)
                            .ignoreEos(true);
            drafts.ifPresent(parameters::numAssistantTokens);
            return new EngineContender(
                    drafts.isPresent() ? "plain" : "auto", engine, parameters.build());
        }

        /** A row for each of our contenders; the last of the turns is llama.cpp's. */
        private void addRows(String what, boolean moreIsBetter, Turns turns)
                throws Exception {
            List<DescriptiveStatistics> taken = turns.take();
            double[] theirs = taken.get(taken.size() - 1).getValues();
            for (int i = 0; i < taken.size() - 1; i++) {
                double[] ours = taken.get(i).getValues();
                DescriptiveStatistics ratios = new DescriptiveStatistics();
                for (int round = 0; round < ours.length; round++) {
                    ratios.addValue(
                            moreIsBetter
                                    ? ours[round] / theirs[round]
                                    : theirs[round] / ours[round]);
                }
                table.row(
                        turns.name(i).isEmpty() ? what : what + ", " + turns.name(i),
                        Spread.of(taken.get(i)),
                        Spread.of(taken.get(taken.size() - 1)),
                        Spread.of(ratios));
            }
        }

        private String prompt(int first, int tokens) {
            return Lengths.cut(setup, first, tokens);
        }

        private static ConfiguredEngine open(Configuration options) throws Exception {
            return ConfiguredEngine.open(
                    LayerSkipConfiguration.from(options), LargePeers.class.getClassLoader(), 1);
        }

        private static double seconds(long nanos) {
            return (double) nanos / TimeUnit.SECONDS.toNanos(1);
        }
    }
}
