/**
 * Integration tests on real parts: a Kafka broker in this JVM, Flink's MiniCluster, the bundled
 * model.
 *
 * <pre>
 *  KafkaTopics.send --> broker --> job under test --> broker --> KafkaTopics.read (read_committed)
 * </pre>
 */
package io.layerskip.tests;
