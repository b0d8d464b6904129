package io.layerskip.forward;

import io.layerskip.model.LlamaTensors;
import io.layerskip.model.ModelConfig;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Where the matrices of a model lie in the file of {@link QuantizedWeights}, one after the other.
 *
 * <p>A matrix is one tensor of the checkpoint [out, in], or several that are multiplied with the
 * same rows, stacked: query, key and value. Its values lie as its product reads them, so that a
 * session folds nothing: int8 transposed [in, out], nibbles row by row [out, in]. Its scales follow
 * [out, scales of a row]. Both begin at multiples of {@value #ALIGNMENT} bytes. After all matrices
 * follow the {@link HeadCodes}, where they pay.
 *
 * @param places by the names of the stacked tensors
 * @param headCodesLength in bytes
 */
record WeightsLayout(Map<List<String>, Place> places, long headCodesLength) {

    /** Part of a file's hash; counts up when the layout or the rounding changes. */
    static final String VERSION = "3";

    private static final int ALIGNMENT = 64;

    /**
     * Where a matrix lies.
     *
     * @param partOutputs out of each stacked tensor
     * @param inputs in
     * @param offset of its values, in bytes
     */
    record Place(WeightFormat format, List<Integer> partOutputs, int inputs, long offset) {

        int outputs() {
            return partOutputs.stream().mapToInt(Integer::intValue).sum();
        }

        long scalesOffset() {
            return align(offset + valuesLength());
        }

        long valuesLength() {
            return (long) outputs() * format.valueBytes(inputs);
        }

        long scalesLength() {
            return (long) outputs() * format.scales(inputs) * Float.BYTES;
        }

        private long end() {
            return align(scalesOffset() + scalesLength());
        }
    }

    /** Of a model's matrices in INT8 or INT4. */
    static WeightsLayout of(ModelConfig config, Precision precision) {
        WeightFormat format = precision == Precision.INT4 ? WeightFormat.NIBBLE : WeightFormat.BYTE;
        Map<String, List<Long>> shapes = LlamaTensors.shapes(config);
        WeightsLayout layout = new WeightsLayout(new LinkedHashMap<>(), HeadCodes.bytes(config));
        for (int i = 0; i < config.numHiddenLayers(); i++) {
            LlamaTensors.Layer layer = LlamaTensors.layer(i);
            layout.add(format, shapes, layer.query(), layer.key(), layer.value());
            layout.add(format, shapes, layer.attentionOutput());
            layout.add(format, shapes, layer.gate());
            layout.add(format, shapes, layer.up());
            layout.add(format, shapes, layer.down());
        }
        layout.add(WeightFormat.BYTE, shapes, LlamaTensors.head(config));
        return layout;
    }

    private void add(WeightFormat format, Map<String, List<Long>> shapes, String... parts) {
        List<Integer> outputs =
                List.of(parts).stream()
                        .map(part -> Math.toIntExact(shapes.get(part).get(0)))
                        .toList();
        int inputs = Math.toIntExact(shapes.get(parts[0]).get(1));
        places.put(List.of(parts), new Place(format, outputs, inputs, matricesLength()));
    }

    /** Bytes of all. */
    long length() {
        return matricesLength() + headCodesLength;
    }

    /** Bytes of all matrices. */
    long matricesLength() {
        return places.values().stream().mapToLong(Place::end).max().orElse(0);
    }

    private static long align(long offset) {
        return (offset + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
}
