package io.layerskip.flink;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.layerskip.chat.Chat;
import io.layerskip.chat.ChatMessage;
import io.layerskip.engine.EngineSettings;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.forward.KeyValueCacheType;
import io.layerskip.forward.Precision;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.streaming.api.datastream.AsyncDataStream;
import org.apache.flink.util.InstantiationUtil;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class LayerSkipConfigurationTest {

    @Test
    void requestsInFlightTakeASlotsShareOfATenthOfTheHeap() {
        assertThat(read(Map.of()).capacityMemory(4))
                .isEqualTo(Runtime.getRuntime().maxMemory() / 10 / 4);
    }

    @Test
    void readsValuesWrittenAsText() {
        LayerSkipConfiguration configuration =
                read(
                        Map.ofEntries(
                                Map.entry("layerskip.assistant-early-exit", "3;2"),
                                Map.entry("layerskip.num-assistant-tokens", "0"),
                                Map.entry("layerskip.assistant-confidence-threshold", "0.4"),
                                Map.entry("layerskip.max-batch-size", "8"),
                                Map.entry("layerskip.kv-cache-memory", "64 mb"),
                                Map.entry("layerskip.max-tokens", "20"),
                                Map.entry("layerskip.temperature", "0.7"),
                                Map.entry("layerskip.top-k", "40"),
                                Map.entry("layerskip.top-p", "0.9"),
                                Map.entry("layerskip.precision", "int8"),
                                Map.entry("layerskip.cache-folder", "/tmp/weights"),
                                Map.entry("layerskip.prefix-caching", "false"),
                                Map.entry("layerskip.threads", "3"),
                                Map.entry("layerskip.capacity", "5"),
                                Map.entry("layerskip.capacity-memory", "3 mb"),
                                Map.entry("layerskip.request-timeout", "10 s"),
                                Map.entry("layerskip.output-order", "ordered")));

        assertThat(configuration.toEngineSettings(1))
                .isEqualTo(
                        EngineSettings.builder(3, 2)
                                .assistantConfidenceThreshold(0.4)
                                .defaults(
                                        GenerationParameters.builder()
                                                .numAssistantTokens(0)
                                                .maxTokens(20)
                                                .temperature(0.7)
                                                .topK(40)
                                                .topP(0.9)
                                                .build())
                                .precision(Precision.INT8)
                                .cacheFolder(Path.of("/tmp/weights"))
                                .prefixCaching(false)
                                .threads(3)
                                .maxBatchSize(8)
                                .kvCacheBytes(64 << 20)
                                .build());
        assertThat(configuration.capacity()).isEqualTo(5);
        assertThat(configuration.capacityMemory(4)).isEqualTo(3 << 20);
        assertThat(configuration.requestTimeout()).isEqualTo(Duration.ofSeconds(10));
        assertThat(configuration.outputOrder()).isEqualTo(AsyncDataStream.OutputMode.ORDERED);
    }

    @Test
    void readsValuesSetInAProgram() {
        Configuration options =
                new Configuration()
                        .set(LayerSkipOptions.ASSISTANT_EARLY_EXIT, List.of(3, 2))
                        .set(LayerSkipOptions.PRECISION, Precision.INT4)
                        .set(LayerSkipOptions.KV_CACHE_TYPE, KeyValueCacheType.INT8)
                        .set(LayerSkipOptions.KV_CACHE_MEMORY, MemorySize.ofMebiBytes(64))
                        .set(LayerSkipOptions.REQUEST_TIMEOUT, Duration.ofMillis(1500));

        LayerSkipConfiguration configuration = LayerSkipConfiguration.from(options);

        EngineSettings settings = configuration.toEngineSettings(1);
        assertThat(settings.exitLayers()).containsExactly(3, 2);
        assertThat(settings.precision()).isEqualTo(Precision.INT4);
        assertThat(settings.kvCacheType()).isEqualTo(KeyValueCacheType.INT8);
        assertThat(settings.kvCacheBytes()).isEqualTo(64 << 20);
        assertThat(configuration.requestTimeout()).isEqualTo(Duration.ofMillis(1500));
    }

    @Test
    void sharesCoresAndMemoryAmongTheSlots() {
        int cores = Runtime.getRuntime().availableProcessors();

        assertThat(read(Map.of()).toEngineSettings(1).threads()).isEqualTo(cores);
        assertThat(read(Map.of()).toEngineSettings(cores + 1).threads()).isEqualTo(1);
        assertThat(read(Map.of()).toEngineSettings(2).kvCacheBytes())
                .isEqualTo(Runtime.getRuntime().maxMemory() / 4 / 2);
    }

    @Test
    void draftsAsManyTokensAsPayByDefault() {
        assertThat(read(Map.of()).toEngineSettings(1).defaults().numAssistantTokens()).isEmpty();
    }

    @Test
    void leavesMaxTokensToTheCheckpointByDefault() {
        assertThat(read(Map.of()).toEngineSettings(1).defaults().maxTokens()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "layerskip.model.path|' '|a folder, classpath:NAME or an address such as"
                        + " s3://BUCKET/FOLDER",
                "layerskip.assistant-early-exit|0|one or more different layers, each at least 1,"
                        + " such as 2 or 2;3",
                "layerskip.assistant-early-exit|2;2|one or more different layers, each at least 1,"
                        + " such as 2 or 2;3",
                "layerskip.num-assistant-tokens|65|auto or from 0 to 64",
                "layerskip.num-assistant-tokens|many|auto or from 0 to 64",
                "layerskip.assistant-confidence-threshold|1.5|from 0 to 1",
                "layerskip.kv-cache-memory|0 mb|a size above 0, such as 256 mb",
                "layerskip.max-tokens|0|a whole number, at least 1",
                "layerskip.temperature|-1|from 0 to 100",
                "layerskip.temperature|NaN|from 0 to 100",
                "layerskip.top-k|many|a whole number, at least 0 (0: all tokens)",
                "layerskip.top-p|0|above 0 and at most 1",
                "layerskip.precision|fp8|FP32, INT8 or INT4",
                "layerskip.kv-cache-type|int4|FLOAT32 or INT8",
                "layerskip.cache-folder|' '|a folder",
                "layerskip.prefix-caching|maybe|true or false",
                "layerskip.threads|0|a whole number, at least 1",
                "layerskip.max-batch-size|129|a whole number, from 1 to 128",
                "layerskip.capacity|0|a whole number, at least 1",
                "layerskip.capacity-memory|0 mb|a size above 0, such as 64 mb",
                "layerskip.request-timeout|0 s|a duration of at least 1 ms, such as 5 min",
                "layerskip.pass-timeout|0 s|a duration of at least 1 ms, such as 2 min",
                "layerskip.pass-timeout|soon|a duration of at least 1 ms, such as 2 min",
                "layerskip.request-timeout|200000000000 d|a duration of at least 1 ms, such as 5"
                        + " min",
                "layerskip.output-order|sorted|ORDERED or UNORDERED"
            })
    void refusesAValueThatIsNotAllowed(String option, String value, String allowed) {
        assertThatThrownBy(() -> read(Map.of(option, value)))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessage("option %s is %s; allowed: %s", option, value, allowed);
    }

    @Test
    void refusesAnUnknownOptionAndListsTheKnownOnes() {
        assertThatThrownBy(() -> read(Map.of("layerskip.top-kk", "1")))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageStartingWith("option layerskip.top-kk is unknown; known: ")
                .hasMessageContaining("layerskip.top-k,");
    }

    @Test
    void namesEveryRefusedOptionAtOnce() {
        assertThatThrownBy(() -> read(Map.of("layerskip.top-k", "-1", "layerskip.top-p", "2")))
                .hasMessageContaining("option layerskip.top-k is -1")
                .hasMessageContaining("option layerskip.top-p is 2");
    }

    @Test
    void refusesAnExitLayerThatTheModelDoesNotHave(@TempDir Path folder) throws Exception {
        Files.writeString(folder.resolve("config.json"), "{\"num_hidden_layers\": 12}");
        LayerSkipConfiguration configuration = withModel(folder, "11;12");

        assertThatThrownBy(() -> configuration.checkAgainstModel(getClass().getClassLoader()))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessage(
                        "option layerskip.assistant-early-exit is 11;12; allowed: from 1 to 11; %s"
                                + " has 12 layers",
                        folder);
    }

    @Test
    void refusesAModelThatCannotRenderChatsWhereTheJobMakesThem(@TempDir Path folder)
            throws Exception {
        Files.writeString(folder.resolve("config.json"), "{}");
        LayerSkipConfiguration configuration = withModel(folder, "1");
        ClassLoader loader = getClass().getClassLoader();

        assertThatThrownBy(() -> configuration.checkChats(loader, chatOf("user")))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageStartingWith(
                        "option layerskip.model.path is %s; allowed: a checkpoint that renders"
                                + " chats; the checkpoint has no chat template",
                        folder);

        Files.writeString(folder.resolve("chat_template.jinja"), "{% nonsense %}");
        assertThatThrownBy(() -> configuration.checkChats(loader, chatOf("user")))
                .hasMessageEndingWith(
                        "the chat template 'default' in chat_template.jinja cannot be interpreted:"
                                + " unknown tag 'nonsense' at line 1, column 4");

        Files.writeString(folder.resolve("chat_template.jinja"), "{{ messages }}");
        assertThatCode(() -> configuration.checkChats(loader, chatOf("user")))
                .doesNotThrowAnyException();
    }

    @Test
    void refusesAModelWhoseTemplateDoesNotTakeTheChatsThatTheJobMakes(@TempDir Path folder)
            throws Exception {
        Files.writeString(folder.resolve("config.json"), "{}");
        Files.writeString(
                folder.resolve("chat_template.jinja"),
                "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}"
                        + "{% endif %}{{ messages }}");
        LayerSkipConfiguration configuration = withModel(folder, "1");
        ClassLoader loader = getClass().getClassLoader();

        assertThatThrownBy(() -> configuration.checkChats(loader, chatOf("system")))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageStartingWith(
                        "option layerskip.model.path is %s; allowed: a checkpoint that renders"
                                + " chats; ",
                        folder)
                .hasMessageContaining("no system role");
        assertThatCode(() -> configuration.checkChats(loader, chatOf("user")))
                .doesNotThrowAnyException();
    }

    private static Chat chatOf(String role) {
        return Chat.of(List.of(new ChatMessage(role, "Hi")), Instant.EPOCH);
    }

    @Test
    void leavesAModelThatIsElsewhereToTheTaskManager(@TempDir Path folder) {
        LayerSkipConfiguration configuration = withModel(folder.resolve("elsewhere"), "99");

        assertThatCode(() -> configuration.checkAgainstModel(getClass().getClassLoader()))
                .doesNotThrowAnyException();
        assertThatCode(() -> configuration.checkChats(getClass().getClassLoader(), chatOf("user")))
                .doesNotThrowAnyException();
    }

    @Test
    void wantsAFolderThatAModelAtAnAddressIsFetchedTo() {
        assertThatThrownBy(() -> read(Map.of("layerskip.model.path", "s3://models/tiny")))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessage(
                        "option layerskip.cache-folder is missing; allowed: a folder, which the"
                                + " model is fetched to, since layerskip.model.path is an address");
        assertThatCode(() -> read(Map.of("layerskip.model.path", "file:///models/tiny")))
                .doesNotThrowAnyException();
    }

    @Test
    void refusesAnAddressWithAPasswordAndDoesNotShowIt() {
        assertThatThrownBy(
                        () ->
                                read(
                                        Map.of(
                                                "layerskip.model.path",
                                                "s3://key:hidden@models/tiny",
                                                "layerskip.cache-folder",
                                                "/cache")))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageStartingWith(
                        "option layerskip.model.path is an address with a password in it")
                .hasMessageNotContaining("hidden");
    }

    @Test
    void refusesAnAddressThatFlinkHasNoFileSystemFor() {
        LayerSkipConfiguration configuration =
                read(
                        Map.of(
                                "layerskip.model.path",
                                "nowhere://models/tiny",
                                "layerskip.cache-folder",
                                "/cache"));

        assertThatThrownBy(() -> configuration.checkAgainstModel(getClass().getClassLoader()))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageStartingWith(
                        "option layerskip.model.path is nowhere://models/tiny; allowed: an address"
                                + " of a file system that Flink has here. Put its plugin, such as"
                                + " flink-s3-fs-hadoop");
    }

    @Test
    void leavesTheOptionsOfOthersBehind() throws Exception {
        LayerSkipConfiguration configuration =
                read(Map.of("kafka.sink.sasl.jaas.config", "hunter2", "layerskip.threads", "3"));

        byte[] travelling = InstantiationUtil.serializeObject(configuration);

        assertThat(new String(travelling, StandardCharsets.ISO_8859_1))
                .contains("layerskip.threads")
                .doesNotContain("hunter2");
    }

    @Test
    void travelsWithTheJob() throws Exception {
        LayerSkipConfiguration configuration = read(Map.of("layerskip.max-tokens", "7"));

        LayerSkipConfiguration arrived = InstantiationUtil.clone(configuration);

        assertThat(arrived.toEngineSettings(1)).isEqualTo(configuration.toEngineSettings(1));
    }

    private static LayerSkipConfiguration read(Map<String, String> options) {
        return LayerSkipConfiguration.from(Configuration.fromMap(options));
    }

    private static LayerSkipConfiguration withModel(Path folder, String exitLayers) {
        return read(
                Map.of(
                        "layerskip.model.path",
                        folder.toString(),
                        "layerskip.assistant-early-exit",
                        exitLayers));
    }
}
