package io.layerskip.flink;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.layerskip.engine.EngineFailedException;
import io.layerskip.forward.LayerSkipModel;
import io.layerskip.forward.Precision;
import io.layerskip.model.BundledModel;
import io.layerskip.model.Checkpoint;
import java.io.IOException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

final class ProcessMemoryTest {

    private static final long MB = 1 << 20;

    private Checkpoint checkpoint;

    @BeforeEach
    void open() throws IOException {
        checkpoint = Checkpoint.open(BundledModel.folder());
    }

    @AfterEach
    void close() {
        checkpoint.close();
    }

    @Test
    void refusesAModelThatDoesNotFitBesideWhatIsHeld() {
        ProcessMemory memory = new ProcessMemory(100 * MB, 80 * MB);

        assertThatThrownBy(() -> memory.requireRoomFor(checkpoint, Precision.FP32))
                .isInstanceOf(EngineFailedException.class)
                .hasMessageMatching(
                        "the weights of the model in .* take 3\\d MB in FP32, and 20 MB are left: this"
                                + " process may hold 100 MB .* and holds 80 MB; allowed: a smaller"
                                + " layerskip.precision, .*");
    }

    @Test
    void takesThePrecisionIntoAccount() {
        new ProcessMemory(100 * MB, 80 * MB).requireRoomFor(checkpoint, Precision.INT8);
    }

    @Test
    void takesAModelThatJustFits() {
        long weights = LayerSkipModel.weightBytes(checkpoint.config(), Precision.FP32);

        new ProcessMemory(80 * MB + weights, 80 * MB).requireRoomFor(checkpoint, Precision.FP32);
    }

    @Test
    void knowsThisProcess() {
        ProcessMemory memory = ProcessMemory.now();

        assertThat(memory.resident()).isPositive().isLessThan(memory.limit());
    }
}
