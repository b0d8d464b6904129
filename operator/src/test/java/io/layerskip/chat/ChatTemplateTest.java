package io.layerskip.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.layerskip.chat.Values.DictValue;
import java.io.IOException;
import java.io.InputStream;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Templates and what Jinja 3.1.6 makes of them with transformers' settings: {@code
 * chat-templates/cases.jsonl}, each with the variables beside it and either what is {@code
 * rendered}, or why the template is {@code refused} when it is parsed, or why it {@code fails} when
 * it is rendered.
 */
class ChatTemplateTest {

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Instant NOW = Instant.parse("2026-11-05T09:07:03Z");

    static List<JsonNode> cases(String outcome) throws IOException {
        try (InputStream file = resource("cases.jsonl");
                MappingIterator<JsonNode> lines = JSON.readerFor(JsonNode.class).readValues(file)) {
            List<JsonNode> cases =
                    lines.readAll().stream().filter(line -> line.has(outcome)).toList();
            assertThat(cases).hasSizeGreaterThan(10);
            return cases;
        }
    }

    static List<JsonNode> rendered() throws IOException {
        return cases("rendered");
    }

    static List<JsonNode> refused() throws IOException {
        return cases("refused");
    }

    static List<JsonNode> failing() throws IOException {
        return cases("fails");
    }

    @ParameterizedTest
    @MethodSource("rendered")
    void rendersAsJinja(JsonNode example) throws Exception {
        assertThat(render(example.get("template").asText()))
                .isEqualTo(example.get("rendered").asText());
    }

    @ParameterizedTest
    @MethodSource("refused")
    void refusesWhatItDoesNotKnowByNameAndPlace(JsonNode example) {
        assertThatThrownBy(() -> ChatTemplate.parse(example.get("template").asText()))
                .isInstanceOf(ChatTemplateException.class)
                .hasMessage(example.get("refused").asText());
    }

    @ParameterizedTest
    @MethodSource("failing")
    void failsWhereJinjaFailsOrWhatItDoesIsNotSupported(JsonNode example) {
        assertThatThrownBy(() -> render(example.get("template").asText()))
                .isInstanceOf(ChatRenderingException.class)
                .hasMessage(example.get("fails").asText());
    }

