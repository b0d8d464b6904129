package io.layerskip.bench;

import io.layerskip.engine.GenerationEngine;
import io.layerskip.engine.GenerationParameters;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** How time grows with the length of the prompt and of the completion. */
final class Lengths implements Experiment {

    private static final List<Integer> PROMPT_LENGTHS =
            List.of(8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096);
    private static final List<Integer> COMPLETION_LENGTHS = List.of(8, 16, 32, 64, 128, 256);
    private static final int SHORT = 8;
    private static final int PROMPTS = 8;

    /** Tokens of all prompts of a length together, if there is more than one. */
    private static final int PROMPT_TOKENS = 2048;

    @Override
    public String name() {
        return "lengths";
    }

    @Override
    public String title() {
        return "Prompt length and completion length";
    }

    @Override
    public Section run(ExperimentSetup setup) throws Exception {
        Table table =
                new Table(
                        "prompt tokens about",
                        "completion tokens",
                        "plain, ms a request",
                        "auto, ms a request",
                        "speedup of whole requests");
        Map<String, List<Double>> overPrompts = new LinkedHashMap<>();
        Map<String, List<Double>> overCompletions = new LinkedHashMap<>();
        int context = setup.checkpoint().config().maxPositionEmbeddings();
        List<Integer> promptLengths = within(context, PROMPT_LENGTHS);
        List<Integer> completionLengths = within(context, COMPLETION_LENGTHS);
        try (GenerationEngine engine = setup.open(setup.settings())) {
            for (int length : promptLengths) {
                add(measure(setup, engine, length, SHORT), length, SHORT, table, overPrompts);
            }
            for (int length : completionLengths) {
                add(measure(setup, engine, SHORT, length), SHORT, length, table, overCompletions);
            }
        }
        return new Section(
                this,
                "One request at a time. Prompts are cut out of the given ones, each with another"
                        + " beginning; completions go on after their end.",
                table,
                Chart.lines(
                        "Completions of %d tokens".formatted(SHORT),
                        "prompt tokens",
                        promptLengths,
                        "ms a request",
                        overPrompts),
                Chart.lines(
                        "Prompts of %d tokens".formatted(SHORT),
                        "completion tokens",
                        completionLengths,
                        "ms a request",
                        overCompletions));
    }

    private static List<Integer> within(int context, List<Integer> lengths) {
        return lengths.stream().filter(length -> length <= context - 2 * SHORT).toList();
    }

    private static void add(
            List<Measurement> measured,
            int promptTokens,
            int completionTokens,
            Table table,
            Map<String, List<Double>> series) {
        for (Measurement measurement : measured) {
            series.computeIfAbsent(measurement.name(), name -> new ArrayList<>())
                    .add(measurement.latencyMillis().getPercentile(50));
        }
        table.row(
                promptTokens,
                completionTokens,
                measured.get(0).latencyMillis().getPercentile(50),
                measured.get(1).latencyMillis().getPercentile(50),
                Spread.of(measured.get(1).speedup()));
    }

    private static List<Measurement> measure(
            ExperimentSetup setup, GenerationEngine engine, int promptTokens, int completionTokens)
            throws Exception {
        GenerationParameters.Builder parameters =
                GenerationParameters.builder()
                        .temperature(0)
                        .maxTokens(completionTokens)
                        .ignoreEos(true);
        Contender automatic = new EngineContender("auto", engine, parameters.build());
        Contender plain =
                new EngineContender("plain", engine, parameters.numAssistantTokens(0).build());
        List<String> prompts = new ArrayList<>();
        int count = Math.max(1, Math.min(PROMPTS, PROMPT_TOKENS / promptTokens));
        for (int i = 0; i < count; i++) {
            prompts.add(cut(setup, i, promptTokens));
        }
        return new Comparison(prompts, setup.rounds()).run(List.of(plain, automatic), 1);
    }

    /** So many tokens' text from the given prompts, from the one of that number on. */
    static String cut(ExperimentSetup setup, int first, int tokens) {
        StringBuilder text = new StringBuilder().append(first).append(' ');
        for (int i = first; ; i++) {
            text.append(setup.prompts().get(i % setup.prompts().size()));
            int[] ids = setup.checkpoint().tokenizer().encode(text.toString());
            if (ids.length >= tokens) {
                int kept = (int) ((long) text.length() * tokens / ids.length);
                return text.substring(0, Math.max(1, kept));
            }
        }
    }
}
