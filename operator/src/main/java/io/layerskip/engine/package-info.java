/**
 * Self-speculative generation with one model: the first layers draft, the remaining ones verify.
 *
 * <pre>
 * GenerationRequest --> GenerationEngine (one thread) ---------------------> GenerationResult
 *                          |  a round of all active requests together
 *                          v
 *                       SelfSpeculation: draft, verify     DraftPolicy: how far to draft
 *                          |                               Sequence: tokens, KeyValueCache
 *                          v                               PrefixCache: beginnings of prompts
 *                       LayerSkipModel: passes over rows of any sequences (RaggedBatch)
 *
 *  token -> embedding -> [0, E) ---> exit states ---> [E, L) ---> final states
 *             rows      segment(s)      rows         segment(s)       rows
 *                                        |                              |
 *                                       head: draft's logits          head: model's logits
 * </pre>
 *
 * <p>A round runs the early layers once a drafted token, each time feeding the token that the head
 * finds likeliest (or draws) at the exit, until another draft is not worth its time. The hidden
 * states that leave the early layers are kept; the later layers take those of all sequences in one
 * pass, and the head says for each what the whole model would have written. Drafts are kept up to
 * the first that it would not, and there its own token is written. Early layers never see a token
 * twice: their keys and values, and those of the later layers, stand in one cache, and a refused
 * draft's are overwritten by what follows.
 *
 * <p>Sequences of a pass may be at any length, exit at different layers, draft any number of tokens
 * and be refused anywhere: matrices are multiplied with the rows of all, and attention, which is
 * the only place where rows meet, is computed outside ONNX Runtime, a row at a time over its own
 * sequence's blocks of keys and values.
 *
 * <p>Nothing here knows of Flink or Kafka.
 */
package io.layerskip.engine;
