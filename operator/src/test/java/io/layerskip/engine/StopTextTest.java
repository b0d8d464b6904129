package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.api.Test;

class StopTextTest {

    @Test
    void saysWhereItStartsInThePieceThatItEndsIn() {
        StopText stop = new StopText("abab");

        assertThat(stop.firstIn("abb")).isEmpty();
        assertThat(stop.firstIn("ba")).isEmpty();
        assertThat(stop.firstIn("xaba")).isEmpty();
        assertThat(stop.firstIn("babab")).hasValue(-3);
    }

    @Test
    void saysHowMuchOfItTheTextEndsWith() {
        StopText stop = new StopText("abac");

        stop.firstIn("xab");
        assertThat(stop.begun()).isEqualTo(2);
        stop.firstIn("ab");
        assertThat(stop.begun()).isEqualTo(2);
        stop.firstIn("x");
        assertThat(stop.begun()).isZero();
    }

    @Test
    void passesOverWhereItEndsAndGoesOnFromThere() {
        StopText stop = new StopText("aba");

        stop.pass("xaba");
        assertThat(stop.begun()).isEqualTo(1);
        assertThat(stop.firstIn("ba")).hasValue(-1);

        StopText one = new StopText("a");
        one.pass("aa");
        assertThat(one.begun()).isZero();
        assertThat(one.firstIn("ba")).hasValue(1);
    }

    @Test
    void comparesFewCharactersForEachOneOfAnyText() {
        for (int seed = 0; seed < 100; seed++) {
            Random random = new Random(seed);
            CountedText text = new CountedText("a".repeat(random.nextInt(1_000)) + "b");
            StopText stop = new StopText(text);
            int characters = 0;
            while (characters < 10_000) {
                String piece =
                        "a".repeat(random.nextInt(2_000)) + (random.nextBoolean() ? "c" : "");
                stop.firstIn(piece);
                characters += piece.length();
            }

            assertThat(text.reads).isLessThanOrEqualTo(4 * (text.length() + characters));
        }
    }

    /** Counts how many of its characters are looked at. */
    private static final class CountedText implements CharSequence {
        private final String text;
        private int reads;

        CountedText(String text) {
            this.text = text;
        }

        @Override
        public char charAt(int index) {
            reads++;
            return text.charAt(index);
        }

        @Override
        public int length() {
            return text.length();
        }

        @Override
        public CharSequence subSequence(int start, int end) {
            reads += end - start;
            return text.substring(start, end);
        }
    }
}
