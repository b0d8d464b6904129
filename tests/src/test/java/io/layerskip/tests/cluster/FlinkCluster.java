package io.layerskip.tests.cluster;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.layerskip.local.EmbeddedBroker;
import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.metrics.prometheus.PrometheusReporterFactory;
import org.apache.flink.runtime.clusterframework.TaskExecutorProcessSpec;
import org.apache.flink.runtime.clusterframework.TaskExecutorProcessUtils;
import org.apache.flink.runtime.highavailability.ClientHighAvailabilityServices;
import org.apache.flink.runtime.highavailability.HighAvailabilityServicesUtils;
import org.apache.flink.runtime.leaderelection.LeaderInformation;
import org.apache.flink.runtime.util.LeaderRetrievalUtils;
import org.apache.flink.runtime.util.config.memory.ProcessMemoryUtils;

/**
 * Flink as it runs in production, in JVMs of their own on this machine: ZooKeeper, two JobManagers
 * of which one leads, two TaskManagers with two slots each.
 *
 * <p>Jobs are submitted with Flink's command line client and watched over the REST API.
 */
final class FlinkCluster implements AutoCloseable {

    static final int TASK_MANAGERS = 2;
    static final int SLOTS = 2;
    static final int TASK_MANAGER_MB = 1536;

    private static final int JOB_MANAGERS = 2;
    private static final String REPORTER = "metrics.reporter.prometheus.";
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Duration DEADLINE = Duration.ofMinutes(2);
    private static final Pattern JOB_ID = Pattern.compile("JobID ([0-9a-f]{32})");
    private static final Pattern SAVEPOINT = Pattern.compile("Path: (\\S+)");
    private static final Pattern SAVEPOINT_OF_CANCELED =
            Pattern.compile("Savepoint stored in (\\S+)\\.");

    private static final int SAVEPOINT_ATTEMPTS = 3;
    private static final List<String> FAILED_MEANWHILE =
            List.of(
                    "Not all required tasks are currently running",
                    "Checkpoint Coordinator is suspending");

    private final Path folder;

    /** Jars that the distribution has in its folder lib, beside its own. */
    private final List<Path> lib;

    private final Map<String, String> settings;

    /** Of the TaskManagers' JVMs, beside those for their memory. */
    private final List<String> taskManagerOptions = new ArrayList<>();

    private final List<Integer> restPorts;

    /** Where each process can be asked for its metrics, JobManagers first; empty for nowhere. */
    private final List<Integer> metricsPorts;

    private final HttpClient http = HttpClient.newHttpClient();
    private final JvmProcess zooKeeper;
    private final List<JvmProcess> jobManagers = new ArrayList<>();
    private final List<JvmProcess> taskManagers = new ArrayList<>();
    private int commands;

