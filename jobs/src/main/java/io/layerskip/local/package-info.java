/**
 * The job with a Kafka broker and a Flink cluster of its own, in this process, for the demo, the
 * benchmark and tests. All of it is real; nothing outlives the process.
 *
 * <pre>
 *                 +------------------------ LocalJob ------------------------+
 *   send    ---&gt;  |  EmbeddedBroker: prompts                                 |
 *                 |           |                                              |
 *                 |           +---&gt; GenerationJob in LocalFlink ---+         |
 *                 |                                                |         |
 *   poll   &lt;---   |  EmbeddedBroker: completions, dead letters  &lt;--+         |
 *                 +----------------------------------------------------------+
 * </pre>
 */
package io.layerskip.local;
