package io.layerskip.forward;

import io.layerskip.model.Checkpoint;
import io.layerskip.model.ModelConfig;
import io.layerskip.model.Weight;
import io.layerskip.model.WeightType;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;

/**
 * A Llama in plain loops and double precision, as Hugging Face's modeling_llama.py has it: what the
 * engine's graphs are held against. Slow, and one token at a time with no cache of its own to roll
 * back.
 */
final class ReferenceLlama {

    private final Checkpoint checkpoint;
    private final ModelConfig config;

    ReferenceLlama(Checkpoint checkpoint) {
        this.checkpoint = checkpoint;
        this.config = checkpoint.config();
    }

    /** The logits [vocab] that follow the last token, if the model ended after {@code layers}. */
    double[] logits(int[] tokens, int layers) {
        double[][] hidden = new double[tokens.length][];
        double[][] embedding = weight("model.embed_tokens.weight");
        for (int t = 0; t < tokens.length; t++) {
            hidden[t] = embedding[tokens[t]].clone();
        }
        for (int layer = 0; layer < layers; layer++) {
            String prefix = "model.layers." + layer + ".";
            attention(hidden, prefix);
            mlp(hidden, prefix);
        }
        double[] last = norm(hidden[tokens.length - 1], "model.norm.weight");
        return multiply(config.tieWordEmbeddings() ? embedding : weight("lm_head.weight"), last);
    }

    private void attention(double[][] hidden, String prefix) {
        int n = hidden.length;
        int width = config.headDim();
        int group = config.numAttentionHeads() / config.numKeyValueHeads();
        double[][] queries = new double[n][];
        double[][] keys = new double[n][];
        double[][] values = new double[n][];
        for (int t = 0; t < n; t++) {
            double[] normed = norm(hidden[t], prefix + "input_layernorm.weight");
            queries[t] = multiply(weight(prefix + "self_attn.q_proj.weight"), normed);
            keys[t] = multiply(weight(prefix + "self_attn.k_proj.weight"), normed);
            values[t] = multiply(weight(prefix + "self_attn.v_proj.weight"), normed);
            rotate(queries[t], t);
            rotate(keys[t], t);
        }
        double[][] output = weight(prefix + "self_attn.o_proj.weight");
        for (int t = n - 1; t >= 0; t--) {
            double[] attended = new double[config.numAttentionHeads() * width];
            for (int head = 0; head < config.numAttentionHeads(); head++) {
                int from = head / group * width;
                double[] scores = new double[t + 1];
                double sum = 0;
                for (int s = 0; s <= t; s++) {
                    double dot = 0;
                    for (int i = 0; i < width; i++) {
                        dot += queries[t][head * width + i] * keys[s][from + i];
                    }
                    scores[s] = Math.exp(dot / Math.sqrt(width));
                    sum += scores[s];
                }
                for (int s = 0; s <= t; s++) {
                    for (int i = 0; i < width; i++) {
                        attended[head * width + i] += scores[s] / sum * values[s][from + i];
                    }
                }
            }
            add(hidden[t], multiply(output, attended));
        }
    }

    private void mlp(double[][] hidden, String prefix) {
        for (double[] row : hidden) {
            double[] normed = norm(row, prefix + "post_attention_layernorm.weight");
            double[] gate = multiply(weight(prefix + "mlp.gate_proj.weight"), normed);
            double[] up = multiply(weight(prefix + "mlp.up_proj.weight"), normed);
            for (int i = 0; i < up.length; i++) {
                up[i] *= gate[i] / (1 + Math.exp(-gate[i]));
            }
            add(row, multiply(weight(prefix + "mlp.down_proj.weight"), up));
        }
    }

    private void rotate(double[] heads, int position) {
        int width = config.headDim();
        float[] frequencies = config.rope().inverseFrequencies(width);
        for (int start = 0; start < heads.length; start += width) {
            for (int i = 0; i < width / 2; i++) {
                double angle = position * (double) frequencies[i];
                double a = heads[start + i];
                double b = heads[start + width / 2 + i];
                heads[start + i] = a * Math.cos(angle) - b * Math.sin(angle);
                heads[start + width / 2 + i] = b * Math.cos(angle) + a * Math.sin(angle);
            }
        }
    }

    private double[] norm(double[] row, String name) {
        double squares = 0;
        for (double value : row) {
            squares += value * value;
        }
        double scale = 1 / Math.sqrt(squares / row.length + config.rmsNormEps());
        double[] weight = weight(name)[0];
        double[] normed = new double[row.length];
        for (int i = 0; i < row.length; i++) {
            normed[i] = row[i] * scale * weight[i];
        }
        return normed;
    }

    private static double[] multiply(double[][] matrix, double[] vector) {
        double[] product = new double[matrix.length];
        for (int i = 0; i < matrix.length; i++) {
            for (int j = 0; j < vector.length; j++) {
                product[i] += matrix[i][j] * vector[j];
            }
        }
        return product;
    }

    private static void add(double[] target, double[] addend) {
        for (int i = 0; i < target.length; i++) {
            target[i] += addend[i];
        }
    }

    /** A tensor as rows; a vector is one row. */
    private double[][] weight(String name) {
        Weight weight = checkpoint.weight(name);
        int columns = weight.shape().get(weight.shape().size() - 1).intValue();
        int rows = Math.toIntExact(weight.length() / weight.type().bytes() / columns);
        ByteBuffer data = ByteBuffer.allocate((int) weight.length());
        try (FileChannel file = FileChannel.open(weight.file())) {
            file.read(data, weight.offset());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        data.flip().order(ByteOrder.LITTLE_ENDIAN);
        double[][] values = new double[rows][columns];
        for (double[] row : values) {
            for (int i = 0; i < columns; i++) {
                row[i] = next(data, weight.type());
            }
        }
        return values;
    }

    private static double next(ByteBuffer data, WeightType type) {
        return switch (type) {
            case F32 -> data.getFloat();
            case BF16 -> Float.intBitsToFloat(data.getShort() << 16);
            case F16 -> half(data.getShort());
        };
    }

    private static double half(int bits) {
        int exponent = bits >> 10 & 0x1f;
        double fraction = (bits & 0x3ff) / 1024.0;
        double magnitude =
                exponent == 0 ? Math.scalb(fraction, -14) : Math.scalb(1 + fraction, exponent - 15);
        return (bits & 0x8000) == 0 ? magnitude : -magnitude;
    }
}