    private FlinkCluster(Path folder, List<Path> lib, List<Integer> metricsPorts)
            throws IOException {
        this.folder = Files.createDirectories(folder);
        this.lib = lib;
        this.metricsPorts = metricsPorts;
        List<Integer> ports = EmbeddedBroker.freePorts(3 + JOB_MANAGERS);
        this.restPorts = ports.subList(3, ports.size());
        this.settings =
                new TreeMap<>(
                        Map.ofEntries(
                                Map.entry("high-availability.type", "zookeeper"),
                                Map.entry(
                                        "high-availability.zookeeper.quorum",
                                        "127.0.0.1:" + ports.get(0)),
                                Map.entry(
                                        "high-availability.zookeeper.client.session-timeout",
                                        "4 s"),
                                Map.entry(
                                        "high-availability.zookeeper.client.connection-timeout",
                                        "4 s"),
                                Map.entry("high-availability.storageDir", uri("high-availability")),
                                Map.entry("execution.checkpointing.dir", uri("checkpoints")),
                                Map.entry(
                                        "execution.checkpointing.savepoint-dir", uri("savepoints")),
                                Map.entry("execution.checkpointing.interval", "1 s"),
                                Map.entry("execution.checkpointing.timeout", "1 min"),
                                Map.entry("restart-strategy.type", "exponential-delay"),
                                Map.entry(
                                        "restart-strategy.exponential-delay.initial-backoff",
                                        "500 ms"),
                                Map.entry("restart-strategy.exponential-delay.max-backoff", "2 s"),
                                Map.entry("heartbeat.interval", "1 s"),
                                Map.entry("heartbeat.timeout", "8 s"),
                                Map.entry("rest.bind-address", "127.0.0.1"),
                                // How old the REST API's answers about a job may be.
                                Map.entry("web.refresh-interval", "100 ms"),
                                Map.entry("web.upload.dir", folder.resolve("uploads").toString()),
                                Map.entry("jobmanager.rpc.address", "127.0.0.1"),
                                Map.entry("jobmanager.bind-host", "127.0.0.1"),
                                Map.entry("taskmanager.bind-host", "127.0.0.1"),
                                Map.entry("taskmanager.host", "127.0.0.1"),
                                Map.entry("taskmanager.numberOfTaskSlots", Integer.toString(SLOTS)),
                                // Every TaskManager has something to lose.
                                Map.entry("taskmanager.load-balance.mode", "slots"),
                                Map.entry(
                                        "taskmanager.memory.process.size", TASK_MANAGER_MB + " mb"),
                                Map.entry("taskmanager.memory.managed.size", "16 mb")));
        settings.putAll(CounterFiles.settings(counters()));
        this.zooKeeper = startZooKeeper(ports.subList(0, 3));
    }

    /**
     * Starts everything and waits until all slots are there.
     *
     * @param folder for configuration, checkpoints and logs
     */
    static FlinkCluster start(Path folder) throws Exception {
        return start(folder, List.of(), List.of());
    }

    /** The same with further jars in the distribution's folder lib. */
    static FlinkCluster startWith(List<Path> lib, Path folder) throws Exception {
        return start(folder, lib, List.of());
    }

    /**
     * The same with Flink's Prometheus reporter in every process, which listens on all of the
     * machine's addresses and cannot be told otherwise.
     */
    static FlinkCluster startMonitored(Path folder) throws Exception {
        return start(folder, List.of(), EmbeddedBroker.freePorts(JOB_MANAGERS + TASK_MANAGERS));
    }

    /**
     * The same with TaskManagers that some prompts kill; see {@link PoisonAgent}. They have their
     * local folder in common, as those of a machine have.
     */
    static FlinkCluster startPoisonable(Path folder) throws Exception {
        FlinkCluster cluster = new FlinkCluster(folder, List.of(PoisonAgent.library()), List.of());
        cluster.taskManagerOptions.addAll(PoisonAgent.options(folder));
        cluster.settings.put(
                "io.tmp.dirs", Files.createDirectories(folder.resolve("local")).toString());
        return start(cluster);
    }

    private static FlinkCluster start(Path folder, List<Path> lib, List<Integer> metricsPorts)
            throws Exception {
        return start(new FlinkCluster(folder, lib, metricsPorts));
    }

    private static FlinkCluster start(FlinkCluster cluster) throws Exception {
        try {
            for (int i = 0; i < JOB_MANAGERS; i++) {
                cluster.jobManagers.add(cluster.startJobManager(i));
            }
            for (int i = 0; i < TASK_MANAGERS; i++) {
                cluster.taskManagers.add(cluster.startTaskManager(i));
            }
            cluster.awaitSlots();
            return cluster;
        } catch (Exception | Error e) {
            cluster.close();
            throw e;
        }
    }

    private String uri(String name) throws IOException {
        return Files.createDirectories(folder.resolve(name)).toUri().toString();
    }

    /**
     * @param ports for clients, for other servers and for elections; there are no others
     */
    private JvmProcess startZooKeeper(List<Integer> ports) throws IOException {
        Path config = folder.resolve("zoo.cfg");
        Files.writeString(
                config,
                """
                dataDir=%s
                clientPort=%d
                clientPortAddress=127.0.0.1
                tickTime=1000
                admin.enableServer=false
                server.1=127.0.0.1:%d:%d
                """
                        .formatted(
                                Files.createDirectories(folder.resolve("zookeeper")),
                                ports.get(0),
                                ports.get(1),
                                ports.get(2)));
        return start(
                "zookeeper",
                List.of("-Xmx128m", JvmProcess.QUICK),
                "org.apache.flink.runtime.zookeeper.FlinkZooKeeperQuorumPeer",
                List.of("--zkConfigFile", config.toString(), "--peerId", "1"));
    }

