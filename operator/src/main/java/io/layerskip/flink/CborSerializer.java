package io.layerskip.flink;

import java.io.EOFException;
import java.io.IOException;
import java.io.StreamCorruptedException;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.api.java.typeutils.runtime.DataInputViewStream;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * A record as its length in bytes (int, big-endian) and its CBOR.
 *
 * @param <T> the record
 */
final class CborSerializer<T extends Record> extends TypeSerializer<T> {

    private static final long serialVersionUID = 1;

    private final CborCodec<T> codec;

    CborSerializer(Class<T> type) {
        this.codec = CborCodec.of(type);
    }

    @Override
    public boolean isImmutableType() {
        return true;
    }

    @Override
    public TypeSerializer<T> duplicate() {
        return this;
    }

    /** Flink asks only where it reuses objects, and immutable ones are never reused. */
    @Override
    public T createInstance() {
        return null;
    }

    @Override
    public T copy(T from) {
        return from;
    }

    @Override
    public T copy(T from, T reuse) {
        return from;
    }

    @Override
    public int getLength() {
        return -1;
    }

    @Override
    public void serialize(T record, DataOutputView target) throws IOException {
        byte[] cbor = codec.encode(record);
        target.writeInt(cbor.length);
        target.write(cbor);
    }

    @Override
    public T deserialize(DataInputView source) throws IOException {
        return codec.decode(readCbor(source));
    }

    @Override
    public T deserialize(T reuse, DataInputView source) throws IOException {
        return deserialize(source);
    }

    @Override
    public void copy(DataInputView source, DataOutputView target) throws IOException {
        byte[] cbor = readCbor(source);
        target.writeInt(cbor.length);
        target.write(cbor);
    }

    private byte[] readCbor(DataInputView source) throws IOException {
        int length = source.readInt();
        if (length < 0) {
            throw new StreamCorruptedException(
                    codec.type().getName() + ": found a length of " + length + " bytes");
        }
        // Reads piecewise: a corrupt length ends at the end of the data, not in an OutOfMemoryError
        byte[] cbor = new DataInputViewStream(source).readNBytes(length);
        if (cbor.length < length) {
            throw new EOFException(
                    "%s: expected %d bytes, found %d"
                            .formatted(codec.type().getName(), length, cbor.length));
        }
        return cbor;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof CborSerializer<?> that && codec.type() == that.codec.type();
    }

    @Override
    public int hashCode() {
        return codec.type().hashCode();
    }

    @Override
    public TypeSerializerSnapshot<T> snapshotConfiguration() {
        return new CborSerializerSnapshot<>(codec.type());
    }
}
