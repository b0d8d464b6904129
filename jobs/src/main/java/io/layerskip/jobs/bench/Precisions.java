package io.layerskip.jobs.bench;

import io.layerskip.engine.EngineSettings;
import io.layerskip.engine.GenerationEngine;
import io.layerskip.forward.Precision;
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
    public Section run(Bench bench) throws Exception {
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
                EngineSettings with = bench.settings().toBuilder().precision(precision).build();
                GenerationEngine engine = bench.open(with);
                engines.add(engine);
                contenders.add(EngineContender.plain(engine));
                settings.add(with.toBuilder().defaults(EngineContender.PLAIN).build());
                contenders.add(EngineContender.asSet("auto", engine));
                settings.add(with);
            }
            List<Measurement> one = bench.comparison().run(contenders, 1);
            List<Measurement> many = bench.comparison().run(contenders, MANY);
            for (int i = 0; i < contenders.size(); i++) {
                table.row(
                        settings.get(i).precision(),
                        one.get(i).name(),
                        Spread.of(one.get(i).tokensPerSecond()),
                        Spread.of(one.get(i).speedup()),
                        Spread.of(many.get(i).tokensPerSecond()),
                        Spread.of(many.get(i).speedup()),
                        "%d of %d".formatted(one.get(i).agreeing(), bench.prompts().size()),
                        ResidentMemory.ofEngine(
                                bench.checkpoint().folder(),
                                settings.get(i),
                                bench.prompts().get(0)));
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
