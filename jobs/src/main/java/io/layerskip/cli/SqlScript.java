package io.layerskip.cli;

import java.io.OutputStream;
import java.io.PrintWriter;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.SqlParserException;
import org.apache.flink.table.api.config.TableConfigOptions;
import org.apache.flink.table.gateway.api.session.SessionEnvironment;
import org.apache.flink.table.gateway.api.session.SessionHandle;
import org.apache.flink.table.gateway.api.utils.SqlGatewayException;
import org.apache.flink.table.gateway.rest.util.SqlGatewayRestAPIVersion;
import org.apache.flink.table.gateway.service.application.Printer;
import org.apache.flink.table.gateway.service.application.ScriptExecutor;
import org.apache.flink.table.gateway.service.context.DefaultContext;
import org.apache.flink.table.gateway.service.context.SessionContext;
import org.apache.flink.table.gateway.service.result.ResultFetcher;
import org.apache.flink.util.concurrent.Executors;

/**
 * A script of Flink SQL, run by what runs one in Flink's application mode: it knows where a
 * statement ends.
 */
final class SqlScript {

    /** Most characters of a column that are shown, unless the settings or the script say so. */
    private static final int COLUMN_WIDTH = 60;

    private SqlScript() {}

    /**
     * Runs the statements, up to the first that fails.
     *
     * @param settings of Flink
     * @param out takes the statements and their results
     * @return what failed, with its line; empty if nothing did
     */
    static Optional<String> run(String script, Configuration settings, PrintWriter out) {
        Configuration configuration = new Configuration();
        // Completions are longer than what Flink shows of a column.
        configuration.set(TableConfigOptions.DISPLAY_MAX_COLUMN_WIDTH, COLUMN_WIDTH);
        configuration.addAll(settings);
        // Statement after statement: one may read what the one before it wrote.
        configuration.set(TableConfigOptions.TABLE_DML_SYNC, true);
        SessionContext session =
                SessionContext.create(
                        new DefaultContext(configuration, List.of()),
                        new SessionHandle(UUID.randomUUID()),
                        SessionEnvironment.newBuilder()
                                .setSessionEndpointVersion(
                                        SqlGatewayRestAPIVersion.getDefaultVersion())
                                .build(),
                        Executors.newDirectExecutorService());
        Transcript transcript = new Transcript(out);
        try {
            new ScriptExecutor(session, transcript).execute(script);
            return Optional.empty();
        } catch (SqlGatewayException e) {
            return Optional.of(transcript.failure(Optional.ofNullable(e.getCause()).orElse(e)));
        } finally {
            session.close();
        }
    }

    /** Prints what Flink's own printer would, and counts lines. */
    private static final class Transcript extends Printer {

        private final PrintWriter out;

        /** Lines before what is run next. */
        private int lines;

        /** Where the statement under way begins, from 1. */
        private int firstLine = 1;

        private Transcript(PrintWriter out) {
            super(OutputStream.nullOutputStream());
            this.out = out;
        }

        /**
         * A statement is going to be run.
         *
         * @param statement all of the script from the end of the one before
         */
        @Override
        public void print(String statement) {
            String stripped = statement.stripLeading();
            firstLine = 1 + lines + lineBreaks(statement) - lineBreaks(stripped);
            lines += lineBreaks(statement);
            out.println(
                    STATEMENT_BEGIN + stripped.stripTrailing().replace("\n", "\n" + LINE_BEGIN));
        }

        @Override
        public void print(ResultFetcher result) {
            result.getPrintStyle().print(new RowDataIterator(result), out);
            out.flush();
        }

        /** Who ran the script tells of a failure. */
        @Override
        public void print(Throwable failure) {}

        private static int lineBreaks(String text) {
            return (int) text.chars().filter(character -> character == '\n').count();
        }

        private String failure(Throwable failure) {
            // The parser's lines are the script's.
            String where =
                    failure instanceof SqlParserException
                            ? ""
                            : "the statement in line %d: ".formatted(firstLine);
            Set<String> reasons = new LinkedHashSet<>();
            for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
                reasons.add(Optional.ofNullable(cause.getMessage()).orElse(cause.toString()));
            }
            return where + String.join("\n", reasons);
        }
    }
}
