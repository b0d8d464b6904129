package io.layerskip.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class ModelLocationTest {

    @TempDir Path temp;

    @Test
    void takesAFolderAsItIs() throws IOException {
        Files.writeString(temp.resolve("config.json"), "{}");

        try (ModelFolder folder = open(temp.toString(), getClass().getClassLoader())) {
            assertThat(folder.path()).isEqualTo(temp);
        }

        assertThat(temp.resolve("config.json")).exists();
    }

    @Test
    void takesTheUriOfAFolderAsThatFolder() throws IOException {
        Path tiny = Files.createDirectory(temp.resolve("tiny model"));
        Files.writeString(tiny.resolve("config.json"), "{}");
        ModelLocation location = new ModelLocation(tiny.toUri().toString());

        try (ModelFolder folder = location.open(getClass().getClassLoader())) {
            assertThat(folder.path()).isEqualTo(tiny);
        }
        assertThat(location.isRemote()).isFalse();
    }

    @ParameterizedTest
    @ValueSource(strings = {"file://models/tiny", "file:///a b"})
    void refusesAUriThatIsNoPath(String uri) {
        assertThatThrownBy(() -> open(uri, getClass().getClassLoader()))
                .isInstanceOf(CheckpointException.class)
                .hasMessageStartingWith(uri + " is no path of this machine");
    }

    @ParameterizedTest
    @CsvSource({
        "s3://bucket/models/tiny, true, tiny",
        "S3A://bucket/models/tiny/, true, tiny",
        "hdfs:///models/tiny, true, tiny",
        "s3://bucket, true, bucket",
        "file:///models/tiny/, false, tiny",
        "FILE:/models/tiny, false, tiny",
        "/models/tiny, false, tiny",
        "models/s3:tiny, false, s3:tiny",
        "C:/models/tiny, false, tiny",
        "classpath:models/tiny, false, tiny",
        "classpath:/models/tiny, false, tiny"
    })
    void tellsAnAddressFromAFolder(String name, boolean remote, String modelName) {
        ModelLocation location = new ModelLocation(name);

        assertThat(location.isRemote()).isEqualTo(remote);
        assertThat(location.modelName()).isEqualTo(modelName);
    }

    @ParameterizedTest
    @CsvSource({
        "s3://key:secret@bucket/tiny, true",
        "S3://key:secret@bucket, true",
        "abfss://container@account.example/tiny, false",
        "hdfs://namenode:8020/models/tiny@1:2, false",
        "/models/a:b@c, false"
    })
    void findsAPasswordInAnAddress(String name, boolean found) {
        assertThat(new ModelLocation(name).holdsPassword()).isEqualTo(found);
    }

    @Test
    void takesAFolderOnTheClassPathAsItIs() throws IOException {
        Path models = Files.createDirectories(temp.resolve("models/tiny model"));
        Files.writeString(models.resolve("config.json"), "{}");

        try (URLClassLoader loader = loader(temp);
                ModelFolder folder = open("classpath:models/tiny model", loader)) {
            assertThat(folder.path()).isEqualTo(models);
        }
    }

    @Test
    void copiesAFolderOutOfAJarAndDeletesTheCopyWhenClosed() throws IOException {
        Path jar =
                jar(
                        Map.of(
                                "models/tiny/config.json", "config",
                                "models/tiny/model.safetensors", "weights",
                                "models/tiny/deeper/file", "not of the folder",
                                "models/tiny.golden.jsonl", "not of the folder"));

        Path copy;
        try (URLClassLoader loader = loader(jar);
                ModelFolder folder = open("classpath:models/tiny", loader)) {
            copy = folder.path();
            assertThat(copy).isDirectoryNotContaining(Files::isDirectory);
            assertThat(copy.resolve("config.json")).hasContent("config");
            assertThat(copy.resolve("model.safetensors")).hasContent("weights");
            assertThat(copy.resolve("tiny.golden.jsonl")).doesNotExist();
        }

        assertThat(copy).doesNotExist();
    }

    @Test
    void doesNotKeepAJarOpenThatItReadAFileOf() throws IOException {
        Path open = Path.of("/proc/self/fd");
        assumeTrue(Files.isDirectory(open), "no list of open files here");
        Path jar = jar(Map.of("models/tiny/config.json", "config"));

        try (URLClassLoader loader = loader(jar);
                InputStream config =
                        new ModelLocation("classpath:models/tiny")
                                .openFile("config.json", loader)) {
            assertThat(config).hasContent("config");
        }

        try (Stream<Path> files = Files.list(open)) {
            assertThat(files.map(ModelLocationTest::target)).doesNotContain(jar);
        }
    }

    private static Path target(Path link) {
        try {
            return Files.readSymbolicLink(link);
        } catch (IOException closedMeanwhile) {
            return link;
        }
    }

    @Test
    void namesTheFileThatIsMissing() {
        Path missing = temp.resolve("nowhere");

        assertThatThrownBy(() -> open(missing.toString(), getClass().getClassLoader()))
                .isInstanceOf(CheckpointException.class)
                .hasMessage("%s is missing or not readable", missing.resolve("config.json"));
        assertThatThrownBy(() -> open("classpath:models/none", getClass().getClassLoader()))
                .isInstanceOf(CheckpointException.class)
                .hasMessage("no models/none/config.json on the class path");
    }

    private static ModelFolder open(String name, ClassLoader loader) throws IOException {
        return new ModelLocation(name).open(loader);
    }

    private static URLClassLoader loader(Path place) throws IOException {
        return new URLClassLoader(new URL[] {place.toUri().toURL()});
    }

    private Path jar(Map<String, String> files) throws IOException {
        Path jar = temp.resolve("job.jar");
        try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(jar))) {
            for (Map.Entry<String, String> file : files.entrySet()) {
                out.putNextEntry(new JarEntry(file.getKey()));
                out.write(file.getValue().getBytes(StandardCharsets.UTF_8));
            }
        }
        return jar;
    }
}
