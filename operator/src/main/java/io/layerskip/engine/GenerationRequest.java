package io.layerskip.engine;

import java.util.Objects;
import org.apache.flink.annotation.PublicEvolving;

/**
 * One prompt to complete.
 *
 * @param id names the request in results, logs and dead letters
 * @param prompt the text to complete
 * @param parameters what the request asks for; what it leaves open is the engine's default
 * @param attachment bytes that the result carries back untouched; the engine never looks into them
 */
@PublicEvolving
public record GenerationRequest(
        String id, String prompt, GenerationParameters parameters, byte[] attachment) {

    private static final byte[] NOTHING = {};

    public GenerationRequest {
        Objects.requireNonNull(id, "id");
        Objects.requireNonNull(prompt, "prompt");
        Objects.requireNonNull(parameters, "parameters");
        Objects.requireNonNull(attachment, "attachment");
    }

    public GenerationRequest(String id, String prompt, GenerationParameters parameters) {
        this(id, prompt, parameters, NOTHING);
    }
}
