/**
 * Self-speculative generation with one model: which passes are taken, and for whom.
 *
 * <pre>
 *   GenerationRequest
 *     |  submit
 *     v
 *   PreparationQueue         thread "layerskip-tokenizer": RequestPreparation checks, renders a chat
 *     |                                                    (io.layerskip.chat), tokenises
 *     |                                                    --> Sequence: tokens, KeyValueCache
 *     v
 *   ContinuousBatching       thread "layerskip-engine": round after round of all under way
 *     |  Scheduler             who takes part, with how much of a prompt, in whose memory
 *     |                        --> a Turn each: rows, drafts, choices
 *     |  GuardedRounds         a round that breaks is taken again, one by one
 *     |  SelfSpeculation       draft, verify, accept
 *     |    DraftPolicy           how far to draft, by PassCosts
 *     |    LogitsProcessor       penalties and biases, where a request has any
 *     |    LayerSkipModel        the passes (io.layerskip.forward)
 *     v
 *   ActiveGeneration         writes what a turn brought: CompletionText, stop texts
 *     |
 *     v
 *   GenerationResult
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
 * <p>A request for several completions is a ChoiceGroup: its first one computes the prompt, and the
 * others join with that one's blocks.
 *
 * <p>A thread "layerskip-watchdog" looks at the PassClock and fails the engine if a pass hangs. A
 * request that is suspected of having ended an earlier process has the whole process for itself,
 * see Isolation; who is suspected, the RequestWatch says that comes with it.
 *
 * <p>Two places are open. A draft need not come from the exit: rows that took no early layers would
 * enter the remainder at its first segment, 0. And a constraint on tokens would mask the logits
 * where the LogitsProcessor changes them, for draft and model alike.
 *
 * <p>Nothing here knows of Flink or Kafka, or of ONNX Runtime.
 */
package io.layerskip.engine;
