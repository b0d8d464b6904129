package io.layerskip.local;

import io.layerskip.jobs.GenerationJob;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.time.Duration;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.HeartbeatManagerOptions;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.configuration.WebOptions;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * A Flink cluster in this process with its web UI, which only this machine can reach.
 *
 * @param environment to build a job in
 * @param webUi address of the web UI
 */
public record LocalFlink(StreamExecutionEnvironment environment, String webUi) {

    private static final Duration HEARTBEAT_INTERVAL = Duration.ofSeconds(1);

    /**
     * A cluster that starts when its job does.
     *
     * @param settings overrule what is set here
     * @throws IOException if the machine has no free port
     */
    public static LocalFlink create(Configuration settings) throws IOException {
        Configuration configuration = settings(settings);
        return new LocalFlink(
                StreamExecutionEnvironment.createLocalEnvironmentWithWebUI(configuration),
                "http://%s:%d"
                        .formatted(
                                configuration.get(RestOptions.ADDRESS),
                                configuration.get(RestOptions.PORT)));
    }

    /**
     * How Flink is set in this process.
     *
     * @param settings overrule what is set here
     * @throws IOException if the machine has no free port
     */
    public static Configuration settings(Configuration settings) throws IOException {
        Configuration configuration = new Configuration();
        configuration.set(RestOptions.ADDRESS, "localhost");
        // Whoever reaches the REST port can run code; so nobody but this machine does.
        configuration.set(RestOptions.BIND_ADDRESS, "localhost");
        configuration.set(WebOptions.SUBMIT_ENABLE, false);
        // Accumulators, by which a job's progress is seen, come with the heartbeats.
        configuration.set(HeartbeatManagerOptions.HEARTBEAT_INTERVAL, HEARTBEAT_INTERVAL);
        configuration.addAll(GenerationJob.flinkSettings(settings));
        if (configuration.getOptional(RestOptions.BIND_PORT).isEmpty()
                && configuration.getOptional(RestOptions.PORT).isEmpty()) {
            configuration.set(RestOptions.PORT, freePort(RestOptions.PORT.defaultValue()));
        }
        return configuration;
    }

    /** The preferred port if it is free, else any. */
    private static int freePort(int preferred) throws IOException {
        try (ServerSocket socket = new ServerSocket()) {
            socket.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), preferred));
            return preferred;
        } catch (IOException e) {
            try (ServerSocket socket = new ServerSocket(0)) {
                return socket.getLocalPort();
            }
        }
    }
}
