package io.layerskip.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class NativeTokenizerLibraryTest {

    private static final String PROMPT = "banking: The cash machine kept my card\n";

    @Test
    void everyClassLoaderHasALibraryOfItsOwn() throws Exception {
        int[] expected =
                BundledModel.goldenCases().stream()
                        .filter(golden -> golden.prompt().equals(PROMPT))
                        .findFirst()
                        .orElseThrow()
                        .promptIds();

        try (URLClassLoader first = isolated();
                URLClassLoader second = isolated()) {
            assertThat(encodeIn(first)).containsExactly(expected);
            assertThat(encodeIn(second)).containsExactly(expected);
            assertThat(encodeIn(first)).containsExactly(expected);
        }
    }

    @Test
    void leavesNoPathToItsCopyBehind() throws Exception {
        NativeTokenizerLibrary.load();

        assertThat(System.getProperty("RUST_LIBRARY_PATH")).isNull();
    }

    @Test
    void keepsDjlFromCallingHome() throws Exception {
        NativeTokenizerLibrary.load();

        assertThat(System.getProperty("OPT_OUT_TRACKING")).isEqualTo("true");
    }

    /** As Flink's user-code class loaders are: none of our classes or DJL's from the parent. */
    private static URLClassLoader isolated() {
        URL[] classPath =
                Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
                        .map(NativeTokenizerLibraryTest::url)
                        .toArray(URL[]::new);
        return new URLClassLoader(classPath, ClassLoader.getPlatformClassLoader());
    }

    private static URL url(String entry) {
        try {
            return new File(entry).toURI().toURL();
        } catch (MalformedURLException e) {
            throw new IllegalArgumentException(entry, e);
        }
    }

    private static int[] encodeIn(ClassLoader loader) throws Exception {
        Class<?> checkpointClass = loader.loadClass(Checkpoint.class.getName());
        assertThat(checkpointClass.getClassLoader()).isSameAs(loader);
        Object checkpoint =
                checkpointClass.getMethod("open", Path.class).invoke(null, BundledModel.folder());
        try (AutoCloseable closing = (AutoCloseable) checkpoint) {
            Object tokenizer = checkpointClass.getMethod("tokenizer").invoke(closing);
            return (int[])
                    loader.loadClass(Tokenizer.class.getName())
                            .getMethod("encode", String.class)
                            .invoke(tokenizer, PROMPT);
        }
    }
}
