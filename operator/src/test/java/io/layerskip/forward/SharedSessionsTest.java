package io.layerskip.forward;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.layerskip.model.BundledModel;
import io.layerskip.model.Checkpoint;
import io.layerskip.model.CheckpointWriter;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Models of one process that have the same weights. */
@Timeout(120)
class SharedSessionsTest {

    private static final int[] PROMPT = {1, 20, 300, 4, 56};

    private final AtomicInteger loads = new AtomicInteger();

    @TempDir Path folder;

    @Test
    void areBuiltOnceForModelsThatAreCutAlike() throws Exception {
        try (Checkpoint checkpoint = Checkpoint.open(BundledModel.folder());
                Checkpoint again = Checkpoint.open(BundledModel.folder());
                LayerSkipModel one = open(checkpoint, Precision.INT8, 1, 2, 4);
                LayerSkipModel other = open(again, Precision.INT8, 1, 4, 2)) {
            assertThat(loads).hasValue(1);
            assertThat(logits(other)).isEqualTo(logits(one));
        }
    }

    @Test
    void areBuiltForEveryPrecisionExitAndNumberOfThreads() throws Exception {
        try (Checkpoint checkpoint = Checkpoint.open(BundledModel.folder());
                LayerSkipModel one = open(checkpoint, Precision.FP32, 1, 2);
                LayerSkipModel quantized = open(checkpoint, Precision.INT8, 1, 2);
                LayerSkipModel otherExit = open(checkpoint, Precision.FP32, 1, 3);
                LayerSkipModel threads = open(checkpoint, Precision.FP32, 2, 2)) {
            assertThat(loads).hasValue(4);
            assertThat(List.of(one, quantized, otherExit, threads))
                    .allMatch(model -> model.segments() == 2);
        }
    }

