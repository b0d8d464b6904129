package io.layerskip.forward;

import static org.assertj.core.api.Assertions.assertThat;

import io.layerskip.model.BundledModel;
import io.layerskip.model.Checkpoint;
import io.layerskip.model.ModelConfig;
import io.layerskip.model.RotaryEmbedding;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class PrefixCacheTest {

    private static final int BLOCK = KeyValueBlock.TOKENS;

    /** Small enough for many thousand blocks. */
    private static final ModelConfig SMALL =
            new ModelConfig(
                    2,
                    2,
                    2,
                    1,
                    1,
                    1,
                    2,
                    1,
                    1e-5f,
                    new RotaryEmbedding(10_000, Optional.empty()),
                    true,
                    List.of(),
                    OptionalInt.empty());

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
        assertThat(cache.block(1).keys(3, 0, new float[0][]))
                .isEqualTo(owner.block(1).keys(3, 0, new float[0][]));
        assertThat(cache.block(1).values(3, 0, new float[0][]))
                .isEqualTo(owner.block(1).values(3, 0, new float[0][]));
    }

    @Test
    void forksACacheByItsWholeBlocksAndACopyOfWhatFollows() {
        KeyValueCache owner = stored(tokens(2 * BLOCK + 10));
        int used = memory.used();

        KeyValueCache fork = new KeyValueCache(memory);
        assertThat(prefixes.fork(owner, 2 * BLOCK + 4, fork)).isEqualTo(2 * BLOCK + 4);

        assertThat(memory.used()).isEqualTo(used + 1);
        assertThat(fork.block(0)).isSameAs(owner.block(0));
        assertThat(fork.block(1)).isSameAs(owner.block(1));
        assertThat(fork.block(2)).isNotSameAs(owner.block(2));
        assertThat(fork.block(2).keys(3, 0, new float[0][]))
                .isEqualTo(owner.block(2).keys(3, 0, new float[0][]));
        KeyValueBlock first = owner.block(0);
        owner.close();
        assertThat(fork.block(0)).isSameAs(first);
    }

    @Test
    void forksNoMoreThanThereIsMemoryFor() {
        KeyValueCache owner = new KeyValueCache(memory);
        assertThat(owner.reserve(memory.capacity() * BLOCK)).isTrue();

        KeyValueCache fork = new KeyValueCache(memory);

        assertThat(prefixes.fork(owner, BLOCK + 4, fork)).isEqualTo(BLOCK);
        assertThat(fork.capacity()).isEqualTo(BLOCK);
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

    @Test
    void findsTheLongestMatchAmongBlocksThatBeginAlike() {
        KeyValueMemory memory = memory(SMALL, 4);
        PrefixCache prefixes = new PrefixCache(memory, 2_000);
        KeyValueCache owner = repeated(memory, 1);
        Random random = new Random(1);
        List<int[]> known = new ArrayList<>();
        for (int i = 0; i < 1_000; i++) {
            int[] prompt = random.ints(1 + random.nextInt(BLOCK), 0, 2).toArray();
            prefixes.store(prompt, prompt.length, owner);
            known.add(prompt);
        }

        for (int i = 0; i < 1_000; i++) {
            int[] asked = random.ints(BLOCK, 0, 2).toArray();
            int end = random.nextInt(BLOCK + 1);
            int longest =
                    known.stream().mapToInt(prompt -> common(prompt, asked, end)).max().orElse(0);
            assertThat(loaded(prefixes, Arrays.copyOf(asked, end), memory)).isEqualTo(longest);
        }
    }

    @Test
    void forgetsTheOldestOfManyThousandPromptsThatDifferInOneBlock() {
        int limit = 20_000;
        KeyValueMemory memory = memory(SMALL, 4);
        PrefixCache prefixes = new PrefixCache(memory, limit);
        KeyValueCache owner = repeated(memory, 1);
        int[][] prompts = new int[2 * limit][];
        for (int i = 0; i < prompts.length; i++) {
            prompts[i] = tokens(BLOCK);
            prompts[i][BLOCK - 1] = -i;
            prefixes.store(prompts[i], BLOCK, owner);
        }

        for (int i = 0; i < prompts.length; i++) {
            assertThat(loaded(prefixes, prompts[i], memory))
                    .isEqualTo(i < limit ? BLOCK - 1 : BLOCK);
        }
    }

    @Test
    void keepsAPromptOfMillionsOfTokensAndForgetsItFromItsEnd() {
        int blocks = 100_000;
        KeyValueMemory memory = memory(SMALL, 4);
        PrefixCache prefixes = new PrefixCache(memory, blocks);
        int[] prompt = tokens(blocks * BLOCK);
        KeyValueCache owner = repeated(memory, blocks);
        prefixes.store(prompt, prompt.length, owner);

        assertThat(loaded(prefixes, prompt, memory)).isEqualTo(prompt.length);
        prefixes.store(new int[] {-1}, 1, owner);
        assertThat(loaded(prefixes, prompt, memory)).isEqualTo(prompt.length - BLOCK);
    }

    @Test
    void storesAsMuchOfALongPromptAsThereIsRoomFor() {
        int[] prompt = tokens(4 * BLOCK);
        KeyValueMemory memory = memory(SMALL, 8);
        PrefixCache prefixes = new PrefixCache(memory, 3);
        KeyValueCache owner = new KeyValueCache(memory);
        owner.reserve(prompt.length);
        prefixes.store(prompt, BLOCK, owner);

        prefixes.store(prompt, prompt.length, owner);
        owner.close();

        assertThat(memory.used()).isEqualTo(3);
        assertThat(loaded(prefixes, prompt, memory)).isEqualTo(3 * BLOCK);
    }

    @Test
    void givesUpLeavesInTheOrderOfTheirUse() {
        for (int seed = 0; seed < 300; seed++) {
            Random random = new Random(seed);
            int limit = 1 + random.nextInt(20);
            KeyValueMemory memory = memory(SMALL, limit + 6);
            PrefixCache prefixes = new PrefixCache(memory, limit);
            SearchedPrefixes expected = new SearchedPrefixes(limit);
            Map<String, KeyValueBlock> blocks = new HashMap<>();
            for (int i = 0; i < 60; i++) {
                String prompt = letters(random, 1 + random.nextInt(6));
                int[] tokens = tokens(prompt);
                KeyValueCache cache = new KeyValueCache(memory);
                if (random.nextBoolean()) {
                    assertThat(prefixes.load(tokens, tokens.length, cache))
                            .isEqualTo(expected.load(prompt) * BLOCK);
                } else {
                    cache.reserve(tokens.length);
                    prefixes.store(tokens, tokens.length, cache);
                    for (String added : expected.store(prompt)) {
                        blocks.put(added, cache.block(added.length() - 1));
                    }
                }
                cache.close();
                assertThat(memory.used()).isEqualTo(expected.size());
            }

            List<KeyValueBlock> order = new ArrayList<>();
            for (Optional<String> next = expected.giveUp(""); next.isPresent(); ) {
                order.add(blocks.get(next.get()));
                next = expected.giveUp("");
            }
            assertThat(givenUp(prefixes, memory)).containsExactlyElementsOf(order);
        }
    }

    /** All blocks of a cache that nobody else uses, in the order in which it gives them up. */
    private static List<KeyValueBlock> givenUp(PrefixCache prefixes, KeyValueMemory memory) {
        int free = memory.capacity() - memory.used();
        KeyValueCache all = new KeyValueCache(memory);
        assertThat(prefixes.reserve(all, memory.capacity() * BLOCK)).isTrue();
        // Each block is taken as soon as it is free.
        return IntStream.range(free, memory.capacity()).mapToObj(all::block).toList();
    }

    /**
     * What a prefix cache knows, by search. A letter stands for a block: of the texts that no other
     * one continues, the one that was not used for the longest time is given up.
     */
    private static final class SearchedPrefixes {
        private final int limit;
        private final Map<String, Integer> lastUse = new HashMap<>();
        private int clock;

        SearchedPrefixes(int limit) {
            this.limit = limit;
        }

        int size() {
            return lastUse.size();
        }

        /** How many letters are known. */
        int load(String prompt) {
            int known = 0;
            while (known < prompt.length() && lastUse.containsKey(prompt.substring(0, known + 1))) {
                known++;
                lastUse.put(prompt.substring(0, known), clock++);
            }
            return known;
        }

        /** The beginnings that were not known before. */
        List<String> store(String prompt) {
            List<String> added = new ArrayList<>();
            for (int end = load(prompt) + 1; end <= prompt.length(); end++) {
                if (size() >= limit && giveUp(prompt.substring(0, end - 1)).isEmpty()) {
                    break;
                }
                added.add(prompt.substring(0, end));
                lastUse.put(prompt.substring(0, end), clock++);
            }
            return added;
        }

        Optional<String> giveUp(String kept) {
            Optional<String> oldest =
                    lastUse.keySet().stream()
                            .filter(text -> !text.equals(kept) && isLeaf(text))
                            .min(Comparator.comparing(lastUse::get));
            oldest.ifPresent(lastUse::remove);
            return oldest;
        }

        private boolean isLeaf(String text) {
            return lastUse.keySet().stream()
                    .noneMatch(other -> !other.equals(text) && other.startsWith(text));
        }
    }

    private boolean known(int[] prompt) {
        return loaded(prefixes, prompt, memory) > 0;
    }

    private KeyValueCache stored(int[] tokens) {
        KeyValueCache cache = new KeyValueCache(memory);
        assertThat(prefixes.reserve(cache, tokens.length)).isTrue();
        for (int position = 0; position < tokens.length; position++) {
            cache.block(position / BLOCK).keys(3, 0, new float[0][])[0][position % BLOCK] =
                    tokens[position] + 1;
            cache.block(position / BLOCK).values(3, 0, new float[0][])[0][position % BLOCK] =
                    tokens[position] + 2;
        }
        prefixes.store(tokens, tokens.length, cache);
        return cache;
    }

    private static int[] tokens(int count) {
        return IntStream.range(0, count).toArray();
    }

    private static String letters(Random random, int count) {
        return random.ints(count, 'a', 'd')
                .mapToObj(Character::toString)
                .collect(Collectors.joining());
    }

    /** A block for each letter; two blocks have no token in common unless they are the same. */
    private static int[] tokens(String letters) {
        return letters.chars()
                .flatMap(letter -> IntStream.generate(() -> letter).limit(BLOCK))
                .toArray();
    }

    /** How many tokens two prompts begin with alike, if the second ends at {@code end}. */
    private static int common(int[] prompt, int[] other, int end) {
        int mismatch = Arrays.mismatch(prompt, 0, prompt.length, other, 0, end);
        return mismatch < 0 ? end : mismatch;
    }

    private static int loaded(PrefixCache prefixes, int[] prompt, KeyValueMemory memory) {
        KeyValueCache cache = new KeyValueCache(memory);
        int loaded = prefixes.load(prompt, prompt.length, cache);
        cache.close();
        return loaded;
    }

    /** A cache of many blocks that takes the memory of one. */
    private static KeyValueCache repeated(KeyValueMemory memory, int blocks) {
        KeyValueCache cache = new KeyValueCache(memory);
        assertThat(cache.reserve(BLOCK)).isTrue();
        for (int i = 1; i < blocks; i++) {
            cache.share(cache.block(0));
        }
        return cache;
    }

    private static KeyValueMemory memory(int blocks) {
        return memory(config, blocks);
    }

    private static KeyValueMemory memory(ModelConfig config, int blocks) {
        return new KeyValueMemory(
                config,
                KeyValueCacheType.FLOAT32,
                blocks * KeyValueCacheType.FLOAT32.blockBytes(config));
    }
}
