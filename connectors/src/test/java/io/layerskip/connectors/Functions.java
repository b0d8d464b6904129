package io.layerskip.connectors;

import io.layerskip.engine.GenerationResult;
import org.apache.flink.streaming.api.operators.StreamMap;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;

/** Functions as an operator opens them. */
final class Functions {

    private Functions() {}

    /** The operator of an opened function; the caller may snapshot and close it. */
    static OneInputStreamOperatorTestHarness<GenerationResult, OutgoingRecord> open(
            FormatResults format) throws Exception {
        OneInputStreamOperatorTestHarness<GenerationResult, OutgoingRecord> operator =
                new OneInputStreamOperatorTestHarness<>(new StreamMap<>(format));
        operator.open();
        return operator;
    }
}
