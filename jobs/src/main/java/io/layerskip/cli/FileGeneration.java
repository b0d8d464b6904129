package io.layerskip.cli;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.layerskip.connectors.CompletionFormat;
import io.layerskip.connectors.CompletionRequestFormat;
import io.layerskip.connectors.InvalidRequestException;
import io.layerskip.engine.Generation;
import io.layerskip.engine.GenerationEngine;
import io.layerskip.engine.GenerationFailure;
import io.layerskip.engine.GenerationResult;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import picocli.CommandLine;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/**
 * The part of {@code generate} that turns a file of requests into a file of completions, line by
 * line and in the same order. A line that fails becomes an object with an {@code error}:
 *
 * <pre>{@code
 * {"line":3,"error":{"class":"INVALID_JSON","message":"..."}}
 * }</pre>
 */
final class FileGeneration {

    private static final String STANDARD_STREAM = "-";

    /** Lines taken in ahead of the one that is written next, so that the engine can batch. */
    private static final int READ_AHEAD = 64;

    private static final JsonMapper JSON = new JsonMapper();

    @Option(
            names = "--input",
            paramLabel = "FILE",
            required = true,
            description =
                    "Requests, a JSON object a line, with the fields of OpenAI's completions API,"
                            + " or of chat completions; - reads the standard input.")
    private String input;

    @Option(
            names = "--output",
            paramLabel = "FILE",
            defaultValue = STANDARD_STREAM,
            description =
                    "Where the completions go, a JSON object a line, in the order of the requests;"
                            + " - writes to the standard output. Default: ${DEFAULT-VALUE}.")
    private String output;

    @Option(names = "--token-ids", description = "Adds choices[0].token_ids to the completions.")
    private boolean tokenIds;

    /** A line that was read; waits for what becomes of it. */
    private interface Answer {
        String await() throws ExecutionException, InterruptedException;
    }

    /** Returns the exit code: 1 if a line failed. */
    int run(GenerationEngine engine, String model, CommandLine command)
            throws IOException, ExecutionException, InterruptedException {
        checkFilesDiffer(command);
        CompletionFormat completions = new CompletionFormat(model);
        Conversion conversion =
                new Conversion(engine, tokenIds ? completions.withTokenIds() : completions);
        try (InputStream in = openInput();
                Progress progress = Progress.ofUnknown("requests")) {
            if (output.equals(STANDARD_STREAM)) {
                conversion.run(in, command.getOut(), progress);
            } else {
                try (PrintWriter out =
                        new PrintWriter(
                                Files.newBufferedWriter(Path.of(output), StandardCharsets.UTF_8))) {
                    conversion.run(in, out, progress);
                }
            }
        }
        conversion.summary.print(command.getErr());
        return conversion.summary.failures() == 0 ? ExitCode.OK : ExitCode.SOFTWARE;
    }

    /** Opening the output empties it, before a line of the input is read. */
    private void checkFilesDiffer(CommandLine command) throws IOException {
        if (!input.equals(STANDARD_STREAM)
                && !output.equals(STANDARD_STREAM)
                && Files.exists(Path.of(output))
                && Files.isSameFile(Path.of(input), Path.of(output))) {
            throw new ParameterException(
                    command,
                    "--output is %s; allowed: another file than --input".formatted(output));
        }
    }

    private InputStream openInput() throws IOException {
        return new BufferedInputStream(
                input.equals(STANDARD_STREAM) ? System.in : Files.newInputStream(Path.of(input)));
    }

    /** One run over a file. */
    private static final class Conversion {

        private final GenerationEngine engine;
        private final CompletionFormat completions;
        private final CompletionRequestFormat requests = new CompletionRequestFormat();
        private final GenerationSummary summary = new GenerationSummary();

        Conversion(GenerationEngine engine, CompletionFormat completions) {
            this.engine = engine;
            this.completions = completions;
        }

        void run(InputStream in, PrintWriter out, Progress progress)
                throws IOException, ExecutionException, InterruptedException {
            LineReader lines = LineReader.ofRequests(in);
            Deque<Answer> waiting = new ArrayDeque<>();
            Optional<byte[]> line = lines.next();
            for (long number = 1; line.isPresent(); number++, line = lines.next()) {
                if (isBlank(line.get())) {
                    continue;
                }
                waiting.add(answer(number, line.get()));
                if (waiting.size() == READ_AHEAD) {
                    write(waiting.remove(), out, progress);
                }
            }
            while (!waiting.isEmpty()) {
                write(waiting.remove(), out, progress);
            }
        }

        private static boolean isBlank(byte[] line) {
            for (byte octet : line) {
                if (octet != ' ' && octet != '\t' && octet != '\r') {
                    return false;
                }
            }
            return true;
        }

        private void write(Answer answer, PrintWriter out, Progress progress)
                throws IOException, ExecutionException, InterruptedException {
            out.println(answer.await());
            if (out.checkError()) {
                throw new IOException("the output takes no more");
            }
            progress.step();
        }

        private Answer answer(long line, byte[] request) {
            try {
                Generation generation = engine.submit(requests.parse(request, Long.toString(line)));
                return () -> completion(line, generation.result().get());
            } catch (InvalidRequestException e) {
                ObjectNode error = error(line, e.errorClass().name(), e.getMessage());
                summary.addInvalid();
                return error::toString;
            }
        }

        private String completion(long line, GenerationResult result) {
            summary.add(result);
            if (result.failure().isPresent()) {
                GenerationFailure failure = result.failure().get();
                return error(line, failure.kind().name(), failure.message())
                        .put("id", result.id())
                        .toString();
            }
            return new String(completions.format(result), StandardCharsets.UTF_8);
        }

        private static ObjectNode error(long line, String errorClass, String message) {
            ObjectNode object = JSON.createObjectNode().put("line", line);
            object.putObject("error").put("class", errorClass).put("message", message);
            return object;
        }
    }
}
