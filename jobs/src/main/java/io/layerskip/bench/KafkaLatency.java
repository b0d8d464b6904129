package io.layerskip.bench;

import io.layerskip.connectors.KafkaOptions;
import io.layerskip.connectors.KafkaOptions.DeliveryGuarantee;
import io.layerskip.engine.EngineSettings;
import io.layerskip.engine.GenerationEngine;
import io.layerskip.flink.LayerSkipConfiguration;
import io.layerskip.flink.LayerSkipOptions;
import io.layerskip.jobs.JobType;
import io.layerskip.local.LocalJob;
import java.time.Duration;
import java.util.List;
import org.apache.commons.math3.stat.descriptive.DescriptiveStatistics;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;

/** How long a prompt takes from Kafka to Kafka, with either delivery guarantee. */
final class KafkaLatency implements Experiment {

    private static final List<Integer> IN_FLIGHT = List.of(1, 16);
    private static final Duration CHECKPOINT_INTERVAL = Duration.ofSeconds(1);

    @Override
    public String name() {
        return "latency";
    }

    @Override
    public String title() {
        return "Latency from Kafka to Kafka";
    }

    @Override
    public Section run(ExperimentSetup setup) throws Exception {
        Configuration options =
                new Configuration(setup.options())
                        .set(LayerSkipOptions.THREADS, 1)
                        .set(CheckpointingOptions.CHECKPOINTING_INTERVAL, CHECKPOINT_INTERVAL);
        EngineSettings settings = LayerSkipConfiguration.from(options).toEngineSettings(1);
        Table table = new Table("in flight", "", "p50 ms", "p95 ms", "p50 beyond the engine's, ms");
        try (GenerationEngine engine = setup.open(settings);
                JobContender atLeastOnce = job(options, DeliveryGuarantee.AT_LEAST_ONCE);
                JobContender exactlyOnce = job(options, DeliveryGuarantee.EXACTLY_ONCE)) {
            List<Contender> contenders =
                    List.of(
                            EngineContender.asSet("engine alone", engine),
                            atLeastOnce,
                            exactlyOnce);
            for (int inFlight : IN_FLIGHT) {
                double alone = 0;
                for (Measurement measured : setup.comparison().run(contenders, inFlight)) {
                    DescriptiveStatistics millis = measured.latencyMillis();
                    double median = millis.getPercentile(50);
                    alone = alone == 0 ? median : alone;
                    table.row(
                            inFlight,
                            measured.name(),
                            median,
                            millis.getPercentile(95),
                            median - alone);
                }
            }
        }
        return new Section(
                this,
                ("One slot of one thread, the prompts of one round after the other. From a prompt's"
                                + " sending to when a reader of committed records has its"
                                + " completion; EXACTLY_ONCE waits for a checkpoint, of which"
                                + " there is one every %d s.")
                        .formatted(CHECKPOINT_INTERVAL.toSeconds()),
                table);
    }

    private static JobContender job(Configuration options, DeliveryGuarantee guarantee)
            throws Exception {
        Configuration configuration =
                new Configuration(options).set(KafkaOptions.SINK_DELIVERY_GUARANTEE, guarantee);
        return new JobContender(
                guarantee.name(), LocalJob.start(configuration, 1, JobType.GENERATE));
    }
}
