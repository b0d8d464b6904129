package io.layerskip.bench;

import io.layerskip.engine.GenerationEngine;
import java.util.ArrayList;
import java.util.List;

/** Plain against self-speculative decoding, one request at a time. */
final class OneStream implements Experiment {

    @Override
    public String name() {
        return "one-stream";
    }

    @Override
    public String title() {
        return "One stream: plain against self-speculative decoding";
    }

    @Override
    public Section run(ExperimentSetup setup) throws Exception {
        Table table =
                new Table(
                        "decoding",
                        "tokens per second",
                        "µs per token after the first",
                        "speedup after the first token",
                        "speedup of whole requests",
                        "drafted a prompt",
                        "accepted %",
                        "same text as plain");
        try (GenerationEngine engine = setup.open(setup.settings())) {
            List<Contender> contenders = new ArrayList<>();
            contenders.add(EngineContender.plain(engine));
            setup.draftLengths().forEach(k -> contenders.add(EngineContender.fixed(engine, k)));
            contenders.add(EngineContender.asSet("auto", engine));
            for (Measurement measured : setup.comparison().run(contenders, 1)) {
                table.row(
                        measured.name(),
                        Spread.of(measured.tokensPerSecond()),
                        Spread.of(measured.tokenMicros()),
                        Spread.of(measured.tokenSpeedup()),
                        Spread.of(measured.speedup()),
                        measured.draftedPerPrompt(),
                        100 * measured.acceptanceRate(),
                        "%d of %d".formatted(measured.agreeing(), setup.prompts().size()));
            }
        }
        return new Section(
                this,
                ("Exit after layer %d. Time per token after the first is what a request takes longer"
                                + " than plain decoding's first token, which is the prompt's pass.")
                        .formatted(setup.settings().exitLayers().get(0)),
                table);
    }
}
