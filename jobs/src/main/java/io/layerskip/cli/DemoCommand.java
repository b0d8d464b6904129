package io.layerskip.cli;

import io.layerskip.bench.Comparison;
import io.layerskip.bench.Contender;
import io.layerskip.bench.EngineContender;
import io.layerskip.bench.Measurement;
import io.layerskip.connectors.KafkaOptions;
import io.layerskip.flink.ConfiguredEngine;
import io.layerskip.flink.LayerSkipConfiguration;
import io.layerskip.jobs.GenerationJob;
import io.layerskip.local.EmbeddedBroker;
import io.layerskip.local.LocalFlink;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.CoreOptions;
import org.apache.flink.core.execution.JobClient;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** The whole thing on one machine: broker, Flink, model, and prompts to go through them. */
@Command(
        name = "demo",
        description =
                "Starts a Kafka broker and Flink in this process, sends prompts and a few bad"
                        + " records, and shows what comes out.",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        sortOptions = false)
final class DemoCommand implements Callable<Integer> {

    private static final String PROMPTS = "prompts";
    private static final String COMPLETIONS = "completions";
    private static final String DEAD_LETTERS = "dead-letters";

    /** How often each golden prompt is sent. */
    private static final int ROUNDS = 4;

    /** So many of the golden prompts are enough to compare speeds. */
    private static final int COMPARED_PROMPTS = 40;

    private static final int COMPARED_ROUNDS = 5;

    private static final Duration CHECKPOINT_INTERVAL = Duration.ofSeconds(1);
    private static final Duration PATIENCE = Duration.ofSeconds(80);

    @Option(
            names = "--keep-running",
            description =
                    "Stays up afterwards and completes each line of the standard input, until"
                            + " Ctrl-C.")
    private boolean keepRunning;

    @Spec private CommandSpec spec;

    @Override
    public Integer call() throws Exception {
        return Interruption.interruptible(this::demonstrate);
    }

    private int demonstrate() throws Exception {
        PrintWriter out = spec.commandLine().getOut();
        int cores = Runtime.getRuntime().availableProcessors();
        out.println("Starting a Kafka broker and Flink ...");
        try (EmbeddedBroker broker = EmbeddedBroker.start()) {
            broker.createTopics(cores, PROMPTS, COMPLETIONS, DEAD_LETTERS);
            Configuration configuration = configure(broker, cores);
            LocalFlink flink = LocalFlink.create(configuration);
            GenerationJob.build(flink.environment(), configuration);
            JobClient job = flink.environment().executeAsync();
            out.println("Flink's web UI: " + flink.webUi());
            out.println("Kafka broker:   " + broker.bootstrapServers());
            try (PromptSender sender = new PromptSender(broker.bootstrapServers(), PROMPTS);
                    AnswerReader reader =
                            new AnswerReader(
                                    broker.bootstrapServers(),
                                    List.of(COMPLETIONS, DEAD_LETTERS))) {
                show(LayerSkipConfiguration.from(configuration), sender, reader, out);
            } finally {
                end(job);
            }
        }
        return ExitCode.OK;
    }

    /** Cancels the job and waits for its end, so that the broker outlives it. */
    private static void end(JobClient job) throws ExecutionException, InterruptedException {
        // Ctrl-C may have interrupted this thread; it still has this to do.
        Thread.interrupted();
        job.cancel().get();
        job.getJobExecutionResult().handle((result, cancellation) -> Optional.empty()).get();
    }

    private static Configuration configure(EmbeddedBroker broker, int parallelism) {
        return new Configuration()
                .set(KafkaOptions.BOOTSTRAP_SERVERS, broker.bootstrapServers())
                .set(KafkaOptions.SOURCE_TOPICS, List.of(PROMPTS))
                .set(KafkaOptions.SINK_TOPIC, COMPLETIONS)
                .set(KafkaOptions.DEAD_LETTERS_TOPIC, DEAD_LETTERS)
                .set(CoreOptions.DEFAULT_PARALLELISM, parallelism)
                // Completions appear when a checkpoint commits them; nobody wants to wait here.
                .set(CheckpointingOptions.CHECKPOINTING_INTERVAL, CHECKPOINT_INTERVAL);
    }