    private JvmProcess startJobManager(int index) throws IOException {
        String port = Integer.toString(restPorts.get(index));
        Map<String, String> own = new TreeMap<>(reporter(index));
        own.putAll(Map.of("rest.port", port, "rest.bind-port", port));
        Path config = configure("jobmanager-" + index, own);
        return start(
                "jobmanager-" + index,
                List.of("-Xmx512m", JvmProcess.QUICK),
                "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint",
                List.of("--configDir", config.toString(), "--host", "127.0.0.1"));
    }

    private JvmProcess startTaskManager(int index) throws IOException {
        Path config = configure("taskmanager-" + index, reporter(JOB_MANAGERS + index));
        // As Flink's own scripts size a TaskManager's JVM.
        TaskExecutorProcessSpec memory =
                TaskExecutorProcessUtils.processSpecFromConfig(Configuration.fromMap(settings));
        List<String> arguments = new ArrayList<>(List.of("--configDir", config.toString()));
        arguments.addAll(words(TaskExecutorProcessUtils.generateDynamicConfigsStr(memory)));
        List<String> options =
                new ArrayList<>(words(ProcessMemoryUtils.generateJvmParametersStr(memory)));
        options.addAll(taskManagerOptions);
        return start(
                "taskmanager-" + index,
                options,
                "org.apache.flink.runtime.taskexecutor.TaskManagerRunner",
                arguments);
    }

    private Map<String, String> reporter(int process) {
        return metricsPorts.isEmpty()
                ? Map.of()
                : Map.of(
                        REPORTER + "factory.class",
                        PrometheusReporterFactory.class.getName(),
                        REPORTER + "port",
                        Integer.toString(metricsPorts.get(process)));
    }

    /** Host and port of every process's metrics. */
    List<String> metricsTargets() {
        return metricsPorts.stream().map(port -> "127.0.0.1:" + port).toList();
    }

    private static List<String> words(String text) {
        return List.of(text.strip().split("\\s+"));
    }

    /** Writes a configuration folder; settings are JSON, which YAML includes. */
    private Path configure(String name, Map<String, String> more) throws IOException {
        Path config = Files.createDirectories(folder.resolve("conf-" + name));
        StringBuilder yaml = new StringBuilder();
        for (Map<String, String> part : List.of(settings, more)) {
            part.forEach((key, value) -> yaml.append(key + ": \"" + value + "\"\n"));
        }
        Files.writeString(config.resolve("config.yaml"), yaml);
        return config;
    }

    private JvmProcess start(String name, List<String> options, String main, List<String> arguments)
            throws IOException {
        List<String> all = new ArrayList<>(Jvm.flinkOptions());
        all.addAll(options);
        all.add("-Dlog4j.configurationFile=" + logging());
        all.add("-Djava.io.tmpdir=" + Files.createDirectories(temporary(name)));
        return JvmProcess.start(
                new JvmProcess.Program(classPath(), all, main, arguments),
                Map.of(),
                folder.resolve("logs").resolve(name + ".log"));
    }

    private String classPath() {
        return Stream.concat(
                        Stream.of(Jvm.flinkClassPathWithTests()), lib.stream().map(Path::toString))
                .collect(Collectors.joining(File.pathSeparator));
    }

