package io.layerskip.connectors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.layerskip.connectors.InvalidRequestException.ErrorClass;
import org.apache.flink.util.InstantiationUtil;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PromptTemplateTest {

    private static final String RECORD =
            "{\"message\": \"Where is it?\", \"user\": {\"name\": \"Ann\", \"age\": 41.50},"
                    + " \"items\": [{\"id\": 7}, {\"id\": 8}], \"none\": null, \"empty\": \"\"}";

    @ParameterizedTest
    @CsvSource(
            delimiter = '#',
            value = {
                "banking: {{message}}.          # banking: Where is it?.",
                "{{ message }}                  # Where is it?",
                "{{user.name}}, {{user.age}}    # Ann, 41.50",
                "{{items[1].id}}{{items[0].id}} # 87",
                "{{items}}                      # [{\"id\": 7}, {\"id\": 8}]",
                "{{user.town|unknown}}          # unknown",
                "{{none | nothing at all }}     # nothing at all",
                "<{{user.town|}}>               # <>",
                "{{user.name|unknown}}          # Ann",
                "a{{empty|x}}b                  # ab",
                "{ {{message}} }                # { Where is it? }",
                "\\{{message}} {{user.name}}    # {{message}} Ann",
                "\\n {{user.name}}              # \\n Ann"
            })
    void placesTakeTheRecordsValues(String template, String expected) throws Exception {
        assertThat(render(template, RECORD)).isEqualTo(expected);
    }

    @Test
    void whatComesFromARecordIsNotReadAsTemplate() throws Exception {
        assertThat(render("{{a}}{{b}}", "{\"a\": \"{{b}}\", \"b\": \"\\\\{{a|x}}\"}"))
                .isEqualTo("{{b}}\\{{a|x}}");
    }

    @ParameterizedTest
    @CsvSource({"{{town}}, town", "{{none}}, none", "{{items[2].id}}, items[2].id"})
    void aMissingFieldIsAnErrorOfTheRecord(String template, String field) {
        InvalidRequestException e =
                catchThrowableOfType(InvalidRequestException.class, () -> render(template, RECORD));

        assertThat(e.errorClass()).isEqualTo(ErrorClass.INVALID_RECORD);
        assertThat(e).hasMessageStartingWith(field + " is missing or null");
    }

    @Test
    void anEmptyPromptIsAnErrorOfTheRecord() {
        assertThat(
                        catchThrowableOfType(
                                InvalidRequestException.class, () -> render("{{empty}}", RECORD)))
                .hasMessage("the prompt of the record is empty");
    }

    @Test
    void halfASurrogatePairIsAnErrorOfTheRecord() {
        assertThat(
                        catchThrowableOfType(
                                InvalidRequestException.class,
                                () -> render("{{a}}", "{\"a\": \"\\ud83d\"}")))
                .hasMessageContaining("a has half a surrogate pair");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '#',
            value = {
                "no field               # no place for a field",
                "a {{message            # the {{ at character 3 has no }}",
                "{{}}                   # character 1 names the field \"\"",
                "{{a..b}}               # names the field \"a..b\"",
                "{{ a[x] }}             # names the field \"a[x]\"",
                "{{a}} {{ {{b}} }}      # character 7 names the field \"{{b\""
            })
    void aTemplateThatCannotBeReadIsRefused(String template, String message) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new PromptTemplate(template))
                .withMessageContaining(message);
    }

    @Test
    void aTemplateTravelsToTheTaskManager() throws Exception {
        PromptTemplate copy = InstantiationUtil.clone(new PromptTemplate("{{message}}!"));

        assertThat(copy.render(JsonText.parse(RECORD))).isEqualTo("Where is it?!");
    }

    private static String render(String template, String record) throws Exception {
        return new PromptTemplate(template).render(JsonText.parse(record));
    }
}
