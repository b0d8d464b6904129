package io.layerskip.flink;

import java.io.IOException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.TypeSerializerSchemaCompatibility;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * What a checkpoint says of a {@link CborSerializer}: the record's class name. CBOR carries the
 * names of the components itself, so every version of that class can read what another one wrote.
 *
 * <p>Public, with a public constructor, because Flink makes it by reflection.
 *
 * @param <T> the record
 */
@Internal
public final class CborSerializerSnapshot<T extends Record> implements TypeSerializerSnapshot<T> {

    private static final int VERSION = 1;

    private Class<T> type;

    /** For Flink, which calls {@link #readSnapshot} next. */
    public CborSerializerSnapshot() {}

    CborSerializerSnapshot(Class<T> type) {
        this.type = type;
    }

    @Override
    public int getCurrentVersion() {
        return VERSION;
    }

    @Override
    public void writeSnapshot(DataOutputView out) throws IOException {
        out.writeUTF(type.getName());
    }

    @Override
    public void readSnapshot(int version, DataInputView in, ClassLoader loader) throws IOException {
        if (version != VERSION) {
            throw new IOException(
                    "serializer snapshot of version " + version + "; readable: " + VERSION);
        }
        String name = in.readUTF();
        try {
            @SuppressWarnings("unchecked") // resolveSchemaCompatibility compares the classes
            Class<T> found = (Class<T>) Class.forName(name, false, loader).asSubclass(Record.class);
            type = found;
        } catch (ClassNotFoundException | ClassCastException e) {
            throw new IOException("the checkpoint names " + name + ", which is no record here", e);
        }
    }

    @Override
    public TypeSerializer<T> restoreSerializer() {
        return new CborSerializer<>(type);
    }

    @Override
    public TypeSerializerSchemaCompatibility<T> resolveSchemaCompatibility(
            TypeSerializerSnapshot<T> written) {
        return written instanceof CborSerializerSnapshot<T> that && type == that.type
                ? TypeSerializerSchemaCompatibility.compatibleAsIs()
                : TypeSerializerSchemaCompatibility.incompatible();
    }
}
