/**
 * The command line of {@code flink-layerskip.jar}, which brings Flink and a Kafka broker along.
 *
 * <pre>
 *   generate   prompt or file ---&gt; GenerationEngine ---&gt; terminal or file
 *   run        your broker    ---&gt; GenerationJob in a local Flink ---&gt; your broker
 *   demo       EmbeddedBroker ---&gt; GenerationJob in a local Flink ---&gt; EmbeddedBroker, shown here
 * </pre>
 */
package io.layerskip.cli;
