package io.layerskip.sql;

import io.layerskip.engine.Confidence;
import io.layerskip.engine.GenerationResult;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.catalog.Column;
import org.apache.flink.table.catalog.ResolvedCatalogModel;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.types.logical.LogicalType;

/**
 * A model's output columns, in their order.
 *
 * @param outputs each at most once; always has {@link Output#COMPLETION}
 */
record ModelColumns(List<Output> outputs) implements Serializable {

    private static final long serialVersionUID = 1;

    private static final LogicalType STRING = DataTypes.STRING().getLogicalType();
    private static final LogicalType INT = DataTypes.INT().getLogicalType();
    private static final LogicalType DOUBLE = DataTypes.DOUBLE().getLogicalType();

    /** A column that there may be; its name is the constant's, in lower case. */
    enum Output {
        /** The text; NULL for a prompt that is NULL, and where there is no whole completion. */
        COMPLETION(STRING, result -> StringData.fromString(result.text())),

        /** Why there is no completion; NULL where there is one. */
        ERROR(STRING, result -> null),

        /** Tokens of the prompt, the begin-of-sequence token included. */
        PROMPT_TOKENS(INT, result -> result.statistics().promptTokens()),

        /** Tokens written, an end-of-sequence token included. */
        COMPLETION_TOKENS(INT, result -> result.statistics().completionTokens()),

        /** How sure the model was: see {@link Confidence#meanProbability}. */
        MEAN_PROBABILITY(
                DOUBLE,
                result -> result.confidence().map(Confidence::meanProbability).orElse(null)),

        /** How sure it was where it was least so: see {@link Confidence#leastProbability}. */
        LEAST_PROBABILITY(
                DOUBLE,
                result -> result.confidence().map(Confidence::leastProbability).orElse(null));

        private final LogicalType type;
        private final Function<GenerationResult, Object> value;

        Output(LogicalType type, Function<GenerationResult, Object> value) {
            this.type = type;
            this.value = value;
        }

        private String column() {
            return name().toLowerCase(Locale.ROOT);
        }

        private static String words() {
            return Stream.of(values())
                    .map(output -> output.column() + " " + output.type.asSummaryString())
                    .collect(Collectors.joining(", "));
        }
    }

    ModelColumns {
        outputs = List.copyOf(outputs);
    }

    /**
     * Reads and checks a model's columns.
     *
     * @throws ValidationException if they are others than the provider has; names the column and
     *     what is allowed
     */
    static ModelColumns of(ResolvedCatalogModel model) {
        requirePrompt(model.getResolvedInputSchema().getColumns());
        List<Output> outputs = new ArrayList<>();
        for (Column column : model.getResolvedOutputSchema().getColumns()) {
            outputs.add(output(column));
        }
        if (!outputs.contains(Output.COMPLETION)) {
            throw new ValidationException(
                    "OUTPUT has no column %s; allowed: it, and any of %s"
                            .formatted(Output.COMPLETION.column(), Output.words()));
        }
        return new ModelColumns(outputs);
    }

    private static void requirePrompt(List<Column> columns) {
        boolean prompt =
                columns.size() == 1
                        && columns.get(0).isPhysical()
                        && type(columns.get(0)).copy(true).equals(STRING);
        if (!prompt) {
            throw new ValidationException(
                    "INPUT is (%s); allowed: one column of type STRING, the prompt"
                            .formatted(words(columns)));
        }
    }

    private static Output output(Column column) {
        return Stream.of(Output.values())
                .filter(output -> column.isPhysical())
                .filter(output -> output.column().equals(column.getName()))
                .filter(output -> output.type.equals(type(column)))
                .findFirst()
                .orElseThrow(
                        () ->
                                new ValidationException(
                                        "OUTPUT has the column %s; allowed: %s, each at most once"
                                                .formatted(
                                                        words(List.of(column)), Output.words())));
    }

    private static LogicalType type(Column column) {
        return column.getDataType().getLogicalType();
    }

    private static String words(List<Column> columns) {
        return columns.stream().map(Column::asSummaryString).collect(Collectors.joining(", "));
    }

    /** Whether a column takes the reason why a row has no completion. */
    boolean takeErrors() {
        return outputs.contains(Output.ERROR);
    }

    /** Whether a column takes how sure the model was. */
    boolean takeConfidence() {
        return outputs.contains(Output.MEAN_PROBABILITY)
                || outputs.contains(Output.LEAST_PROBABILITY);
    }

    /** The row of a completion. */
    RowData completion(GenerationResult result) {
        return row(output -> output.value.apply(result));
    }

    /** The row of a failure, with its reason. */
    RowData failure(String reason) {
        return row(output -> output == Output.ERROR ? StringData.fromString(reason) : null);
    }

    /** The row of a prompt that is NULL. */
    RowData nothing() {
        return row(output -> null);
    }

    private RowData row(Function<Output, Object> value) {
        return GenericRowData.of(outputs.stream().map(value).toArray());
    }
}
