package io.layerskip.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SafetensorsFileTest {

    /** Two tensors over twelve bytes of data; padded, so that the data is aligned. */
    private static final String VALID =
            """
            {"__metadata__": {"format": "pt"},
             "a": {"dtype": "F16", "shape": [2, 1], "data_offsets": [0, 4]},
             "b": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}}\
            """;

    private static final byte[] DATA = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

    @TempDir Path folder;

    private Path file;

    @BeforeEach
    void nameFile() {
        file = folder.resolve("model.safetensors");
    }

    @Test
    void findsATensor() throws Exception {
        write(VALID, DATA);

        Weight weight = SafetensorsFile.open(file).locate("a", List.of(2L, 1L));

        assertThat(weight.type()).isEqualTo(WeightType.F16);
        assertThat(weight.shape()).containsExactly(2L, 1L);
        assertThat(bytes(weight)).containsExactly(1, 2, 3, 4);
    }

    @Test
    void acceptsTensorsInAnyOrderInTheHeader() throws Exception {
        write(
                """
                {"b": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]},
                 "a": {"dtype": "F16", "shape": [2], "data_offsets": [0, 4]}}""",
                DATA);

        assertThat(SafetensorsFile.open(file).names()).containsExactlyInAnyOrder("a", "b");
    }

    @Test
    void toleratesATensorOfAnotherTypeThatIsNotUsed() throws Exception {
        write(
                entries(
                        "\"a\": {\"dtype\": \"F8_E4M3\", \"shape\": [12], \"data_offsets\": [0, 12]}"));

        assertThat(SafetensorsFile.open(file).names()).containsExactly("a");
    }

    @Test
    void refusesAnotherType() throws Exception {
        write(entries("\"a\": {\"dtype\": \"I8\", \"shape\": [12], \"data_offsets\": [0, 12]}"));
        SafetensorsFile opened = SafetensorsFile.open(file);

        assertThatThrownBy(() -> opened.locate("a", List.of(12L)))
                .isInstanceOf(CheckpointException.class)
                .hasMessage(
                        "model.safetensors: tensor a has type I8, expected one of [F32, F16, BF16]");
    }

    @Test
    void refusesAnotherShape() throws Exception {
        write(VALID, DATA);
        SafetensorsFile opened = SafetensorsFile.open(file);

        assertThatThrownBy(() -> opened.locate("a", List.of(1L, 2L)))
                .isInstanceOf(CheckpointException.class)
                .hasMessage(
                        "model.safetensors: tensor a has shape [2, 1], config.json implies [1, 2]");
    }

    @Test
    void refusesAnUnalignedTensor() throws Exception {
        write(VALID.replace("\"pt\"", "\"pts\""), DATA);
        SafetensorsFile opened = SafetensorsFile.open(file);

        assertThatThrownBy(() -> opened.locate("b", List.of(2L)))
                .isInstanceOf(CheckpointException.class)
                .hasMessageMatching(
                        "model.safetensors: tensor b begins at byte \\d+ of the file, expected a multiple of 4; .*");
    }

    @Test
    void refusesAMissingFile() {
        assertThatThrownBy(() -> SafetensorsFile.open(file))
                .isInstanceOf(CheckpointException.class)
                .hasMessage("model.safetensors is missing from " + folder);
    }

    @Test
    void refusesAFileWithoutALength() throws Exception {
        Files.write(file, new byte[7]);

        assertRefused("the file has 7 bytes, expected at least the 8 of the header's length");
    }

    @ParameterizedTest
    @CsvSource({"100000001, 100000001", "-1, 18446744073709551615"})
    void refusesAHeaderLongerThanTheFormatAllows(long length, String shown) throws Exception {
        Files.write(file, lengthOnly(length));

        assertRefused("the header claims " + shown + " bytes, the format allows 100000000");
    }

    @Test
    void refusesAHeaderThatClaimsMoreThanTheFileHolds() throws Exception {
        Files.write(file, lengthOnly(10));

        assertRefused("the header claims 10 bytes, the file holds 0 after the header's length");
    }

    @Test
    void refusesATruncatedFile() throws Exception {
        write(VALID, new byte[11]);

        assertRefused("the header claims 12 bytes of data, the file holds 11: it is truncated");
    }

    @Test
    void refusesDataThatNoTensorClaims() throws Exception {
        write(VALID, new byte[13]);

        assertRefused("the header claims 12 bytes of data, the file holds 13");
    }

    @Test
    void refusesOverlappingTensors() throws Exception {
        write(
                entries(
                        "\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 8]}",
                        "\"b\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [4, 12]}"));

        assertRefused(
                "tensor b begins at byte 4 of the data and overlaps the one before it, expected 8");
    }

    @Test
    void refusesAHoleBetweenTensors() throws Exception {
        write(
                entries(
                        "\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4]}",
                        "\"b\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [8, 12]}"));

        assertRefused(
                "tensor b begins at byte 8 of the data and leaves a hole before it, expected 4");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "F32 | [2] | [0, 12] | has 12 bytes of data, its shape [2] and type F32 imply 8",
                "F32 | [4611686018427387904, 4] | [0, 12] | has shape [4611686018427387904, 4], which is more than any file holds",
                "F32 | [-3, -1] | [0, 12] | has shape [-3, -1], expected no negative dimension",
                "F32 | [3] | [12, 0] | has data_offsets [12, 0], expected 0 <= begin <= end",
                "F32 | [3] | [-12, 0] | has data_offsets [-12, 0], expected 0 <= begin <= end",
                "F32 | [3] | [0] | has data_offsets [0], expected [begin, end]"
            })
    void refusesATensorWhoseClaimsDoNotAgree(
            String dtype, String shape, String offsets, String reason) throws Exception {
        write(
                entries(
                        "\"a\": {\"dtype\": \"%s\", \"shape\": %s, \"data_offsets\": %s}"
                                .formatted(dtype, shape, offsets)));

        assertRefused("tensor a " + reason);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "[]",
                "{",
                "{} {}",
                "{\"a\": 1}",
                "{\"a\": null}",
                "{\"a\": {}}",
                "{\"a\": {\"dtype\": \"F32\", \"shape\": [3]}}",
                "{\"a\": {\"dtype\": \"F32\", \"shape\": null, \"data_offsets\": [0, 12]}}",
                "{\"a\": {\"dtype\": \"F32\", \"shape\": [null], \"data_offsets\": [0, 12]}}",
                "{\"a\": {\"dtype\": \"F32\", \"shape\": [3.0], \"data_offsets\": [0, 12]}}",
                "{\"a\": {\"dtype\": \"F32\", \"shape\": [\"3\"], \"data_offsets\": [0, 12]}}",
                "{\"a\": {\"dtype\": \"F32\", \"shape\": [99999999999999999999], \"data_offsets\": [0, 12]}}",
                "{\"__metadata__\": [[[[[[[[[[]]]]]]]]]]}"
            })
    void refusesAHeaderThatIsNotAnObjectOfTensors(String header) throws Exception {
        write(header, DATA);

        assertThatThrownBy(() -> SafetensorsFile.open(file))
                .isInstanceOf(CheckpointException.class)
                .hasMessageStartingWith("model.safetensors: the header ");
    }

    @Test
    void refusesATensorNamedTwice() throws Exception {
        String a = "\"a\": {\"dtype\": \"F32\", \"shape\": [3], \"data_offsets\": [0, 12]}";
        write(entries(a, a));

        assertRefused("the header is not valid: Duplicate field 'a'");
    }

    private void write(String header, byte[] data) throws IOException {
        CheckpointWriter.writeSafetensors(
                file, header + " ".repeat(Math.floorMod(-VALID.length(), 8)), data);
    }

    private void write(String header) throws IOException {
        write(header, DATA);
    }

    private void growTo(long length) throws IOException {
        try (RandomAccessFile grown = new RandomAccessFile(file.toFile(), "rw")) {
            grown.setLength(length);
        }
    }

    private void assertRefused(String reason) {
        assertThatThrownBy(() -> SafetensorsFile.open(file))
                .isInstanceOf(CheckpointException.class)
                .hasMessage("model.safetensors: " + reason);
    }

    private static String entries(String... entries) {
        return "{" + String.join(", ", entries) + "}";
    }

    private static byte[] lengthOnly(long length) {
        return ByteBuffer.allocate(Long.BYTES)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(length)
                .array();
    }

    private static byte[] bytes(Weight weight) throws IOException {
        byte[] all = Files.readAllBytes(weight.file());
        return Arrays.copyOfRange(
                all, (int) weight.offset(), (int) (weight.offset() + weight.length()));
    }
}
