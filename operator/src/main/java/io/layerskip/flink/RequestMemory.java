package io.layerskip.flink;

import io.layerskip.chat.Chat;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.engine.GenerationRequest;

/**
 * What requests take of the JVM's heap while they are in flight, at the most: what they brought
 * with them, and the tokens and texts that are made of it. Keys and values have a limit of their
 * own.
 *
 * <p>Sizes of objects are those of a 64-bit JVM with compressed references; a token's text is taken
 * for 4 bytes, which is what a tokenizer makes of most languages.
 *
 * @param context tokens that prompt and completion have at the most
 * @param defaultMaxTokens tokens that are written for a request that does not say
 */
record RequestMemory(int context, int defaultMaxTokens) {

    /** Its queue entry, timer, futures, sequence, sampler and statistics. */
    private static final long OBJECTS = 4 * 1024;

    /** Its id in the sequence, boxed in a list of a result or a checkpoint, and its text. */
    private static final long WRITTEN_TOKEN = Integer.BYTES + (4 + 16) + 2 * 4;

    /** A {@link io.layerskip.engine.TokenLogprob} with its text. */
    private static final long LOGPROB = 32 + 24 + 24;

    /** A list with its array. */
    private static final long LIST = 48;

    /** An entry of a map with a boxed key and value. */
    private static final long MAP_ENTRY = 32 + 16 + 24;

    /** Bytes of the heap. */
    long of(GenerationRequest request) {
        GenerationParameters asked = request.parameters();
        long prompt = textBytes(request.prompt());
        long characters = request.prompt().length();
        if (request.chat().isPresent()) {
            Chat chat = request.chat().get();
            prompt =
                    textBytes(chat.messages())
                            + chat.tools().map(RequestMemory::textBytes).orElse(0L)
                            + chat.templateArguments().map(RequestMemory::textBytes).orElse(0L);
            characters = chat.characters();
        }
        long promptTokens = Math.min(characters, context);
        long choices = asked.n().orElse(1);
        long parameters =
                asked.logitBias().size() * MAP_ENTRY
                        + asked.stop().stream().mapToLong(RequestMemory::textBytes).sum();
        return OBJECTS
                + textBytes(request.id())
                + request.attachment().length
                + parameters
                + prompt
                + choices * (promptTokens * Integer.BYTES + writtenBytes(asked))
                + (asked.echo() ? choices * prompt : 0);
    }

    private long writtenBytes(GenerationParameters asked) {
        long tokens = Math.min(asked.maxTokens().orElse(defaultMaxTokens), context);
        boolean likely = asked.logprobs().isPresent() || asked.returnConfidence();
        long logprobs = likely ? LIST + (1 + asked.logprobs().orElse(0)) * LOGPROB : 0;
        return tokens * (WRITTEN_TOKEN + logprobs);
    }

    /** A string of Latin-1 has one byte a character, any other has two. */
    private static long textBytes(String text) {
        for (int i = 0; i < text.length(); i++) {
            if (text.charAt(i) > 0xff) {
                return 2L * text.length();
            }
        }
        return text.length();
    }
}
