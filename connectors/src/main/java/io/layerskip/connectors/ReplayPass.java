package io.layerskip.connectors;

import io.layerskip.connectors.internal.SourceRecordDeserializer;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/** One reading of a topic of dead letters from its start, or a time, to its end. */
final class ReplayPass {

    private static final Duration POLL = Duration.ofMillis(200);

    /** After so long without a record the brokers are taken to be gone. */
    private static final Duration PATIENCE = Duration.ofMinutes(1);

    private static final int BATCH_RECORDS = 500;
    private static final int BATCH_BYTES = 8 * 1024 * 1024;

    /**
     * Reasons that lie in the bytes alone: such a record would be refused again, whatever is set.
     */
    private static final Set<String> HOPELESS =
            Set.of(
                    InvalidRequestException.ErrorClass.NULL_VALUE.name(),
                    InvalidRequestException.ErrorClass.INVALID_UTF8.name(),
                    InvalidRequestException.ErrorClass.INVALID_JSON.name());

    private final String topic;
    private final DeadLetterSelection selection;
    private final Map<String, ReplayTarget> targets;
    private final long rememberedSince;
    private final KafkaConsumer<byte[], byte[]> consumer;
    private final Optional<KafkaProducer<byte[], byte[]>> producer;
    private final ReplayReport report = new ReplayReport();
    private final Map<TopicPartition, ReplayedLetters> replayed = new HashMap<>();
    private final Map<TopicPartition, Long> positions = new HashMap<>();
    private final List<ProducerRecord<byte[], byte[]>> batch = new ArrayList<>();
    private long batchBytes;

    /**
     * @param topic of the dead letters
     * @param targets topics that are put back to, by name
     * @param rememberedSince since when the brokers have kept what a group remembers, in ms since
     *     1970
     * @param consumer in the group that remembers
     * @param producer that can begin transactions; empty for a dry run
     */
    ReplayPass(
            String topic,
            DeadLetterSelection selection,
            Map<String, ReplayTarget> targets,
            long rememberedSince,
            KafkaConsumer<byte[], byte[]> consumer,
            Optional<KafkaProducer<byte[], byte[]>> producer) {
        this.topic = topic;
        this.selection = selection;
        this.targets = targets;
        this.rememberedSince = rememberedSince;
        this.consumer = consumer;
        this.producer = producer;
    }