    /** Starts a SQL gateway that submits to this cluster, and waits until it answers. */
    SqlGateway startSqlGateway() throws Exception {
        int port = EmbeddedBroker.freePorts(1).get(0);
        Path config = configure("sql-gateway", Map.of("execution.target", "remote"));
        List<String> options = new ArrayList<>(Jvm.flinkOptions());
        options.addAll(List.of("-Xmx512m", JvmProcess.QUICK));
        JvmProcess process =
                JvmProcess.start(
                        new JvmProcess.Program(
                                classPath(),
                                options,
                                "org.apache.flink.table.gateway.SqlGateway",
                                List.of(
                                        "-Dsql-gateway.endpoint.rest.address=127.0.0.1",
                                        "-Dsql-gateway.endpoint.rest.port=" + port)),
                        Map.of("FLINK_CONF_DIR", config.toString()),
                        folder.resolve("logs").resolve("sql-gateway.log"));
        try {
            return SqlGateway.connect(process, port);
        } catch (Exception | Error e) {
            process.close();
            throw e;
        }
    }

    private Path logging() throws IOException {
        Path file = folder.resolve("log4j.properties");
        Files.writeString(
                file,
                """
                rootLogger.level = info
                rootLogger.appenderRef.out.ref = out
                appender.out.type = Console
                appender.out.name = out
                appender.out.layout.type = PatternLayout
                appender.out.layout.pattern = %d %-5p %c{1} %m%n
                """);
        return file;
    }

    /** Submits a jar; returns the job's id. */
    String run(Path jar, int parallelism, List<String> clientOptions, List<String> arguments)
            throws Exception {
        List<String> command =
                new ArrayList<>(List.of("run", "-d", "-p", Integer.toString(parallelism)));
        command.addAll(clientOptions);
        command.add(jar.toString());
        command.addAll(arguments);
        return found(JOB_ID, client(command));
    }

    /** Stops a job with a savepoint, as soon as it runs; returns where that lies. */
    String stop(String job) throws Exception {
        return found(SAVEPOINT, clientOnceRunning(job, List.of("stop", job)));
    }

    /** Cancels a job with a savepoint, which is its last checkpoint; returns where that lies. */
    String cancelWithSavepoint(String job) throws Exception {
        String savepoint =
                found(
                        SAVEPOINT_OF_CANCELED,
                        clientOnceRunning(job, List.of("cancel", "--withSavepoint", job)));
        awaitState(job, "CANCELED");
        return savepoint;
    }

    /**
     * Has a JobManager run a jar's main method, as the web UI and Flink's Kubernetes operator do;
     * returns the job's id.
     */
    String runInJobManager(Path jar, int parallelism, List<String> arguments) throws Exception {
        Path uploaded = uploads().resolve(jar.getFileName());
        if (Files.notExists(uploaded)) {
            Files.createDirectories(uploads());
            Files.copy(jar, uploaded);
        }
        Map<String, Object> request =
                Map.of("parallelism", parallelism, "programArgsList", arguments);
        return send(request("/jars/" + uploaded.getFileName() + "/run", restPorts.get(0))
                        .header("Content-Type", "application/json")
                        .POST(
                                HttpRequest.BodyPublishers.ofString(
                                        JSON.writeValueAsString(request))))
                .path("jobid")
                .asText();
    }

    private Path uploads() {
        return folder.resolve("uploads").resolve("flink-web-upload");
    }

    void cancel(String job) throws Exception {
        send(
                request("/jobs/" + job, restPorts.get(0))
                        .method("PATCH", HttpRequest.BodyPublishers.noBody()));
        awaitState(job, "CANCELED");
    }

    /** Waits until a job is in a state; the REST API may tell of it some seconds late. */
    void awaitState(String job, String state) throws Exception {
        await("job " + job + " to be " + state, () -> state.equals(state(job)));
    }

    private static String found(Pattern pattern, String output) throws IOException {
        Matcher matcher = pattern.matcher(output);
        if (!matcher.find()) {
            throw new IOException("Flink's client wrote: " + output);
        }
        return matcher.group(1);
    }

    /** A job that failed since it was seen to run refuses a savepoint until it runs again. */
    private String clientOnceRunning(String job, List<String> arguments) throws Exception {
        for (int attempt = 1; ; attempt++) {
            awaitRunning(job);
            try {
                return client(arguments);
            } catch (IOException e) {
                if (attempt == SAVEPOINT_ATTEMPTS
                        || FAILED_MEANWHILE.stream().noneMatch(e.getMessage()::contains)) {
                    throw e;
                }
            }
        }
    }

