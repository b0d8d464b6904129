package io.layerskip.bench;

import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * The figures of a run, for a program and for people.
 *
 * @param environment what they depend on
 * @param sections what the experiments found
 */
public record Report(Map<String, String> environment, List<Section> sections) {

    private static final JsonMapper JSON = new JsonMapper();
    private static final String PAGE = "bench/report.html";

    /** Apache ECharts as one script. */
    private static final String CHARTS = "bench/echarts/echarts.min.js";

    /** Is told how far it got. */
    public interface Listener {

        /** Experiments are about to begin, whose figures depend on this. */
        void starts(Map<String, String> environment);

        /** An experiment of that title begins. */
        void begins(String title);

        /** An experiment ended; the report has its figures, and those of all before it. */
        void ended(Report report) throws IOException;
    }

    /**
     * Runs experiments.
     *
     * @param names of {@link Experiments#names}
     */
    public static void run(ExperimentSetup setup, List<String> names, Listener listener)
            throws Exception {
        Map<String, String> environment = setup.environment();
        listener.starts(environment);
        List<Section> sections = new ArrayList<>();
        for (String name : names) {
            Experiment experiment = Experiments.named(name);
            listener.begins(experiment.title());
            sections.add(experiment.run(setup));
            listener.ended(new Report(environment, List.copyOf(sections)));
        }
    }

    /** What the latest experiment found, as Markdown. */
    public String latest() {
        return sections.get(sections.size() - 1).toMarkdown();
    }

    /** Writes the figures as a JSON object. */
    public void writeJson(Path file) throws IOException {
        JSON.writerWithDefaultPrettyPrinter().writeValue(file.toFile(), this);
    }

    /** Writes one page that needs nothing beside it. */
    public void writeHtml(Path file) throws IOException {
        // In a script, only the end of the script means something else than in JSON.
        String figures = JSON.writeValueAsString(this).replace("</", "<\\/");
        String page =
                resource(PAGE)
                        .replace("/*charts*/", resource(CHARTS))
                        .replace("/*report*/", figures);
        Files.writeString(file, page);
    }

    static String resource(String name) throws IOException {
        try (InputStream in = Report.class.getClassLoader().getResourceAsStream(name)) {
            if (in == null) {
                throw new FileNotFoundException("no " + name + " on the class path");
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
