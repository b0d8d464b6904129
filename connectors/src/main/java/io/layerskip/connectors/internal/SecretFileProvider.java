package io.layerskip.connectors.internal;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import org.apache.flink.annotation.Internal;
import org.apache.kafka.common.config.ConfigData;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.common.config.provider.ConfigProvider;

/**
 * Lets Kafka's clients read secrets from files: <code>${name:/secrets/jaas}</code> is what stands
 * in that file. Kafka strips white space around it.
 *
 * <p>Kafka's own DirectoryConfigProvider leaves the notation in the place of a file that is
 * missing, and the client then complains of something else.
 */
@Internal
public final class SecretFileProvider implements ConfigProvider {

    private static final int MAX_BYTES = 1024 * 1024;

    @Override
    public void configure(Map<String, ?> settings) {
        // There are none.
    }

    @Override
    public ConfigData get(String path) {
        throw new ConfigException("a secret file is named as ${name:/path/of/the/file}");
    }

    @Override
    public ConfigData get(String path, Set<String> files) {
        Map<String, String> secrets = new HashMap<>();
        files.forEach(file -> secrets.put(file, read(file)));
        return new ConfigData(secrets);
    }

    private static String read(String file) {
        try (InputStream in = Files.newInputStream(Path.of(file))) {
            byte[] bytes = in.readNBytes(MAX_BYTES + 1);
            if (bytes.length > MAX_BYTES) {
                throw new ConfigException(
                        "the secret file %s has more than %d bytes".formatted(file, MAX_BYTES));
            }
            return new String(bytes, StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new ConfigException(
                    "the secret file %s cannot be read on this machine: %s".formatted(file, e));
        }
    }

    @Override
    public void close() {
        // Nothing is open.
    }
}
