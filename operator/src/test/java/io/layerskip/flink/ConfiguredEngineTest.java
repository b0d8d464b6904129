package io.layerskip.flink;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.layerskip.engine.GenerationParameters;
import io.layerskip.engine.GenerationRequest;
import io.layerskip.model.BundledModel;
import io.layerskip.model.CheckpointException;
import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.stream.Stream;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.MemorySize;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The bundled model out of a jar: the copy shows whether what was opened is closed again. */
final class ConfiguredEngineTest {

    private static final String END_OF_SEQUENCE = "</s>";

    @TempDir Path temp;

    @Test
    void completesAPromptUntilItIsClosed() throws IOException {
        Path copy;
        try (URLClassLoader loader = loader(jar());
                ConfiguredEngine opened =
                        ConfiguredEngine.open(configuration(new Configuration()), loader, 1)) {
            copy = opened.checkpoint().folder();
            assertThat(copies()).containsExactly(copy);
            GenerationRequest request =
                    new GenerationRequest(
                            "1", "banking: Where is my card?\n", GenerationParameters.DEFAULTS);

            assertThat(opened.engine().submit(request).result().join().failure()).isEmpty();
        }
        assertThat(copy).doesNotExist();
    }

    @Test
    void enginesOfAProcessShareTheCopyUntilTheLastIsClosed() throws IOException {
        LayerSkipConfiguration configuration = configuration(new Configuration());
        Path copy;
        try (URLClassLoader loader = loader(jar());
                ConfiguredEngine first = ConfiguredEngine.open(configuration, loader, 2)) {
            copy = first.checkpoint().folder();
            ConfiguredEngine second = ConfiguredEngine.open(configuration, loader, 2);
            assertThat(copies()).containsExactly(copy);
            assertThat(second.checkpoint()).isSameAs(first.checkpoint());

            second.close();
            assertThat(copy).exists();
        }
        assertThat(copy).doesNotExist();
    }

    @Test
    void canBeClosedTwice() throws IOException {
        try (URLClassLoader loader = loader(jar())) {
            ConfiguredEngine opened =
                    ConfiguredEngine.open(configuration(new Configuration()), loader, 1);

            opened.close();
            opened.close();
        }
    }

    @Test
    void splitsSpecialTokensAsConfigured() throws IOException {
        Configuration whole = new Configuration().set(LayerSkipOptions.SPLIT_SPECIAL_TOKENS, false);

        assertThat(encode(END_OF_SEQUENCE, new Configuration())).hasSizeGreaterThan(2);
        assertThat(encode(END_OF_SEQUENCE, whole)).hasSize(2);
    }

    @Test
    void leavesNoCopyOfACheckpointThatCannotBeOpened() throws IOException {
        try (URLClassLoader loader = loader(jar("tokenizer.json"))) {
            assertThatThrownBy(
                            () ->
                                    ConfiguredEngine.open(
                                            configuration(new Configuration()), loader, 1))
                    .isInstanceOf(CheckpointException.class);
        }
        assertThat(copies()).isEmpty();
    }

    @Test
    void leavesNoCopyIfTheEngineCannotBeBuilt() throws IOException {
        Configuration tooLittle =
                new Configuration().set(LayerSkipOptions.KV_CACHE_MEMORY, new MemorySize(1));
        try (URLClassLoader loader = loader(jar())) {
            assertThatThrownBy(() -> ConfiguredEngine.open(configuration(tooLittle), loader, 1))
                    .isInstanceOf(IllegalArgumentException.class);
        }
        assertThat(copies()).isEmpty();
    }

    @Test
    void refusesAnExitLayerThatTheModelDoesNotHave() throws IOException {
        Configuration last =
                new Configuration().set(LayerSkipOptions.ASSISTANT_EARLY_EXIT, List.of(12));
        try (URLClassLoader loader = loader(jar())) {
            assertThatThrownBy(() -> ConfiguredEngine.open(configuration(last), loader, 1))
                    .isInstanceOf(IllegalConfigurationException.class)
                    .hasMessageContaining("allowed: from 1 to 11");
        }
    }

    private int[] encode(String text, Configuration options) throws IOException {
        try (URLClassLoader loader = loader(jar());
                ConfiguredCheckpoint opened =
                        ConfiguredCheckpoint.open(configuration(options), loader)) {
            return opened.checkpoint().tokenizer().encode(text);
        }
    }

    private static LayerSkipConfiguration configuration(Configuration options) {
        return LayerSkipConfiguration.from(
                options.set(LayerSkipOptions.MODEL_PATH, "classpath:models/bundled"));
    }

    /** Copies of this test's model, which has a file that no other has. */
    private List<Path> copies() throws IOException {
        try (Stream<Path> folders = Files.list(Path.of(System.getProperty("java.io.tmpdir")))) {
            return folders.filter(folder -> Files.exists(folder.resolve(marker()))).toList();
        }
    }

    private String marker() {
        return temp.getFileName() + ".marker";
    }

    private static URLClassLoader loader(Path jar) throws IOException {
        return new URLClassLoader(new URL[] {jar.toUri().toURL()});
    }

    /** The bundled model in a jar, without some of its files. */
    private Path jar(String... missing) throws IOException {
        Path jar = temp.resolve("model.jar");
        try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(jar));
                Stream<Path> files = Files.list(BundledModel.folder())) {
            for (Path file : files.toList()) {
                String name = file.getFileName().toString();
                if (!List.of(missing).contains(name)) {
                    out.putNextEntry(new JarEntry("models/bundled/" + name));
                    Files.copy(file, out);
                }
            }
            out.putNextEntry(new JarEntry("models/bundled/" + marker()));
        }
        return jar;
    }
}
