package io.layerskip.tests.cluster;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Dashboard, alert rules and Prometheus's configuration, as the project ships them. */
final class MonitoringFiles {

    static final Path CONFIG = docker("prometheus/prometheus.yml");

    private static final Path RULES = docker("prometheus/rules.yml");
    private static final Path DASHBOARD = docker("grafana/dashboards/layerskip.json");

    private static final YAMLMapper YAML = new YAMLMapper();
    private static final Pattern COMPARISON = Pattern.compile(" ([<>]=?|[=!]=) (?!bool )");
    private static final Pattern LABEL_VALUES = Pattern.compile("label_values\\((.+), *\\w+\\)");

    /** What a test does not wait for. */
    private static final Pattern WINDOW = Pattern.compile("\\[\\w+(:\\w+)?]");

    private static final String SHORT_WINDOW = "[10s]";

    private MonitoringFiles() {}

    private static Path docker(String file) {
        return Path.of("..", "docker").resolve(file).toAbsolutePath().normalize();
    }

    /**
     * Every PromQL expression of dashboard and rules, by where it stands. Those of alerts answer 0
     * or 1 where they would answer nothing as long as all is well.
     */
    static Map<String, String> expressions() throws IOException {
        Map<String, String> expressions = new LinkedHashMap<>();
        JsonNode dashboard = new ObjectMapper().readTree(DASHBOARD.toFile());
        for (JsonNode variable : dashboard.path("templating").path("list")) {
            Matcher values = LABEL_VALUES.matcher(variable.path("definition").asText());
            if (values.matches()) {
                expressions.put("variable " + variable.path("name").asText(), values.group(1));
            }
        }
        for (JsonNode panel : dashboard.path("panels")) {
            for (JsonNode target : panel.path("targets")) {
                expressions.put(
                        "panel %s, %s"
                                .formatted(
                                        panel.path("title").asText(),
                                        target.path("refId").asText()),
                        target.path("expr")
                                .asText()
                                .replace("$job", ".+")
                                .replace("[$__rate_interval]", SHORT_WINDOW));
            }
        }
        for (JsonNode alert : alerts(YAML.readTree(RULES.toFile()))) {
            String expression = shortened(alert.path("expr").asText());
            expressions.put(
                    "alert " + alert.path("alert").asText(),
                    COMPARISON.matcher(expression).replaceAll(" $1 bool "));
        }
        return expressions;
    }

    private static List<JsonNode> alerts(JsonNode rules) {
        return rules.findParents("alert");
    }

    private static String shortened(String expression) {
        return WINDOW.matcher(expression).replaceAll(SHORT_WINDOW);
    }

    /**
     * Writes a configuration with the project's rules that asks a cluster of this machine every
     * second. Alerts look at the last 10 s only and fire at once.
     *
     * @param targets host and port of each process
     * @param thresholds of alerts that have another one here, by name
     * @return prometheus.yml
     */
    static Path write(Path folder, List<String> targets, Map<String, String> thresholds)
            throws IOException {
        JsonNode rules = YAML.readTree(RULES.toFile());
        for (JsonNode rule : alerts(rules)) {
            ObjectNode alert = (ObjectNode) rule;
            String expression = shortened(alert.path("expr").asText());
            String threshold = thresholds.get(alert.path("alert").asText());
            alert.put(
                    "expr",
                    threshold == null
                            ? expression
                            : expression.replaceFirst("[\\d.]+$", threshold));
            alert.put("for", "0s");
        }
        YAML.writeValue(folder.resolve(RULES.getFileName()).toFile(), rules);

        ObjectNode config = (ObjectNode) YAML.readTree(CONFIG.toFile());
        ObjectNode global = config.withObject("global");
        global.put("scrape_interval", "1s");
        global.put("evaluation_interval", "1s");
        for (JsonNode scraped : config.path("scrape_configs")) {
            ((ObjectNode) scraped).remove("dns_sd_configs");
            targets.forEach(
                    ((ObjectNode) scraped)
                                    .putArray("static_configs")
                                    .addObject()
                                    .putArray("targets")
                            ::add);
        }
        Path file = folder.resolve(CONFIG.getFileName());
        Files.writeString(file, YAML.writeValueAsString(config));
        return file;
    }
}
