package io.layerskip.cli;

import io.layerskip.bench.Comparison;
import io.layerskip.bench.Contender;
import io.layerskip.bench.EngineContender;
import io.layerskip.bench.Measurement;
import io.layerskip.flink.ConfiguredEngine;
import io.layerskip.flink.LayerSkipConfiguration;
import io.layerskip.jobs.JobType;
import io.layerskip.local.LocalJob;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
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

    /** How often each golden prompt is sent. */
    private static final int ROUNDS = 4;

    /** So many of the golden prompts are enough to compare speeds. */
    private static final int COMPARED_PROMPTS = 40;

    private static final int COMPARED_ROUNDS = 5;

    private static final Duration CHECKPOINT_INTERVAL = Duration.ofSeconds(1);

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
        // Completions appear when a checkpoint commits them; nobody wants to wait here.
        Configuration options =
                new Configuration()
                        .set(CheckpointingOptions.CHECKPOINTING_INTERVAL, CHECKPOINT_INTERVAL);
        try (LocalJob job = LocalJob.start(options, cores, JobType.GENERATE)) {
            out.println("Flink's web UI: " + job.webUi());
            out.println("Kafka broker:   " + job.bootstrapServers());
            show(LayerSkipConfiguration.from(options), job, out);
        }
        return ExitCode.OK;
    }

    private void show(LayerSkipConfiguration configuration, LocalJob job, PrintWriter out)
            throws Exception {
        List<GoldenPrompt> prompts = GoldenPrompt.all();
        PromptSender sender = new PromptSender(job);
        DemoReport report = new DemoReport(out, sender::sent);

        // The first answer shows that the model is loaded, which is not what is timed.
        sender.send("warm-up", prompts.get(0));
        LocalAnswers.await(1, job, "loading the model", report::show);
        long tokensBefore = report.tokens();
        long start = System.nanoTime();
        int sent = send(prompts, sender);
        LocalAnswers.await(sent, job, "answers", report::show);
        double seconds = (double) (System.nanoTime() - start) / TimeUnit.SECONDS.toNanos(1);
        double tokensPerSecond = (report.tokens() - tokensBefore) / seconds;

        out.println("Comparing with plain decoding ...");
        List<String> compared =
                prompts.stream().limit(COMPARED_PROMPTS).map(GoldenPrompt::prompt).toList();
        report.summarise(tokensPerSecond, speedup(configuration, compared));

        new EnrichmentDemo(out).show();
        if (keepRunning) {
            serve(sender, job, report, out);
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

    /** Completes the lines of the standard input until the process is ended. */
    private static void serve(PromptSender sender, LocalJob job, DemoReport report, PrintWriter out)
            throws IOException, InterruptedException {
        out.println();
        out.println("Type a prompt such as  banking: Where is my card?  and press Enter, or send");
        out.println(
                "{\"prompt\": \"banking: Where is my card?\\n\"} to the topic "
                        + LocalJob.PROMPTS
                        + ".");
        out.println("Ctrl-C ends it.");
        Thread typing = new Thread(() -> sendLines(sender), "prompts-from-stdin");
        typing.setDaemon(true);
        typing.start();
        while (true) {
            for (ConsumerRecord<byte[], byte[]> answer : job.poll()) {
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
