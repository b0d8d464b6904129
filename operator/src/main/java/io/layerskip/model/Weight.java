package io.layerskip.model;

import java.nio.file.Path;
import java.util.List;
import org.apache.flink.annotation.PublicEvolving;

/**
 * Where one tensor of a checkpoint lies.
 *
 * @param name as in the checkpoint, for example {@code model.layers.0.self_attn.q_proj.weight}
 * @param type element type
 * @param shape dimensions, outermost first
 * @param file the safetensors file: absolute, symbolic links followed
 * @param offset of the first element from the start of the file, in bytes
 * @param length in bytes; the elements lie row by row, little-endian
 */
@PublicEvolving
public record Weight(
        String name, WeightType type, List<Long> shape, Path file, long offset, long length) {

    public Weight {
        shape = List.copyOf(shape);
    }
}
