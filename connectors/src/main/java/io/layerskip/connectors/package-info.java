/**
 * Kafka around the model: what requests and completions look like as records, how records of any
 * other kind are enriched, and how all of them get in and out exactly once.
 *
 * <pre>
 *  prompts topic
 *     |  KafkaPipeline.source()               SourceRecord: the bytes as they came
 *     v
 *  ParseRequests -------- bad input -------.  GenerationRequest; its attachment is the SourceRecord
 *     |                                    |  and the metadata, as CBOR
 *     v                                    |
 *  LayerSkipAsyncFunction                  |  GenerationResult, with the same attachment
 *     |                                    |
 *     v                                    |
 *  FormatResults                           |  OutgoingRecord: completion, or dead letter if it failed
 *     |                                    |
 *     '-------------- union ---------------'
 *                       |
 *                       v
 *  KafkaPipeline.sink()                       one transaction a subtask and checkpoint
 *     |            |
 *  completions   dead letters
 *                  |
 *                  '---- DeadLetterReplay ----&gt; prompts topic, when somebody asks for it
 * </pre>
 *
 * <p>Input is never trusted to be well-formed and never the reason for a failed job: whatever a
 * {@link io.layerskip.connectors.RequestFormat} refuses leaves as a dead letter, in the same
 * transaction as the completions around it. A record's fate therefore is decided exactly once: it
 * is on one of the two topics, for a consumer that reads committed records.
 */
package io.layerskip.connectors;
