package io.layerskip.tests;

import io.layerskip.connectors.OutgoingRecord;
import io.layerskip.connectors.internal.ExactlyOnceSink;
import java.util.List;
import java.util.Optional;
import org.apache.flink.api.common.serialization.SerializerConfigImpl;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.connector.kafka.sink.KafkaCommittable;
import org.apache.flink.streaming.api.connector.sink2.CommittableMessage;
import org.apache.flink.streaming.api.connector.sink2.CommittableMessageTypeInfo;
import org.apache.flink.streaming.api.connector.sink2.CommittableSummary;
import org.apache.flink.streaming.api.connector.sink2.CommittableWithLineage;
import org.apache.flink.streaming.runtime.operators.sink.CommitterOperatorFactory;
import org.apache.flink.streaming.runtime.operators.sink.SinkWriterOperatorFactory;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;

/** The only subtask of a sink: its writer and its committer in Flink's own operators. */
@SuppressWarnings("try") // The harness declares that close() throws any exception.
final class SinkSubtask implements AutoCloseable {

    private final OneInputStreamOperatorTestHarness<
                    OutgoingRecord, CommittableMessage<KafkaCommittable>>
            writer;
    private final OneInputStreamOperatorTestHarness<
                    CommittableMessage<KafkaCommittable>, CommittableMessage<KafkaCommittable>>
            committer;

    private SinkSubtask(ExactlyOnceSink sink) throws Exception {
        TypeSerializer<CommittableMessage<KafkaCommittable>> messages =
                CommittableMessageTypeInfo.of(sink::getCommittableSerializer)
                        .createSerializer(new SerializerConfigImpl());
        writer = new OneInputStreamOperatorTestHarness<>(new SinkWriterOperatorFactory<>(sink));
        writer.setup(messages);
        committer =
                new OneInputStreamOperatorTestHarness<>(
                        new CommitterOperatorFactory<>(sink, false, true));
        committer.setup(messages);
    }

    static SinkSubtask start(ExactlyOnceSink sink) throws Exception {
        SinkSubtask subtask = new SinkSubtask(sink);
        subtask.committer.open();
        subtask.writer.open();
        return subtask;
    }

    void write(String topic) throws Exception {
        writer.processElement(
                new OutgoingRecord(topic, Optional.empty(), Optional.of(new byte[] {1}), List.of()),
                0);
    }

    /**
     * Takes its part of a checkpoint.
     *
     * @return the transaction that the checkpoint is to commit
     */
    KafkaCommittable snapshot(long checkpoint) throws Exception {
        writer.getOutput().clear();
        writer.prepareSnapshotPreBarrier(checkpoint);
        List<CommittableMessage<KafkaCommittable>> messages = writer.extractOutputValues();
        for (CommittableMessage<KafkaCommittable> message : messages) {
            committer.processElement(message, 0);
        }
        writer.snapshot(checkpoint, 0);
        committer.snapshot(checkpoint, 0);
        return messages.stream()
                .filter(CommittableWithLineage.class::isInstance)
                .map(message -> ((CommittableWithLineage<KafkaCommittable>) message))
                .findAny()
                .orElseThrow()
                .getCommittable();
    }

    /** Hears that a checkpoint is complete. */
    void complete(long checkpoint) throws Exception {
        writer.notifyOfCompletedCheckpoint(checkpoint);
        committer.notifyOfCompletedCheckpoint(checkpoint);
    }

    /** Is given a transaction to commit, as from a checkpoint that is complete. */
    void commit(KafkaCommittable transaction) throws Exception {
        committer.processElement(new CommittableSummary<>(0, 1, 1, 1, 0), 0);
        committer.processElement(new CommittableWithLineage<>(transaction, 1, 0), 0);
        committer.notifyOfCompletedCheckpoint(1);
    }

    /** Lets the timers fire that are due. */
    void fireTimers() throws Exception {
        writer.setProcessingTime(System.currentTimeMillis());
    }

    @Override
    public void close() throws Exception {
        writer.close();
        committer.close();
    }
}
