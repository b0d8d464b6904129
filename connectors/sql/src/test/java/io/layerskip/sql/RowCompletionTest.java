package io.layerskip.sql;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.functions.FunctionContext;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

final class RowCompletionTest {

    @TempDir Path temp;

    @Test
    void namesAnExitThatAModelLacksAsTheStatementDoesIfOnlyTheTaskManagerHasTheModel()
            throws Exception {
        Path folder = temp.resolve("model");
        ClassLoader loader = getClass().getClassLoader();
        ModelSettings planned =
                ModelSettings.from(
                        Map.of("model.path", folder.toString(), "assistant-early-exit", "12"),
                        loader);
        RowCompletion completion =
                new RowCompletion(
                        planned,
                        new ModelColumns(List.of(ModelColumns.Output.COMPLETION)),
                        new RowTimeout(Duration.ofMinutes(1), "none"));

        Files.createSymbolicLink(folder, GoldenCase.model());

        assertThatThrownBy(() -> completion.open(new FunctionContext(null, loader, null)))
                .isInstanceOf(ValidationException.class)
                .hasMessageStartingWith(
                        "option assistant-early-exit is 12; allowed: from 1 to 11; ");
    }

    @Test
    void namesASystemPromptThatAModelDoesNotTakeIfOnlyTheTaskManagerHasTheModel() throws Exception {
        Path folder = temp.resolve("model");
        ClassLoader loader = getClass().getClassLoader();
        ModelSettings planned =
                ModelSettings.from(
                        Map.of("model.path", folder.toString(), "system-prompt", "Hi"), loader);
        RowCompletion completion =
                new RowCompletion(
                        planned,
                        new ModelColumns(List.of(ModelColumns.Output.COMPLETION)),
                        new RowTimeout(Duration.ofMinutes(1), "none"));

        Files.createSymbolicLink(folder, GoldenCase.model());

        assertThatThrownBy(() -> completion.open(new FunctionContext(null, loader, null)))
                .isInstanceOf(ValidationException.class)
                .hasMessageStartingWith(
                        "option system-prompt is Hi; allowed: only with a model that renders chats:"
                                + " option model.path is ");
    }

    @ParameterizedTest
    @EnumSource
    void asksForTheConfidenceOnlyWhereAColumnTakesIt(ModelColumns.Output output) {
        ModelColumns columns = new ModelColumns(List.of(ModelColumns.Output.COMPLETION, output));
        ModelSettings settings =
                ModelSettings.from(
                        Map.of("model.path", GoldenCase.model().toString()),
                        getClass().getClassLoader());

        assertThat(settings.parameters(columns.takeConfidence()).returnConfidence())
                .isEqualTo(output.name().endsWith("_PROBABILITY"));
    }
}
