package io.layerskip.sql;

import io.layerskip.flink.SharedEngine;
import java.lang.reflect.Field;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.table.functions.FunctionContext;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Has something done when Flink lets go of a query's classes. A function of Flink SQL cannot ask
 * for that: what can be asked is the context that its own one wraps, in a private field.
 */
final class UserCodeRelease {

    private static final Logger LOG = LoggerFactory.getLogger(UserCodeRelease.class);

    private UserCodeRelease() {}

    /** See {@link SharedEngine#cleanUpAfter}. Never throws. */
    static void cleanUpAfter(FunctionContext context) {
        try {
            Field wrapped = FunctionContext.class.getDeclaredField("context");
            wrapped.setAccessible(true);
            if (wrapped.get(context) instanceof RuntimeContext runtime) {
                SharedEngine.cleanUpAfter(runtime);
            }
        } catch (ReflectiveOperationException | RuntimeException e) {
            LOG.warn(
                    "What ONNX Runtime leaves in this process (unpacked libraries, threads) stays"
                            + " until the process ends: {}",
                    e.toString());
        }
    }
}
