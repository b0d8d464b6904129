package io.layerskip.connectors;

import io.layerskip.connectors.internal.PartitionOwner;
import io.layerskip.engine.GenerationRequest;
import org.apache.flink.api.common.functions.Partitioner;

/** Sends a request to the subtask that reads its partition from a routed source. */
final class KafkaRouting implements Partitioner<GenerationRequest> {

    private static final long serialVersionUID = 1;

    /**
     * @throws IllegalArgumentException if the request came from no Kafka record
     */
    @Override
    public int partition(GenerationRequest request, int subtasks) {
        SourceRecord source = RequestContext.of(request).requireSource(request.id());
        return PartitionOwner.subtask(source.topic(), source.partition(), subtasks);
    }
}
