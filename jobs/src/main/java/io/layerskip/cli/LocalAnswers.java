package io.layerskip.cli;

import io.layerskip.local.LocalJob;
import java.io.IOException;
import java.time.Duration;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/** What comes back from a job in this process, with a progress bar while it does. */
final class LocalAnswers {

    private static final Duration PATIENCE = Duration.ofSeconds(80);

    private LocalAnswers() {}

    /** Takes an answer. */
    interface Reader {
        void read(ConsumerRecord<byte[], byte[]> answer) throws IOException;
    }

    /**
     * Reads so many answers.
     *
     * @param task what the progress bar says
     * @throws IOException if they have not come after 80 s
     */
    static void await(int count, LocalJob job, String task, Reader reader)
            throws IOException, InterruptedException {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        int read = 0;
        try (Progress progress = Progress.of(task, count)) {
            while (read < count) {
                if (System.nanoTime() > deadline) {
                    throw new IOException(
                            "%d of %d answers after %d s"
                                    .formatted(read, count, PATIENCE.toSeconds()));
                }
                for (ConsumerRecord<byte[], byte[]> answer : job.poll()) {
                    reader.read(answer);
                    progress.step();
                    read++;
                }
            }
        }
    }
}
