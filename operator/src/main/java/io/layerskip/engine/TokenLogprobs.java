package io.layerskip.engine;

import java.util.List;
import java.util.Objects;
import org.apache.flink.annotation.PublicEvolving;

/**
 * A token that was written, and what else the model held likely in its place.
 *
 * @param chosen the token that was written
 * @param top the likeliest tokens, as many as were asked for, the likeliest first; the chosen one
 *     may be among them
 */
@PublicEvolving
public record TokenLogprobs(TokenLogprob chosen, List<TokenLogprob> top) {

    public TokenLogprobs {
        Objects.requireNonNull(chosen, "chosen");
        top = List.copyOf(top);
    }
}
