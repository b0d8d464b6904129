package io.layerskip.forward;

import static org.assertj.core.api.Assertions.assertThat;

import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import io.layerskip.model.Checkpoint;
import io.layerskip.model.CheckpointWriter;
import io.layerskip.model.LlamaTensors;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OnnxGraphsTest {

    @TempDir Path folder;

    @Test
    void everyWeightIsInExactlyOneGraphAndTheEmbeddingInNone() throws Exception {
        new CheckpointWriter(1).write(folder);
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            OnnxGraphs graphs = graphs(checkpoint);

            List<String> used = new ArrayList<>();
            // Four layers, cut after the first.
            for (OnnxGraph graph :
                    List.of(
                            graphs.attentionInput(0),
                            graphs.attentionOutput(0),
                            graphs.attentionInput(1),
                            graphs.betweenAttentions(1),
                            graphs.betweenAttentions(2),
                            graphs.attentionOutput(3),
                            graphs.head())) {
                used.addAll(weights(graph));
            }

            Set<String> implied = new TreeSet<>(LlamaTensors.shapes(checkpoint.config()).keySet());
            implied.remove(LlamaTensors.EMBEDDING);
            assertThat(used).containsExactlyInAnyOrderElementsOf(implied);
        }
    }

    @Test
    void aTiedHeadIsTheEmbedding() throws Exception {
        new CheckpointWriter(1).config("tie_word_embeddings", true).write(folder);
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            OnnxGraphs graphs = graphs(checkpoint);

            assertThat(weights(graphs.head()))
                    .containsExactlyInAnyOrder(LlamaTensors.EMBEDDING, LlamaTensors.FINAL_NORM);
        }
    }

    private static OnnxGraphs graphs(Checkpoint checkpoint) {
        MatrixProducts products = new Float32Products(checkpoint::weight);
        return new OnnxGraphs(checkpoint.config(), checkpoint::weight, products, products);
    }

    private static List<String> weights(OnnxGraph graph) throws Exception {
        return ModelProto.parseFrom(graph.toBytes()).getGraph().getInitializerList().stream()
                .map(TensorProto::getName)
                .toList();
    }
}
