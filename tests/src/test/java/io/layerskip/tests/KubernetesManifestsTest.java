package io.layerskip.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import com.networknt.schema.Error;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SpecificationVersion;
import io.layerskip.connectors.KafkaConfiguration;
import io.layerskip.flink.LayerSkipConfiguration;
import io.layerskip.flink.LayerSkipOptions;
import io.layerskip.jobs.GenerationJob;
import io.layerskip.jobs.OptionArguments;
import java.io.IOException;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.HighAvailabilityOptions;
import org.apache.flink.configuration.JobManagerOptions;
import org.apache.flink.configuration.MetricOptions;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.metrics.prometheus.PrometheusReporterFactory;
import org.apache.flink.runtime.clusterframework.TaskExecutorProcessUtils;
import org.apache.flink.runtime.jobmanager.JobManagerProcessUtils;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import picocli.CommandLine;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.UnmatchedArgumentException;

/**
 * docker/kubernetes is what the operator's custom resource definitions, Flink and the job take. The
 * definition of FlinkDeployment lies beside the repository, if it is there; a FlinkSessionJob's own
 * few fields are listed here, and its job is a FlinkDeployment's.
 */
class KubernetesManifestsTest {

    private static final Path MANIFESTS = Path.of("..", "docker", "kubernetes");
    private static final Path DEFINITION =
            Path.of("..", "..", "shared", "kubernetes", "flinkdeployments.flink.apache.org-v1.yml");

    private static final String OPEN = "x-kubernetes-preserve-unknown-fields";
    private static final String INT_OR_STRING = "x-kubernetes-int-or-string";

    private static final YAMLMapper YAML = new YAMLMapper();
    private static final String REPORTER = "metrics.reporter.prometheus.";

    /** Where the options are that a manifest may set. */
    private static final List<Class<?>> OPTIONS =
            List.of(
                    CheckpointingOptions.class,
                    HighAvailabilityOptions.class,
                    JobManagerOptions.class,
                    TaskManagerOptions.class,
                    MetricOptions.class,
                    PipelineOptions.class);

    static List<JsonNode> deployments() throws IOException {
        return manifests("FlinkDeployment");
    }

    static List<JsonNode> sessionJobs() throws IOException {
        return manifests("FlinkSessionJob");
    }

    static List<JsonNode> withJob() throws IOException {
        return Stream.concat(deployments().stream(), sessionJobs().stream())
                .filter(manifest -> manifest.path("spec").has("job"))
                .toList();
    }

    private static List<JsonNode> manifests(String kind) throws IOException {
        List<JsonNode> found = new ArrayList<>();
        try (Stream<Path> files = Files.list(MANIFESTS)) {
            for (Path file : files.sorted().toList()) {
                try (MappingIterator<JsonNode> documents =
                        YAML.readerFor(JsonNode.class).readValues(file.toFile())) {
                    documents.forEachRemaining(found::add);
                }
            }
        }
        found.removeIf(manifest -> !manifest.path("kind").asText().equals(kind));
        assertThat(found).as("manifests of kind %s", kind).isNotEmpty();
        return found;
    }

    @ParameterizedTest
    @MethodSource("deployments")
    void aDeploymentIsWhatItsDefinitionAllows(JsonNode deployment) throws IOException {
        assertThat(errors(schema(), deployment)).isEmpty();
    }

    @Test
    void aMisspeltOrMistypedFieldIsRefused() throws IOException {
        JsonNode schema = schema();
        JsonNode misspelt = deployments().get(0).deepCopy();
        ((ObjectNode) misspelt.at("/spec/taskManager/resource")).put("memroy", "8g");
        JsonNode mistyped = deployments().get(0).deepCopy();
        ((ObjectNode) mistyped.at("/spec/job")).put("parallelism", "four");
        JsonNode inPod = deployments().get(0).deepCopy();
        ((ObjectNode) inPod.at("/spec/podTemplate/spec")).put("volume", "models");

        assertThat(errors(schema, misspelt)).singleElement().asString().contains("memroy");
        assertThat(errors(schema, mistyped)).singleElement().asString().contains("parallelism");
        assertThat(errors(schema, inPod)).singleElement().asString().contains("volume");
    }

    @ParameterizedTest
    @MethodSource("sessionJobs")
    void aSessionJobIsOfAClusterThatIsThereAndDescribesAJobAsADeploymentDoes(JsonNode sessionJob)
            throws IOException {
        JsonNode spec = sessionJob.path("spec");

        assertThat(sessionJob.path("apiVersion").asText()).isEqualTo("flink.apache.org/v1beta1");
        assertThat(keys(sessionJob)).containsOnly("apiVersion", "kind", "metadata", "spec");
        assertThat(keys(spec)).isSubsetOf("deploymentName", "job", "flinkConfiguration");
        assertThat(deployments())
                .extracting(deployment -> deployment.at("/metadata/name").asText())
                .contains(spec.path("deploymentName").asText());
        assertThat(errors(schema().at("/properties/spec/properties/job"), spec.path("job")))
                .isEmpty();
    }

    @ParameterizedTest
    @MethodSource("deployments")
    void flinkKnowsEverySettingAndTakesItsValue(JsonNode deployment) throws Exception {
        Configuration configuration = configuration(deployment);

        Set<String> unknown = new HashSet<>(configuration.keySet());
        for (ConfigOption<?> option : options()) {
            if (unknown.remove(option.key())) {
                configuration.get(option);
            }
        }
        // What a reporter is called is up to whoever names it.
        assertThat(unknown)
                .containsExactlyInAnyOrder(
                        REPORTER + MetricOptions.REPORTER_FACTORY_CLASS.key(), REPORTER + "port");
        assertThat(configuration.toMap())
                .containsEntry("metrics.reporters", "prometheus")
                .containsEntry(
                        REPORTER + "factory.class", PrometheusReporterFactory.class.getName());
    }

