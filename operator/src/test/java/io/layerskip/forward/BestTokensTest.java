package io.layerskip.forward;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class BestTokensTest {

    @Test
    void keepsTheGreatest() {
        Random random = new Random(1);
        float[] scores = new float[1000];
        for (int i = 0; i < scores.length; i++) {
            scores[i] = (float) random.nextGaussian();
        }
        List<Integer> expected =
                IntStream.range(0, scores.length)
                        .boxed()
                        .sorted(Comparator.comparing((Integer token) -> scores[token]).reversed())
                        .limit(10)
                        .toList();
        BestTokens best = new BestTokens(10);
        best.clear();
        for (int token = 0; token < scores.length; token++) {
            best.offer(token, scores[token]);
        }
        best.finish();

        assertThat(tokens(best)).containsExactlyInAnyOrderElementsOf(expected);
    }

    @Test
    void keepsFewerIfThereAreNoMore() {
        BestTokens best = new BestTokens(10);
        best.clear();
        best.offer(7, -3);
        best.offer(8, Float.NaN);
        best.offer(9, 2);
        best.finish();

        assertThat(tokens(best)).containsExactlyInAnyOrder(7, 9);
    }

    private static List<Integer> tokens(BestTokens best) {
        return IntStream.range(0, best.count()).mapToObj(best::token).toList();
    }
}
