package io.layerskip.engine;

import java.util.Objects;
import org.apache.flink.annotation.PublicEvolving;

/**
 * How likely the model held a token to come next: by its own logits, at temperature 1, before
 * anything that the request changes or cuts.
 *
 * @param tokenId which token
 * @param text what it adds to the text; empty if that is nothing, as for a special token or a byte
 *     that does not complete its character, or if nobody asked for it
 * @param logprob natural logarithm of its probability, at most 0
 */
@PublicEvolving
public record TokenLogprob(int tokenId, String text, double logprob) {

    public TokenLogprob {
        Objects.requireNonNull(text, "text");
    }
}
