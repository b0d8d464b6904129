/**
 * Self-speculative generation with one model: the first layers draft, the remaining ones verify.
 *
 * <pre>
 * GenerationRequest --> GenerationEngine (one thread) ---------------------> GenerationResult
 *                          |  a round of each active request in turn
 *                          v
 *                       SelfSpeculation: draft, verify, accept
 *                          |                          Sequence: tokens, sampler, KeyValueCache
 *                          v
 *                       LayerSkipModel
 *
 *  token -> embedding -> [0, E) ---> exit states ---> [E, L) ---> final states
 *             rows      segment(s)      rows         segment(s)       rows
 *                                        |                              |
 *                                       head: draft's logits          head: model's logits
 * </pre>
 *
 * <p>A round runs the early layers once a token, K times, each time feeding the token that the head
 * finds likeliest (or draws) at the exit. The hidden states that leave the early layers stay in
 * their rows; the later layers take all of them in one pass, and the head says for each what the
 * whole model would have written. Drafts are kept up to the first that it would not, and there its
 * own token is written. Early layers never see a token twice: their keys and values, and those of
 * the later layers, stand in one cache, and a refused draft's are overwritten by what follows.
 *
 * <p>Nothing here knows of Flink or Kafka.
 */
package io.layerskip.engine;
