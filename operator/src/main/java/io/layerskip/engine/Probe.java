package io.layerskip.engine;

import io.layerskip.forward.KeyValueCache;
import io.layerskip.forward.KeyValueCacheType;
import io.layerskip.forward.KeyValueMemory;
import io.layerskip.model.ModelConfig;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.IntStream;

/**
 * A short sequence like those that passes are measured with when an engine opens: a model that
 * cannot write it is broken, whoever asks.
 */
final class Probe {

    private static final int PROMPT_TOKENS = 8;
    private static final int MAX_TOKENS = 8;
    private static final int DRAFTS = 2;

    private final ModelConfig config;
    private final KeyValueCacheType type;

    /**
     * @param type how keys and values are kept
     */
    Probe(ModelConfig config, KeyValueCacheType type) {
        this.config = config;
        this.type = type;
    }

    /**
     * Writes the sequence, with keys and values beside those of the requests, which may have taken
     * all of the memory.
     *
     * @param round takes turns through the model
     * @return what went wrong, if anything did
     */
    Optional<Throwable> run(Consumer<List<Turn>> round) {
        KeyValueMemory memory = new KeyValueMemory(config, type, type.blockBytes(config));
        int[] prompt = IntStream.range(0, PROMPT_TOKENS).map(i -> i % config.vocabSize()).toArray();
        try (Sequence sequence =
                new Sequence(
                        prompt,
                        MAX_TOKENS,
                        new Sequence.Drafting(OptionalInt.empty(), OptionalInt.of(DRAFTS), 0),
                        Set.of(),
                        new Sampling(0, 0, 1),
                        0,
                        new KeyValueCache(memory))) {
            Turn turn = new Turn(sequence);
            while (!sequence.ended()) {
                turn.begin(PROMPT_TOKENS, DRAFTS);
                if (!sequence.cache().reserve(turn.positionsNeeded())) {
                    throw new IllegalStateException("the probe has no room for keys and values");
                }
                round.accept(List.of(turn));
                if (turn.failure().isPresent()) {
                    return Optional.of(new IllegalStateException(turn.failure().get().message()));
                }
                int written = turn.written();
                for (int i = 0; i < written; i++) {
                    sequence.write(turn.choice(i));
                }
                turn.end(written);
            }
            return Optional.empty();
        } catch (RuntimeException | Error e) {
            return Optional.of(e);
        }
    }
}
