/**
 * The command line of {@code flink-layerskip.jar}, which brings Flink and a Kafka broker along.
 *
 * <pre>
 *   generate   prompt or file ---&gt; GenerationEngine           ---&gt; terminal or file
 *   run        your broker    ---&gt; GenerationJob in LocalFlink ---&gt; your broker
 *   demo       golden prompts ---&gt; LocalJob                   ---&gt; terminal
 *   bench      prompts        ---&gt; experiments                ---&gt; terminal, page, JSON
 * </pre>
 */
package io.layerskip.cli;
