package io.layerskip.model;

import ai.djl.huggingface.tokenizers.jni.LibUtils;
import ai.djl.util.Platform;
import ai.djl.util.Utils;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * The native library of DJL's tokenizers, loaded once for the class loader that this class lives
 * in.
 *
 * <p>Flink gives each submission of a job a class loader of its own, and the JVM refuses to load
 * the same library file for two of them. Left alone, DJL unpacks its library to the same place
 * every time, so a job could be submitted to a TaskManager only once. Here each class loader gets a
 * copy in a fresh temporary folder, which DJL is pointed at by its own setting, {@code
 * RUST_LIBRARY_PATH}; that also keeps DJL from looking for a library online. Where a user has set
 * that variable or property, DJL takes the library from there, and for one class loader only.
 */
final class NativeTokenizerLibrary {

    private static final String LIBRARY_PATH = "RUST_LIBRARY_PATH";
    private static final String OPT_OUT_OF_TELEMETRY = "OPT_OUT_TRACKING";

    /** The library is linked to these, which lie beside it. */
    private static final List<String> WINDOWS_RUNTIME =
            List.of("libwinpthread-1.dll", "libgcc_s_seh-1.dll", "libstdc++-6.dll");

    /** A class is initialised once, under the JVM's lock: that is what makes this load once. */
    private static final Optional<Throwable> FAILURE = tryLoad();

    private NativeTokenizerLibrary() {}

    /**
     * Makes sure that the library is loaded.
     *
     * @throws CheckpointException if there is none for this platform, or it cannot be unpacked
     */
    static void load() throws CheckpointException {
        if (FAILURE.isPresent()) {
            throw new CheckpointException(
                    "the native library that reads tokenizer.json cannot be loaded from the temporary folder %s: %s"
                            .formatted(System.getProperty("java.io.tmpdir"), FAILURE.get()),
                    FAILURE.get());
        }
    }

    private static Optional<Throwable> tryLoad() {
        // System properties are shared by all class loaders, and so must be the lock.
        synchronized (System.getProperties()) {
            try {
                // DJL asks for this one at every new tokenizer, so it stays.
                System.setProperty(OPT_OUT_OF_TELEMETRY, "true");
                if (Utils.getEnvOrSystemProperty(LIBRARY_PATH) == null) {
                    loadOwnCopy();
                } else {
                    LibUtils.checkStatus();
                }
                return Optional.empty();
            } catch (IOException | RuntimeException | LinkageError e) {
                return Optional.of(e);
            }
        }
    }

    private static void loadOwnCopy() throws IOException {
        Path folder = Files.createTempDirectory("layerskip-tokenizers");
        try {
            String library = System.mapLibraryName("tokenizers");
            unpack(library, folder);
            if (library.endsWith(".dll")) {
                for (String runtime : WINDOWS_RUNTIME) {
                    unpack(runtime, folder);
                }
            }
            System.setProperty(LIBRARY_PATH, folder.resolve(library).toString());
            LibUtils.checkStatus();
        } finally {
            System.clearProperty(LIBRARY_PATH);
            // A loaded library needs no file; only Windows holds on to it until the process ends.
            Utils.deleteQuietly(folder);
        }
    }

    private static void unpack(String file, Path folder) throws IOException {
        String resource =
                "/native/lib/%s/cpu/%s"
                        .formatted(Platform.detectPlatform("tokenizers").getClassifier(), file);
        try (InputStream in = LibUtils.class.getResourceAsStream(resource)) {
            if (in == null) {
                throw new FileNotFoundException("no " + resource + " on the class path");
            }
            Files.copy(in, folder.resolve(file));
        }
    }
}
