/**
 * A checkpoint folder on disk, opened and checked.
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
 * with an index                                                (place in file) |
 *                                                                              |
 * tokenizer.json, tokenizer_config.json ------ DjlTokenizer -----> Tokenizer --+
 * </pre>
 *
 * <p>No weight passes through the Java heap. The embedding is mapped and read row by row; of all
 * other weights this package says only in which file and where they lie.
 */
package io.layerskip.model;