    ReplayReport run(DeadLetterReplay.Progress progress) throws IOException {
        List<TopicPartition> partitions =
                consumer.partitionsFor(topic).stream()
                        .map(info -> new TopicPartition(info.topic(), info.partition()))
                        .toList();
        consumer.assign(partitions);
        recall(partitions);
        Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
        seek(partitions, ends);
        long start = passed();
        long all = Math.max(0, sum(ends) - start);
        long waitUntil = deadline();
        while (!isAt(ends)) {
            long before = passed();
            for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) {
                TopicPartition partition = new TopicPartition(record.topic(), record.partition());
                if (record.offset() < ends.get(partition)) {
                    take(SourceRecordDeserializer.sourceRecord(record), partition);
                    positions.put(partition, record.offset() + 1);
                }
            }
            partitions.forEach(p -> positions.merge(p, consumer.position(p), Math::max));
            if (passed() > before) {
                progress.passed(Math.min(all, passed() - start), all);
                waitUntil = deadline();
            } else if (System.nanoTime() - waitUntil > 0) {
                throw new IOException(
                        "no records of %s came for %d s".formatted(topic, PATIENCE.toSeconds()));
            }
        }
        commit();
        return report;
    }

    /** What earlier runs have put back. */
    private void recall(List<TopicPartition> partitions) throws IOException {
        Map<TopicPartition, OffsetAndMetadata> committed =
                consumer.committed(new HashSet<>(partitions));
        Map<TopicPartition, Long> beginnings = consumer.beginningOffsets(partitions);
        for (TopicPartition partition : partitions) {
            OffsetAndMetadata known = committed.get(partition);
            try {
                replayed.put(
                        partition,
                        known == null
                                ? ReplayedLetters.none(rememberedSince)
                                : ReplayedLetters.of(known));
            } catch (IllegalArgumentException e) {
                throw new IOException(
                        "the offset that the group %s has committed for %s holds no memory of a"
                                        .formatted(group(), partition)
                                + " replay: "
                                + e.getMessage(),
                        e);
            }
            replayed.get(partition).forgetBefore(beginnings.get(partition));
            positions.put(
                    partition,
                    Math.max(beginnings.get(partition), replayed.get(partition).before()));
        }
    }

    private void seek(List<TopicPartition> partitions, Map<TopicPartition, Long> ends) {
        Map<TopicPartition, OffsetAndTimestamp> found = new HashMap<>();
        selection
                .since()
                .ifPresent(
                        since -> {
                            Map<TopicPartition, Long> asked = new HashMap<>();
                            partitions.forEach(partition -> asked.put(partition, since));
                            found.putAll(consumer.offsetsForTimes(asked));
                        });
        for (TopicPartition partition : partitions) {
            if (selection.since().isPresent()) {
                // None so late: there is nothing to read.
                OffsetAndTimestamp first = found.get(partition);
                long offset = first == null ? ends.get(partition) : first.offset();
                positions.merge(partition, offset, Math::max);
            }
            consumer.seek(partition, positions.get(partition));
        }
    }

    private void take(SourceRecord record, TopicPartition partition) throws IOException {
        Optional<DeadLetter> read = DeadLetter.read(record);
        if (read.isEmpty()) {
            if (selection.reasons().isEmpty()) {
                report.noDeadLetter(record);
            }
            return;
        }
        DeadLetter letter = read.get();
        Optional<ReplayTarget> target = target(letter);
        if (target.isEmpty()) {
            report.ofOtherTopic(letter);
            return;
        }
        ReplayedLetters known = replayed.get(partition);
        ReplayedLetters.Kind kind = ReplayedLetters.Kind.of(letter);
        boolean earlier = known.contains(kind, record.offset());
        boolean putBack = !earlier && isToBePutBack(letter, target.get(), known);
        if (earlier) {
            report.earlier(letter);
        }
        known.pass(kind, record.offset(), earlier || putBack);
        if (putBack) {
            report.putBack(letter);
            add(letter, target.get());
            positions.put(partition, record.offset() + 1);
            if (batch.size() >= BATCH_RECORDS || batchBytes >= BATCH_BYTES) {
                commit();
            }
        }
    }

    private Optional<ReplayTarget> target(DeadLetter letter) {
        return selection.fromAnyTopic()
                ? targets.values().stream().findAny()
                : Optional.ofNullable(targets.get(letter.sourceTopic()));
    }

    private boolean isToBePutBack(DeadLetter letter, ReplayTarget target, ReplayedLetters known) {
        if (!selection.takes(letter)) {
            report.notChosen(letter);
            return false;
        }
        Optional<String> obstacle = obstacle(letter, target);
        if (obstacle.isPresent()) {
            report.left(letter, obstacle.get());
            return false;
        }
        if (selection.since().isEmpty() && letter.letter().timestamp() < known.rememberedSince()) {
            report.forgotten(letter);
            return false;
        }
        return true;
    }

    private Optional<String> obstacle(DeadLetter letter, ReplayTarget target) {
        if (letter.omission().isPresent()) {
            return Optional.of(
                    "%s did not fit into the dead letter; the record stands in %s"
                            .formatted(letter.omission().get(), letter.sourcePosition()));
        }
        if (HOPELESS.contains(letter.reason()) && !selection.reasons().contains(letter.reason())) {
            return Optional.of(
                    "the record would be refused again, unless another build of the job reads"
                            + " it; then ask for this reason by name");
        }
        long bytes = target.outgoing(letter).maxBatchBytes();
        if (bytes > target.maxBytes()) {
            return Optional.of(
                    "the record takes up to %d bytes, and %s takes %d (max.message.bytes)"
                            .formatted(bytes, target.topic(), target.maxBytes()));
        }
        return Optional.empty();
    }

    private void add(DeadLetter letter, ReplayTarget target) {
        batch.add(target.record(letter));
        batchBytes += target.outgoing(letter).maxBatchBytes();
    }

    /** Puts the batch back and remembers it, both or neither. */
    private void commit() throws IOException {
        if (producer.isPresent() && !batch.isEmpty()) {
            Map<TopicPartition, OffsetAndMetadata> memory = new HashMap<>();
            for (Map.Entry<TopicPartition, ReplayedLetters> entry : replayed.entrySet()) {
                OffsetAndMetadata offset = entry.getValue().toCommit(positions.get(entry.getKey()));
                if (offset.metadata().length() > ReplayedLetters.MAX_METADATA_BYTES) {
                    throw new IOException(
                            "what the group %s would have to remember of %s takes %d characters"
                                            .formatted(
                                                    group(),
                                                    entry.getKey(),
                                                    offset.metadata().length())
                                    + ", and Kafka takes %d: too many stretches of time have"
                                            .formatted(ReplayedLetters.MAX_METADATA_BYTES)
                                    + " been left out; put back one of them first");
                }
                memory.put(entry.getKey(), offset);
            }
            producer.get().beginTransaction();
            batch.forEach(producer.get()::send);
            producer.get().sendOffsetsToTransaction(memory, consumer.groupMetadata());
            producer.get().commitTransaction();
        }
        batch.clear();
        batchBytes = 0;
    }

    private boolean isAt(Map<TopicPartition, Long> ends) {
        return ends.entrySet().stream()
                .allMatch(end -> positions.get(end.getKey()) >= end.getValue());
    }

    private long passed() {
        return sum(positions);
    }

    private String group() {
        return consumer.groupMetadata().groupId();
    }

    private static long sum(Map<TopicPartition, Long> offsets) {
        return offsets.values().stream().mapToLong(Long::longValue).sum();
    }

    private static long deadline() {
        return System.nanoTime() + PATIENCE.toNanos();
    }
}
