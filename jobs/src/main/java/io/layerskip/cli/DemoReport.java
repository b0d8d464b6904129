package io.layerskip.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.layerskip.connectors.DeadLetterFormat;
import io.layerskip.local.LocalJob;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Function;
import java.util.regex.Pattern;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.Help.Ansi.Style;

/** Shows what leaves the job, a line each, and counts it. */
final class DemoReport {

    /** Takes a progress bar away that another thread drew into the line. */
    private static final String CLEAR_LINE = "\r\033[2K";

    private static final Pattern CONTROLS = Pattern.compile("\\p{Cc}+");

    private static final JsonMapper JSON = new JsonMapper();

    private final PrintWriter out;
    private final Function<String, Optional<GoldenPrompt>> sent;
    private final boolean terminal = Ansi.AUTO.enabled();

    private int completionCount;
    private int asReference;
    private int deadLetterCount;
    private long tokens;
    private long accepted;
    private long rejected;

    /**
     * @param sent what was sent under an id; empty where others sent it
     */
    DemoReport(PrintWriter out, Function<String, Optional<GoldenPrompt>> sent) {
        this.out = out;
        this.sent = sent;
    }

    void show(ConsumerRecord<byte[], byte[]> answer) throws IOException {
        if (answer.topic().equals(LocalJob.DEAD_LETTERS)) {
            deadLetterCount++;
            print(Style.fg_red, keyOrPosition(answer), error(answer));
        } else {
            showCompletion(JSON.readTree(answer.value()));
        }
    }

    private void showCompletion(JsonNode completion) {
        String text = completion.at("/choices/0/text").asText();
        String id = completion.path("id").asText();
        Optional<GoldenPrompt> asked = sent.apply(id);
        completionCount++;
        if (asked.map(GoldenPrompt::completion).filter(text::equals).isPresent()) {
            asReference++;
        }
        JsonNode usage = completion.path("usage");
        JsonNode details = usage.path("completion_tokens_details");
        tokens += usage.path("completion_tokens").asLong();
        accepted += details.path("accepted_prediction_tokens").asLong();
        rejected += details.path("rejected_prediction_tokens").asLong();
        print(Style.fg_green, asked.map(GoldenPrompt::prompt).map(String::strip).orElse(id), text);
    }

    private void print(Style style, String question, String answer) {
        String asked = inOneLine(question);
        String answered = inOneLine(answer);
        if (terminal) {
            out.println(CLEAR_LINE + asked + " -> " + style.on() + answered + style.off());
        } else {
            out.println(asked + " -> " + answered);
        }
    }

    /** Whoever reaches the broker chooses these texts: they must not steer the terminal. */
    static String inOneLine(String text) {
        return CONTROLS.matcher(text).replaceAll(" ");
    }

    /** The record's key, or where it stood, as in the id of a request that has none of its own. */
    private static String keyOrPosition(ConsumerRecord<byte[], byte[]> answer) {
        return Optional.ofNullable(answer.key())
                .map(key -> new String(key, StandardCharsets.UTF_8))
                .filter(key -> !key.isBlank())
                .orElseGet(
                        () ->
                                String.join(
                                        "-",
                                        header(answer, DeadLetterFormat.SOURCE_TOPIC),
                                        header(answer, DeadLetterFormat.SOURCE_PARTITION),
                                        header(answer, DeadLetterFormat.SOURCE_OFFSET)));
    }

    /** Why a record is a dead letter. */
    static String error(ConsumerRecord<byte[], byte[]> answer) {
        return "dead letter: "
                + header(answer, DeadLetterFormat.ERROR_CLASS)
                + ": "
                + header(answer, DeadLetterFormat.ERROR_MESSAGE);
    }

    private static String header(ConsumerRecord<byte[], byte[]> answer, String name) {
        Header header = answer.headers().lastHeader(name);
        return header == null ? "?" : new String(header.value(), StandardCharsets.UTF_8);
    }

    long tokens() {
        return tokens;
    }

    /**
     * @param tokensPerSecond of the job
     * @param speedup of self-speculation over plain decoding
     */
    void summarise(double tokensPerSecond, double speedup) {
        out.printf(
                Locale.ROOT,
                """

                prompts completed   %d (%d exactly as the reference)
                dead letters        %d
                tokens per second   %.0f
                acceptance rate     %.1f %%
                speedup             %.2f times plain decoding, one request at a time
                """,
                completionCount,
                asReference,
                deadLetterCount,
                tokensPerSecond,
                accepted + rejected == 0 ? 0 : 100.0 * accepted / (accepted + rejected),
                speedup);
        out.flush();
    }
}
