package io.layerskip.bench;

import java.util.concurrent.CompletableFuture;

/** One way to complete prompts greedily, to be compared with others. */
public interface Contender {

    /** What tables and charts call it. */
    String name();

    /** Starts to complete a prompt; never blocks. The future fails if there is no completion. */
    CompletableFuture<Completed> complete(String prompt);

    /**
     * What came of one prompt.
     *
     * @param text the completion
     * @param tokens written, an end-of-sequence token included where there was one
     * @param nanosToFirstToken from the start to the first token, in ns; 0 if that is not known
     * @param nanos from the start to the end, in ns
     * @param drafted tokens that were drafted; 0 where nothing drafts
     * @param accepted how many of those were accepted
     */
    record Completed(
            String text,
            int tokens,
            long nanosToFirstToken,
            long nanos,
            int drafted,
            int accepted) {}
}