    @Test
    void saysInWhichLineSomethingIsNotKnown() {
        assertThatThrownBy(() -> ChatTemplate.parse("{{ a }}\n  {{ a|nonsense }}\n"))
                .hasMessage("unknown filter 'nonsense' at line 2, column 8");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
                "{% set ns = namespace(s='xxxxxxxxxxxxxxxx') %}{% for i in range(99) %}"
                        + "{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
                "{% set ns = namespace(l=[1]) %}{% for i in range(99) %}"
                        + "{% set ns.l = ns.l + ns.l %}{% endfor %}",
                "{% set ns = namespace(l=[1]) %}{% for i in range(99999) %}"
                        + "{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}",
                "{% set ns = namespace(l=[1]) %}{% for i in range(99999) %}"
                        + "{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l|tojson }}",
                "{% set ns = namespace(l=[1]) %}{% for i in range(99999) %}"
                        + "{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l == [ns.l] }}",
                "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
                "{% macro m(x=m()) %}{{ x }}{% endmacro %}{{ m() }}",
                "{% set ns = namespace(g=[1]) %}{% for i in range(99999) %}"
                        + "{% set ns.g = ns.g|map('string') %}{% endfor %}{{ ns.g|list }}",
                "{% set ns = namespace(g=[1]) %}{% for i in range(99999) %}"
                        + "{% set ns.g = ns.g|select %}{% endfor %}{{ ns.g|list }}",
                "{{ 'x' * 9999999999 }}",
                "{{ 'xxxxxxxx' * 2147483647 }}",
                "{{ [1] * 999999999 }}",
                "{{ ('x' * 9999999) * 9999999 }}",
                "{{ [1]|tojson(indent=999999999) }}",
                "{{ 'a'|indent(999999999, true) }}",
                "{% set s = 'x' * 1000000 %}{% for i in range(99999) %}{% set t = s|trim %}"
                        + "{% endfor %}",
                "{% set s = 'x' * 9999999 %}{{ [s, s, s, s, s] }}",
                "{% set s = 'x' * 9999999 %}{{ [s, s, s, s, s]|tojson }}",
                "{% set s = 'x' * 9999999 %}{{ [s, s, s, s, s]|join }}",
                "{% set s = 'x' * 9999999 %}{{ s }}{{ s }}{{ s }}",
                "{% set s = 'x' * 99999 %}{{ s.replace('x', s) }}",
                "{{ range(99999)|map('string')|unique|list }}",
                "{{ '' * 9999999999 }}",
                "{{ [] * 9999999999 }}",
                "{{ ('x' * 9999999).find('x' * 4999999 ~ 'y') }}",
                "{{ 'x' * 4999999 ~ 'y' in 'x' * 9999999 }}",
                "{{ ('x' * 9999999).strip('y' * 4999999 ~ 'x') }}",
                "{{ range(9999999) }}",
                "{{ 9223372036854775807 + 1 }}",
                "{{ 10 ** 1000000000 }}",
                "{{ 2 ** 62 * 4 }}"
            })
    void endsWhatTakesTooMuch(String template) throws Exception {
        ChatTemplate parsed = ChatTemplate.parse(template);

        assertThatThrownBy(() -> parsed.render(variables(), NOW))
                .isInstanceOf(ChatRenderingException.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {"s[999998]", "s|length", "s is lower", "s|int", "[s, s]|sort"})
    void endsALoopThatGoesThroughALongTextEachTime(String expression) throws Exception {
        ChatTemplate template =
                ChatTemplate.parse(
                        "{% set s = 'x' * 999999 %}{% for i in range(99999) %}{% set t = "
                                + expression
                                + " %}{% endfor %}");

        assertThatThrownBy(() -> template.render(Map.of(), NOW))
                .hasMessageContaining("takes more than 10000000 steps");
    }

    @ParameterizedTest
    @CsvSource({"(, )", "'not ', ''", "'- ', ''", "[, ]", "'1 if 1 else ', ''", "{1: , }"})
    void refusesWhatNestsTooDeep(String open, String close) {
        String template = "{{ " + open.repeat(50_000) + "1" + close.repeat(50_000) + " }}";

        assertThatThrownBy(() -> ChatTemplate.parse(template))
                .isInstanceOf(ChatTemplateException.class)
                .hasMessageContaining("more than 100 levels");
    }

    @Test
    void refusesTagsThatNestTooDeep() {
        String template = "{% if 1 %}".repeat(10_000) + "{% endif %}".repeat(10_000);

        assertThatThrownBy(() -> ChatTemplate.parse(template))
                .hasMessageContaining("more than 100 levels");
    }

    @Test
    void endsALongChainOfOperators() throws Exception {
        ChatTemplate template = ChatTemplate.parse("{{ 1" + " + 1".repeat(100_000) + " }}");

        assertThatThrownBy(() -> template.render(Map.of(), NOW))
                .hasMessageContaining("nests more than 300 levels");
    }

    @Test
    void refusesATemplateThatIsTooLong() {
        assertThatThrownBy(() -> ChatTemplate.parse("x".repeat((1 << 20) + 1)))
                .hasMessage("more than 1048576 characters, the most that is read");
    }

    @Test
    void givesATextOrAnErrorForEverything() throws Exception {
        Random random = new Random(1);
        List<JsonNode> examples = rendered();
        String pieces = "{}%-+#'\"()[]|.:,= \nabns01_~*/\\\u00e9\ud83d";
        int rendered = 0;
        for (int i = 0; i < 20_000; i++) {
            StringBuilder template =
                    new StringBuilder(
                            examples.get(random.nextInt(examples.size())).get("template").asText());
            for (int edit = 0; edit < 3; edit++) {
                int at = random.nextInt(template.length() + 1);
                int end = Math.min(template.length(), at + random.nextInt(3));
                int piece = random.nextInt(pieces.length());
                template.replace(at, end, pieces.substring(piece, piece + random.nextInt(2)));
            }
            try {
                render(template.toString());
                rendered++;
            } catch (ChatTemplateException | ChatRenderingException e) {
                assertThat(e.getMessage()).isNotBlank();
            }
        }
        assertThat(rendered).isGreaterThan(500);
    }

    private static String render(String template) throws Exception {
        return ChatTemplate.parse(template).render(variables(), NOW).text();
    }

    private static Map<String, Object> variables() throws Exception {
        try (InputStream file = resource("variables.json")) {
            DictValue all = (DictValue) JsonValues.read(JSON.readTree(file).toString());
            Map<String, Object> variables = new HashMap<>();
            all.entries().forEach((name, value) -> variables.put(name.toString(), value));
            return variables;
        }
    }

    private static InputStream resource(String name) {
        return ChatTemplateTest.class.getResourceAsStream("/chat-templates/" + name);
    }
}