    private void show(
            LayerSkipConfiguration configuration,
            PromptSender sender,
            AnswerReader reader,
            PrintWriter out)
            throws Exception {
        List<GoldenPrompt> prompts = GoldenPrompt.all();
        DemoReport report = new DemoReport(out, sender::sent, DEAD_LETTERS);

        // The first answer shows that the model is loaded, which is not what is timed.
        sender.send("warm-up", prompts.get(0));
        await(1, reader, report, "loading the model");
        long tokensBefore = report.tokens();
        long start = System.nanoTime();
        int sent = 1 + send(prompts, sender);
        await(sent, reader, report, "answers");
        double seconds = (double) (System.nanoTime() - start) / TimeUnit.SECONDS.toNanos(1);
        double tokensPerSecond = (report.tokens() - tokensBefore) / seconds;

        out.println("Comparing with plain decoding ...");
        List<String> compared =
                prompts.stream().limit(COMPARED_PROMPTS).map(GoldenPrompt::prompt).toList();
        report.summarise(tokensPerSecond, speedup(configuration, compared));
        if (keepRunning) {
            serve(sender, reader, report, out);
        }
    }

    /** As in a deployment with a slot a core, one thread computes a pass. */
    private static double speedup(LayerSkipConfiguration configuration, List<String> prompts)
            throws Exception {
        int cores = Runtime.getRuntime().availableProcessors();
        try (ConfiguredEngine opened =
                ConfiguredEngine.open(configuration, DemoCommand.class.getClassLoader(), cores)) {
            List<Contender> contenders =
                    List.of(
                            EngineContender.plain(opened.engine()),
                            EngineContender.asSet("drafting", opened.engine()));
            Measurement drafting =
                    new Comparison(prompts, COMPARED_ROUNDS).run(contenders, 1).get(1);
            return drafting.speedup().getPercentile(50);
        }
    }

    /** Sends every prompt a few times and bad records among them; returns how many records. */
    private static int send(List<GoldenPrompt> prompts, PromptSender sender) {
        for (int round = 0; round < ROUNDS; round++) {
            for (int i = 0; i < prompts.size(); i++) {
                sender.send("golden-" + i + "-" + round, prompts.get(i));
            }
        }
        List<byte[]> bad =
                List.of(
                        "this is no JSON".getBytes(StandardCharsets.UTF_8),
                        "{\"prompt\": 42}".getBytes(StandardCharsets.UTF_8),
                        "{\"prompt\": \"\"}".getBytes(StandardCharsets.UTF_8),
                        "{\"prompt\": \"banking: Hm?\\n\", \"top_p\": 7}"
                                .getBytes(StandardCharsets.UTF_8),
                        ("{\"prompt\": \"" + "far too long ".repeat(1000) + "\"}")
                                .getBytes(StandardCharsets.UTF_8),
                        new byte[] {'"', (byte) 0xc3, '"'});
        for (int i = 0; i < bad.size(); i++) {
            sender.sendRaw("bad-" + i, bad.get(i));
        }
        return ROUNDS * prompts.size() + bad.size();
    }

    private static void await(int answers, AnswerReader reader, DemoReport report, String task)
            throws IOException {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        try (Progress progress = Progress.of(task, answers - report.answers())) {
            while (report.answers() < answers) {
                if (System.nanoTime() > deadline) {
                    throw new IOException(
                            "%d of %d answers after %d s"
                                    .formatted(report.answers(), answers, PATIENCE.toSeconds()));
                }
                for (ConsumerRecord<byte[], byte[]> answer : reader.poll()) {
                    report.show(answer);
                    progress.step();
                }
            }
        }
    }

    /** Completes the lines of the standard input until the process is ended. */
    private static void serve(
            PromptSender sender, AnswerReader reader, DemoReport report, PrintWriter out)
            throws IOException {
        out.println();
        out.println("Type a prompt such as  banking: Where is my card?  and press Enter, or send");
        out.println(
                "{\"prompt\": \"banking: Where is my card?\\n\"} to the topic " + PROMPTS + ".");
        out.println("Ctrl-C ends it.");
        Thread typing = new Thread(() -> sendLines(sender), "prompts-from-stdin");
        typing.setDaemon(true);
        typing.start();
        while (true) {
            for (ConsumerRecord<byte[], byte[]> answer : reader.poll()) {
                report.show(answer);
            }
        }
    }

    private static void sendLines(PromptSender sender) {
        BufferedReader lines =
                new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        Iterable<String> typed = () -> lines.lines().iterator();
        int number = 0;
        for (String line : typed) {
            // The model was trained on prompts that end with a line feed.
            sender.send("typed-" + number++, new GoldenPrompt(line + "\n", ""));
        }
    }
}
