package io.layerskip.tests.cluster;

import io.layerskip.local.EmbeddedBroker;
import java.io.IOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** An object store that speaks S3 (S3Proxy), in a JVM of its own, and keeps objects in a folder. */
final class S3Server implements AutoCloseable {

    static final String ACCESS_KEY = "reader";
    static final String SECRET_KEY = "not-so-secret";

    private static final Path JAR = Path.of("target", "lib", "s3proxy.jar").toAbsolutePath();
    private static final Duration DEADLINE = Duration.ofMinutes(1);

    private final JvmProcess process;
    private final int port;
    private final HttpClient http = HttpClient.newHttpClient();

    private S3Server(JvmProcess process, int port) {
        this.process = process;
        this.port = port;
    }

    /**
     * Starts it and waits until it answers.
     *
     * @param folder for settings, objects and the log
     */
    static S3Server start(Path folder) throws Exception {
        int port = EmbeddedBroker.freePorts(1).get(0);
        Path config = folder.resolve("s3proxy.conf");
        Files.writeString(
                config,
                """
                s3proxy.endpoint=http://127.0.0.1:%d
                s3proxy.authorization=aws-v2-or-v4
                s3proxy.identity=%s
                s3proxy.credential=%s
                jclouds.provider=filesystem-nio2
                jclouds.identity=unused
                jclouds.credential=unused
                jclouds.filesystem.basedir=%s
                """
                        .formatted(
                                port,
                                ACCESS_KEY,
                                SECRET_KEY,
                                Files.createDirectories(folder.resolve("objects"))));
        JvmProcess process =
                JvmProcess.start(
                        new JvmProcess.Program(
                                JAR.toString(),
                                List.of("-Xmx256m", JvmProcess.QUICK),
                                "org.gaul.s3proxy.Main",
                                List.of("--properties", config.toString())),
                        Map.of(),
                        folder.resolve("s3proxy.log"));
        S3Server server = new S3Server(process, port);
        try {
            server.awaitAnswer();
            return server;
        } catch (Exception | Error e) {
            server.close();
            throw e;
        }
    }

    private void awaitAnswer() throws Exception {
        Instant deadline = Instant.now().plus(DEADLINE);
        HttpRequest request = HttpRequest.newBuilder(uri("/")).build();
        while (true) {
            try {
                http.send(request, HttpResponse.BodyHandlers.discarding());
                return;
            } catch (ConnectException e) {
                if (!process.isAlive() || Instant.now().isAfter(deadline)) {
                    throw new IOException("S3Proxy does not answer: " + process.output(), e);
                }
                Thread.sleep(100);
            }
        }
    }

    int port() {
        return port;
    }

    void createBucket(String bucket) throws Exception {
        put("/" + bucket, HttpRequest.BodyPublishers.noBody());
    }

    /**
     * Writes all files of a folder.
     *
     * @param prefix such as models/tiny, bucket first
     */
    void putFolder(String prefix, Path folder) throws Exception {
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.toList()) {
                put(
                        "/" + prefix + "/" + file.getFileName(),
                        HttpRequest.BodyPublishers.ofFile(file));
            }
        }
    }

    /** Writes an object. */
    void putText(String name, String content) throws Exception {
        put("/" + name, HttpRequest.BodyPublishers.ofString(content));
    }

    /** Signed with AWS's signature version 2, which is a line. */
    private void put(String path, HttpRequest.BodyPublisher content) throws Exception {
        String date =
                DateTimeFormatter.RFC_1123_DATE_TIME.format(Instant.now().atOffset(ZoneOffset.UTC));
        String signature = sign("PUT\n\n\n\nx-amz-date:%s\n%s".formatted(date, path));
        HttpResponse<String> response =
                http.send(
                        HttpRequest.newBuilder(uri(path))
                                .header("x-amz-date", date)
                                .header("Authorization", "AWS " + ACCESS_KEY + ":" + signature)
                                .PUT(content)
                                .build(),
                        HttpResponse.BodyHandlers.ofString());
        if (response.statusCode() != 200) {
            throw new IOException(
                    "PUT %s: %d %s".formatted(path, response.statusCode(), response.body()));
        }
    }

    private static String sign(String text) throws GeneralSecurityException {
        Mac mac = Mac.getInstance("HmacSHA1");
        mac.init(new SecretKeySpec(SECRET_KEY.getBytes(StandardCharsets.UTF_8), "HmacSHA1"));
        return Base64.getEncoder()
                .encodeToString(mac.doFinal(text.getBytes(StandardCharsets.UTF_8)));
    }

    private URI uri(String path) {
        return URI.create("http://127.0.0.1:" + port + path);
    }

    @Override
    public void close() {
        process.close();
    }
}
