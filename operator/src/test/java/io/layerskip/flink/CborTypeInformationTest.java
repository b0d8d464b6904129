package io.layerskip.flink;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.layerskip.engine.Choice;
import io.layerskip.engine.Confidence;
import io.layerskip.engine.FinishReason;
import io.layerskip.engine.GenerationFailure;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.engine.GenerationProgress;
import io.layerskip.engine.GenerationRequest;
import io.layerskip.engine.GenerationResult;
import io.layerskip.engine.GenerationStatistics;
import io.layerskip.engine.TokenLogprob;
import io.layerskip.engine.TokenLogprobs;
import java.io.EOFException;
import java.io.IOException;
import java.io.StreamCorruptedException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.apache.flink.api.common.serialization.SerializerConfigImpl;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.apache.flink.util.InstantiationUtil;
import org.junit.jupiter.api.Test;

class CborTypeInformationTest {

    private static final GenerationRequest REQUEST =
            new GenerationRequest(
                    "prompts-0-7",
                    "Gr\u00fc\u00dfe, \ud83d\ude00\n",
                    new GenerationParameters(
                            OptionalInt.of(20),
                            OptionalDouble.of(0.7),
                            OptionalInt.empty(),
                            OptionalDouble.of(0.9),
                            OptionalLong.of(Long.MIN_VALUE),
                            List.of("\n", "END"),
                            OptionalInt.of(4),
                            OptionalInt.of(0),
                            true,
                            OptionalDouble.of(-0.5),
                            OptionalDouble.empty(),
                            OptionalDouble.of(1.1),
                            OptionalDouble.of(0.05),
                            Map.of(50_256, -100.0, 0, 0.25),
                            OptionalInt.of(3),
                            OptionalInt.of(2),
                            OptionalInt.of(2),
                            true,
                            true),
                    new byte[] {0, -1, 127});

    private static final TokenLogprobs LOGPROBS =
            new TokenLogprobs(
                    new TokenLogprob(5, " a", -0.5),
                    List.of(new TokenLogprob(6, "", -0.25), new TokenLogprob(5, " a", -0.5)));

    private static final GenerationResult RESULT =
            new GenerationResult(
                    "a",
                    "text",
                    List.of(5, 2_000_000, 1),
                    FinishReason.STOP,
                    new GenerationStatistics(1, 1, 2, 3, 4, 5, 6, 7, Long.MAX_VALUE),
                    Optional.empty(),
                    Optional.of("fp_0123456789"),
                    new byte[0],
                    List.of(LOGPROBS, LOGPROBS, LOGPROBS),
                    Optional.of(new Confidence(0.75, 0.1)),
                    List.of(
                            new Choice(
                                    "other",
                                    List.of(7, 1),
                                    FinishReason.LENGTH,
                                    List.of(LOGPROBS),
                                    Optional.empty())));

    /** What an earlier version of {@link Reading} wrote. */
    record Written(int count, String dropped) {}

    /** The later version. */
    record Reading(
            int count,
            List<String> stop,
            Map<Integer, Double> biases,
            Optional<byte[]> value,
            OptionalInt limit) {}

    @Test
    void aRequestIsReadAsItWasWritten() throws IOException {
        assertThat(roundTrip(GenerationRequest.class, REQUEST))
                .usingRecursiveComparison()
                .isEqualTo(REQUEST);
    }

    @Test
    void aRequestThatLeavesEverythingOpenIsReadAsItWasWritten() throws IOException {
        GenerationRequest open =
                new GenerationRequest("a", "b", GenerationParameters.DEFAULTS, new byte[0]);

        assertThat(roundTrip(GenerationRequest.class, open))
                .usingRecursiveComparison()
                .isEqualTo(open);
    }

    @Test
    void aCompletionIsReadAsItWasWritten() throws IOException {
        assertThat(roundTrip(GenerationResult.class, RESULT))
                .usingRecursiveComparison()
                .isEqualTo(RESULT);
    }

    @Test
    void progressIsReadAsItWasWritten() throws IOException {
        GenerationProgress progress =
                new GenerationProgress(
                        List.of(5),
                        GenerationStatistics.NONE,
                        List.of(LOGPROBS),
                        List.of(GenerationProgress.NONE));

        assertThat(roundTrip(GenerationProgress.class, progress)).isEqualTo(progress);
    }

    @Test
    void aFailureIsReadAsItWasWritten() throws IOException {
        GenerationResult failed =
                GenerationResult.failed(
                        REQUEST,
                        new GenerationFailure(
                                GenerationFailure.Kind.PROMPT_TOO_LONG, "9 tokens; allowed: 8"));

        assertThat(roundTrip(GenerationResult.class, failed))
                .usingRecursiveComparison()
                .isEqualTo(failed);
    }

    @Test
    void aTextOfTwentyFiveMillionCharactersIsReadAsItWasWritten() throws IOException {
        GenerationRequest large =
                new GenerationRequest("a", "x".repeat(25_000_000), GenerationParameters.DEFAULTS);

        assertThat(roundTrip(GenerationRequest.class, large).prompt()).hasSize(25_000_000);
    }

