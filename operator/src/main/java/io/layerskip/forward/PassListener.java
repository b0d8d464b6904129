package io.layerskip.forward;

import org.apache.flink.annotation.Internal;

/** Told of every pass of a model as it ends. */
@Internal
@FunctionalInterface
public interface PassListener {

    /**
     * @param pass the segment, {@link LayerSkipModel#segments()} for the head, or one more for the
     *     draft head
     * @param rows that it took
     * @param nanos how long that took, in ns
     */
    void passed(int pass, int rows, long nanos);
}
