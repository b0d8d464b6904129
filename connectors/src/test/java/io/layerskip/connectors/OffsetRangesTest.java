package io.layerskip.connectors;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.BitSet;
import java.util.Random;
import org.junit.jupiter.api.Test;

class OffsetRangesTest {

    @Test
    void rangesThatTouchBecomeOne() {
        OffsetRanges ranges = new OffsetRanges();
        ranges.add(5, 7);
        ranges.add(10, 10);
        ranges.add(8, 9);

        assertThat(ranges.bounds()).containsExactly(5L, 10L);
    }

    @Test
    void rangesInTheDistanceStayApart() {
        OffsetRanges ranges = new OffsetRanges();
        ranges.add(5, 7);
        ranges.add(9, 9);

        assertThat(ranges.bounds()).containsExactly(5L, 7L, 9L, 9L);
        assertThat(ranges.contains(8)).isFalse();
    }

    @Test
    void whatEndsBeforeAnOffsetCanBeForgotten() {
        OffsetRanges ranges = new OffsetRanges();
        ranges.add(1, 3);
        ranges.add(5, 9);
        ranges.forgetBefore(6);

        assertThat(ranges.bounds()).containsExactly(5L, 9L);
    }

    @Test
    void holdsWhatWasAddedAndNothingElse() {
        Random random = new Random(7);
        for (int round = 0; round < 200; round++) {
            OffsetRanges ranges = new OffsetRanges();
            BitSet expected = new BitSet();
            for (int i = 0; i < 20; i++) {
                int first = random.nextInt(100);
                int last = first + random.nextInt(10);
                ranges.add(first, last);
                expected.set(first, last + 1);
            }
            for (int offset = 0; offset < 120; offset++) {
                assertThat(ranges.contains(offset)).isEqualTo(expected.get(offset));
            }
        }
    }
}
