package io.layerskip.flink;

import java.util.Objects;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.serialization.SerializerConfig;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeutils.TypeSerializer;

/**
 * Flink's view of an immutable record: one value, written as CBOR by {@link CborCodec}, on the wire
 * and in checkpoints. A checkpoint can be restored after the record gained or lost components.
 *
 * <pre>{@code
 * stream.map(...).returns(CborTypeInformation.forRecord(GenerationResult.class));
 * }</pre>
 *
 * @param <T> the record
 */
@PublicEvolving
public final class CborTypeInformation<T extends Record> extends TypeInformation<T> {

    private static final long serialVersionUID = 1;

    private final Class<T> type;

    private CborTypeInformation(Class<T> type) {
        this.type = Objects.requireNonNull(type, "type");
    }

    /** The type information of a record whose components are immutable, or treated so. */
    public static <T extends Record> CborTypeInformation<T> forRecord(Class<T> type) {
        return new CborTypeInformation<>(type);
    }

    @Override
    public Class<T> getTypeClass() {
        return type;
    }

    @Override
    public TypeSerializer<T> createSerializer(SerializerConfig config) {
        return new CborSerializer<>(type);
    }

    @Override
    public boolean isBasicType() {
        return false;
    }

    @Override
    public boolean isTupleType() {
        return false;
    }

    @Override
    public int getArity() {
        return 1;
    }

    @Override
    public int getTotalFields() {
        return 1;
    }

    @Override
    public boolean isKeyType() {
        return false;
    }

    @Override
    public String toString() {
        return "Cbor<" + type.getName() + ">";
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof CborTypeInformation<?> that && type == that.type;
    }

    @Override
    public int hashCode() {
        return type.hashCode();
    }

    @Override
    public boolean canEqual(Object other) {
        return other instanceof CborTypeInformation;
    }
}
