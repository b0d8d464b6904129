package io.layerskip.engine;

import io.layerskip.forward.KeyValueBlock;
import io.layerskip.forward.KeyValueCache;
import io.layerskip.forward.KeyValueMemory;
import io.layerskip.model.Checkpoint;
import io.layerskip.model.ModelConfig;
import io.layerskip.model.Tokenizer;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/**
 * Makes a sequence of a request: checks it, tokenises its prompt, and fills in the engine's
 * defaults for what it leaves open. What cannot be served is refused here, if possible before a
 * long prompt is tokenised, which takes a second a megabyte.
 */
final class RequestPreparation {

    private final ModelConfig config;
    private final Tokenizer tokenizer;
    private final EngineSettings settings;
    private final KeyValueMemory memory;
    private final int context;

    RequestPreparation(Checkpoint checkpoint, EngineSettings settings, KeyValueMemory memory) {
        this.config = checkpoint.config();
        this.tokenizer = checkpoint.tokenizer();
        this.settings = settings;
        this.memory = memory;
        this.context =
                Math.min(config.maxPositionEmbeddings(), memory.capacity() * KeyValueBlock.TOKENS);
    }

    /** Starts the generation; returns why it cannot be, if so. */
    Optional<GenerationFailure> prepare(ActiveGeneration generation) {
        GenerationRequest request = generation.request();
        GenerationParameters asked = request.parameters().orElse(settings.defaults());
        OptionalInt exit = asked.assistantEarlyExit();
        int layer = exit.orElse(defaultExit());
        boolean drafts = layer != 0;
        if (drafts && !settings.exitLayers().contains(layer)) {
            return failure(
                    GenerationFailure.Kind.INVALID_REQUEST,
                    "assistant_early_exit is %d; allowed: 0 (no draft) or an open exit layer, %s"
                            .formatted(layer, settings.exitLayers()));
        }
        int leastTokens = tokenizer.leastTokens(request.prompt());
        if (leastTokens >= context) {
            return tooLong("at least " + leastTokens);
        }
        int[] prompt = tokenizer.encode(request.prompt());
        if (prompt.length == 0) {
            return failure(GenerationFailure.Kind.INVALID_REQUEST, "the prompt has no tokens");
        }
        if (prompt.length >= context) {
            return tooLong(Integer.toString(prompt.length));
        }
        int room = context - prompt.length;
        Sequence sequence =
                new Sequence(
                        prompt,
                        Math.min(room, asked.maxTokens().orElse(defaultMaxTokens())),
                        drafts ? drafting(exit, asked.numAssistantTokens()) : plain(),
                        asked.ignoreEos() ? Set.of() : Set.copyOf(config.eosTokenIds()),
                        new Sampling(
                                asked.temperature().orElseThrow(),
                                asked.topK().orElseThrow(),
                                asked.topP().orElseThrow()),
                        asked.seed().orElse(request.id().hashCode()),
                        new KeyValueCache(memory));
        generation.start(sequence, new CompletionText(tokenizer, asked.stop(), prompt));
        return Optional.empty();
    }

    private Sequence.Drafting plain() {
        return new Sequence.Drafting(OptionalInt.of(defaultExit()), OptionalInt.of(0), 0);
    }

    /** A draft of a fixed length exits at the first open layer, if it does not say. */
    private Sequence.Drafting drafting(OptionalInt exit, OptionalInt numAssistantTokens) {
        boolean any = exit.isEmpty() && numAssistantTokens.isEmpty();
        return new Sequence.Drafting(
                any ? exit : OptionalInt.of(exit.orElse(defaultExit())),
                numAssistantTokens,
                settings.assistantConfidenceThreshold());
    }

    private int defaultExit() {
        return settings.exitLayers().get(0);
    }

    private int defaultMaxTokens() {
        return config.defaultMaxNewTokens().orElse(EngineSettings.DEFAULT_MAX_TOKENS);
    }

    private Optional<GenerationFailure> tooLong(String tokens) {
        return failure(
                GenerationFailure.Kind.PROMPT_TOO_LONG,
                "the prompt has %s tokens; allowed: at most %d, one less than %s"
                        .formatted(
                                tokens,
                                context - 1,
                                context == config.maxPositionEmbeddings()
                                        ? "the model's context"
                                        : "the memory for keys and values holds"));
    }

    private static Optional<GenerationFailure> failure(
            GenerationFailure.Kind kind, String message) {
        return Optional.of(new GenerationFailure(kind, message));
    }
}
