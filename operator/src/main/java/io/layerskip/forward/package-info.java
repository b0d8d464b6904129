/**
 * One pass of the model over rows: the only place with ONNX Runtime and with the layout of keys and
 * values.
 *
 * <pre>
 *   token --> embedding --> layers [0, E) --> exit states --> layers [E, L) --> final states
 *              a row          segment(s)          |             segment(s)          |
 *                                                 |                                 |
 *                                            head: draft                      head: verify
 *
 *   a segment:  graph --> Attention --> graph --> Attention --> ... --> graph
 *               (matrix    (rows meet,   products of one layer and the next,
 *               products)  in Java)      all rows alike)
 * </pre>
 *
 * <p>A row is a token of some sequence. {@link io.layerskip.forward.RaggedBatch} says which, and
 * nothing else tells sequences apart: matrices are multiplied with the rows of all, and attention,
 * the only place where rows meet, is computed outside ONNX Runtime, each row over its own
 * sequence's {@link io.layerskip.forward.KeyValueCache}. So sequences of a pass may be at any
 * length and enter at any exit, and a row's result does not depend on its company.
 *
 * <p>Where the vocabulary is large, drafts need not wait for the head: {@code DraftHead} finds the
 * greatest logits by one bit a weight. It may miss, so it is for drafts alone.
 *
 * <p>Weights are read by ONNX Runtime from the checkpoint's files, which it maps, or from the file
 * that {@code QuantizedWeights} makes of them; the graphs between them are built in memory. Models
 * of a process that have the same weights share the sessions ({@code SharedSessions}); each has its
 * own buffers, keys and values. Once the sessions stand, they have copies of all that they use, and
 * no file is mapped but for the rows that Java looks up in the checkpoint: the embedding's, and the
 * head's for drafts and near ties. Keys and values lie on the JVM's heap in blocks, which {@link
 * io.layerskip.forward.PrefixCache} shares between prompts that begin alike.
 *
 * <p>Nothing here knows what the rows are for: which passes are taken, and for whom, is decided in
 * {@code io.layerskip.engine}.
 */
package io.layerskip.forward;
