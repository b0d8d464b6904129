package io.layerskip.engine;

import io.layerskip.forward.KeyValueCacheType;
import io.layerskip.forward.Precision;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.apache.flink.annotation.PublicEvolving;

/**
 * How an engine runs, and what a request gets that does not say otherwise.
 *
 * <pre>{@code
 * EngineSettings.builder(2)
 *         .threads(4)
 *         .defaults(GenerationParameters.builder().maxTokens(100).build())
 *         .build()
 * }</pre>
 *
 * @param exitLayers layers that a draft may exit after, each in 1..L-1; of several, a draft of a
 *     fixed length takes the first, an automatic one that which pays most. Every further one splits
 *     the model once more and costs a call a pass
 * @param assistantConfidenceThreshold a draft ends where the exit's own probability for its token
 *     is lower, in {@link #CONFIDENCE_THRESHOLD}
 * @param defaults what a request gets that does not say otherwise. Always has a temperature, top_k
 *     and top_p; without num_assistant_tokens as many are drafted as pay, without max_tokens the
 *     checkpoint's max_new_tokens are written, and where that is missing too, {@link
 *     #DEFAULT_MAX_TOKENS}
 * @param precision of the weights
 * @param cacheFolder keeps weights in another precision than the checkpoint's for the next engine;
 *     empty to make them each time
 * @param threads that compute a pass while the engines beside this one compute too
 * @param engines with these settings that share weights and threads in this process: a pass may
 *     also be computed by threads of those that have nothing to do
 * @param maxBatchSize requests that share passes, in {@link #BATCH_SIZE}; further ones wait
 * @param kvCacheType how keys and values are kept
 * @param kvCacheBytes most memory for keys and values, on the JVM's heap
 * @param passTimeout how long a pass may take, in {@link #PASS_TIMEOUT} ms; the engine of one that
 *     takes longer has failed
 * @param prefixCaching whether what prompts have in common at their beginning is computed once
 */
@PublicEvolving
public record EngineSettings(
        List<Integer> exitLayers,
        double assistantConfidenceThreshold,
        GenerationParameters defaults,
        Precision precision,
        Optional<Path> cacheFolder,
        int threads,
        int engines,
        int maxBatchSize,
        KeyValueCacheType kvCacheType,
        long kvCacheBytes,
        Duration passTimeout,
        boolean prefixCaching) {

    public static final Range CONFIDENCE_THRESHOLD = Range.between(0, 1);
    public static final Range THREADS = Range.atLeast(1);
    public static final Range ENGINES = Range.atLeast(1);
    public static final Range KV_CACHE_BYTES = Range.atLeast(1);
    public static final Range PASS_TIMEOUT = Range.atLeast(1);

    /** Longer than a pass of the largest model takes on the slowest machine. */
    public static final Duration DEFAULT_PASS_TIMEOUT = Duration.ofMinutes(2);

    /**
     * Tokens that are written where neither request nor settings nor checkpoint say how many: a
     * base model, which knows no end, would write until its context is full.
     */
    public static final int DEFAULT_MAX_TOKENS = 256;

    /** Half of the rows of a pass at most: the other half is for prompts and drafts. */
    public static final Range BATCH_SIZE = Range.between(1, 128);

    private static final GenerationParameters GREEDY =
            GenerationParameters.builder().temperature(0).topK(0).topP(1).build();

    /**
     * @throws IllegalArgumentException if a value is out of range
     */
    public EngineSettings {
        exitLayers = List.copyOf(exitLayers);
        if (exitLayers.isEmpty()) {
            throw new IllegalArgumentException("0 exit layers; allowed: at least 1");
        }
        CONFIDENCE_THRESHOLD.check("assistant_confidence_threshold", assistantConfidenceThreshold);
        defaults = defaults.orElse(GREEDY);
        THREADS.check("threads", threads);
        ENGINES.check("engines", engines);
        BATCH_SIZE.check("max_batch_size", maxBatchSize);
        KV_CACHE_BYTES.check("kv_cache_bytes", kvCacheBytes);
        PASS_TIMEOUT.check("pass_timeout", passTimeout.toMillis());
    }

    /** Greedy decoding on one thread, drafts of as many tokens as pay. */
    public static Builder builder(Integer... exitLayers) {
        return new Builder(List.of(exitLayers));
    }

    /** A builder that starts from these settings. */
    public Builder toBuilder() {
        Builder builder = new Builder(exitLayers);
        builder.assistantConfidenceThreshold = assistantConfidenceThreshold;
        builder.defaults = defaults;
        builder.precision = precision;
        builder.cacheFolder = cacheFolder;
        builder.threads = threads;
        builder.engines = engines;
        builder.maxBatchSize = maxBatchSize;
        builder.kvCacheType = kvCacheType;
        builder.kvCacheBytes = kvCacheBytes;
        builder.passTimeout = passTimeout;
        builder.prefixCaching = prefixCaching;
        return builder;
    }

    /** Sets one by one what differs from the defaults; see {@link EngineSettings}. */
    public static final class Builder {

        private List<Integer> exitLayers;
        private double assistantConfidenceThreshold;
        private GenerationParameters defaults = GenerationParameters.DEFAULTS;
        private Precision precision = Precision.FP32;
        private Optional<Path> cacheFolder = Optional.empty();
        private int threads = 1;
        private int engines = 1;
        private int maxBatchSize = 32;
        private KeyValueCacheType kvCacheType = KeyValueCacheType.FLOAT32;
        private long kvCacheBytes = defaultKvCacheBytes(1);
        private Duration passTimeout = DEFAULT_PASS_TIMEOUT;
        private boolean prefixCaching = true;

        private Builder(List<Integer> exitLayers) {
            this.exitLayers = exitLayers;
        }

        public Builder exitLayers(List<Integer> exitLayers) {
            this.exitLayers = exitLayers;
            return this;
        }

        public Builder assistantConfidenceThreshold(double assistantConfidenceThreshold) {
            this.assistantConfidenceThreshold = assistantConfidenceThreshold;
            return this;
        }

        public Builder defaults(GenerationParameters defaults) {
            this.defaults = defaults;
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

        public Builder engines(int engines) {
            this.engines = engines;
            return this;
        }

        public Builder maxBatchSize(int maxBatchSize) {
            this.maxBatchSize = maxBatchSize;
            return this;
        }

        public Builder kvCacheType(KeyValueCacheType kvCacheType) {
            this.kvCacheType = kvCacheType;
            return this;
        }

        public Builder kvCacheBytes(long kvCacheBytes) {
            this.kvCacheBytes = kvCacheBytes;
            return this;
        }

        public Builder passTimeout(Duration passTimeout) {
            this.passTimeout = passTimeout;
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
                    assistantConfidenceThreshold,
                    defaults,
                    precision,
                    cacheFolder,
                    threads,
                    engines,
                    maxBatchSize,
                    kvCacheType,
                    kvCacheBytes,
                    passTimeout,
                    prefixCaching);
        }
    }

    /** Names what the same checkpoint's texts may differ by; keys and values only if rounded. */
    public String arithmetic() {
        return kvCacheType == KeyValueCacheType.FLOAT32
                ? precision.name()
                : precision + " with keys and values in " + kvCacheType;
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
