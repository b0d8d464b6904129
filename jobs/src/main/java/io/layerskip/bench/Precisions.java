package io.layerskip.bench;

import io.layerskip.engine.GenerationEngine;
import io.layerskip.flink.LayerSkipOptions;
import io.layerskip.forward.Precision;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.configuration.Configuration;

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
        List<Configuration> options = new ArrayList<>();
        try {
            for (Precision precision : Precision.values()) {
                GenerationEngine engine =
                        setup.open(setup.settings().toBuilder().precision(precision).build());
                engines.add(engine);
                Configuration auto =
                        new Configuration(setup.options())
                                .set(LayerSkipOptions.PRECISION, precision);
                contenders.add(EngineContender.plain(engine));
                options.add(
                        new Configuration(auto).set(LayerSkipOptions.NUM_ASSISTANT_TOKENS, "0"));
                contenders.add(EngineContender.asSet("auto", engine));
                options.add(auto);
            }
            List<Measurement> one = setup.comparison().run(contenders, 1);
            List<Measurement> many = setup.comparison().run(contenders, MANY);
            for (int i = 0; i < contenders.size(); i++) {
                table.row(
                        options.get(i).get(LayerSkipOptions.PRECISION),
                        one.get(i).name(),
                        Spread.of(one.get(i).tokensPerSecond()),
                        Spread.of(one.get(i).speedup()),
                        Spread.of(many.get(i).tokensPerSecond()),
                        Spread.of(many.get(i).speedup()),
                        "%d of %d".formatted(one.get(i).agreeing(), setup.prompts().size()),
                        ResidentMemory.ofEngine(options.get(i), setup.prompts().get(0)));
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
