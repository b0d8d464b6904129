package io.layerskip.connectors;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.util.RawValue;
import io.layerskip.engine.Choice;
import io.layerskip.engine.Confidence;
import io.layerskip.engine.FinishReason;
import io.layerskip.engine.GenerationResult;
import io.layerskip.engine.GenerationStatistics;
import java.io.UncheckedIOException;
import java.time.Clock;
import java.time.Instant;
import java.util.Optional;
import org.apache.flink.annotation.PublicEvolving;

/**
 * Completions as JSON objects, in UTF-8: OpenAI's {@code text_completion} and {@code
 * chat.completion}.
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
 * <p>The answer to messages is a {@code chat.completion}: its choice has a {@code message} in place
 * of the {@code text}.
 *
 * <pre>{@code
 * "choices": [{"index": 0, "message": {"role": "assistant", "content": "On its way."}, ...
 * }</pre>
 *
 * <p>{@code created} is the timestamp of the Kafka record that the request came in, so that a
 * request that is answered again after a failure gets the same answer, but for how many tokens were
 * drafted, which follows the load; the time of formatting where there is no such record. {@code
 * metadata} is the request's, and absent if that had none. {@code system_fingerprint} changes with
 * the checkpoint, its tokenizer and the precision; absent if what wrote the text did not note it.
 *
 * <p>A request for several completions gets as many {@code choices}; {@code usage} counts the
 * tokens of all of them, and the prompt's once.
 *
 * <p>{@code logprobs}, where they are asked for, have OpenAI's shape, with an entry for every token
 * written, an end-of-sequence token included:
 *
 * <pre>{@code
 * "logprobs": {"tokens": [" Yes", "token_id:1"], "token_logprobs": [-0.25, -0.01],
 *              "top_logprobs": [{" Yes": -0.25, " No": -1.6}, {"token_id:1": -0.01}],
 *              "text_offset": [0, 4]}
 * }</pre>
 *
 * <p>They are the model's own: of its logits at temperature 1, before penalties, biases and cuts. A
 * token that adds nothing to the text by itself, and the less likely of two with the same text, is
 * named by its id, as in vLLM. The token that was written is among the {@code top_logprobs} in any
 * case. Offsets count Unicode characters of the text. Where {@code return_confidence} was asked
 * for, a choice has a {@code confidence}, see {@link io.layerskip.engine.Confidence}:
 *
 * <pre>{@code
 * "confidence": {"mean_probability": 0.97, "least_probability": 0.81}
 * }</pre>
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

    /** The same format with the ids of the tokens written, as each choice's {@code token_ids}. */
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
        completion.put("object", context.chat() ? "chat.completion" : "text_completion");
        completion.put("created", created(context.source()).getEpochSecond());
        completion.put("model", model);
        result.systemFingerprint()
                .ifPresent(fingerprint -> completion.put("system_fingerprint", fingerprint));
        addChoices(completion.putArray("choices"), result, context.chat());
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
        return source.flatMap(SourceRecord::time).orElseGet(clock::instant);
    }

    private void addChoices(ArrayNode choices, GenerationResult result, boolean isChat) {
        for (Choice choice : result.choices()) {
            ObjectNode object = choices.addObject();
            object.put("index", choices.size() - 1);
            if (isChat) {
                object.putObject("message").put("role", "assistant").put("content", choice.text());
            } else {
                object.put("text", choice.text());
            }
            object.set("logprobs", LogprobsFormat.format(choice.logprobs(), isChat));
            object.put("finish_reason", spelled(choice.finishReason()));
            choice.confidence()
                    .ifPresent(confidence -> object.set("confidence", confidence(confidence)));
            if (tokenIds) {
                choice.tokenIds().forEach(object.putArray("token_ids")::add);
            }
        }
    }

    /** How sure the model was. */
    static ObjectNode confidence(Confidence confidence) {
        return JSON.createObjectNode()
                .put("mean_probability", confidence.meanProbability())
                .put("least_probability", confidence.leastProbability());
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
