package io.layerskip.connectors.internal;

import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.regex.Pattern;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.kafka.clients.CommonClientConfigs;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.DescribeClusterOptions;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.clients.admin.DescribeTopicsOptions;
import org.apache.kafka.clients.admin.ListConsumerGroupOffsetsOptions;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.AbstractConfig;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Questions to the brokers before a job is submitted, asked with the security settings that the job
 * itself will use. Every method throws {@link IllegalConfigurationException} if no broker answers.
 */
@Internal
public final class Brokers implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(Brokers.class);

    private final Admin admin;
    private final String servers;
    private final int timeoutMs;

    private Brokers(Admin admin, String servers, int timeoutMs) {
        this.admin = admin;
        this.servers = servers;
        this.timeoutMs = timeoutMs;
    }

    /**
     * Makes a client for questions; none is asked yet.
     *
     * @param clientProperties of the consumer or producer whose brokers these are
     * @param timeout for the answer to each question
     */
    public static Brokers of(Properties clientProperties, Duration timeout) {
        String servers = clientProperties.getProperty(CommonClientConfigs.BOOTSTRAP_SERVERS_CONFIG);
        try {
            return new Brokers(
                    admin(clientProperties), servers, Math.toIntExact(timeout.toMillis()));
        } catch (KafkaException e) {
            Throwable reason = e.getCause() == null ? e : e.getCause();
            throw new IllegalConfigurationException(
                    "option kafka.bootstrap.servers is %s: %s"
                            .formatted(servers, reason.getMessage()),
                    e);
        }
    }

    /** An admin client with all of a consumer's or producer's properties that it knows. */
    static Admin admin(Properties clientProperties) {
        Properties properties = new Properties();
        clientProperties.stringPropertyNames().stream()
                .filter(
                        name ->
                                AdminClientConfig.configNames().contains(name)
                                        // What finds values that are kept elsewhere.
                                        || name.startsWith(AbstractConfig.CONFIG_PROVIDERS_CONFIG))
                .forEach(name -> properties.setProperty(name, clientProperties.getProperty(name)));
        return Admin.create(properties);
    }

    /**
     * Checks that topics exist and may be seen.
     *
     * @param option that names them, for the message
     */
    public void checkTopics(String option, Collection<String> topics) {
        Map<String, KafkaFuture<TopicDescription>> descriptions =
                admin.describeTopics(topics, new DescribeTopicsOptions().timeoutMs(timeoutMs))
                        .topicNameValues();
        for (String topic : topics) {
            try {
                await(descriptions.get(topic));
            } catch (UnknownTopicOrPartitionException | InvalidTopicException e) {
                throw new IllegalConfigurationException(
                        "option %s names %s, which does not exist at %s; allowed: existing topics"
                                .formatted(option, topic, servers),
                        e);
            } catch (AuthorizationException e) {
                throw new IllegalConfigurationException(
                        "option %s names %s, which these credentials may not describe at %s"
                                .formatted(option, topic, servers),
                        e);
            }
        }
    }

    /** The longest timeout that a transaction may ask for, in ms; empty if it may not be seen. */
    public OptionalLong transactionMaxTimeoutMs() {
        return number(brokerSetting("transaction.max.timeout.ms"));
    }

    /** How long an idle group's offsets are kept, in minutes; empty if it may not be seen. */
    public OptionalLong offsetsRetentionMinutes() {
        return number(brokerSetting("offsets.retention.minutes"));
    }

    private Optional<String> brokerSetting(String name) {
        Collection<Node> nodes =
                await(
                        admin.describeCluster(new DescribeClusterOptions().timeoutMs(timeoutMs))
                                .nodes());
        String anyNode = nodes.iterator().next().idString();
        return setting(new ConfigResource(ConfigResource.Type.BROKER, anyNode), name);
    }

    /** The cluster's id, the same from whichever broker. */
    public String clusterId() {
        return await(
                admin.describeCluster(new DescribeClusterOptions().timeoutMs(timeoutMs))
                        .clusterId());
    }

    /** The largest record batch that a topic takes, in bytes; empty if it may not be seen. */
    public OptionalLong maxMessageBytes(String topic) {
        return number(setting(ofTopic(topic), "max.message.bytes"));
    }

    /** How long a topic keeps records, in ms, -1 for ever; empty if it may not be seen. */
    public OptionalLong retentionMs(String topic) {
        return number(setting(ofTopic(topic), "retention.ms"));
    }

    /** How old a record may be that a topic takes, in ms; empty if it may not be seen. */
    public OptionalLong oldestTimestampMs(String topic) {
        return number(setting(ofTopic(topic), "message.timestamp.before.max.ms"));
    }

    /** The names of topics that match a pattern as a whole, and may be seen. */
    public List<String> topics(Pattern pattern) {
        return await(admin.listTopics(new ListTopicsOptions().timeoutMs(timeoutMs)).names())
                .stream()
                .filter(topic -> pattern.matcher(topic).matches())
                .sorted()
                .toList();
    }

    /** The partitions of topics. */
    public Set<TopicPartition> partitions(Collection<String> topics) {
        Set<TopicPartition> partitions = new HashSet<>();
        await(
                        admin.describeTopics(
                                        topics, new DescribeTopicsOptions().timeoutMs(timeoutMs))
                                .allTopicNames())
                .forEach(
                        (topic, description) ->
                                description.partitions().stream()
                                        .map(p -> new TopicPartition(topic, p.partition()))
                                        .forEach(partitions::add));
        return partitions;
    }

    /**
     * Where partitions have the records that are asked for; negative where there are none.
     *
     * @param isolation of the consumer that reads them
     */
    public Map<TopicPartition, Long> offsets(
            Collection<TopicPartition> partitions, OffsetSpec spec, IsolationLevel isolation) {
        Map<TopicPartition, OffsetSpec> asked = new HashMap<>();
        partitions.forEach(partition -> asked.put(partition, spec));
        Map<TopicPartition, Long> offsets = new HashMap<>();
        await(
                        admin.listOffsets(
                                        asked,
                                        new ListOffsetsOptions(isolation).timeoutMs(timeoutMs))
                                .all())
                .forEach((partition, info) -> offsets.put(partition, info.offset()));
        return offsets;
    }

    /** The offsets that a consumer group has committed, where it has any. */
    public Map<TopicPartition, Long> committed(String group) {
        Map<TopicPartition, Long> offsets = new HashMap<>();
        await(
                        admin.listConsumerGroupOffsets(
                                        group,
                                        new ListConsumerGroupOffsetsOptions().timeoutMs(timeoutMs))
                                .partitionsToOffsetAndMetadata())
                .forEach(
                        (partition, offset) -> {
                            // The answer has null where a partition has none.
                            if (offset != null) {
                                offsets.put(partition, offset.offset());
                            }
                        });
        return offsets;
    }

    /** Whether a topic keeps the last record of each key only; false if it may not be seen. */
    public boolean isCompacted(String topic) {
        return setting(ofTopic(topic), "cleanup.policy")
                .map(policy -> policy.contains("compact"))
                .orElse(false);
    }

    private static ConfigResource ofTopic(String topic) {
        return new ConfigResource(ConfigResource.Type.TOPIC, topic);
    }

    private static OptionalLong number(Optional<String> setting) {
        return setting.stream().mapToLong(Long::parseLong).findAny();
    }

    private Optional<String> setting(ConfigResource resource, String name) {
        try {
            ConfigEntry entry =
                    await(
                                    admin.describeConfigs(
                                                    List.of(resource),
                                                    new DescribeConfigsOptions()
                                                            .timeoutMs(timeoutMs))
                                            .values()
                                            .get(resource))
                            .get(name);
            return Optional.ofNullable(entry).map(ConfigEntry::value);
        } catch (AuthorizationException e) {
            LOG.warn(
                    "{} of {} may not be seen with these credentials and is not checked: {}",
                    name,
                    resource,
                    e.getMessage());
            return Optional.empty();
        }
    }

    /** Kafka's answer; its refusals as the unchecked exceptions that they are. */
    private <T> T await(KafkaFuture<T> answer) {
        try {
            return answer.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof AuthorizationException
                    || e.getCause() instanceof UnknownTopicOrPartitionException
                    || e.getCause() instanceof InvalidTopicException) {
                throw (RuntimeException) e.getCause();
            }
            throw new IllegalConfigurationException(
                    "option kafka.bootstrap.servers is %s: no answer to be had: %s"
                            .formatted(servers, e.getCause().getMessage()),
                    e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while waiting for " + servers, e);
        }
    }

    @Override
    public void close() {
        admin.close(Duration.ZERO);
    }
}
