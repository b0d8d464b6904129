package io.layerskip.forward;

import ai.onnxruntime.OrtEnvironment;
import java.io.IOException;
import java.lang.reflect.Field;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.apache.flink.annotation.Internal;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What ONNX Runtime leaves in the JVM for as long as that runs: a shutdown hook, which keeps all
 * classes of the job in memory, its environment with the threads of the pool, and a temporary
 * folder with its unpacked libraries, 24 MB. Every submission of a job to a TaskManager would leave
 * them once more, so they are taken back when Flink releases the job's class loader.
 *
 * <p>ONNX Runtime has no way to do that, so this reaches into private fields of its own, of {@link
 * Thread} and of the JVM's list of hooks; the latter two are open to it through the {@code
 * --add-opens=java.base/java.lang=ALL-UNNAMED} that Flink starts its processes with. Where a field
 * cannot be reached, a warning is all that comes of it.
 *
 * <p>The hook is taken away when a model is opened: it would free the environment under passes that
 * are being computed when the process is told to end. What it would have done is done here, as the
 * pool's threads have to end before the JVM unloads the library, together with the class loader.
 * Where a model is still open, of a task that does not react to its cancellation, the environment
 * is left alone.
 */
@Internal
public final class OnnxRuntimeCleanup {

    private static final Logger LOG = LoggerFactory.getLogger(OnnxRuntimeCleanup.class);

    /** What the hook would have done; there is one environment in a class loader. */
    private static final AtomicReference<Optional<Runnable>> CLOSING =
            new AtomicReference<>(Optional.empty());

    private OnnxRuntimeCleanup() {}

    /** Takes back what belongs to the class loader that this class lives in. Never throws. */
    public static void release() {
        // Classes that are there for as long as the JVM runs keep nothing from being released.
        if (OnnxRuntimeCleanup.class.getClassLoader() == ClassLoader.getSystemClassLoader()) {
            return;
        }
        try {
            removeShutdownHook();
            closeEnvironment();
        } catch (ReflectiveOperationException | RuntimeException e) {
            LOG.warn(
                    "ONNX Runtime's shutdown hook cannot be removed and keeps this job's classes in"
                            + " the metaspace until the process ends; does it run with"
                            + " --add-opens=java.base/java.lang=ALL-UNNAMED? {}",
                    e.toString());
        }
        try {
            deleteLibraries();
        } catch (ReflectiveOperationException | IOException | RuntimeException e) {
            LOG.warn(
                    "ONNX Runtime's libraries stay in the temporary folder until the process ends:"
                            + " {}",
                    e.toString());
        }
    }

    /**
     * Takes ONNX Runtime's shutdown hook away, which would free the environment under passes that
     * are being computed when the process is told to end, and so crash it. Where it cannot be
     * reached, it stays.
     */
    static void takeShutdownHook() {
        try {
            removeShutdownHook();
        } catch (ReflectiveOperationException | RuntimeException e) {
            LOG.debug("ONNX Runtime's shutdown hook cannot be removed", e);
        }
    }

    private static void removeShutdownHook() throws ReflectiveOperationException {
        Class<?> list = Class.forName("java.lang.ApplicationShutdownHooks");
        List<Thread> hooks;
        synchronized (list) {
            // None once the JVM is shutting down.
            hooks =
                    Optional.ofNullable((Map<?, ?>) field(list, "hooks").get(null)).stream()
                            .flatMap(map -> map.keySet().stream())
                            .map(Thread.class::cast)
                            .toList();
        }
        for (Thread hook : hooks) {
            if (isOurs(task(hook))) {
                Runtime.getRuntime().removeShutdownHook(hook);
                CLOSING.set(Optional.of((Runnable) task(hook)));
            }
        }
    }

    private static void closeEnvironment() {
        if (!LayerSkipModel.anyOpen()) {
            CLOSING.getAndSet(Optional.empty()).ifPresent(Runnable::run);
        }
    }

    private static boolean isOurs(Object task) {
        return task != null
                && task.getClass().getPackageName().equals(OrtEnvironment.class.getPackageName())
                && task.getClass().getClassLoader() == OnnxRuntimeCleanup.class.getClassLoader();
    }

    private static Object task(Thread thread) throws ReflectiveOperationException {
        try {
            return field(Thread.class, "target").get(thread);
        } catch (NoSuchFieldException sinceJava19) {
            Object holder = field(Thread.class, "holder").get(thread);
            return field(holder.getClass(), "task").get(holder);
        }
    }

    /** On Windows, where a library in use cannot be deleted, they stay until the process ends. */
    private static void deleteLibraries() throws ReflectiveOperationException, IOException {
        Path folder =
                (Path)
                        field(Class.forName("ai.onnxruntime.OnnxRuntime"), "tempDirectory")
                                .get(null);
        if (folder != null) {
            try (Stream<Path> files = Files.walk(folder)) {
                for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                    Files.delete(file);
                }
            }
        }
    }

    private static Field field(Class<?> owner, String name) throws NoSuchFieldException {
        Field field = owner.getDeclaredField(name);
        field.setAccessible(true);
        return field;
    }
}