    @Test
    void stayForTheOthersWhenAModelIsClosedAndGoWithTheLast() throws Exception {
        new CheckpointWriter(1).write(folder);
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            LayerSkipModel first = open(checkpoint, Precision.FP32, 1, 2);
            LayerSkipModel second = open(checkpoint, Precision.FP32, 1, 2);
            float[] before = logits(second);

            first.close();
            first.close();
            assertThat(logits(second)).isEqualTo(before);

            second.close();
            open(checkpoint, Precision.FP32, 1, 2).close();
            assertThat(loads).hasValue(2);
        }
    }

    @Test
    void areNotThoseOfFilesThatWereReplaced() throws Exception {
        Path model = new CheckpointWriter(1).write(folder.resolve("model"));
        try (Checkpoint before = Checkpoint.open(model);
                LayerSkipModel first = open(before, Precision.FP32, 1, 2)) {
            float[] logits = logits(first);
            Files.move(model, folder.resolve("replaced"));
            new CheckpointWriter(2).write(model);
            try (Checkpoint after = Checkpoint.open(model);
                    LayerSkipModel second = open(after, Precision.FP32, 1, 2)) {
                assertThat(loads).hasValue(2);
                assertThat(logits(second)).isNotEqualTo(logits);
            }
        }
    }

    @Test
    void areBuiltOnceForModelsThatOpenAtTheSameTime() throws Exception {
        try (Checkpoint checkpoint = Checkpoint.open(BundledModel.folder())) {
            CountDownLatch start = new CountDownLatch(1);
            List<FutureTask<LayerSkipModel>> openings =
                    IntStream.range(0, 4)
                            .mapToObj(
                                    i ->
                                            new FutureTask<>(
                                                    () -> {
                                                        start.await();
                                                        return open(
                                                                checkpoint, Precision.FP32, 1, 2);
                                                    }))
                            .toList();
            openings.forEach(opening -> new Thread(opening).start());
            start.countDown();
            for (FutureTask<LayerSkipModel> opening : openings) {
                // Closing one must not matter to those that still open.
                opening.get();
            }
            assertThat(loads).hasValue(1);
            for (FutureTask<LayerSkipModel> opening : openings) {
                opening.get().close();
            }
        }
    }

    @Test
    void areLoadedByTheNextWhereOneIsRefused() throws Exception {
        try (Checkpoint checkpoint = Checkpoint.open(BundledModel.folder())) {
            assertThatThrownBy(
                            () ->
                                    openAfter(
                                            checkpoint,
                                            () -> {
                                                throw new IllegalStateException("no room");
                                            }))
                    .hasMessage("no room");

            open(checkpoint, Precision.FP32, 1, 2).close();
            assertThat(loads).hasValue(1);
        }
    }

    @Test
    void areLeftWhenTheThreadThatLoadsThemIsInterrupted() throws Exception {
        try (Checkpoint checkpoint = Checkpoint.open(BundledModel.folder())) {
            FutureTask<LayerSkipModel> cancelled =
                    new FutureTask<>(
                            () -> openAfter(checkpoint, () -> Thread.currentThread().interrupt()));
            new Thread(cancelled).start();
            assertThatThrownBy(cancelled::get).hasCauseInstanceOf(InterruptedIOException.class);

            open(checkpoint, Precision.FP32, 1, 2).close();
            assertThat(loads).hasValue(1);
        }
    }

    /** In a process of their own: the first engine of a process decides on the pool. */
    @Test
    void computeTheSameWithOnePoolForAllOfThem() throws Exception {
        float[] expected;
        try (Checkpoint checkpoint = Checkpoint.open(BundledModel.folder());
                LayerSkipModel model = open(checkpoint, Precision.INT8, 1, 2)) {
            expected = logits(model);
        }
        Process process =
                new ProcessBuilder(
                                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                                "-cp",
                                System.getProperty("java.class.path"),
                                Pooled.class.getName(),
                                BundledModel.folder().toString())
                        .redirectError(ProcessBuilder.Redirect.DISCARD)
                        .start();
        process.getOutputStream().close();
        String answer =
                new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();

        assertThat(process.waitFor()).isZero();
        assertThat(answer).isEqualTo(Arrays.hashCode(expected) + " true");
    }

    /** What {@link #computeTheSameWithOnePoolForAllOfThem} starts. */
    public static final class Pooled {

        private static final Path THREADS = Path.of("/proc/self/task");
        private static final int SESSIONS = 15;

        private Pooled() {}

        /**
         * Prints a hash of the logits of one of two models, and whether fewer threads were started
         * than a pool for each session would have.
         */
        public static void main(String[] args) throws Exception {
            PassThreads threads = new PassThreads(3, 2);
            try (Checkpoint checkpoint = Checkpoint.open(Path.of(args[0]))) {
                long before = threads();
                try (LayerSkipModel first = open(checkpoint, threads);
                        LayerSkipModel second = open(checkpoint, threads)) {
                    logits(first);
                    int hash = Arrays.hashCode(logits(second));
                    System.out.println(hash + " " + (threads() - before < SESSIONS));
                }
            }
        }

        /** All of this process, the JVM's included; 0 where the system does not tell. */
        private static long threads() throws IOException {
            if (!Files.exists(THREADS)) {
                return 0;
            }
            try (Stream<Path> threads = Files.list(THREADS)) {
                return threads.count();
            }
        }

        private static LayerSkipModel open(Checkpoint checkpoint, PassThreads threads)
                throws IOException {
            return new LayerSkipModel(
                    checkpoint,
                    List.of(2),
                    Precision.INT8,
                    Optional.empty(),
                    threads,
                    LoadListener.NONE);
        }
    }

    /** A model that nothing is counted of. */
    private static LayerSkipModel openAfter(Checkpoint checkpoint, Runnable beforeLoading)
            throws IOException {
        return new LayerSkipModel(
                checkpoint,
                List.of(2),
                Precision.FP32,
                Optional.empty(),
                new PassThreads(1, 1),
                BeforeLoading.run(beforeLoading));
    }

    private LayerSkipModel open(
            Checkpoint checkpoint, Precision precision, int threads, Integer... exits)
            throws IOException {
        return new LayerSkipModel(
                checkpoint,
                List.of(exits),
                precision,
                Optional.empty(),
                new PassThreads(threads, 1),
                BeforeLoading.run(loads::incrementAndGet));
    }

    /** After the last token of the prompt, [vocab]. */
    private static float[] logits(LayerSkipModel model) {
        try (KeyValueCache cache =
                new KeyValueCache(
                        new KeyValueMemory(model.config(), KeyValueCacheType.FLOAT32, 1L << 30))) {
            assertThat(cache.reserve(PROMPT.length)).isTrue();
            RaggedBatch batch = new RaggedBatch();
            batch.add(cache, 0, PROMPT.length);
            for (int row = 0; row < PROMPT.length; row++) {
                model.embed(PROMPT[row], row);
            }
            for (int segment = 0; segment < model.segments(); segment++) {
                model.forward(segment, batch);
            }
            model.headInput().write(0, model.states(model.segments()), PROMPT.length - 1);
            float[] logits = new float[model.config().vocabSize()];
            model.logits(1).read(0, logits, 0);
            return logits;
        }
    }
}
