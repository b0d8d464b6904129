package io.layerskip.connectors;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.util.RawValue;
import io.layerskip.engine.FinishReason;
import io.layerskip.engine.GenerationResult;
import io.layerskip.engine.GenerationStatistics;
import java.io.UncheckedIOException;
import java.time.Clock;
import java.time.Instant;
import java.util.Optional;
import org.apache.flink.annotation.PublicEvolving;

/**
 * Completions as JSON objects, in UTF-8: OpenAI's {@code text_completion}.
 *
 * <pre>{@code
 * {"id": "7", "object": "text_completion", "created": 1795392000, "model": "layerskip-intents-9M",
 *  "system_fingerprint": "fp_290a157fbd",
 *  "choices": [{"index": 0, "text": "{\"intent\":\"card_arrival\"}", "logprobs": null,
 *               "finish_reason": "stop"}],
 *  "usage": {"prompt_tokens": 19, "completion_tokens": 8, "total_tokens": 27,
 *            "completion_tokens_details": {"accepted_prediction_tokens": 6,
 *                                          "rejected_prediction_tokens": 1}},
 *  "metadata": {"customer": 12}}
 * }</pre>
 *
 * <p>{@code created} is the timestamp of the Kafka record that the request came in, so that a
 * request that is answered again after a failure gets the same answer, but for how many tokens were
 * drafted, which follows the load; the time of formatting where there is no such record. {@code
 * metadata} is the request's, and absent if that had none. {@code system_fingerprint} changes with
 * the checkpoint, its tokenizer and the precision; absent if what wrote the text did not note it.
 *
 * <p>Thread-safe.
 */
@PublicEvolving
public final class CompletionFormat implements ResultFormat {

    private static final long serialVersionUID = 1;

    private static final JsonMapper JSON = new JsonMapper();

    private final String model;
    private final boolean tokenIds;
    private final Clock clock;

    /**
     * @param model name of the model, for the field of that name
     */
    public CompletionFormat(String model) {
        this(model, false, Clock.systemUTC());
    }

    CompletionFormat(String model, boolean tokenIds, Clock clock) {
        this.model = model;
        this.tokenIds = tokenIds;
        this.clock = clock;
    }

    /** The same format with the ids of the tokens written, as {@code choices[0].token_ids}. */
    public CompletionFormat withTokenIds() {
        return new CompletionFormat(model, true, clock);
    }

    /**
     * The completion of a request that {@link CompletionRequestFormat} read.
     *
     * @throws IllegalArgumentException if the request failed: there is no completion
     */
    public byte[] format(GenerationResult result) {
        return format(result, RequestContext.of(result));
    }

    @Override
    public byte[] format(GenerationResult result, RequestContext context) {
        ObjectNode completion = JSON.createObjectNode();
        completion.put("id", result.id());
        completion.put("object", "text_completion");
        completion.put("created", created(context.source()).getEpochSecond());
        completion.put("model", model);
        result.systemFingerprint()
                .ifPresent(fingerprint -> completion.put("system_fingerprint", fingerprint));
        addChoice(completion.putArray("choices"), result);
        completion.set("usage", usage(result.statistics()));
        context.metadata()
                .ifPresent(json -> completion.putRawValue("metadata", new RawValue(json)));
        try {
            return JSON.writeValueAsBytes(completion);
        } catch (JsonProcessingException e) {
            throw new UncheckedIOException("request " + result.id() + ": no JSON to be made", e);
        }
    }

    private Instant created(Optional<SourceRecord> source) {
        return source.filter(record -> record.timestamp() >= 0)
                .map(record -> Instant.ofEpochMilli(record.timestamp()))
                .orElseGet(clock::instant);
    }

    private void addChoice(ArrayNode choices, GenerationResult result) {
        ObjectNode choice = choices.addObject();
        choice.put("index", 0);
        choice.put("text", result.text());
        choice.putNull("logprobs");
        choice.put("finish_reason", spelled(result.finishReason()));
        if (tokenIds) {
            result.tokenIds().forEach(choice.putArray("token_ids")::add);
        }
    }

    private static String spelled(FinishReason reason) {
        return switch (reason) {
            case STOP -> "stop";
            case LENGTH -> "length";
            case ERROR -> throw new IllegalArgumentException("a failed request has no completion");
        };
    }

    /** OpenAI's usage object. */
    static ObjectNode usage(GenerationStatistics statistics) {
        ObjectNode usage = JSON.createObjectNode();
        int accepted = statistics.acceptedTokens();
        usage.put("prompt_tokens", statistics.promptTokens());
        usage.put("completion_tokens", statistics.completionTokens());
        usage.put("total_tokens", statistics.promptTokens() + statistics.completionTokens());
        usage.putObject("completion_tokens_details")
                .put("accepted_prediction_tokens", accepted)
                .put("rejected_prediction_tokens", statistics.draftedTokens() - accepted);
        return usage;
    }
}
