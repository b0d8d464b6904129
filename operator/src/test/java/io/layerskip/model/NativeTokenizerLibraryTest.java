package io.layerskip.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.URLClassLoader;
import java.nio.file.Path;
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

        try (URLClassLoader first = IsolatedClassLoader.create();
                URLClassLoader second = IsolatedClassLoader.create()) {
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
