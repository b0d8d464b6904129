package io.layerskip.engine;

import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import org.apache.flink.annotation.PublicEvolving;

/**
 * What an engine has under way and has done since it opened, as it stood after its latest round.
 *
 * @param waiting requests that wait: to be prepared, for a place, or for memory
 * @param running requests that are under way together
 * @param batchSize requests that took part in the latest round
 * @param keyValueBlocksUsed blocks of keys and values that requests and beginnings of earlier
 *     prompts hold
 * @param keyValueBlocks blocks that there may be
 * @param preemptions how often a request that was under way had to wait, so that older ones had
 *     memory
 * @param passes passes through the remaining layers, which verify: one a round
 * @param rows rows of those passes: tokens of prompts, drafts, and a token of each request
 * @param draftPasses passes through the early layers, which draft
 * @param lastPass when the latest round ended; empty before the first one
 * @param passTime how long the pass under way has taken by now; zero if there is none
 */
@PublicEvolving
public record EngineStatus(
        int waiting,
        int running,
        int batchSize,
        int keyValueBlocksUsed,
        int keyValueBlocks,
        long preemptions,
        long passes,
        long rows,
        long draftPasses,
        Optional<Instant> lastPass,
        Duration passTime) {

    /** The same with what has happened since the latest round. */
    EngineStatus since(int moreWaiting, Duration passTime) {
        return new EngineStatus(
                waiting + moreWaiting,
                running,
                batchSize,
                keyValueBlocksUsed,
                keyValueBlocks,
                preemptions,
                passes,
                rows,
                draftPasses,
                lastPass,
                passTime);
    }
}
