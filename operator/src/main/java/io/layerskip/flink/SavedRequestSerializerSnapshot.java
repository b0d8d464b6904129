package io.layerskip.flink;

import java.io.IOException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.TypeSerializerSchemaCompatibility;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * What a checkpoint says of a {@link SavedRequestSerializer}: whether the requests are routed
 * (boolean). CBOR carries the names of the components itself.
 *
 * <p>Public, with a public constructor, because Flink makes it by reflection.
 */
@Internal
public final class SavedRequestSerializerSnapshot implements TypeSerializerSnapshot<SavedRequest> {

    private static final int VERSION = 1;

    private boolean routed;

    /** For Flink, which calls {@link #readSnapshot} next. */
    public SavedRequestSerializerSnapshot() {}

    SavedRequestSerializerSnapshot(boolean routed) {
        this.routed = routed;
    }

    @Override
    public int getCurrentVersion() {
        return VERSION;
    }

    @Override
    public void writeSnapshot(DataOutputView out) throws IOException {
        out.writeBoolean(routed);
    }

    @Override
    public void readSnapshot(int version, DataInputView in, ClassLoader loader) throws IOException {
        if (version != VERSION) {
            throw new IOException(
                    "serializer snapshot of version " + version + "; readable: " + VERSION);
        }
        routed = in.readBoolean();
    }

    @Override
    public TypeSerializer<SavedRequest> restoreSerializer() {
        return new SavedRequestSerializer(CheckpointedForm.WHOLE, routed);
    }

    @Override
    public TypeSerializerSchemaCompatibility<SavedRequest> resolveSchemaCompatibility(
            TypeSerializerSnapshot<SavedRequest> written) {
        return written instanceof SavedRequestSerializerSnapshot that && routed == that.routed
                ? TypeSerializerSchemaCompatibility.compatibleAsIs()
                : TypeSerializerSchemaCompatibility.incompatible();
    }
}
