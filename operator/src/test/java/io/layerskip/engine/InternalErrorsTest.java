package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class InternalErrorsTest {

    private static final GenerationRequest REQUEST =
            new GenerationRequest("42", "Hi", GenerationParameters.DEFAULTS);

    private final List<String> messages = new ArrayList<>();
    private final List<Throwable> logged = new ArrayList<>();
    private long now;

    private final InternalErrors errors =
            new InternalErrors(
                    (message, exception) -> {
                        messages.add(message);
                        logged.add(exception);
                    },
                    () -> now);

    @Test
    void tellsTheRequestWhatWentWrongAndTheLogWhere() {
        RuntimeException exception = oneCause();

        GenerationFailure failure = errors.failure(REQUEST, exception);

        assertThat(failure.kind()).isEqualTo(GenerationFailure.Kind.INTERNAL_ERROR);
        assertThat(failure.message()).isEqualTo("generation failed: " + exception);
        assertThat(messages).hasSize(1).first().asString().startsWith("Request 42 failed");
        assertThat(logged).containsExactly(exception);
    }

    @Test
    void logsACauseOnceAMinuteAndCountsTheOthers() {
        for (int i = 0; i < 100; i++) {
            errors.failure(REQUEST, oneCause());
        }
        assertThat(logged).hasSize(1);

        now += TimeUnit.MINUTES.toNanos(1);
        errors.failure(REQUEST, oneCause());

        assertThat(messages).hasSize(2).last().asString().contains("99 more");
    }

    @Test
    void logsEveryCause() {
        errors.failure(REQUEST, oneCause());
        errors.failure(REQUEST, another());

        assertThat(logged).hasSize(2);
    }

    private static RuntimeException oneCause() {
        return new IllegalStateException("no such state");
    }

    private static RuntimeException another() {
        return new IllegalStateException("no such state");
    }
}
