package io.layerskip.flink;

import com.fasterxml.jackson.annotation.JsonSetter;
import com.fasterxml.jackson.annotation.Nulls;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import com.fasterxml.jackson.dataformat.cbor.CBORFactory;
import com.fasterxml.jackson.dataformat.cbor.databind.CBORMapper;
import com.fasterxml.jackson.datatype.jdk8.Jdk8Module;
import java.io.IOException;
import java.io.Serializable;
import java.util.List;
import java.util.Map;
import org.apache.flink.annotation.PublicEvolving;

/**
 * Writes a record as a CBOR map of its components' names (RFC 8949) and reads it back.
 *
 * <p>A record may gain and lose components between two versions of a job: an unknown name is
 * skipped; a missing one reads as 0, false, an empty Optional, list or map. Byte arrays take their
 * length and a few bytes, so that a Kafka value travels at its own size.
 *
 * <p>Thread-safe.
 *
 * @param <T> the record
 */
@PublicEvolving
public final class CborCodec<T extends Record> implements Serializable {

    private static final long serialVersionUID = 1;

    private final Class<T> type;
    private final transient ObjectReader reader;
    private final transient ObjectWriter writer;

    private CborCodec(Class<T> type) {
        this.type = type;
        CBORMapper mapper = newMapper();
        this.reader = mapper.readerFor(type);
        this.writer = mapper.writerFor(type);
    }

    /** The codec of a record whose components Jackson can read and write. */
    public static <T extends Record> CborCodec<T> of(Class<T> type) {
        return new CborCodec<>(type);
    }

    private static CBORMapper newMapper() {
        // What is read here was written here: texts are as long as the requests that were let in.
        StreamReadConstraints constraints =
                StreamReadConstraints.builder().maxStringLength(Integer.MAX_VALUE).build();
        CBORMapper mapper =
                CBORMapper.builder(CBORFactory.builder().streamReadConstraints(constraints).build())
                        .addModule(new Jdk8Module())
                        .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
                        .build();
        for (Class<?> collection : List.of(List.class, Map.class)) {
            mapper.configOverride(collection)
                    .setSetterInfo(JsonSetter.Value.forValueNulls(Nulls.AS_EMPTY));
        }
        return mapper;
    }

    /** The record that this codec is for. */
    public Class<T> type() {
        return type;
    }

    /**
     * The record as CBOR.
     *
     * @throws IOException if a component cannot be written, for example a text with half a
     *     surrogate pair
     */
    public byte[] encode(T value) throws IOException {
        return writer.writeValueAsBytes(value);
    }

    /**
     * The record that {@link #encode} wrote, perhaps by an older or newer version of its class.
     *
     * @throws IOException if the bytes are no such record
     */
    public T decode(byte[] cbor) throws IOException {
        return reader.readValue(cbor);
    }

    /** Jackson's readers and writers do not travel: they are built again where this arrives. */
    private Object readResolve() {
        return new CborCodec<>(type);
    }
}
