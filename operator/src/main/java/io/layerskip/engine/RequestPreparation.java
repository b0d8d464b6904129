package io.layerskip.engine;

import io.layerskip.chat.ChatFormat;
import io.layerskip.chat.ChatRenderingException;
import io.layerskip.forward.KeyValueBlock;
import io.layerskip.forward.KeyValueCache;
import io.layerskip.forward.KeyValueMemory;
import io.layerskip.model.Checkpoint;
import io.layerskip.model.MarkedText;
import io.layerskip.model.ModelConfig;
import io.layerskip.model.Tokenizer;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/**
 * Makes a sequence of a request: checks it, renders its chat, tokenises its prompt, and fills in
 * the engine's defaults for what it leaves open. What cannot be served is refused here, if possible
 * before a long prompt is tokenised, which takes a second a megabyte.
 */
final class RequestPreparation {

    private final ModelConfig config;
    private final Tokenizer tokenizer;
    private final ChatFormat chatFormat;
    private final EngineSettings settings;
    private final KeyValueMemory memory;
    private final int context;

    RequestPreparation(Checkpoint checkpoint, EngineSettings settings, KeyValueMemory memory) {
        this.config = checkpoint.config();
        this.tokenizer = checkpoint.tokenizer();
        this.chatFormat = ChatFormat.of(checkpoint);
        this.settings = settings;
        this.memory = memory;
        this.context =
                Math.min(config.maxPositionEmbeddings(), memory.capacity() * KeyValueBlock.TOKENS);
    }

    /** Starts the generation; returns why it cannot be, if so. */
    Optional<GenerationFailure> prepare(ActiveGeneration generation) {
        GenerationRequest request = generation.request();
        GenerationParameters asked = request.parameters().orElse(settings.defaults());
        Optional<GenerationFailure> refusal = refusal(asked);
        if (refusal.isPresent()) {
            return refusal;
        }
        Optional<MarkedText> chat;
        try {
            chat = request.chat().isPresent() ? Optional.of(render(request)) : Optional.empty();
        } catch (ChatRenderingException e) {
            return invalid(e.getMessage());
        }
        int leastTokens =
                tokenizer.leastTokens(chat.map(MarkedText::text).orElse(request.prompt()));
        if (leastTokens >= context) {
            return tooLong("at least " + leastTokens);
        }
        int[] prompt =
                chat.map(tokenizer::encode).orElseGet(() -> tokenizer.encode(request.prompt()));
        if (prompt.length == 0) {
            return invalid("the prompt has no tokens");
        }
        if (prompt.length >= context) {
            return tooLong(Integer.toString(prompt.length));
        }
        long seed = asked.seed().orElse(request.id().hashCode());
        start(generation, asked, prompt, seed);
        List<ActiveGeneration> siblings = generation.siblings();
        for (int i = 0; i < siblings.size(); i++) {
            start(siblings.get(i), asked, prompt, GenerationParameters.seedOf(seed, i + 1));
        }
        return Optional.empty();
    }

    private void start(
            ActiveGeneration generation, GenerationParameters asked, int[] prompt, long seed) {
        int maxTokens = Math.min(context - prompt.length, maxTokens(asked));
        int minTokens = Math.min(maxTokens, asked.minTokens().orElse(0));
        Sequence sequence =
                new Sequence(
                        prompt,
                        maxTokens,
                        drafting(asked),
                        asked.ignoreEos() ? Set.of() : Set.copyOf(config.eosTokenIds()),
                        new Sampling(
                                asked.temperature().orElseThrow(),
                                asked.topK().orElseThrow(),
                                asked.topP().orElseThrow(),
                                asked.minP().orElse(0),
                                LogitsAdjustment.of(asked)),
                        seed,
                        new KeyValueCache(memory));
        Reporting reporting = Reporting.of(asked);
        generation.start(
                sequence,
                new CompletionText(tokenizer, asked.stop(), prompt, minTokens),
                reporting,
                reporting.likely().isPresent()
                        ? Optional.of(logprobs(prompt, reporting.logprobs().isPresent()))
                        : Optional.empty());
    }

    private CompletionLogprobs logprobs(int[] prompt, boolean withTexts) {
        CompletionText text = new CompletionText(tokenizer, List.of(), prompt);
        return new CompletionLogprobs(text, withTexts);
    }

    /** Why the model cannot do what is asked for, if so. */
    private Optional<GenerationFailure> refusal(GenerationParameters asked) {
        int exit = asked.assistantEarlyExit().orElse(defaultExit());
        if (exit != 0 && !settings.exitLayers().contains(exit)) {
            return invalid(
                    "assistant_early_exit is %d; allowed: 0 (no draft) or an open exit layer, %s"
                            .formatted(exit, settings.exitLayers()));
        }
        for (int token : asked.logitBias().keySet()) {
            if (token < 0 || token >= config.vocabSize()) {
                return invalid(
                        "logit_bias has token %d; allowed: 0 to %d"
                                .formatted(token, config.vocabSize() - 1));
            }
        }
        int minTokens = asked.minTokens().orElse(0);
        if (minTokens > maxTokens(asked)) {
            return invalid(
                    "min_tokens is %d; allowed: at most max_tokens, which is %d"
                            .formatted(minTokens, maxTokens(asked)));
        }
        if (asked.echo() && asked.logprobs().isPresent()) {
            return invalid(
                    "echo is true, and logprobs is %d; allowed: only one of the two, as the prompt's"
                                    .formatted(asked.logprobs().getAsInt())
                            + " log probabilities are not served");
        }
        return Optional.empty();
    }

    private MarkedText render(GenerationRequest request) throws ChatRenderingException {
        return chatFormat.render(request.chat().orElseThrow());
    }

    /** A draft of a fixed length exits at the first open layer, if it does not say. */
    private Sequence.Drafting drafting(GenerationParameters asked) {
        OptionalInt exit = asked.assistantEarlyExit();
        OptionalInt numAssistantTokens = asked.numAssistantTokens();
        if (exit.orElse(defaultExit()) == 0) {
            return new Sequence.Drafting(OptionalInt.of(defaultExit()), OptionalInt.of(0), 0);
        }
        boolean any = exit.isEmpty() && numAssistantTokens.isEmpty();
        return new Sequence.Drafting(
                any ? exit : OptionalInt.of(exit.orElse(defaultExit())),
                numAssistantTokens,
                settings.assistantConfidenceThreshold());
    }

    private int defaultExit() {
        return settings.exitLayers().get(0);
    }

    private int maxTokens(GenerationParameters asked) {
        return asked.maxTokens()
                .orElse(config.defaultMaxNewTokens().orElse(EngineSettings.DEFAULT_MAX_TOKENS));
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

    private static Optional<GenerationFailure> invalid(String message) {
        return failure(GenerationFailure.Kind.INVALID_REQUEST, message);
    }

    private static Optional<GenerationFailure> failure(
            GenerationFailure.Kind kind, String message) {
        return Optional.of(new GenerationFailure(kind, message));
    }
}
