package io.layerskip.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@EnabledIf(
        value = "io.layerskip.model.LlamaTokenizers#areThere",
        disabledReason = "the tokenizers of Llama 2 and 3 are not beside the repository")
class LlamaTokenizersTest {

    @ParameterizedTest
    @EnumSource
    void encodesAndDecodesAsAnotherImplementation(LlamaTokenizers llama) throws IOException {
        try (Tokenizer tokenizer = llama.open()) {
            for (LlamaTokenizers.Case text : llama.cases()) {
                assertThat(tokenizer.encode(text.text())).containsExactly(text.ids());
                assertThat(tokenizer.decode(text.ids(), 0, text.ids().length))
                        .isEqualTo(text.decoded());
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void encodesPromptsOfACheckpointForChatsLikeThoseOfAnother(
            LlamaTokenizers llama, @TempDir Path plain, @TempDir Path chats) throws IOException {
        try (Tokenizer without = llama.openWithoutTemplate(plain);
                Tokenizer with = llama.openForChats(chats)) {
            assertThat(without.encodesMarkedText()).isFalse();
            assertThat(with.encodesMarkedText()).isTrue();
            for (LlamaTokenizers.Case text : llama.cases()) {
                assertThat(with.encode(text.text())).containsExactly(without.encode(text.text()));
            }
        }
    }
}
