package io.layerskip.chat;

import static org.assertj.core.api.Assertions.assertThat;

import io.layerskip.chat.PublishedChats.Case;
import io.layerskip.model.LlamaTokenizers;
import io.layerskip.model.MarkedText;
import io.layerskip.model.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

@EnabledIf(
        value = "io.layerskip.chat.PublishedChats#areThere",
        disabledReason = "the chats of published templates are not beside the repository")
class PublishedChatsTest {

    @TempDir Path folder;

    static List<Case> cases() throws IOException {
        return PublishedChats.cases();
    }

    @ParameterizedTest
    @MethodSource("cases")
    void rendersAsAnotherImplementation(Case chat) throws Exception {
        MarkedText rendered =
                ChatTemplate.parse(chat.template()).render(chat.variables(), Instant.EPOCH);

        assertThat(rendered.text()).isEqualTo(expected(chat));
    }

    /**
     * That implementation compares as JavaScript does, where an empty text equals false: it leaves
     * out an empty system prompt that transformers writes.
     */
    private static String expected(Case chat) {
        return chat.family().equals("llama-2")
                        && chat.messages().contains("\"system\",\"content\":\"\"")
                ? chat.rendered().replaceFirst("INST] ", "INST] <<SYS>>\n\n<</SYS>>\n\n")
                : chat.rendered();
    }

    @ParameterizedTest
    @EnumSource(LlamaTokenizers.class)
    void givesTheTokensOfTheWholeTextWhereNoMessageHasASpecialToken(LlamaTokenizers llama)
            throws Exception {
        try (Tokenizer plain = llama.open();
                Tokenizer tokenizer = llama.openForChats(folder)) {
            List<Case> chats =
                    chatsOf(llama).filter(chat -> !chat.messages().contains("</s>")).toList();
            assertThat(chats).hasSizeGreaterThan(5);
            for (Case chat : chats) {
                int[] ids = tokenizer.encode(render(chat));
                int[] whole = plain.encode(expected(chat));

                // The plain tokenizer puts a bos in front, the template has written its own.
                assertThat(ids).containsExactly(Arrays.copyOfRange(whole, 1, whole.length));
            }
        }
    }

    @ParameterizedTest
    @EnumSource(LlamaTokenizers.class)
    void takesASpecialTokensTextInAMessageForText(LlamaTokenizers llama) throws Exception {
        Map<Integer, String> special = llama.specialTokens();
        Pattern any =
                Pattern.compile(
                        special.values().stream()
                                .map(Pattern::quote)
                                .collect(Collectors.joining("|")));
        try (Tokenizer tokenizer = llama.openForChats(folder)) {
            for (Case chat : chatsOf(llama).toList()) {
                MarkedText rendered = render(chat);
                Stream<String> written =
                        rendered.parts().stream()
                                .filter(MarkedText.Part::special)
                                .flatMap(part -> any.matcher(part.text()).results())
                                .map(MatchResult::group);
                Stream<String> found =
                        Arrays.stream(tokenizer.encode(rendered))
                                .filter(special::containsKey)
                                .mapToObj(special::get);

                assertThat(found).containsExactlyElementsOf(written.toList());
            }
        }
    }

    private static Stream<Case> chatsOf(LlamaTokenizers llama) throws IOException {
        String family = llama == LlamaTokenizers.LLAMA_2 ? "llama-2" : "llama3";
        return cases().stream().filter(chat -> chat.family().startsWith(family));
    }

    private static MarkedText render(Case chat) throws Exception {
        return ChatTemplate.parse(chat.template()).render(chat.variables(), Instant.EPOCH);
    }
}
