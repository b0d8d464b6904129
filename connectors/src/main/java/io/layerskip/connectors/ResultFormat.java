package io.layerskip.connectors;

import io.layerskip.engine.GenerationResult;
import java.io.Serializable;

/** Makes the value of an outgoing record of a completion. Thread-safe. */
interface ResultFormat extends Serializable {

    /**
     * @param result of a request that did not fail
     * @param context what its request left for it
     * @return the record's value, in UTF-8
     * @throws UnusableCompletionException if the text is not what the format needs
     */
    byte[] format(GenerationResult result, RequestContext context)
            throws UnusableCompletionException;
}
