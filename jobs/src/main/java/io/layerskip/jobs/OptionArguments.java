package io.layerskip.jobs;

import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import io.layerskip.connectors.KafkaOptions;
import java.io.IOException;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.StringJoiner;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.IllegalConfigurationException;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * The part of a command line that sets options: from a file, by name ({@code -D}), or through a
 * shortcut such as {@code --model}. Each overrules the one before.
 *
 * <pre>{@code
 * @Mixin
 * private OptionArguments options =
 *         new OptionArguments(List.of(new Shortcut("--model", LayerSkipOptions.MODEL_PATH)));
 * }</pre>
 */
public final class OptionArguments {

    @Option(
            names = "--config",
            paramLabel = "FILE",
            description =
                    "Options from a file: YAML (.yaml, .yml; nested or with dotted keys) or"
                            + " properties (.properties).")
    private Path file;

    @Option(
            names = "-D",
            paramLabel = "KEY=VALUE",
            description =
                    "One option, such as -D layerskip.top-k=40; repeatable. Overrules the file.")
    private Map<String, String> values = new LinkedHashMap<>();

    private final List<Shortcut> shortcuts;
    private final Map<ConfigOption<?>, OptionSpec> shortcutSpecs = new LinkedHashMap<>();

    /**
     * A name of its own on the command line for an option.
     *
     * @param name such as {@code --model}
     * @param option what it sets
     */
    public record Shortcut(String name, ConfigOption<?> option) {}

    /** Options that can be set through these shortcuts too. */
    public OptionArguments(List<Shortcut> shortcuts) {
        this.shortcuts = List.copyOf(shortcuts);
    }

    /** Adds the shortcuts to the command that this is mixed into. */
    @Spec(Spec.Target.MIXEE)
    void addShortcuts(CommandSpec command) {
        for (Shortcut shortcut : shortcuts) {
            OptionSpec spec =
                    OptionSpec.builder(shortcut.name())
                            .type(String.class)
                            .paramLabel("VALUE")
                            .description(describe(shortcut.option()))
                            .build();
            shortcutSpecs.put(shortcut.option(), spec);
            command.addOption(spec);
        }
    }

    private static String describe(ConfigOption<?> option) {
        OptionText text = OptionText.of(option);
        String byDefault = text.defaultValue().map(value -> " Default: " + value + ".").orElse("");
        // picocli formats descriptions.
        return (text.description() + byDefault).replace("%", "%%");
    }

    /**
     * The options as set, unchecked.
     *
     * @throws IllegalConfigurationException if the file cannot be read; names it
     */
    public Configuration toConfiguration() {
        Configuration configuration = new Configuration();
        if (file != null) {
            read(file).forEach(configuration::setString);
        }
        values.forEach(configuration::setString);
        shortcutSpecs.forEach(
                (option, spec) -> {
                    String value = spec.getValue();
                    if (value != null) {
                        configuration.setString(option.key(), value);
                    }
                });
        return configuration;
    }

    /** The names of the options that are set by name, rather than in the file. */
    public Set<String> namesInArguments() {
        return Set.copyOf(values.keySet());
    }

    private static Map<String, String> read(Path file) {
        String name = file.toString();
        try (Reader reader = Files.newBufferedReader(file, StandardCharsets.UTF_8)) {
            if (name.endsWith(".properties")) {
                return readProperties(reader);
            }
            if (name.endsWith(".yaml") || name.endsWith(".yml")) {
                return readYaml(file, reader);
            }
        } catch (JsonProcessingException e) {
            // Neither its message nor it as the cause: they quote the line, which may be a secret.
            throw new IllegalConfigurationException(
                    "cannot read the options in " + file + ": no YAML" + where(e));
        } catch (IOException | IllegalArgumentException e) {
            throw new IllegalConfigurationException(
                    "cannot read the options in " + file + ": " + e, e);
        }
        throw new IllegalConfigurationException(
                "option --config is " + file + "; allowed: a file .yaml, .yml or .properties");
    }

    private static String where(JsonProcessingException e) {
        JsonLocation location = e.getLocation();
        return location == null
                ? ""
                : " at line %d, column %d".formatted(location.getLineNr(), location.getColumnNr());
    }

    private static Map<String, String> readProperties(Reader reader) throws IOException {
        Properties properties = new Properties();
        properties.load(reader);
        Map<String, String> options = new LinkedHashMap<>();
        properties.stringPropertyNames().forEach(k -> options.put(k, properties.getProperty(k)));
        return options;
    }

    private static Map<String, String> readYaml(Path file, Reader reader) throws IOException {
        JsonNode root = new YAMLMapper().readTree(reader);
        Map<String, String> options = new LinkedHashMap<>();
        if (root.isObject()) {
            root.properties().forEach(entry -> flatten(entry.getKey(), entry.getValue(), options));
        } else if (!root.isMissingNode() && !root.isNull()) {
            throw new IllegalConfigurationException(
                    file + " holds " + root.getNodeType() + "; expected keys with values");
        }
        return options;
    }

    /** Nested keys become dotted ones, a list becomes Kafka's or Flink's notation for one. */
    private static void flatten(String key, JsonNode value, Map<String, String> options) {
        if (value.isObject()) {
            value.properties().forEach(e -> flatten(key + "." + e.getKey(), e.getValue(), options));
        } else if (value.isArray()) {
            StringJoiner list = new StringJoiner(key.startsWith(KafkaOptions.PREFIX) ? "," : ";");
            value.forEach(element -> list.add(element.asText()));
            options.put(key, list.toString());
        } else if (!value.isNull()) {
            options.put(key, value.asText());
        }
    }
}
