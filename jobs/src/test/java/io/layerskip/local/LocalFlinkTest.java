package io.layerskip.local;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.Map;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestOptions;
import org.junit.jupiter.api.Test;

final class LocalFlinkTest {

    @Test
    void keepsKafkasSettingsFromFlinkWhichWouldShowThem() throws IOException {
        assertThat(settings(Map.of("kafka.sink.ssl.keystore.key", "hunter2")))
                .doesNotContainValue("hunter2");
    }

    @Test
    void isReachedFromThisMachineOnlyUnlessToldOtherwise() throws IOException {
        String key = RestOptions.BIND_ADDRESS.key();

        assertThat(settings(Map.of())).containsEntry(key, "localhost");
        assertThat(settings(Map.of(key, "0.0.0.0"))).containsEntry(key, "0.0.0.0");
    }

    private static Map<String, String> settings(Map<String, String> given) throws IOException {
        return LocalFlink.create(Configuration.fromMap(given))
                .environment()
                .getConfiguration()
                .toMap();
    }
}
