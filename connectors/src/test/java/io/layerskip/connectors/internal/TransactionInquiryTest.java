package io.layerskip.connectors.internal;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.OptionalLong;
import java.util.Set;
import org.apache.flink.connector.kafka.sink.KafkaCommittable;
import org.apache.kafka.clients.admin.TransactionDescription;
import org.apache.kafka.clients.admin.TransactionState;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a description of an id's last transaction says; the rest is tested with a broker. */
class TransactionInquiryTest {

    private static final long PRODUCER_ID = 7;

    @ParameterizedTest
    @CsvSource({
        // A commit leaves the epoch as it is in version 1 of transactions, and raises it in 2.
        "3,     CompleteCommit, 7, 3, true",
        "3,     CompleteCommit, 7, 4, true",
        "3,     PrepareCommit,  7, 4, true",
        "3,     CompleteAbort,  7, 4, false",
        "3,     PrepareAbort,   7, 4, false",
        "3,     Ongoing,        7, 5, false",
        "3,     Empty,          7, 5, false",
        // A later one under the same id.
        "3,     CompleteCommit, 7, 5, false",
        "3,     CompleteCommit, 8, 0, false",
        // The highest epoch is followed by the first one of another producer id.
        "32766, CompleteCommit, 8, 0, true",
        "32766, CompleteAbort,  8, 0, false",
        "32766, CompleteCommit, 8, 1, false",
    })
    void aTransactionIsCommittedIfTheLastOneOfItsIdIsAndIsTheSame(
            short epoch, String state, long lastProducerId, int lastEpoch, boolean isCommitted) {
        KafkaCommittable transaction = new KafkaCommittable(PRODUCER_ID, epoch, "id", null);
        TransactionDescription last =
                new TransactionDescription(
                        1,
                        TransactionState.parse(state),
                        lastProducerId,
                        lastEpoch,
                        1_000,
                        OptionalLong.empty(),
                        Set.of());

        assertThat(TransactionInquiry.isCommitted(transaction, last)).isEqualTo(isCommitted);
    }
}
