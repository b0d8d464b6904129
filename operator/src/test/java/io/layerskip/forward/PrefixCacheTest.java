package io.layerskip.forward;

import static org.assertj.core.api.Assertions.assertThat;

import io.layerskip.model.BundledModel;
import io.layerskip.model.Checkpoint;
import io.layerskip.model.ModelConfig;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class PrefixCacheTest {

    private static final int BLOCK = KeyValueBlock.TOKENS;

    private static ModelConfig config;

    private final KeyValueMemory memory = memory(8);
    private final PrefixCache prefixes = new PrefixCache(memory, memory.capacity() / 2);

    @BeforeAll
    static void readConfig() throws Exception {
        try (Checkpoint checkpoint = Checkpoint.open(BundledModel.folder())) {
            config = checkpoint.config();
        }
    }

    @Test
    void sharesWholeBlocksAndCopiesTheOneWhereTokensPart() {
        int[] known = tokens(2 * BLOCK + 10);
        KeyValueCache owner = stored(known);
        int[] alike = Arrays.copyOf(known, known.length);
        alike[BLOCK + 7] = -1;

        KeyValueCache cache = new KeyValueCache(memory);
        int loaded = prefixes.load(alike, alike.length - 1, cache);

        assertThat(loaded).isEqualTo(BLOCK + 7);
        assertThat(cache.block(0)).isSameAs(owner.block(0));
        assertThat(cache.block(1)).isNotSameAs(owner.block(1));
        assertThat(cache.block(1).keys(3, 0, 0)).isEqualTo(owner.block(1).keys(3, 0, 0));
        assertThat(cache.block(1).values(3, 0, 0, 0)).isEqualTo(owner.block(1).values(3, 0, 0, 0));
    }

    @Test
    void takesNoMoreThanItIsAskedFor() {
        int[] known = tokens(20);
        stored(known);

        assertThat(prefixes.load(known, known.length - 1, new KeyValueCache(memory))).isEqualTo(19);
    }

    @Test
    void findsNothingForAPromptThatBeginsDifferently() {
        stored(tokens(20));

        assertThat(prefixes.load(new int[] {-1, 1, 2}, 2, new KeyValueCache(memory))).isZero();
    }

    @Test
    void keepsWhatIsKnownWhenItsOwnerHasGone() {
        int[] known = tokens(BLOCK + 5);
        KeyValueCache owner = stored(known);
        KeyValueBlock first = owner.block(0);
        owner.close();

        KeyValueCache cache = new KeyValueCache(memory);

        assertThat(prefixes.load(known, known.length, cache)).isEqualTo(BLOCK + 5);
        assertThat(cache.block(0)).isSameAs(first);
    }

    @Test
    void holdsAtMostHalfOfTheMemoryAndForgetsWhatWasNotUsedForLongest() {
        int[][] prompts =
                IntStream.range(0, 6).mapToObj(i -> new int[] {i, 1, 2, 3}).toArray(int[][]::new);
        for (int i = 0; i < 4; i++) {
            stored(prompts[i]).close();
        }
        prefixes.load(prompts[0], 4, new KeyValueCache(memory));
        for (int i = 4; i < 6; i++) {
            stored(prompts[i]).close();
        }

        assertThat(known(prompts[0])).isTrue();
        assertThat(known(prompts[1])).isFalse();
        assertThat(known(prompts[2])).isFalse();
        assertThat(known(prompts[3])).isTrue();
        assertThat(known(prompts[4])).isTrue();
        assertThat(known(prompts[5])).isTrue();
    }

    @Test
    void givesItsMemoryToSequencesThatNeedIt() {
        for (int i = 0; i < 4; i++) {
            stored(new int[] {i, 1, 2, 3}).close();
        }
        assertThat(memory.used()).isEqualTo(4);

        KeyValueCache cache = new KeyValueCache(memory);
        assertThat(prefixes.reserve(cache, 8 * BLOCK)).isTrue();
        assertThat(prefixes.reserve(new KeyValueCache(memory), 1)).isFalse();
    }

    private boolean known(int[] prompt) {
        KeyValueCache cache = new KeyValueCache(memory);
        boolean known = prefixes.load(prompt, prompt.length, cache) > 0;
        cache.close();
        return known;
    }

    private KeyValueCache stored(int[] tokens) {
        KeyValueCache cache = new KeyValueCache(memory);
        assertThat(prefixes.reserve(cache, tokens.length)).isTrue();
        for (int position = 0; position < tokens.length; position++) {
            cache.block(position / BLOCK).keys(3, 0, 0)[position % BLOCK] = tokens[position] + 1;
            cache.block(position / BLOCK).values(3, 0, 0, 0)[position % BLOCK] =
                    tokens[position] + 2;
        }
        prefixes.store(tokens, tokens.length, cache);
        return cache;
    }

    private static int[] tokens(int count) {
        return IntStream.range(0, count).toArray();
    }

    private static KeyValueMemory memory(int blocks) {
        return new KeyValueMemory(config, blocks * KeyValueBlock.bytes(config));
    }
}