    /** Runs Flink's command line client; returns what it wrote. */
    private String client(List<String> arguments) throws Exception {
        Path config = configure("client", Map.of());
        List<String> options = new ArrayList<>(Jvm.flinkOptions());
        options.add(JvmProcess.QUICK);
        try (JvmProcess process =
                JvmProcess.start(
                        new JvmProcess.Program(
                                Jvm.flinkClassPath(),
                                options,
                                "org.apache.flink.client.cli.CliFrontend",
                                arguments),
                        Map.of("FLINK_CONF_DIR", config.toString()),
                        folder.resolve("logs").resolve("client-" + ++commands + ".log"))) {
            if (process.exitCode() != 0) {
                throw new IOException("flink " + arguments + ": " + process.output());
            }
            return process.output();
        }
    }

    String state(String job) throws IOException, InterruptedException {
        return rest("/jobs/" + job).path("state").asText();
    }

    /** Asks whichever JobManager answers; each passes on what only the leader knows. */
    private JsonNode rest(String path) throws IOException, InterruptedException {
        IOException failure = null;
        for (int port : restPorts) {
            try {
                return send(request(path, port).timeout(Duration.ofSeconds(5)));
            } catch (IOException e) {
                failure = e;
            }
        }
        throw failure;
    }

    private static HttpRequest.Builder request(String path, int port) {
        return HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path));
    }

    private JsonNode send(HttpRequest.Builder request) throws IOException, InterruptedException {
        HttpRequest built = request.build();
        HttpResponse<String> response = http.send(built, HttpResponse.BodyHandlers.ofString());
        if (response.statusCode() / 100 != 2) {
            throw new IOException(built.uri().getPath() + ": " + response.body());
        }
        return JSON.readTree(response.body());
    }

    /** Waits until a job runs, all of its tasks included. */
    void awaitRunning(String job) throws Exception {
        await(
                "job " + job + " to run",
                () -> {
                    JsonNode details = rest("/jobs/" + job);
                    for (JsonNode vertex : details.path("vertices")) {
                        // A vertex counts as running when one of its tasks is.
                        if (vertex.path("tasks").path("RUNNING").asInt()
                                != vertex.path("parallelism").asInt()) {
                            return false;
                        }
                    }
                    return details.path("state").asText().equals("RUNNING");
                });
    }

    private void awaitSlots() throws Exception {
        await(
                "all slots",
                () -> rest("/overview").path("slots-total").asInt() == TASK_MANAGERS * SLOTS);
    }

    /** Something that may not be known yet. */
    @FunctionalInterface
    interface Condition {
        boolean isMet() throws Exception;
    }

    /** Waits for a condition; one that cannot be asked is not met. */
    static void await(String what, Condition condition) throws Exception {
        long deadline = System.nanoTime() + DEADLINE.toNanos();
        Exception last = null;
        while (System.nanoTime() < deadline) {
            try {
                if (condition.isMet()) {
                    return;
                }
            } catch (IOException e) {
                last = e;
            }
            Thread.sleep(100);
        }
        throw new IOException("waited " + DEADLINE + " for " + what, last);
    }

    /** All of Flink's processes, by name. */
    Map<String, JvmProcess> processes() {
        Map<String, JvmProcess> processes = new TreeMap<>();
        for (int i = 0; i < JOB_MANAGERS; i++) {
            processes.put("jobmanager-" + i, jobManagers.get(i));
        }
        for (int i = 0; i < TASK_MANAGERS; i++) {
            processes.put("taskmanager-" + i, taskManagers.get(i));
        }
        return processes;
    }

    JvmProcess taskManager(int index) {
        return taskManagers.get(index);
    }

    /** Starts a TaskManager in the place of each that is no more; returns how many. */
    int replaceDeadTaskManagers() throws IOException {
        int dead = 0;
        for (int i = 0; i < TASK_MANAGERS; i++) {
            if (!taskManagers.get(i).isAlive()) {
                replaceTaskManager(i);
                dead++;
            }
        }
        return dead;
    }

    /** Kills a TaskManager and starts another one in its place. */
    void replaceTaskManager(int index) throws IOException {
        taskManagers.get(index).close();
        taskManagers.set(index, startTaskManager(index));
    }

    /** Kills the JobManager that leads and starts another one in its place. */
    void replaceLeadingJobManager() throws Exception {
        int leader = leader();
        jobManagers.get(leader).close();
        jobManagers.set(leader, startJobManager(leader));
    }

    /** As on a disk that is full: what is in files stays, and new ones stay empty. */
    void forbidJobManagersToWrite() throws Exception {
        limitFilesOfJobManagers("0");
    }

    void allowJobManagersToWrite() throws Exception {
        limitFilesOfJobManagers("unlimited");
    }

    private void limitFilesOfJobManagers(String size) throws Exception {
        for (JvmProcess jobManager : jobManagers) {
            // The soft limit only: nobody but root may raise the other one again.
            String pid = Long.toString(jobManager.pid());
            JvmProcess.run("prlimit", "--pid", pid, "--fsize=" + size + ":");
        }
    }

    @SuppressWarnings("try") // The services declare that close() throws any exception.
    private int leader() throws Exception {
        Configuration configuration = Configuration.fromMap(settings);
        try (ClientHighAvailabilityServices services =
                HighAvailabilityServicesUtils.createClientHAService(
                        configuration,
                        exception -> {
                            throw new IllegalStateException(exception);
                        })) {
            LeaderInformation leader =
                    LeaderRetrievalUtils.retrieveLeaderInformation(
                            services.getClusterRestEndpointLeaderRetriever(), DEADLINE);
            return restPorts.indexOf(URI.create(leader.getLeaderAddress()).getPort());
        }
    }

    /** The temporary folder of one of Flink's processes. */
    Path temporary(String process) {
        return folder.resolve("tmp").resolve(process);
    }

    /** What one of the operator's counters came to, in all attempts of all subtasks so far. */
    long counter(String name) throws IOException {
        return CounterFiles.total(counters(), name);
    }

    private Path counters() {
        return folder.resolve("counters");
    }

    /** What the web UI has of a job and of the cluster, as the REST API gives it. */
    String shown(String job) throws IOException, InterruptedException {
        StringBuilder shown = new StringBuilder();
        for (String path :
                List.of(
                        "/jobmanager/config",
                        "/jobmanager/environment",
                        "/jobs/" + job,
                        "/jobs/" + job + "/config",
                        "/jobs/" + job + "/plan",
                        "/jobs/" + job + "/exceptions",
                        "/jobs/" + job + "/checkpoints/config")) {
            shown.append(rest(path)).append('\n');
        }
        return shown.toString();
    }

    /** All that the cluster's processes and clients have logged so far. */
    String logged() throws IOException {
        StringBuilder logged = new StringBuilder();
        try (Stream<Path> logs = Files.list(folder.resolve("logs"))) {
            for (Path log : logs.toList()) {
                logged.append(Files.readString(log));
            }
        }
        return logged.toString();
    }

    /** What became of a job's checkpoints so far. */
    Checkpoints checkpointsOf(String job) throws IOException, InterruptedException {
        JsonNode checkpoints = rest("/jobs/" + job + "/checkpoints");
        return new Checkpoints(
                checkpoints.path("counts").path("completed").asInt(),
                checkpoints.path("counts").path("failed").asInt(),
                checkpoints.path("summary").path("end_to_end_duration").path("max").asLong());
    }

    /**
     * A job's checkpoints.
     *
     * @param longestMs of those that completed
     */
    record Checkpoints(int completed, int failed, long longestMs) {}

    /** Where a job's checkpoints lie. */
    Path checkpoints(String job) {
        return folder.resolve("checkpoints").resolve(job);
    }

    @Override
    public void close() {
        taskManagers.forEach(JvmProcess::close);
        jobManagers.forEach(JvmProcess::close);
        zooKeeper.close();
    }
}
