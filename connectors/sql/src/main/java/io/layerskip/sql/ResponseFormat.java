package io.layerskip.sql;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.util.Locale;
import java.util.Optional;

/** What a completion has to be. */
enum ResponseFormat {
    TEXT {
        @Override
        Optional<String> refusal(String completion) {
            return Optional.empty();
        }
    },
    JSON_OBJECT {
        @Override
        Optional<String> refusal(String completion) {
            try {
                JsonNode json = JSON.readTree(completion);
                return json.isObject()
                        ? Optional.empty()
                        : Optional.of("the completion is no JSON object");
            } catch (JsonProcessingException e) {
                return Optional.of("the completion is no JSON: " + e.getOriginalMessage());
            }
        }
    };

    private static final JsonMapper JSON =
            JsonMapper.builder().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).build();

    /** Why a completion is not of this format; empty if it is. */
    abstract Optional<String> refusal(String completion);

    /** As it stands in a statement: {@code json_object}. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
