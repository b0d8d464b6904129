package io.layerskip.tests.cluster;

import io.layerskip.local.EmbeddedBroker;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.common.security.scram.ScramLoginModule;

/**
 * A broker that wants TLS and a password (SASL/SCRAM) at one of its ports, and the settings with
 * which a job gets there.
 */
final class SecuredBroker implements AutoCloseable {

    static final String PASSWORD = "Secret-of-the-user-7";
    static final String WRONG_PASSWORD = "Secret-of-nobody-8";

    /** What all secrets begin with. */
    static final String ALL_SECRETS = "Secret-of";

    private static final String SAN = "SAN=IP:127.0.0.1";
    private static final String USER = "job";
    private static final String STORE_PASSWORD = "Secret-of-the-store-9";

    private final Path folder;
    private final KafkaBroker broker;
    private final int port;
    private final Path trustStore;

    private SecuredBroker(Path folder, KafkaBroker broker, int port, Path trustStore) {
        this.folder = folder;
        this.broker = broker;
        this.port = port;
        this.trustStore = trustStore;
    }

    /**
     * Starts it.
     *
     * @param folder for keys, settings and the broker's data
     */
    static SecuredBroker start(Path folder) throws Exception {
        Path keyStore = folder.resolve("broker.p12");
        Path certificate = folder.resolve("broker.pem");
        Path trustStore = folder.resolve("clients.p12");
        keytool(keyStore, "-genkeypair", "-keyalg", "EC", "-dname", "CN=broker", "-ext", SAN);
        keytool(keyStore, "-exportcert", "-rfc", "-file", certificate.toString());
        keytool(trustStore, "-importcert", "-noprompt", "-file", certificate.toString());

        int port = EmbeddedBroker.freePorts(1).get(0);
        Path data = folder.resolve("broker");
        KafkaBroker broker = KafkaBroker.startSecured(data, port, keyStore, STORE_PASSWORD);
        try {
            broker.addUser(USER, PASSWORD);
            return new SecuredBroker(folder, broker, port, trustStore);
        } catch (Exception | Error e) {
            broker.close();
            throw e;
        }
    }

    private static void keytool(Path store, String... arguments) throws Exception {
        List<String> command = new ArrayList<>();
        command.add(Jvm.program("keytool"));
        command.addAll(List.of(arguments));
        command.addAll(List.of("-alias", "broker", "-storetype", "PKCS12"));
        command.addAll(List.of("-keystore", store.toString(), "-storepass", STORE_PASSWORD));
        JvmProcess.run(command.toArray(String[]::new));
    }

    KafkaBroker broker() {
        return broker;
    }

    /** Writes the job's settings to a file, secrets included. */
    Path settings(String name, String password) throws Exception {
        return write(name, properties(password));
    }

    /** Writes the job's settings to a file, and each secret to one of its own. */
    Path settingsWithSecretsInFiles(String name) throws Exception {
        Properties settings = properties(PASSWORD);
        for (String option : settings.stringPropertyNames()) {
            String value = settings.getProperty(option);
            if (value.contains(ALL_SECRETS)) {
                // With the line's end that an editor leaves.
                Path secret = Files.writeString(folder.resolve(option), value + "\n");
                settings.remove(option);
                settings.setProperty(option + ".file", secret.toString());
            }
        }
        return write(name, settings);
    }

    private Path write(String name, Properties settings) throws Exception {
        Path file = folder.resolve(name + ".properties");
        try (OutputStream out = Files.newOutputStream(file)) {
            settings.store(out, null);
        }
        return file;
    }

    private Properties properties(String password) {
        Properties settings = new Properties();
        for (String client : List.of("kafka.source.", "kafka.sink.")) {
            settings.setProperty(client + "bootstrap.servers", "127.0.0.1:" + port);
            settings.setProperty(client + "security.protocol", "SASL_SSL");
            settings.setProperty(client + "sasl.mechanism", KafkaBroker.SCRAM.mechanismName());
            settings.setProperty(client + "sasl.jaas.config", jaas(password));
            settings.setProperty(client + "ssl.truststore.type", "PKCS12");
            settings.setProperty(client + "ssl.truststore.location", trustStore.toString());
            settings.setProperty(client + "ssl.truststore.password", STORE_PASSWORD);
        }
        return settings;
    }

    static String jaas(String password) {
        return "%s required username=\"%s\" password=\"%s\";"
                .formatted(ScramLoginModule.class.getName(), USER, password);
    }

    @Override
    public void close() {
        broker.close();
    }
}
