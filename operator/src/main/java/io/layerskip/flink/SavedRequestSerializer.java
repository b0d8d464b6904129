package io.layerskip.flink;

import java.io.IOException;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * Writes requests in flight in their {@link CheckpointedForm}, as CBOR. It makes that form of one
 * after the other while a checkpoint is written, so that a checkpoint needs no copies on the heap.
 *
 * <p>Of routed ones, it reads only those for the subtask that is being restored, see {@link
 * RestoringThread}.
 */
final class SavedRequestSerializer extends TypeSerializer<SavedRequest> {

    private static final long serialVersionUID = 1;

    private final CborSerializer<SavedRequest> cbor = new CborSerializer<>(SavedRequest.class);
    private final CheckpointedForm form;
    private final boolean routed;

    /**
     * @param form for writing; what is read is returned in the form that it was written in
     * @param routed whether every subtask reads what all of them have written
     */
    SavedRequestSerializer(CheckpointedForm form, boolean routed) {
        this.form = form;
        this.routed = routed;
    }

    @Override
    public boolean isImmutableType() {
        return true;
    }

    @Override
    public TypeSerializer<SavedRequest> duplicate() {
        return this;
    }

    @Override
    public SavedRequest createInstance() {
        return SavedRequest.ELSEWHERE;
    }

    @Override
    public SavedRequest copy(SavedRequest from) {
        return from;
    }

    @Override
    public SavedRequest copy(SavedRequest from, SavedRequest reuse) {
        return from;
    }

    @Override
    public int getLength() {
        return -1;
    }

    @Override
    public void serialize(SavedRequest saved, DataOutputView target) throws IOException {
        cbor.serialize(saved.in(form), target);
    }

    @Override
    public SavedRequest deserialize(DataInputView source) throws IOException {
        SavedRequest saved = cbor.deserialize(source);
        return routed && RestoringThread.leavesToOthers(saved.request())
                ? SavedRequest.ELSEWHERE
                : saved;
    }

    @Override
    public SavedRequest deserialize(SavedRequest reuse, DataInputView source) throws IOException {
        return deserialize(source);
    }

    @Override
    public void copy(DataInputView source, DataOutputView target) throws IOException {
        cbor.copy(source, target);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof SavedRequestSerializer that && routed == that.routed;
    }

    @Override
    public int hashCode() {
        return Boolean.hashCode(routed);
    }

    @Override
    public TypeSerializerSnapshot<SavedRequest> snapshotConfiguration() {
        return new SavedRequestSerializerSnapshot(routed);
    }
}
