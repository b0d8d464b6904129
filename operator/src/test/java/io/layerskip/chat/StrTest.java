package io.layerskip.chat;

import static org.assertj.core.api.Assertions.assertThat;

import io.layerskip.chat.Values.ListValue;
import io.layerskip.model.MarkedText;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A part of a text keeps its origin; here what came with the messages stands in brackets. */
class StrTest {

    @ParameterizedTest
    @CsvSource(
            delimiter = '!',
            ignoreLeadingAndTrailingWhitespace = false,
            value = {
                "a{{ m }}b!a[ Hi \uD83D\uDE00 you ]b",
                "{{ 'a' + m ~ 'b' }}!a[ Hi \uD83D\uDE00 you ]b",
                "{{ ('<' + m + '>')|trim('<>') }}![ Hi \uD83D\uDE00 you ]",
                "{{ ('<' + m.strip() + '>')|upper }}!<[HI \uD83D\uDE00 YOU]>",
                "{{ ('x' + m.strip() + 'Y').title() }}!X[hi \uD83D\uDE00 You]y",
                "{{ ('stra\u00dfe' ~ m.strip())|upper }}!STRASSE[HI \uD83D\uDE00 YOU]",
                "{{ ('a' + m + 'b')[:5] }}!a[ Hi ]",
                "{{ ('a' + m + 'b')[::-1] }}!b[ uoy \uD83D\uDE00 iH ]a",
                "{{ ('a' + m + 'b')[5:] }}![\uD83D\uDE00 you ]b",
                "{{ ('a' + m + 'b')|list|join('.') }}!a.[ ].[H].[i].[ ].[\uD83D\uDE00].[ ].[y].[o].[u].[ ].b",
                "{{ m.replace('Hi', '<x>') }}![ ]<x>[ \uD83D\uDE00 you ]",
                "{{ 'a-b'.replace('-', m.strip()) }}!a[Hi \uD83D\uDE00 you]b",
                "{{ ('x y' + m).split(' ') }}!['x', 'y', '[Hi]', '[\uD83D\uDE00]', '[you]', '']",
                "{{ ('x' + m)|indent(1, true) }}! x[ Hi \uD83D\uDE00 you ]",
                "{{ {'k': m.strip()}|tojson }}!{\"k\": \"[Hi \uD83D\uDE00 you]\"}",
                "{{ {'k': '\\n' + m.strip() + q} }}!{'k': '\\n[Hi \uD83D\uDE00 you\"]'}",
                "{{ [1]|tojson(indent=m.strip())|replace('\\n', '/') }}![/[Hi \uD83D\uDE00 you]1/]",
                "{{ [1, 2]|tojson(separators=[m.strip(), ':']) }}![1[Hi \uD83D\uDE00 you]2]",
                "{{ strftime_now('<%Y' + m.strip() + '%%>') }}!<1970[Hi \uD83D\uDE00 you]%>",
                "{{ [q]|tojson }}![\"[\\\"]\"]",
                "{% macro f(x) %}<{{ x }}>{% endmacro %}{{ f(m.strip()) }}!<[Hi \uD83D\uDE00 you]>",
                "{% set s %}<{{ m.strip() }}>{% endset %}{{ s }}!<[Hi \uD83D\uDE00 you]>",
                "{% for c in m.strip()[:2] %}{{ c }}-{% endfor %}![H]-[i]-",
                "{{ m.strip()|first ~ 'x' ~ m.strip()|last }}![H]x[u]",
                "{{ '{} {x}'.format(m.strip(), x='y') }}![Hi \uD83D\uDE00 you] y",
                "{{ [m.strip(), 'b']|join('-') }}![Hi \uD83D\uDE00 you]-b",
                "{{ m.strip()|safe }}![Hi \uD83D\uDE00 you]",
                "{{ 5 }}{{ true }}{{ none }}!5TrueNone"
            })
    void keepsTheOriginOfEveryPart(String template, String expected) throws Exception {
        Map<String, Object> variables =
                Map.of("m", Str.ofMessage(" Hi \uD83D\uDE00 you "), "q", Str.ofMessage("\""));

        MarkedText text = ChatTemplate.parse(template).render(variables, Instant.EPOCH);

        assertThat(
                        text.parts().stream()
                                .map(part -> part.special() ? part.text() : "[" + part.text() + "]")
                                .collect(Collectors.joining()))
                .isEqualTo(expected);
    }

    @ParameterizedTest
    @CsvSource({"user, true", "assistant, true", "tool, true", "endoftext, false"})
    void takesTheRolesThatEverybodyKnowsForTheTemplates(String role, boolean special)
            throws Exception {
        ListValue messages =
                JsonValues.readMessages("[{\"role\": \"%s\", \"content\": \"\"}]".formatted(role));

        MarkedText text =
                ChatTemplate.parse("{{ '<|' + messages[0].role + '|>' }}")
                        .render(Map.of("messages", messages), Instant.EPOCH);

        assertThat(text.parts())
                .isEqualTo(
                        special
                                ? List.of(new MarkedText.Part("<|" + role + "|>", true))
                                : List.of(
                                        new MarkedText.Part("<|", true),
                                        new MarkedText.Part(role, false),
                                        new MarkedText.Part("|>", true)));
    }
}
