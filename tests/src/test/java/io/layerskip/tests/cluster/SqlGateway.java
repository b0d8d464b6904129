package io.layerskip.tests.cluster;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/** Flink's SQL gateway in a JVM of its own, and a session of it. */
final class SqlGateway implements AutoCloseable {

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Duration TIMEOUT = Duration.ofSeconds(30);

    private final HttpClient http = HttpClient.newHttpClient();
    private final JvmProcess process;
    private final String root;
    private String session;

    private SqlGateway(JvmProcess process, int port) {
        this.process = process;
        this.root = "http://127.0.0.1:" + port + "/v1/";
    }

    /** Waits until a gateway answers, and opens a session. */
    static SqlGateway connect(JvmProcess process, int port) throws Exception {
        SqlGateway gateway = new SqlGateway(process, port);
        FlinkCluster.await(
                "the SQL gateway",
                () -> {
                    gateway.session =
                            gateway.post("sessions", Map.of()).path("sessionHandle").asText();
                    return true;
                });
        return gateway;
    }

    /**
     * Runs a statement to its end; an INSERT ends when its job is submitted.
     *
     * @return the first of its results
     * @throws IOException if it fails, with the gateway's words
     */
    JsonNode execute(String statement) throws Exception {
        String path = "sessions/" + session;
        String operation =
                post(path + "/statements", Map.of("statement", statement))
                        .path("operationHandle")
                        .asText();
        String results = path + "/operations/" + operation + "/result/0?rowFormat=JSON";
        JsonNode[] result = new JsonNode[1];
        FlinkCluster.await(
                statement,
                () -> {
                    HttpResponse<String> response = send(request(results).GET());
                    if (response.statusCode() != 200) {
                        throw new IllegalStateException(response.body());
                    }
                    result[0] = JSON.readTree(response.body());
                    return !result[0].path("resultType").asText().equals("NOT_READY");
                });
        return result[0];
    }

    /** Submits an INSERT; returns its job's id. */
    String submit(List<String> statements, String insert) throws Exception {
        for (String statement : statements) {
            execute(statement);
        }
        return execute(insert).path("jobID").asText();
    }

    private JsonNode post(String path, Object body) throws IOException, InterruptedException {
        HttpResponse<String> response =
                send(
                        request(path)
                                .header("Content-Type", "application/json")
                                .POST(
                                        HttpRequest.BodyPublishers.ofString(
                                                JSON.writeValueAsString(body))));
        if (response.statusCode() != 200) {
            throw new IOException(path + ": " + response.body());
        }
        return JSON.readTree(response.body());
    }

    private HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(URI.create(root + path)).timeout(TIMEOUT);
    }

    private HttpResponse<String> send(HttpRequest.Builder request)
            throws IOException, InterruptedException {
        return http.send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    @Override
    public void close() {
        process.close();
    }
}
