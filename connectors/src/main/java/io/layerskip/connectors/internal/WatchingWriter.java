package io.layerskip.connectors.internal;

import io.layerskip.connectors.KafkaOptions;
import java.io.IOException;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.common.operators.ProcessingTimeService;
import org.apache.flink.connector.kafka.sink.KafkaCommittable;
import org.apache.flink.connector.kafka.sink.KafkaWriterState;
import org.apache.flink.connector.kafka.sink.TwoPhaseCommittingStatefulSink.PrecommittingStatefulSinkWriter;
import org.apache.flink.util.IOUtils;

/**
 * The connector's writer, which also fails before one of its transactions is too old to be
 * committed.
 *
 * <p>A transaction is committed when a checkpoint is complete, and each one that fails before
 * leaves another transaction waiting. What the brokers have aborted by then cannot be committed any
 * more, yet the checkpoint's offsets lie after the requests that it answered. So no checkpoint may
 * complete from then on: a job that fails completes none, and starts again from one that is older
 * than the transaction.
 *
 * <p>A transaction's age counts from before its first record, so it is never less than what the
 * brokers count, and on a clock that is never set. It is looked at before a checkpoint is taken,
 * and by a timer, since a checkpoint may complete long after this writer has done its part.
 */
@SuppressWarnings("try") // Flink declares that close() throws any exception.
final class WatchingWriter<T>
        implements PrecommittingStatefulSinkWriter<T, KafkaWriterState, KafkaCommittable> {

    private static final int LOOKS_PER_LIMIT = 100;

    private final PrecommittingStatefulSinkWriter<T, KafkaWriterState, KafkaCommittable> writer;
    private final PreparedTransactions prepared;
    private final ProcessingTimeService timers;
    private final Duration timeout;
    private final Duration limit;

    /** When the transaction was begun that is written to; empty before its first record. */
    private Optional<Long> begun = Optional.empty();

    private boolean closed;

    /**
     * @param prepared is closed with the writer
     * @param timeout after which the brokers abort a transaction
     */
    WatchingWriter(
            PrecommittingStatefulSinkWriter<T, KafkaWriterState, KafkaCommittable> writer,
            PreparedTransactions prepared,
            ProcessingTimeService timers,
            Duration timeout) {
        this.writer = writer;
        this.prepared = prepared;
        this.timers = timers;
        this.timeout = timeout;
        this.limit = ExactlyOnceSink.commitLimit(timeout);
        lookLater();
    }

    private void lookLater() {
        long pause = Math.max(1, limit.toMillis() / LOOKS_PER_LIMIT);
        timers.registerTimer(
                timers.getCurrentProcessingTime() + pause,
                time -> {
                    if (!closed) {
                        checkAges();
                        lookLater();
                    }
                });
    }

    private void checkAges() throws IOException {
        Optional<Map.Entry<String, Long>> oldest = prepared.oldestUncommitted();
        if (oldest.isPresent()) {
            checkAge("transaction " + oldest.get().getKey(), oldest.get().getValue());
        } else if (begun.isPresent()) {
            checkAge("a transaction that is still written to", begun.get());
        }
    }

    private void checkAge(String transaction, long begun) throws IOException {
        Duration age = Duration.ofNanos(System.nanoTime() - begun);
        if (age.compareTo(limit) >= 0) {
            throw new IOException(
                    ("%s was begun %d ms ago and no checkpoint that holds it is complete; the"
                                    + " brokers abort it after %s, %d ms. Nothing is lost: the job"
                                    + " fails now so that it starts again from its last complete"
                                    + " checkpoint. Find out why checkpoints fail or take so long,"
                                    + " or allow transactions more time")
                            .formatted(
                                    transaction,
                                    age.toMillis(),
                                    KafkaOptions.SINK_TRANSACTION_TIMEOUT.key(),
                                    timeout.toMillis()));
        }
    }

    @Override
    public void write(T element, Context context) throws IOException, InterruptedException {
        if (begun.isEmpty()) {
            begun = Optional.of(System.nanoTime());
        }
        writer.write(element, context);
    }

    @Override
    public void flush(boolean endOfInput) throws IOException, InterruptedException {
        writer.flush(endOfInput);
    }

    @Override
    public void writeWatermark(Watermark watermark) throws IOException, InterruptedException {
        writer.writeWatermark(watermark);
    }

    @Override
    public Collection<KafkaCommittable> prepareCommit() throws IOException, InterruptedException {
        checkAges();
        Collection<KafkaCommittable> committables = writer.prepareCommit();
        committables.forEach(committable -> prepared.add(committable, begun.orElseThrow()));
        begun = Optional.empty();
        return committables;
    }

    @Override
    public List<KafkaWriterState> snapshotState(long checkpointId) throws IOException {
        prepared.beforeSnapshot();
        return writer.snapshotState(checkpointId);
    }

    @Override
    public void close() throws Exception {
        closed = true;
        IOUtils.closeAll(writer, prepared);
    }
}
