package io.layerskip.cli;

import io.layerskip.connectors.DeadLetterFormat;
import io.layerskip.connectors.DeadLetterReplay;
import io.layerskip.connectors.DeadLetterSelection;
import io.layerskip.connectors.KafkaOptions;
import io.layerskip.connectors.KafkaPosition;
import io.layerskip.connectors.ReplayReport;
import io.layerskip.jobs.OptionArguments;
import io.layerskip.jobs.OptionArguments.Shortcut;
import java.util.List;
import java.util.Locale;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.IllegalConfigurationException;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Puts dead letters back into the topics of the prompts. */
@Command(
        name = "replay",
        description = {
            "Puts dead letters back as the records that they were, each once: value, key, headers"
                    + " and partition, with a header "
                    + DeadLetterFormat.TRIES
                    + " more.",
            "Required: --bootstrap-servers, --from and --to, or the options that they stand for:"
                    + " with the --config of a job, its dead letters go back to its sources.",
            "Kafka remembers what was put back, also when this is killed; run it again to go on."
        },
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        sortOptions = false)
final class ReplayCommand implements Callable<Integer> {

    /** Exit code if dead letters that were asked for cannot be put back. */
    private static final int LEFT = 3;

    private static final String TIME = "a time (2026-11-25T10:00:00Z or ms since 1970)";

    @Mixin
    private OptionArguments options =
            new OptionArguments(
                    List.of(
                            new Shortcut("--bootstrap-servers", KafkaOptions.BOOTSTRAP_SERVERS),
                            new Shortcut("--from", KafkaOptions.DEAD_LETTERS_TOPIC),
                            new Shortcut("--to", KafkaOptions.SOURCE_TOPICS)));

    @Option(
            names = "--reason",
            paramLabel = "REASON",
            split = ",",
            description =
                    "Only dead letters of this error class, such as TIMEOUT; repeatable. Those whose"
                            + " bytes are at fault (NULL_VALUE, INVALID_UTF8, INVALID_JSON) are"
                            + " put back only if they are asked for.")
    private List<String> reasons = List.of();

    @Option(
            names = "--since",
            paramLabel = "TIME",
            description = "Only dead letters of this time or later: " + TIME + ".")
    private String since;

    @Option(
            names = "--until",
            paramLabel = "TIME",
            description = "Only dead letters from before this time.")
    private String until;

    @Option(
            names = "--max-tries",
            paramLabel = "N",
            description = "Only records that have been put back less often than N times.")
    private Integer maxTries;

    @Option(
            names = "--any-source",
            description =
                    "Puts the dead letters of records of any topic into the one topic of --to. Without"
                            + " it, a record goes back to its own topic, if --to names that.")
    private boolean anySource;

    @Option(
            names = "--group",
            paramLabel = "GROUP",
            defaultValue = "flink-layerskip-replay",
            description =
                    "Consumer group that remembers what was put back. Default: ${DEFAULT-VALUE}.")
    private String group;

    @Option(names = "--dry-run", description = "Shows what would be put back, and changes nothing.")
    private boolean dryRun;

    @Spec private CommandSpec spec;

    @Override
    public Integer call() throws Exception {
        DeadLetterSelection selection =
                new DeadLetterSelection(
                        reasons.stream().map(ReplayCommand::reason).collect(Collectors.toSet()),
                        time("--since", since),
                        time("--until", until),
                        maxTries(),
                        anySource);
        Configuration configuration = options.toConfiguration();
        if (group.isBlank() || group.equals(configuration.get(KafkaOptions.SOURCE_GROUP_ID))) {
            throw refused("--group", group, "a name, not that of the job's group");
        }
        DeadLetterReplay replay = DeadLetterReplay.connect(configuration, group, selection);
        ReplayReport report = Interruption.interruptible(() -> report(replay));
        new ReplaySummary(report, dryRun).print(spec.commandLine().getOut());
        return report.left() > 0 ? LEFT : ExitCode.OK;
    }

    private ReplayReport report(DeadLetterReplay replay) throws Exception {
        try (Progress bar = Progress.ofUnknown("offsets")) {
            DeadLetterReplay.Progress progress =
                    (passed, all) -> {
                        bar.of(all);
                        bar.stepTo(passed);
                    };
            return dryRun ? replay.dryRun(progress) : replay.run(progress);
        }
    }

    private static String reason(String name) {
        String reason = name.strip().toUpperCase(Locale.ROOT);
        List<String> known = DeadLetterFormat.errorClasses();
        if (!known.contains(reason)) {
            throw refused("--reason", name, String.join(", ", known));
        }
        return reason;
    }

    private static OptionalLong time(String option, String text) {
        if (text == null) {
            return OptionalLong.empty();
        }
        try {
            KafkaPosition position = KafkaPosition.parse(text);
            if (position.kind() == KafkaPosition.Kind.TIMESTAMP) {
                return OptionalLong.of(position.timestamp());
            }
        } catch (IllegalArgumentException e) {
            // Refused like what is a position and no time.
        }
        throw refused(option, text, TIME);
    }

    private OptionalInt maxTries() {
        if (maxTries == null) {
            return OptionalInt.empty();
        }
        if (maxTries < 1) {
            throw refused("--max-tries", maxTries.toString(), "a whole number, at least 1");
        }
        return OptionalInt.of(maxTries);
    }

    private static IllegalConfigurationException refused(
            String option, String found, String allowed) {
        return new IllegalConfigurationException(
                "option %s is %s; allowed: %s".formatted(option, found, allowed));
    }
}
