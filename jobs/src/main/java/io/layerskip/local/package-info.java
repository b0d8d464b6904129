/**
 * A Kafka broker and a Flink cluster in this process, for the demo, the benchmark and tests. Both
 * are real; nothing of them outlives the process.
 */
package io.layerskip.local;
