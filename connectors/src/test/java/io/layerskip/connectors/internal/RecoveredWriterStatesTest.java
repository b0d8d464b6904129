package io.layerskip.connectors.internal;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.apache.flink.connector.kafka.sink.KafkaWriterState;
import org.apache.flink.connector.kafka.sink.internal.CheckpointTransaction;
import org.apache.flink.connector.kafka.sink.internal.TransactionOwnership;
import org.junit.jupiter.api.Test;

class RecoveredWriterStatesTest {

    private static final CheckpointTransaction OWN = new CheckpointTransaction("p-0-0", 7);
    private static final CheckpointTransaction EARLIER_USE = new CheckpointTransaction("p-1-2", 6);
    private static final CheckpointTransaction LATER_USE = new CheckpointTransaction("p-1-2", 11);

    @Test
    void anIdThatWasUsedAgainIsKeptOnce() {
        assertThat(
                        RecoveredWriterStates.withLatestUses(
                                List.of(state(0, OWN, EARLIER_USE), state(1, LATER_USE))))
                .containsExactly(state(0, OWN), state(1, LATER_USE));
    }

    @Test
    void itDoesNotMatterWhichStateComesFirst() {
        assertThat(
                        RecoveredWriterStates.withLatestUses(
                                List.of(state(1, LATER_USE), state(0, EARLIER_USE))))
                .containsExactly(state(1, LATER_USE), state(0));
    }

    @Test
    void statesWithoutRepeatsStayAsTheyAre() {
        List<KafkaWriterState> states = List.of(state(0, OWN), state(1, LATER_USE), state(2));

        assertThat(RecoveredWriterStates.withLatestUses(states)).isEqualTo(states);
    }

    private static KafkaWriterState state(int subtask, CheckpointTransaction... uncommitted) {
        return new KafkaWriterState(
                "p",
                subtask,
                3,
                TransactionOwnership.EXPLICIT_BY_WRITER_STATE,
                List.of(uncommitted));
    }
}
