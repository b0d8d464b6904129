package io.layerskip.tests.cluster;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.layerskip.local.EmbeddedBroker;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.clusterframework.TaskExecutorProcessSpec;
import org.apache.flink.runtime.clusterframework.TaskExecutorProcessUtils;
import org.apache.flink.runtime.util.config.memory.ProcessMemoryUtils;

/**
 * A cluster of one job, as the image's {@code standalone-job} starts it: a JobManager that runs the
 * job's main method, and a TaskManager, in JVMs of their own.
 */
final class ApplicationCluster implements AutoCloseable {

    private static final String JOB_CLASS = "io.layerskip.jobs.GenerationJob";
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Path folder;
    private final int restPort;
    private final Map<String, String> settings;
    private final HttpClient http = HttpClient.newHttpClient();
    private final JvmProcess jobManager;
    private final JvmProcess taskManager;

    private ApplicationCluster(Path folder, Path jar, List<String> arguments) throws IOException {
        this.folder = Files.createDirectories(folder);
        List<Integer> ports = EmbeddedBroker.freePorts(2);
        this.restPort = ports.get(0);
        this.settings =
                Map.ofEntries(
                        Map.entry("rest.port", Integer.toString(restPort)),
                        Map.entry("rest.bind-address", "127.0.0.1"),
                        Map.entry("jobmanager.rpc.address", "127.0.0.1"),
                        Map.entry("jobmanager.rpc.port", ports.get(1).toString()),
                        Map.entry("jobmanager.bind-host", "127.0.0.1"),
                        Map.entry("taskmanager.bind-host", "127.0.0.1"),
                        Map.entry("taskmanager.host", "127.0.0.1"),
                        Map.entry("taskmanager.memory.process.size", "1536 mb"),
                        Map.entry("taskmanager.memory.managed.size", "16 mb"),
                        Map.entry("user.artifacts.base-dir", folder.resolve("jars").toString()),
                        Map.entry("execution.checkpointing.interval", "1 s"));
        StringBuilder yaml = new StringBuilder();
        settings.forEach((key, value) -> yaml.append(key + ": \"" + value + "\"\n"));
        Files.writeString(folder.resolve("config.yaml"), yaml);
        Files.writeString(
                folder.resolve("log4j.properties"),
                """
                rootLogger.level = info
                rootLogger.appenderRef.out.ref = out
                appender.out.type = Console
                appender.out.name = out
                appender.out.layout.type = PatternLayout
                appender.out.layout.pattern = %d %-5p %c{1} %m%n
                """);
        this.jobManager = startJobManager(jar, arguments);
        this.taskManager = startTaskManager();
    }

    /**
     * Starts both processes and waits for nothing.
     *
     * @param folder for configuration and logs
     * @param jar of the job
     * @param arguments of the job
     */
    static ApplicationCluster start(Path folder, Path jar, List<String> arguments)
            throws IOException {
        return new ApplicationCluster(folder, jar, arguments);
    }

    private JvmProcess startJobManager(Path jar, List<String> arguments) throws IOException {
        List<String> all = new ArrayList<>();
        all.addAll(List.of("--configDir", folder.toString()));
        // Of jars there may be several: what follows them has to be an option of Flink's.
        all.addAll(List.of("--jars", jar.toUri().toString(), "--job-classname", JOB_CLASS));
        all.addAll(arguments);
        return start(
                "jobmanager",
                List.of("-Xmx512m", JvmProcess.QUICK),
                "org.apache.flink.container.entrypoint.StandaloneApplicationClusterEntryPoint",
                all);
    }

    private JvmProcess startTaskManager() throws IOException {
        TaskExecutorProcessSpec memory =
                TaskExecutorProcessUtils.processSpecFromConfig(Configuration.fromMap(settings));
        List<String> arguments = new ArrayList<>(List.of("--configDir", folder.toString()));
        arguments.addAll(words(TaskExecutorProcessUtils.generateDynamicConfigsStr(memory)));
        return start(
                "taskmanager",
                words(ProcessMemoryUtils.generateJvmParametersStr(memory)),
                "org.apache.flink.runtime.taskexecutor.TaskManagerRunner",
                arguments);
    }

    private static List<String> words(String text) {
        return List.of(text.strip().split("\\s+"));
    }

    private JvmProcess start(String name, List<String> options, String main, List<String> arguments)
            throws IOException {
        List<String> all = new ArrayList<>(Jvm.flinkOptions());
        all.addAll(options);
        all.add("-Dlog4j.configurationFile=" + folder.resolve("log4j.properties"));
        // Where the web UI finds what is logged.
        all.add("-Dlog.file=" + log(name));
        return JvmProcess.start(
                new JvmProcess.Program(Jvm.flinkClassPath(), all, main, arguments),
                Map.of(),
                log(name));
    }

    private Path log(String process) {
        return folder.resolve("logs").resolve(process + ".log");
    }

    JvmProcess jobManager() {
        return jobManager;
    }

    /** All that the web UI has of the cluster and its job, logs included. */
    String shown() throws IOException, InterruptedException {
        StringBuilder shown = new StringBuilder();
        List<String> paths =
                new ArrayList<>(
                        List.of(
                                "/config",
                                "/jars",
                                "/jobmanager/config",
                                "/jobmanager/environment",
                                "/jobmanager/logs",
                                "/jobmanager/log",
                                "/jobmanager/stdout",
                                "/jobmanager/thread-dump",
                                "/jobmanager/metrics"));
        for (JsonNode job : JSON.readTree(get("/jobs/overview")).path("jobs")) {
            String path = "/jobs/" + job.path("jid").asText();
            for (String part :
                    List.of(
                            "",
                            "/config",
                            "/plan",
                            "/exceptions",
                            "/accumulators",
                            "/checkpoints/config",
                            "/jobmanager/config",
                            "/jobmanager/environment")) {
                paths.add(path + part);
            }
        }
        for (JsonNode process : JSON.readTree(get("/taskmanagers")).path("taskmanagers")) {
            String path = "/taskmanagers/" + process.path("id").asText();
            paths.addAll(List.of(path, path + "/logs", path + "/log", path + "/thread-dump"));
        }
        for (String path : paths) {
            shown.append(path).append(": ").append(get(path)).append('\n');
        }
        return shown.toString();
    }

    private String get(String path) throws IOException, InterruptedException {
        return http.send(
                        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + restPort + path))
                                .build(),
                        HttpResponse.BodyHandlers.ofString())
                .body();
    }

    @Override
    public void close() {
        taskManager.close();
        jobManager.close();
    }
}
