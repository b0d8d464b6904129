package io.layerskip.bench;

import io.layerskip.engine.GenerationEngine;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;

/** What it saves that prompts begin with the same instruction. */
final class SharedPrefix implements Experiment {

    private static final int PREFIX_TOKENS = 200;
    private static final List<Integer> LEVELS = List.of(1, 16);

    @Override
    public String name() {
        return "prefix";
    }

    @Override
    public String title() {
        return "Prompts that share an instruction of %d tokens".formatted(PREFIX_TOKENS);
    }

    @Override
    public Section run(ExperimentSetup setup) throws Exception {
        Table table =
                new Table("in flight", "prefix caching", "prompts per second", "speedup", "p50 ms");
        String instruction = instruction(setup);
        try (GenerationEngine computing = setup.open(setup.settings());
                GenerationEngine caching =
                        setup.open(setup.settings().toBuilder().prefixCaching(true).build())) {
            List<Contender> contenders =
                    List.of(
                            new Instructed(
                                    EngineContender.asSet("off", computing),
                                    instruction,
                                    new AtomicInteger()),
                            new Instructed(
                                    EngineContender.asSet("on", caching),
                                    instruction,
                                    new AtomicInteger()));
            for (int level : LEVELS) {
                for (Measurement measured : setup.comparison().run(contenders, level)) {
                    table.row(
                            level,
                            measured.name(),
                            Spread.of(measured.promptsPerSecond()),
                            Spread.of(measured.speedup()),
                            measured.latencyMillis().getPercentile(50));
                }
            }
        }
        return new Section(
                this,
                "A number that counts up follows the instruction, so that nothing else of a prompt"
                        + " was seen before.",
                table);
    }

    /** The given prompts, one after the other, up to the length. */
    private static String instruction(ExperimentSetup setup) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; ; i++) {
            text.append(setup.prompts().get(i % setup.prompts().size()));
            if (setup.checkpoint().tokenizer().encode(text.toString()).length >= PREFIX_TOKENS) {
                return text.toString();
            }
        }
    }

    /** A contender that gets every prompt after an instruction and a number of its own. */
    private record Instructed(Contender contender, String instruction, AtomicInteger number)
            implements Contender {

        @Override
        public String name() {
            return contender.name();
        }

        @Override
        public CompletableFuture<Completed> complete(String prompt) {
            return contender.complete(
                    "%s%06d %s".formatted(instruction, number.getAndIncrement(), prompt));
        }
    }
}
