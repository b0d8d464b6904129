package io.layerskip.flink;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.core.fs.FSDataInputStream;
import org.apache.flink.core.memory.DataInputViewStreamWrapper;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.state.OperatorStateBackend;
import org.apache.flink.runtime.state.OperatorStateHandle;

/** What a checkpoint has of the operator. */
final class SavedState {

    private static final List<String> REQUESTS =
            List.of("requests-in-flight", "routed-requests-in-flight");

    private SavedState() {}

    /** The requests in flight, as they were written. */
    static List<SavedRequest> requests(OperatorSubtaskState checkpoint) throws IOException {
        SavedRequestSerializer serializer =
                new SavedRequestSerializer(CheckpointedForm.WHOLE, false);
        List<SavedRequest> requests = new ArrayList<>();
        for (String name : REQUESTS) {
            requests.addAll(read(checkpoint, name, serializer));
        }
        return requests;
    }

    /** How many requests an operator's state holds at present. */
    static int count(OperatorStateBackend state) throws Exception {
        int count = 0;
        for (String name : REQUESTS) {
            boolean routed = name.startsWith("routed");
            ListStateDescriptor<SavedRequest> descriptor =
                    new ListStateDescriptor<>(
                            name, new SavedRequestSerializer(CheckpointedForm.WHOLE, routed));
            ListState<SavedRequest> requests =
                    routed ? state.getUnionListState(descriptor) : state.getListState(descriptor);
            for (SavedRequest request : requests.get()) {
                count++;
            }
        }
        return count;
    }

    /** The elements of a list state; none if it has no such state. */
    static <T> List<T> read(
            OperatorSubtaskState checkpoint, String state, TypeSerializer<T> serializer)
            throws IOException {
        List<T> elements = new ArrayList<>();
        for (OperatorStateHandle handle : checkpoint.getManagedOperatorState()) {
            OperatorStateHandle.StateMetaInfo found =
                    handle.getStateNameToPartitionOffsets().get(state);
            if (found == null) {
                continue;
            }
            try (FSDataInputStream in = handle.openInputStream()) {
                for (long offset : found.getOffsets()) {
                    in.seek(offset);
                    elements.add(serializer.deserialize(new DataInputViewStreamWrapper(in)));
                }
            }
        }
        return elements;
    }
}