    @ParameterizedTest
    @MethodSource("deployments")
    void theMemoryAddsUp(JsonNode deployment) {
        Configuration taskManager = configuration(deployment);
        taskManager.setString(
                TaskManagerOptions.TOTAL_PROCESS_MEMORY.key(), memory(deployment, "taskManager"));
        Configuration jobManager = configuration(deployment);
        jobManager.setString(
                JobManagerOptions.TOTAL_PROCESS_MEMORY.key(), memory(deployment, "jobManager"));

        assertThat(
                        TaskExecutorProcessUtils.processSpecFromConfig(taskManager)
                                .getTaskHeapSize()
                                .getMebiBytes())
                .as("MiB for keys and values and all else on the heap")
                .isGreaterThan(1024);
        JobManagerProcessUtils.processSpecFromConfig(jobManager);
    }

    @ParameterizedTest
    @MethodSource("withJob")
    void theJobTakesItsArguments(JsonNode manifest) {
        Configuration configuration = arguments(manifest);

        assertThatCode(() -> LayerSkipConfiguration.from(configuration)).doesNotThrowAnyException();
        assertThatCode(() -> KafkaConfiguration.from(configuration)).doesNotThrowAnyException();
        assertThat(configuration.keySet())
                .filteredOn(key -> key.startsWith("layerskip."))
                .isSubsetOf(
                        options(LayerSkipOptions.class).stream().map(ConfigOption::key).toList());
    }

    @Test
    void anArgumentThatTheJobDoesNotKnowIsRefused() throws IOException {
        JsonNode manifest = withJob().get(0).deepCopy();
        ((ArrayNode) manifest.at("/spec/job/args")).add("--input-topics=prompts");

        assertThatThrownBy(() -> arguments(manifest))
                .isInstanceOf(UnmatchedArgumentException.class)
                .hasMessageContaining("--input-topics");
    }

    @Test
    void prometheusAsksAPortThatThePodsHave() throws IOException {
        for (JsonNode monitor : manifests("PodMonitor")) {
            JsonNode port = monitor.at("/spec/podMetricsEndpoints/0/port");
            for (JsonNode deployment : deployments()) {
                JsonNode container = deployment.at("/spec/podTemplate/spec/containers/0");
                assertThat(container.at("/ports/0/name")).isEqualTo(port);
                assertThat(container.at("/ports/0/containerPort").asText())
                        .isEqualTo(configuration(deployment).toMap().get(REPORTER + "port"));
            }
        }
    }

    private static Set<String> keys(JsonNode node) {
        Set<String> keys = new HashSet<>();
        node.fieldNames().forEachRemaining(keys::add);
        return keys;
    }

    private static String memory(JsonNode deployment, String process) {
        return deployment.path("spec").path(process).at("/resource/memory").asText();
    }

    private static Configuration configuration(JsonNode deployment) {
        Map<String, String> settings = new TreeMap<>();
        deployment
                .at("/spec/flinkConfiguration")
                .properties()
                .forEach(setting -> settings.put(setting.getKey(), setting.getValue().asText()));
        return Configuration.fromMap(settings);
    }

    /** The job's own reader of arguments. */
    @CommandLine.Command
    private static final class Arguments {
        @Mixin private OptionArguments options = new OptionArguments(GenerationJob.SHORTCUTS);
    }

    private static Configuration arguments(JsonNode manifest) {
        Arguments arguments = new Arguments();
        new CommandLine(arguments)
                .parseArgs(
                        StreamSupport.stream(manifest.at("/spec/job/args").spliterator(), false)
                                .map(JsonNode::asText)
                                .toArray(String[]::new));
        return arguments.options.toConfiguration();
    }

    private static List<ConfigOption<?>> options() {
        return OPTIONS.stream().flatMap(of -> options(of).stream()).toList();
    }

    private static List<ConfigOption<?>> options(Class<?> of) {
        List<ConfigOption<?>> options = new ArrayList<>();
        for (Field field : of.getFields()) {
            if (Modifier.isStatic(field.getModifiers())
                    && field.getType().equals(ConfigOption.class)) {
                try {
                    options.add((ConfigOption<?>) field.get(null));
                } catch (IllegalAccessException e) {
                    throw new IllegalStateException(e);
                }
            }
        }
        return options;
    }

    /** The definition's schema; as kubectl validates, it takes no field that it does not name. */
    private static JsonNode schema() throws IOException {
        assumeTrue(Files.exists(DEFINITION), () -> "no " + DEFINITION + " to check with");
        JsonNode schema =
                YAML.readTree(DEFINITION.toFile()).at("/spec/versions/0/schema/openAPIV3Schema");
        ObjectNode fields = (ObjectNode) schema.path("properties");
        // Every object has these.
        List.of("apiVersion", "kind", "metadata").forEach(fields::putObject);
        close(schema);
        return schema;
    }

    private static void close(JsonNode schema) {
        if (schema instanceof ObjectNode object) {
            boolean open = object.path(OPEN).asBoolean() || object.has("additionalProperties");
            if (object.has("properties") && !open) {
                object.put("additionalProperties", false);
            }
            object.remove(List.of(OPEN, INT_OR_STRING));
            object.path("properties").forEach(KubernetesManifestsTest::close);
            close(object.path("items"));
            close(object.path("additionalProperties"));
        }
    }

    private static List<Error> errors(JsonNode schema, JsonNode value) {
        return SchemaRegistry.withDefaultDialect(SpecificationVersion.DRAFT_4)
                .getSchema(schema)
                .validate(value);
    }
}
