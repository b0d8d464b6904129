/**
 * A checkpoint folder on disk, opened, checked and made ready to run.
 *
 * <p>The folder is a Hugging Face folder as downloaded; there is no conversion step. Everything in
 * it is untrusted: what a file claims is checked against what the file holds before any of it is
 * used, and a folder that cannot be served is refused with a {@link
 * io.layerskip.model.CheckpointException} that names the file, what was found and what was
 * expected.
 *
 * <pre>
 * config.json, generation_config.json --- ModelConfigReader ---> ModelConfig --+
 *                                                                    |         |
 *                                             names and shapes that it implies |
 *                                                                    v         |
 * model.safetensors, or shards -- SafetensorsFile -- WeightFiles --> Weight ---+--> Checkpoint
 * with an index                                                (place in file) |        |
 *                                                                              |        v
 * tokenizer.json ----------------------------- DjlTokenizer -----> Tokenizer --+  ModelSessions
 *                                                                                 (OnnxGraphs)
 * </pre>
 *
 * <p>No weight passes through the Java heap. The embedding is mapped and read row by row; all other
 * weights are read by ONNX Runtime, which maps the same files: a graph, built in memory from
 * config.json, says of each weight in which file and where it lies. So any layer can be an exit,
 * and several models of one file share the page cache.
 */
package io.layerskip.model;
