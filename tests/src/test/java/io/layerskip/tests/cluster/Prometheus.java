package io.layerskip.tests.cluster;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.layerskip.local.EmbeddedBroker;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** The machine's own Prometheus, in a process of its own, asked over its HTTP API. */
final class Prometheus implements AutoCloseable {

    private static final ObjectMapper JSON = new ObjectMapper();

    private final Process process;
    private final URI address;
    private final HttpClient http = HttpClient.newHttpClient();

    private Prometheus(Process process, URI address) {
        this.process = process;
        this.address = address;
    }

    /**
     * Starts it and waits until it answers.
     *
     * @param config prometheus.yml
     * @param folder for its data and its log
     * @throws IOException if there is no Prometheus on the PATH; says how to get one
     */
    static Prometheus start(Path config, Path folder) throws Exception {
        String address = "127.0.0.1:" + EmbeddedBroker.freePorts(1).get(0);
        ProcessBuilder command =
                new ProcessBuilder(
                                "prometheus",
                                "--config.file=" + config,
                                "--storage.tsdb.path=" + folder.resolve("data"),
                                "--web.listen-address=" + address)
                        .redirectErrorStream(true)
                        .redirectOutput(folder.resolve("prometheus.log").toFile());
        try {
            Prometheus prometheus =
                    new Prometheus(command.start(), URI.create("http://" + address));
            try {
                FlinkCluster.await("Prometheus", () -> prometheus.count("vector(1)") == 1);
            } catch (Exception | Error e) {
                prometheus.close();
                throw e;
            }
            return prometheus;
        } catch (IOException e) {
            throw new IOException(
                    "Prometheus does not start; if it is missing: apt-get install prometheus", e);
        }
    }

    /**
     * What a PromQL expression comes to at this moment: an element for each series.
     *
     * @throws IOException if Prometheus does not take the expression
     */
    private JsonNode query(String expression) throws IOException, InterruptedException {
        String query = URLEncoder.encode(expression, StandardCharsets.UTF_8);
        HttpResponse<String> response =
                http.send(
                        HttpRequest.newBuilder(address.resolve("/api/v1/query?query=" + query))
                                .build(),
                        HttpResponse.BodyHandlers.ofString());
        JsonNode answer = JSON.readTree(response.body());
        if (!answer.path("status").asText().equals("success")) {
            throw new IOException(expression + ": " + answer.path("error").asText());
        }
        return answer.path("data").path("result");
    }

    /** For how many series an expression comes to a number at this moment. */
    int count(String expression) throws IOException, InterruptedException {
        int count = 0;
        for (JsonNode series : query(expression)) {
            count += series.at("/value/1").asText().equals("NaN") ? 0 : 1;
        }
        return count;
    }

    /** Whether an alert fires. */
    boolean fires(String alert) throws IOException, InterruptedException {
        String firing = "ALERTS{alertname=\"%s\", alertstate=\"firing\"}";
        return count(firing.formatted(alert)) > 0;
    }

    @Override
    public void close() {
        JvmProcess.kill(process);
    }
}
