package io.layerskip.connectors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.layerskip.connectors.ReplayedLetters.Kind;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.junit.jupiter.api.Test;

class ReplayedLettersTest {

    private static final Kind TIMEOUT = new Kind("prompts", "TIMEOUT", 0);
    private static final Kind OTHER_REASON = new Kind("prompts", "INTERNAL_ERROR", 0);
    private static final Kind OTHER_TRIES = new Kind("prompts", "TIMEOUT", 1);
    private static final Kind OTHER_TOPIC = new Kind("others", "TIMEOUT", 0);

    @Test
    void aReasonIsOneRangeHoweverManyOthersLieBetween() {
        ReplayedLetters replayed = ReplayedLetters.none(5);
        for (int offset = 0; offset < 100_000; offset++) {
            replayed.pass(offset % 3 == 0 ? TIMEOUT : OTHER_REASON, offset, offset % 3 == 0);
        }

        OffsetAndMetadata committed = replayed.toCommit(100_000);

        assertThat(committed.offset()).isEqualTo(100_000);
        assertThat(committed.metadata())
                .isEqualTo(
                        "layerskip-replay {\"since\":5,\"before\":0,\"letters\":{\"prompts\":"
                                + "{\"TIMEOUT\":{\"0\":[0,99999]}}}}");
    }

    @Test
    void isTheSameAfterItWasCommitted() {
        ReplayedLetters replayed = ReplayedLetters.none(5);
        replayed.pass(TIMEOUT, 3, true);
        replayed.pass(TIMEOUT, 5, false);
        replayed.pass(TIMEOUT, 8, true);
        replayed.pass(OTHER_TRIES, 9, true);
        replayed.pass(OTHER_TOPIC, 10, true);

        ReplayedLetters read = ReplayedLetters.of(replayed.toCommit(11));

        assertThat(read.rememberedSince()).isEqualTo(5);
        assertThat(read.contains(TIMEOUT, 3)).isTrue();
        assertThat(read.contains(TIMEOUT, 5)).isFalse();
        assertThat(read.contains(TIMEOUT, 8)).isTrue();
        assertThat(read.contains(TIMEOUT, 9)).isFalse();
        assertThat(read.contains(OTHER_TRIES, 9)).isTrue();
        assertThat(read.contains(OTHER_TOPIC, 10)).isTrue();
        assertThat(read.contains(OTHER_REASON, 3)).isFalse();
    }

    @Test
    void aGapThatIsPutBackLaterJoinsWhatIsAroundIt() {
        ReplayedLetters first = ReplayedLetters.none(5);
        first.pass(TIMEOUT, 3, true);
        first.pass(TIMEOUT, 5, false);
        first.pass(TIMEOUT, 8, true);

        ReplayedLetters second = ReplayedLetters.of(first.toCommit(9));
        second.pass(TIMEOUT, 3, true);
        second.pass(TIMEOUT, 5, true);
        second.pass(TIMEOUT, 8, true);

        assertThat(second.toCommit(9).metadata()).contains("{\"0\":[3,8]}");
    }

    @Test
    void whatAToolHasCommittedSaysThatAllBeforeIsDone() {
        ReplayedLetters replayed = ReplayedLetters.of(new OffsetAndMetadata(7));

        assertThat(replayed.before()).isEqualTo(7);
        assertThat(replayed.rememberedSince()).isZero();
        assertThat(replayed.contains(TIMEOUT, 6)).isTrue();
        assertThat(replayed.contains(TIMEOUT, 7)).isFalse();
        assertThat(ReplayedLetters.of(replayed.toCommit(9)).before()).isEqualTo(7);
    }

    @Test
    void lettersThatAreGoneAreForgotten() {
        ReplayedLetters replayed = ReplayedLetters.none(5);
        replayed.pass(TIMEOUT, 3, true);
        replayed.pass(OTHER_REASON, 9, true);
        replayed.forgetBefore(5);

        assertThat(replayed.toCommit(10).metadata())
                .doesNotContain("TIMEOUT")
                .contains("INTERNAL_ERROR");
    }

    @Test
    void damagedMemoryIsRefused() {
        assertThatThrownBy(
                        () -> ReplayedLetters.of(new OffsetAndMetadata(7, "layerskip-replay {\"b")))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
