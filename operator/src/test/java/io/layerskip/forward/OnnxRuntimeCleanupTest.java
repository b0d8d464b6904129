package io.layerskip.forward;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import ai.onnxruntime.OrtEnvironment;
import io.layerskip.model.IsolatedClassLoader;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.net.URLClassLoader;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A whole job's remains are tested on a cluster; here, a class loader's that has only them. */
class OnnxRuntimeCleanupTest {

    private URLClassLoader loader;
    private Path libraries;

    @BeforeEach
    void load() throws Exception {
        loader = IsolatedClassLoader.create();
        loader.loadClass(OrtEnvironment.class.getName()).getMethod("getEnvironment").invoke(null);
        Field folder =
                loader.loadClass("ai.onnxruntime.OnnxRuntime").getDeclaredField("tempDirectory");
        folder.setAccessible(true);
        libraries = (Path) folder.get(null);
    }

    @AfterEach
    void close() throws Exception {
        loader.close();
    }

    @Test
    void deletesTheUnpackedLibraries() throws Exception {
        assertThat(libraries).isNotEmptyDirectory();

        release();

        assertThat(libraries).doesNotExist();
    }

    @Test
    void aJvmThatDoesNotLetItInIsNoFailure() {
        assertThat(Object.class.getModule().isOpen("java.lang", getClass().getModule())).isFalse();

        assertThatCode(this::release).doesNotThrowAnyException();
    }

    private void release() throws Exception {
        Method release =
                loader.loadClass(OnnxRuntimeCleanup.class.getName()).getDeclaredMethod("release");
        release.setAccessible(true);
        release.invoke(null);
    }
}
