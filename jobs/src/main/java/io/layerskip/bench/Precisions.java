package io.layerskip.bench;

import io.layerskip.engine.EngineSettings;
import io.layerskip.engine.GenerationEngine;
import io.layerskip.model.Precision;
import java.util.ArrayList;
import java.util.List;

/** Speed, memory and agreement of each precision. */
final class Precisions implements Experiment {

    private static final int MANY = 16;

    @Override
    public String name() {
        return "precision";
    }

    @Override
    public String title() {
        return "Precision: speed, memory, agreement";
    }

    @Override
    public Section run(ExperimentSetup setup) throws Exception {
        Table table =
                new Table(
                        "precision",
                        "decoding",
                        "one stream, tokens per second",
                        "times FP32 plain",
                        MANY + " in flight, tokens per second",
                        "times FP32 plain ",
                        "same text as FP32 plain",
                        "resident MiB");
        List<EngineContender> contenders = new ArrayList<>();
        List<GenerationEngine> engines = new ArrayList<>();
        List<EngineSettings> settings = new ArrayList<>();
        try {
            for (Precision precision : Precision.values()) {
                EngineSettings with = setup.settings().toBuilder().precision(precision).build();
                GenerationEngine engine = setup.open(with);
                engines.add(engine);
                contenders.add(EngineContender.plain(engine));
                settings.add(with.toBuilder().numAssistantTokens(0).build());
                contenders.add(EngineContender.asSet("auto", engine));
                settings.add(with);
            }
            List<Measurement> one = setup.comparison().run(contenders, 1);
            List<Measurement> many = setup.comparison().run(contenders, MANY);
            for (int i = 0; i < contenders.size(); i++) {
                table.row(
                        settings.get(i).precision(),
                        one.get(i).name(),
                        Spread.of(one.get(i).tokensPerSecond()),
                        Spread.of(one.get(i).speedup()),
                        Spread.of(many.get(i).tokensPerSecond()),
                        Spread.of(many.get(i).speedup()),
                        "%d of %d".formatted(one.get(i).agreeing(), setup.prompts().size()),
                        ResidentMemory.ofEngine(
                                setup.checkpoint().folder(),
                                settings.get(i),
                                setup.prompts().get(0)));
            }
        } finally {
            engines.forEach(GenerationEngine::close);
        }
        return new Section(
                this,
                "Resident is what the engine added to a process of its own, in which it completed"
                        + " one prompt: sessions, buffers, keys and values, code.",
                table);
    }
}
