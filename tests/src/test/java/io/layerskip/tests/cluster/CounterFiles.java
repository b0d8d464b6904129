package io.layerskip.tests.cluster;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.UUID;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Metric;
import org.apache.flink.metrics.MetricConfig;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.metrics.reporter.MetricReporter;
import org.apache.flink.metrics.reporter.MetricReporterFactory;
import org.apache.flink.metrics.reporter.Scheduled;

/**
 * Keeps the generating operator's counters in files, one for each attempt of a subtask, so that
 * what a process had counted when it was killed is known to within the reporter's interval.
 */
public final class CounterFiles implements MetricReporter, Scheduled {

    private static final String GROUP = "layerskip";

    private final Map<Metric, CounterFile> files = new HashMap<>();
    private Path folder;

    /** Found by Flink. */
    public static final class Factory implements MetricReporterFactory {
        @Override
        public MetricReporter createMetricReporter(Properties properties) {
            return new CounterFiles();
        }
    }

    /** Flink's settings for a reporter that keeps its files in a folder. */
    static Map<String, String> settings(Path folder) {
        String reporter = "metrics.reporter.files.";
        return Map.of(
                reporter + "factory.class",
                Factory.class.getName(),
                reporter + "interval",
                "20 ms",
                reporter + "folder",
                folder.toString());
    }

    /** What a counter came to in all attempts together. */
    static long total(Path folder, String name) throws IOException {
        long total = 0;
        try (DirectoryStream<Path> counts = Files.newDirectoryStream(folder, "*." + name)) {
            for (Path count : counts) {
                ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(count));
                total += bytes.remaining() == Long.BYTES ? bytes.getLong() : 0;
            }
        }
        return total;
    }

    @Override
    public void open(MetricConfig config) {
        folder = Path.of(config.getString("folder", null));
    }

    @Override
    public synchronized void notifyOfAddedMetric(Metric metric, String name, MetricGroup group) {
        if (metric instanceof Counter counter
                && Arrays.asList(group.getScopeComponents()).contains(GROUP)) {
            files.put(metric, new CounterFile(counter, folder, name));
        }
    }

    @Override
    public synchronized void notifyOfRemovedMetric(Metric metric, String name, MetricGroup group) {
        CounterFile file = files.remove(metric);
        if (file != null) {
            file.close();
        }
    }

    @Override
    public synchronized void report() {
        files.values().forEach(CounterFile::write);
    }

    @Override
    public synchronized void close() {
        files.values().forEach(CounterFile::close);
        files.clear();
    }

    private static final class CounterFile implements AutoCloseable {

        private final Counter counter;
        private final FileChannel channel;
        private final ByteBuffer bytes = ByteBuffer.allocate(Long.BYTES);

        CounterFile(Counter counter, Path folder, String name) {
            this.counter = counter;
            try {
                channel =
                        FileChannel.open(
                                Files.createDirectories(folder)
                                        .resolve(UUID.randomUUID() + "." + name),
                                StandardOpenOption.CREATE_NEW,
                                StandardOpenOption.WRITE);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        void write() {
            try {
                channel.write(bytes.clear().putLong(counter.getCount()).flip(), 0);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        @Override
        public void close() {
            try (channel) {
                write();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