    @Test
    void aStopTextThatIsNoLongerLetInIsReadAsItWasWritten() throws IOException {
        GenerationParameters saved =
                new GenerationParameters(
                        OptionalInt.empty(),
                        OptionalDouble.empty(),
                        OptionalInt.empty(),
                        OptionalDouble.empty(),
                        OptionalLong.empty(),
                        List.of("x".repeat(GenerationParameters.MAX_STOP_CHARACTERS + 1)),
                        OptionalInt.empty(),
                        OptionalInt.empty(),
                        false,
                        OptionalDouble.empty(),
                        OptionalDouble.empty(),
                        OptionalDouble.empty(),
                        OptionalDouble.empty(),
                        Map.of(),
                        OptionalInt.empty(),
                        OptionalInt.empty(),
                        OptionalInt.empty(),
                        false,
                        false);
        GenerationRequest request = new GenerationRequest("a", "b", saved);

        assertThat(roundTrip(GenerationRequest.class, request).parameters()).isEqualTo(saved);
    }

    @Test
    void componentsComeAndGoBetweenVersions() throws IOException {
        byte[] cbor = CborCodec.of(Written.class).encode(new Written(3, "x"));

        Reading read = CborCodec.of(Reading.class).decode(cbor);

        assertThat(read)
                .isEqualTo(
                        new Reading(3, List.of(), Map.of(), Optional.empty(), OptionalInt.empty()));
    }

    @Test
    void copyingStreamsKeepsTheRecord() throws IOException {
        TypeSerializer<GenerationRequest> serializer = serializerOf(GenerationRequest.class);
        DataOutputSerializer written = new DataOutputSerializer(64);
        serializer.serialize(REQUEST, written);
        DataOutputSerializer copied = new DataOutputSerializer(64);

        serializer.copy(new DataInputDeserializer(written.getSharedBuffer()), copied);

        assertThat(copied.getCopyOfBuffer()).isEqualTo(written.getCopyOfBuffer());
    }

    @Test
    void aLengthBeyondTheDataEndsWithTheData() {
        DataInputDeserializer data =
                new DataInputDeserializer(new byte[] {0x7f, -1, -1, -1, 1, 2, 3});

        assertThatThrownBy(() -> serializerOf(GenerationRequest.class).deserialize(data))
                .isInstanceOf(EOFException.class)
                .hasMessageContaining("expected 2147483647 bytes, found 3");
    }

    @Test
    void aNegativeLengthIsRefused() {
        DataInputDeserializer data = new DataInputDeserializer(new byte[] {-1, 0, 0, 0});

        assertThatThrownBy(() -> serializerOf(GenerationRequest.class).deserialize(data))
                .isInstanceOf(StreamCorruptedException.class)
                .hasMessageContaining("-16777216");
    }

    @Test
    void theSerializerStillWritesAfterItsJourneyInAJobGraph() throws Exception {
        TypeSerializer<GenerationRequest> sent = serializerOf(GenerationRequest.class);

        TypeSerializer<GenerationRequest> arrived =
                InstantiationUtil.deserializeObject(
                        InstantiationUtil.serializeObject(sent), getClass().getClassLoader());

        assertThat(arrived).isEqualTo(sent);
        assertThat(roundTrip(arrived, REQUEST)).usingRecursiveComparison().isEqualTo(REQUEST);
    }

    @Test
    void aSnapshotRestoresASerializerOfTheSameRecord() throws IOException {
        TypeSerializer<GenerationRequest> serializer = serializerOf(GenerationRequest.class);

        assertThat(restored(serializer.snapshotConfiguration()).restoreSerializer())
                .isEqualTo(serializer);
    }

    @Test
    void theSameRecordIsCompatible() throws IOException {
        TypeSerializerSnapshot<GenerationRequest> snapshot =
                serializerOf(GenerationRequest.class).snapshotConfiguration();

        assertThat(snapshot.resolveSchemaCompatibility(restored(snapshot)).isCompatibleAsIs())
                .isTrue();
    }

    @Test
    @SuppressWarnings({"unchecked", "rawtypes"}) // as Flink compares them: by raw type
    void anotherRecordIsIncompatible() throws IOException {
        TypeSerializerSnapshot snapshot =
                serializerOf(GenerationRequest.class).snapshotConfiguration();
        TypeSerializerSnapshot other =
                restored(serializerOf(GenerationResult.class).snapshotConfiguration());

        assertThat(snapshot.resolveSchemaCompatibility(other).isIncompatible()).isTrue();
    }

    private static <T extends Record> TypeSerializer<T> serializerOf(Class<T> type) {
        return CborTypeInformation.forRecord(type).createSerializer(new SerializerConfigImpl());
    }

    private static <T extends Record> T roundTrip(Class<T> type, T record) throws IOException {
        return roundTrip(serializerOf(type), record);
    }

    private static <T> T roundTrip(TypeSerializer<T> serializer, T record) throws IOException {
        DataOutputSerializer out = new DataOutputSerializer(64);
        serializer.serialize(record, out);
        DataInputDeserializer in = new DataInputDeserializer(out.getCopyOfBuffer());
        T read = serializer.deserialize(in);
        assertThat(in.available()).isZero();
        return read;
    }

    private static <T> TypeSerializerSnapshot<T> restored(TypeSerializerSnapshot<T> snapshot)
            throws IOException {
        DataOutputSerializer out = new DataOutputSerializer(64);
        TypeSerializerSnapshot.writeVersionedSnapshot(out, snapshot);
        return TypeSerializerSnapshot.readVersionedSnapshot(
                new DataInputDeserializer(out.getCopyOfBuffer()),
                CborTypeInformationTest.class.getClassLoader());
    }
}
