package io.layerskip.connectors.internal;

import static org.assertj.core.api.Assertions.assertThat;

import io.layerskip.connectors.SourceRecord;
import java.io.IOException;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.flink.api.connector.source.ReaderInfo;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.mocks.MockSplitEnumeratorContext;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.KafkaSourceEnumState;
import org.apache.flink.connector.kafka.source.split.KafkaPartitionSplit;
import org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which reader has which partition once a job goes on from a checkpoint. */
@SuppressWarnings("try") // The context declares that close() throws any exception.
class RoutedKafkaSourceTest {

    private static final List<String> TOPICS = List.of("prompts", "a", "", "Aufträge.2");
    private static final int PARTITIONS = 5;

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 7, 32})
    void everyPartitionGoesToItsOwnerWhoeverBringsIt(int parallelism) throws Exception {
        try (Job job = new Job(parallelism)) {
            for (int i = 0; i < parallelism; i++) {
                job.register(i, job.dealtOut(i));
            }

            for (int i = 0; i < parallelism; i++) {
                assertThat(job.assigned(i)).containsExactlyInAnyOrderElementsOf(job.owned(i, 10));
            }
        }
    }

    @Test
    void aReaderThatFailsAloneBeforeTheFirstCheckpointTakesNothingFromOthers() throws Exception {
        try (Job job = new Job(3)) {
            for (int i = 0; i < 3; i++) {
                job.register(i, job.dealtOut(i));
            }
            List<KafkaPartitionSplit> notInACheckpoint = job.assigned(1);
            job.forgetAssigned();

            job.fail(1, notInACheckpoint);
            job.register(1, job.dealtOut(1));

            assertThat(job.assigned(1)).containsExactlyInAnyOrderElementsOf(job.owned(1, 10));
            assertThat(job.assigned(0)).isEmpty();
            assertThat(job.assigned(2)).isEmpty();
        }
    }

    @Test
    void aReaderThatFailsAloneLaterGoesOnFromItsCheckpoint() throws Exception {
        try (Job job = new Job(3)) {
            for (int i = 0; i < 3; i++) {
                job.register(i, job.dealtOut(i));
            }
            job.forgetAssigned();

            job.fail(1, List.of());
            job.register(1, job.owned(1, 20));

            assertThat(job.assigned(1)).containsExactlyInAnyOrderElementsOf(job.owned(1, 20));
            assertThat(job.assigned(0)).isEmpty();
            assertThat(job.assigned(2)).isEmpty();
        }
    }

    private static List<KafkaPartitionSplit> partitions(long offset) {
        return TOPICS.stream()
                .flatMap(
                        topic ->
                                IntStream.range(0, PARTITIONS)
                                        .mapToObj(i -> new TopicPartition(topic, i)))
                .map(partition -> new KafkaPartitionSplit(partition, offset))
                .toList();
    }

    /** The source's coordinator, with the connector's own enumerator inside. */
    private static final class Job implements AutoCloseable {

        private final int parallelism;
        private final MockSplitEnumeratorContext<KafkaPartitionSplit> context;
        private final SplitEnumerator<KafkaPartitionSplit, KafkaSourceEnumState> enumerator;
        private int forgotten;

        Job(int parallelism) throws IOException {
            this.parallelism = parallelism;
            this.context = new MockSplitEnumeratorContext<>(parallelism);
            KafkaSource<SourceRecord> source =
                    KafkaSource.<SourceRecord>builder()
                            .setBootstrapServers("127.0.0.1:1")
                            .setTopics(TOPICS)
                            .setDeserializer(new SourceRecordDeserializer())
                            .build();
            this.enumerator =
                    new RoutedKafkaSource<>(source)
                            .restoreEnumerator(
                                    context,
                                    new KafkaSourceEnumState(partitions(0), List.of(), true));
        }

        /** What a change of parallelism deals out to a reader. */
        List<KafkaPartitionSplit> dealtOut(int subtask) {
            List<KafkaPartitionSplit> all = partitions(10);
            return IntStream.range(0, all.size())
                    .filter(i -> i % parallelism == subtask)
                    .mapToObj(all::get)
                    .toList();
        }

        List<KafkaPartitionSplit> owned(int subtask, long offset) {
            return partitions(offset).stream()
                    .filter(
                            split ->
                                    PartitionOwner.subtask(
                                                    split.getTopic(),
                                                    split.getPartition(),
                                                    parallelism)
                                            == subtask)
                    .toList();
        }

        void register(int subtask, List<KafkaPartitionSplit> restored) {
            context.registerReader(ReaderInfo.createReaderInfo(subtask, "localhost", restored));
            enumerator.addReader(subtask);
        }

        /**
         * As Flink tells it: what the reader was assigned and no checkpoint knows of comes back.
         */
        void fail(int subtask, List<KafkaPartitionSplit> notInACheckpoint) {
            context.unregisterReader(subtask);
            enumerator.addSplitsBack(notInACheckpoint, subtask);
        }

        List<KafkaPartitionSplit> assigned(int subtask) {
            return context.getSplitsAssignmentSequence().stream()
                    .skip(forgotten)
                    .flatMap(
                            assignment ->
                                    assignment
                                            .assignment()
                                            .getOrDefault(subtask, List.of())
                                            .stream())
                    .toList();
        }

        void forgetAssigned() {
            forgotten = context.getSplitsAssignmentSequence().size();
        }

        @Override
        public void close() throws Exception {
            enumerator.close();
            context.close();
        }
    }
}
