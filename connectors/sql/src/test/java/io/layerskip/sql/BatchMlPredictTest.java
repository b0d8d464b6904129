package io.layerskip.sql;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.List;
import org.apache.flink.FlinkVersion;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.types.Row;
import org.junit.jupiter.api.Test;

/** Batch mode, which plans ML_PREDICT from Flink 2.3 on: {@code ./mvnw verify -Pflink-2.3}. */
final class BatchMlPredictTest {

    @Test
    void completesPromptsInBatchMode() throws Exception {
        assumeTrue(
                FlinkVersion.current().ordinal() > FlinkVersion.v2_2.ordinal(),
                "Flink " + FlinkVersion.current() + " has no ML_PREDICT in batch mode");
        TableEnvironment tables = TableEnvironment.create(EnvironmentSettings.inBatchMode());
        tables.executeSql(
                "CREATE MODEL intents INPUT (prompt STRING) OUTPUT (completion STRING) WITH"
                        + " ('provider' = 'layerskip', 'model.path' = '%s')"
                                .formatted(GoldenCase.model()));
        List<GoldenCase> cases = GoldenCase.all();
        tables.createTemporaryView(
                "messages",
                tables.fromValues(
                        DataTypes.ROW(DataTypes.FIELD("prompt", DataTypes.STRING())),
                        cases.stream().map(golden -> Row.of(golden.prompt())).toList()));

        List<Row> rows =
                Results.all(
                        tables.executeSql(
                                        "SELECT prompt, completion FROM ML_PREDICT(TABLE messages,"
                                                + " MODEL intents, DESCRIPTOR(prompt))")
                                .collect());

        assertThat(rows)
                .containsExactlyInAnyOrderElementsOf(
                        cases.stream().map(c -> Row.of(c.prompt(), c.completion())).toList());
    }
}
