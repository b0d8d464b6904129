package io.layerskip.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class ProcessorTest {

    @Test
    void readsAnX86Processor() {
        List<String> lines =
                List.of(
                        "processor\t: 0",
                        "model name\t: AMD EPYC: 9R14",
                        "flags\t\t: fpu sse4_2 avx2 avx512f avx512_vnni avx512_vnni_x",
                        "processor\t: 1",
                        "model name\t: another");

        assertThat(Processor.parse(lines, "amd64"))
                .isEqualTo(
                        new Processor("AMD EPYC: 9R14", List.of("avx2", "avx512f", "avx512_vnni")));
    }

    @Test
    void readsAnArmProcessorWhichHasNoName() {
        List<String> lines =
                List.of(
                        "processor\t: 0",
                        "Features\t: fp asimd asimddp sve i8mm",
                        "CPU part\t: 0xd40");

        assertThat(Processor.parse(lines, "aarch64"))
                .isEqualTo(
                        new Processor("aarch64 0xd40", List.of("asimd", "asimddp", "i8mm", "sve")));
    }

    @Test
    void isCalledByItsArchitectureWhereNothingIsTold() {
        assertThat(Processor.parse(List.of(), "riscv64"))
                .isEqualTo(new Processor("riscv64", List.of()));
    }
}
