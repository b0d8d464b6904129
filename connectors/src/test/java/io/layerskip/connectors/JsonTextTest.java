package io.layerskip.connectors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class JsonTextTest {

    private static final JsonMapper JSON = new JsonMapper();

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{}                    | x       | {\"x\":1}",
                "{ }                   | x       | {\"x\":1 }",
                "{\"a\": 0}            | x       | {\"a\": 0,\"x\":1}",
                "{\"a\": 0 }           | x       | {\"a\": 0,\"x\":1 }",
                "{\"a\": \"b\"}        | x       | {\"a\": \"b\",\"x\":1}",
                "{\"a\": [1, {}]}      | x       | {\"a\": [1, {}],\"x\":1}",
                "{\"a\": {\"b\": 2} }  | x       | {\"a\": {\"b\": 2},\"x\":1 }",
                "{\"a\": true, \"b\":null} | x   | {\"a\": true, \"b\":null,\"x\":1}",
                "{\"x\": \"old\", \"a\": 0} | x  | {\"x\": 1, \"a\": 0}",
                "{\"x\": {\"y\": [2]}, \"a\": 0} | x | {\"x\": 1, \"a\": 0}",
                "{\"x\": 12.50}        | x       | {\"x\": 1}",
                "{\"a\": 0}            | x.y     | {\"a\": 0,\"x\":{\"y\":1}}",
                "{\"a\": 0}            | x.y.z   | {\"a\": 0,\"x\":{\"y\":{\"z\":1}}}",
                "{\"x\": {}}           | x.y     | {\"x\": {\"y\":1}}",
                "{\"x\": {\"y\": {\"b\":3}}, \"c\":4} | x.y.z"
                        + " | {\"x\": {\"y\": {\"b\":3,\"z\":1}}, \"c\":4}"
            })
    void aMemberIsWrittenAndAllElseStays(String json, String path, String expected)
            throws Exception {
        assertThat(JsonText.parse(json).with(RecordPath.parse(path), "1")).hasToString(expected);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"x\": \"text\"}   | x.y | x is \"text\"",
                "{\"x\": 3.0}        | x.y | x is 3.0",
                "{\"x\": null}       | x.y | x is null",
                "{\"x\": [1]}        | x.y | x is [1]",
                "{\"x\": {\"y\": 2}} | x.y.z | x.y is 2"
            })
    void aPathThroughSomethingElseThanObjectsIsNoPlace(String json, String path, String message)
            throws Exception {
        JsonText text = JsonText.parse(json);

        assertThatThrownBy(() -> text.with(RecordPath.parse(path), "1"))
                .isInstanceOf(JsonText.NoObjectException.class)
                .hasMessageContaining(message);
        assertThatThrownBy(() -> text.checkPlace(RecordPath.parse(path)))
                .isInstanceOf(JsonText.NoObjectException.class);
    }

    @Test
    void numbersAndEscapesStayAsTheyAre() throws Exception {
        String json =
                "{\"a\": 1"
                        + "0".repeat(5000)
                        + ".50E+9999999999, \"b\":-0.0 , \"c\" : \"\\u00e4\\/\\ud83d\",\t\"d\":1e5}";

        String written = JsonText.parse(json).with(RecordPath.parse("x"), "1").toString();

        assertThat(written).isEqualTo(json.substring(0, json.length() - 1) + ",\"x\":1}");
    }

    @Test
    void placesAreFoundInLongDocumentsToo() throws Exception {
        String json =
                "{\"long\": \""
                        + "äöü😀\\n".repeat(50_000)
                        + "\", \"x\": {\"a\": [1,2]}, \"z\": 9}";

        JsonText written = JsonText.parse(json).with(RecordPath.parse("x.y"), "\"new\"");

        JsonNode expected = JSON.readTree(json);
        ((com.fasterxml.jackson.databind.node.ObjectNode) expected.get("x")).put("y", "new");
        assertThat(JSON.readTree(written.toString())).isEqualTo(expected);
        assertThat(written.toString()).hasSize(json.length() + ",\"y\":\"new\"".length());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"a\": \"x\\ny\"}        | a       | 'x\ny'",
                "{\"a\": 10.50}            | a       | 10.50",
                "{\"a\": true}             | a       | true",
                "{\"a\": {\"b\": [1,  2]}} | a       | {\"b\": [1,  2]}",
                "{\"a\": {\"b\": [1,  2]}} | a.b[1]  | 2",
                "{\"a\": [[0], [1, 2]]}    | a[1][0] | 1",
                "{\"a\": [{\"b\": \"\"}]}  | a[0].b  | ''",
                "{\"a\": 1, \"b\": 2}      | b       | 2"
            })
    void aValueIsFoundAtItsPath(String json, String path, String expected) throws Exception {
        assertThat(JsonText.parse(json).text(RecordPath.parse(path))).contains(expected);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{}                  | a",
                "{\"a\": null}       | a",
                "{\"a\": {\"b\": 1}} | b",
                "{\"a\": [1]}        | a[1]",
                "{\"a\": [1]}        | a.b",
                "{\"a\": \"text\"}   | a[0]",
                "{\"a\": {\"b\": 1}} | a[0]"
            })
    void whatIsNotThereIsNotFound(String json, String path) throws Exception {
        assertThat(JsonText.parse(json).text(RecordPath.parse(path))).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                "{",
                "{} x",
                "{}{}",
                "{\"a\":1,\"a\":2}",
                "{\"b\":{\"a\":1,\"a\":2}}",
                "{\"a\":01}",
                "{a:1}",
                "NaN",
                "[1"
            })
    void whatIsNotOneDocumentIsRefused(String json) {
        assertThatThrownBy(() -> JsonText.parse(json)).isInstanceOf(JsonProcessingException.class);
    }

    @Test
    void deepNestingIsRefused() {
        assertThatThrownBy(() -> JsonText.parse("[".repeat(1000) + "]".repeat(1000)))
                .isInstanceOf(JsonProcessingException.class)
                .hasMessageContaining("100");
    }

    @Test
    void whiteSpaceAroundADocumentIsTakenOff() throws Exception {
        assertThat(JsonText.parse("\n {\"a\": 1}\n")).hasToString("{\"a\": 1}");
        assertThat(JsonText.parse(" \"x\" ")).hasToString("\"x\"");
        assertThat(JsonText.parse(" 12 ")).hasToString("12");
    }
}
