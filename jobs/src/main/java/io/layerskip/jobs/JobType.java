package io.layerskip.jobs;

import io.layerskip.connectors.EnrichmentConfiguration;
import io.layerskip.connectors.EnrichmentOptions;
import io.layerskip.connectors.FormatResults;
import io.layerskip.connectors.KafkaPipeline;
import io.layerskip.connectors.ParseRequests;
import io.layerskip.flink.LayerSkipConfiguration;
import io.layerskip.flink.LayerSkipOptions;
import io.layerskip.flink.OptionReader;
import java.util.List;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.IllegalConfigurationException;
import picocli.CommandLine.Option;

/** What a job does with the records of a topic. */
public enum JobType {

    /** A record is a request in OpenAI's notation; its completion leaves as a record. */
    GENERATE {
        @Override
        List<ConfigOption<?>> options() {
            return List.of();
        }

        @Override
        Formats formats(
                KafkaPipeline kafka, LayerSkipConfiguration layerskip, Configuration options) {
            return new Formats(
                    kafka.parseRequests(), kafka.formatResults(layerskip.model().modelName()));
        }
    },

    /** A record is any JSON object; it leaves with one field more. */
    ENRICH {
        @Override
        List<ConfigOption<?>> options() {
            return EnrichmentOptions.ALL;
        }

        @Override
        Formats formats(
                KafkaPipeline kafka, LayerSkipConfiguration layerskip, Configuration options) {
            if (!layerskip.splitSpecialTokens()) {
                throw new IllegalConfigurationException(
                        OptionReader.refusal(
                                LayerSkipOptions.SPLIT_SPECIAL_TOKENS,
                                false,
                                "true where records are enriched, as their text is text"));
            }
            EnrichmentConfiguration enrichment = EnrichmentConfiguration.from(options);
            enrichment
                    .sampleChat()
                    .ifPresent(chat -> layerskip.checkChats(JobType.class.getClassLoader(), chat));
            return new Formats(kafka.parseRecords(enrichment), kafka.enrichRecords(enrichment));
        }
    };

    /** The two ends of a job's model: what makes requests and what makes records of results. */
    record Formats(ParseRequests requests, FormatResults results) {}

    /** The options that only this type of job has. */
    abstract List<ConfigOption<?>> options();

    abstract Formats formats(
            KafkaPipeline kafka, LayerSkipConfiguration layerskip, Configuration options);

    /** The type of the job on a command line. */
    public static final class Argument {

        @Option(
                names = "--job",
                paramLabel = "JOB",
                description =
                        "What to do with the records: generate (each is a request; its completion"
                                + " leaves) or enrich (each is a JSON object; it leaves with a"
                                + " field more, see layerskip.prompt-template). Default:"
                                + " generate.")
        private JobType type = GENERATE;

        public JobType get() {
            return type;
        }
    }
}
