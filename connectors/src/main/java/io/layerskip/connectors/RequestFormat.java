package io.layerskip.connectors;

import io.layerskip.engine.GenerationRequest;
import java.io.Serializable;
import org.apache.flink.annotation.PublicEvolving;

/** Makes a request of a Kafka record. Thread-safe. */
@PublicEvolving
public interface RequestFormat extends Serializable {

    /**
     * Reads the request in a Kafka record; its id is the record's position if it has none.
     *
     * @throws InvalidRequestException if the record is none, with what was found and what is
     *     allowed
     */
    GenerationRequest parse(SourceRecord source) throws InvalidRequestException;
}
