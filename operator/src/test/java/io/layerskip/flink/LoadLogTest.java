package io.layerskip.flink;

import static org.assertj.core.api.Assertions.assertThat;

import io.layerskip.forward.LoadListener.Stage;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class LoadLogTest {

    private final List<String> lines = new ArrayList<>();
    private long seconds = 100;

    @Test
    void writesALineEveryFewSeconds() {
        LoadLog log = new LoadLog("llama", () -> TimeUnit.SECONDS.toNanos(seconds), lines::add);

        log.onProgress(Stage.CONVERTING, 0, 100 << 20);
        seconds += 5;
        log.onProgress(Stage.CONVERTING, 30 << 20, 100 << 20);
        log.onProgress(Stage.CONVERTING, 40 << 20, 100 << 20);
        seconds += 4;
        log.onProgress(Stage.CONVERTING, 90 << 20, 100 << 20);
        seconds += 1;
        log.onProgress(Stage.BUILDING, 0, 50 << 20);

        assertThat(lines)
                .containsExactly(
                        "Loading llama: converting weights, 30 of 100 MB",
                        "Loading llama: building sessions, 0 of 50 MB");
    }

    @Test
    void saysNothingOfASizeThatIsNotKnown() {
        LoadLog log = new LoadLog("llama", () -> TimeUnit.SECONDS.toNanos(seconds), lines::add);

        seconds += 5;
        log.onProgress(Stage.WAITING, 0, 0);

        assertThat(lines)
                .containsExactly("Loading llama: waiting for another user of the cache folder");
    }
}
