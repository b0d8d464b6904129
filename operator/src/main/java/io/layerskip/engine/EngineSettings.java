package io.layerskip.engine;

import io.layerskip.forward.LayerSkipModel;
import io.layerskip.forward.Precision;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.apache.flink.annotation.PublicEvolving;

/**
 * How an engine runs, and what a request gets that does not say otherwise.
 *
 * <pre>{@code
 * EngineSettings.builder(2).threads(4).maxTokens(100).build()
 * }</pre>
 *
 * @param exitLayers layers that a draft may exit after, each in 1..L-1; the first one is the
 *     default. Every further one splits the model once more and costs a call a pass
 * @param numAssistantTokens tokens to draft a round, 0 for plain decoding; empty to draft as many
 *     as pay
 * @param assistantConfidenceThreshold a draft ends where the exit's own probability for its token
 *     is lower, in [0, 1]
 * @param maxTokens most tokens to write; empty for the checkpoint's max_new_tokens, and where that
 *     is missing too, what the context has room for
 * @param temperature 0 for greedy decoding
 * @param topK sample among this many best tokens; 0 for all
 * @param topP sample among the fewest tokens that together have this probability
 * @param precision of the weights
 * @param cacheFolder keeps weights in another precision than the checkpoint's for the next engine;
 *     empty to make them anew
 * @param threads that compute one pass
 * @param maxBatchSize requests that share passes, at most {@value #MAX_BATCH_SIZE}; further ones
 *     wait
 * @param kvCacheBytes most memory for keys and values, on the JVM's heap
 * @param prefixCaching whether what prompts have in common at their beginning is computed once
 */
@PublicEvolving
public record EngineSettings(
        List<Integer> exitLayers,
        OptionalInt numAssistantTokens,
        double assistantConfidenceThreshold,
        OptionalInt maxTokens,
        double temperature,
        int topK,
        double topP,
        Precision precision,
        Optional<Path> cacheFolder,
        int threads,
        int maxBatchSize,
        long kvCacheBytes,
        boolean prefixCaching) {

    public static final int MAX_BATCH_SIZE = LayerSkipModel.MAX_ROWS / 2;

    /**
     * @throws IllegalArgumentException if a value is out of range
     */
    public EngineSettings {
        exitLayers = List.copyOf(exitLayers);
        if (exitLayers.isEmpty() || threads < 1 || maxBatchSize < 1 || kvCacheBytes < 1) {
            throw new IllegalArgumentException(
                    "%d exit layers, %d threads, batches of %d, %d bytes for keys and values; allowed: at least 1 of each"
                            .formatted(exitLayers.size(), threads, maxBatchSize, kvCacheBytes));
        }
        if (maxBatchSize > MAX_BATCH_SIZE) {
            throw new IllegalArgumentException(
                    "max_batch_size is %d; allowed: at most %d"
                            .formatted(maxBatchSize, MAX_BATCH_SIZE));
        }
        if (!(assistantConfidenceThreshold >= 0 && assistantConfidenceThreshold <= 1)) {
            throw new IllegalArgumentException(
                    "assistant_confidence_threshold is %s; allowed: from 0 to 1"
                            .formatted(assistantConfidenceThreshold));
        }
        // The defaults of requests are held to what a request may ask.
        GenerationParameters.Builder defaults =
                GenerationParameters.builder().temperature(temperature).topK(topK).topP(topP);
        numAssistantTokens.ifPresent(defaults::numAssistantTokens);
        maxTokens.ifPresent(defaults::maxTokens);
        defaults.build();
    }

    /** Greedy decoding on one thread, drafts of as many tokens as pay. */
    public static Builder builder(Integer... exitLayers) {
        return new Builder(List.of(exitLayers));
    }

    /** A builder that starts from these settings. */
    public Builder toBuilder() {
        Builder builder = new Builder(exitLayers);
        builder.numAssistantTokens = numAssistantTokens;
        builder.assistantConfidenceThreshold = assistantConfidenceThreshold;
        builder.maxTokens = maxTokens;
        builder.temperature = temperature;
        builder.topK = topK;
        builder.topP = topP;
        builder.precision = precision;
        builder.cacheFolder = cacheFolder;
        builder.threads = threads;
        builder.maxBatchSize = maxBatchSize;
        builder.kvCacheBytes = kvCacheBytes;
        builder.prefixCaching = prefixCaching;
        return builder;
    }

    /** Sets one by one what differs from the defaults; see {@link EngineSettings}. */
    public static final class Builder {

        private List<Integer> exitLayers;
        private OptionalInt numAssistantTokens = OptionalInt.empty();
        private double assistantConfidenceThreshold;
        private OptionalInt maxTokens = OptionalInt.empty();
        private double temperature;
        private int topK;
        private double topP = 1;
        private Precision precision = Precision.FP32;
        private Optional<Path> cacheFolder = Optional.empty();
        private int threads = 1;
        private int maxBatchSize = 32;
        private long kvCacheBytes = defaultKvCacheBytes(1);
        private boolean prefixCaching = true;

        private Builder(List<Integer> exitLayers) {
            this.exitLayers = exitLayers;
        }

        public Builder exitLayers(List<Integer> exitLayers) {
            this.exitLayers = exitLayers;
            return this;
        }

        public Builder numAssistantTokens(OptionalInt numAssistantTokens) {
            this.numAssistantTokens = numAssistantTokens;
            return this;
        }

        public Builder numAssistantTokens(int numAssistantTokens) {
            this.numAssistantTokens = OptionalInt.of(numAssistantTokens);
            return this;
        }

        public Builder assistantConfidenceThreshold(double assistantConfidenceThreshold) {
            this.assistantConfidenceThreshold = assistantConfidenceThreshold;
            return this;
        }

        public Builder maxTokens(int maxTokens) {
            this.maxTokens = OptionalInt.of(maxTokens);
            return this;
        }

        public Builder temperature(double temperature) {
            this.temperature = temperature;
            return this;
        }

        public Builder topK(int topK) {
            this.topK = topK;
            return this;
        }

        public Builder topP(double topP) {
            this.topP = topP;
            return this;
        }

        public Builder precision(Precision precision) {
            this.precision = precision;
            return this;
        }

        public Builder cacheFolder(Path cacheFolder) {
            this.cacheFolder = Optional.of(cacheFolder);
            return this;
        }

        public Builder threads(int threads) {
            this.threads = threads;
            return this;
        }

        public Builder maxBatchSize(int maxBatchSize) {
            this.maxBatchSize = maxBatchSize;
            return this;
        }

        public Builder kvCacheBytes(long kvCacheBytes) {
            this.kvCacheBytes = kvCacheBytes;
            return this;
        }

        public Builder prefixCaching(boolean prefixCaching) {
            this.prefixCaching = prefixCaching;
            return this;
        }

        /**
         * @throws IllegalArgumentException if a value is out of range
         */
        public EngineSettings build() {
            return new EngineSettings(
                    exitLayers,
                    numAssistantTokens,
                    assistantConfidenceThreshold,
                    maxTokens,
                    temperature,
                    topK,
                    topP,
                    precision,
                    cacheFolder,
                    threads,
                    maxBatchSize,
                    kvCacheBytes,
                    prefixCaching);
        }
    }

    /**
     * A quarter of the JVM's heap, divided among engines.
     *
     * @param engines in this JVM, at least 1
     */
    public static long defaultKvCacheBytes(int engines) {
        return Runtime.getRuntime().maxMemory() / 4 / engines;
    }
}
