package io.layerskip.sql;

import java.time.Duration;
import org.apache.flink.table.api.config.MLPredictRuntimeConfigOptions;
import org.apache.flink.table.functions.AsyncPredictFunction;
import org.apache.flink.table.functions.PredictFunction;
import org.apache.flink.table.ml.AsyncPredictRuntimeProvider;
import org.apache.flink.table.ml.ModelProvider;
import org.apache.flink.table.ml.PredictRuntimeProvider;

/** A model that a query uses; {@code ML_PREDICT} asks it for its function. */
final class LayerSkipModelProvider implements AsyncPredictRuntimeProvider, PredictRuntimeProvider {

    private final ModelSettings settings;
    private final ModelColumns columns;
    private final Duration sessionTimeout;

    /**
     * @param sessionTimeout {@code ML_PREDICT}'s timeout where its CONFIG has none
     */
    LayerSkipModelProvider(ModelSettings settings, ModelColumns columns, Duration sessionTimeout) {
        this.settings = settings;
        this.columns = columns;
        this.sessionTimeout = sessionTimeout;
    }

    @Override
    public AsyncPredictFunction createAsyncPredictFunction(Context context) {
        Duration timeout =
                context.runtimeConfig()
                        .getOptional(MLPredictRuntimeConfigOptions.ASYNC_TIMEOUT)
                        .orElse(sessionTimeout);
        return new AsyncCompletion(
                new RowCompletion(settings, columns, RowTimeout.before(timeout, requestTimeout())));
    }

    /** Nothing limits the time of a row that is waited for but the model's own setting. */
    @Override
    public PredictFunction createPredictFunction(Context context) {
        return new BlockingCompletion(new RowCompletion(settings, columns, requestTimeout()));
    }

    private RowTimeout requestTimeout() {
        return new RowTimeout(
                settings.configuration().requestTimeout(), ModelSettings.requestTimeoutName());
    }

    @Override
    public ModelProvider copy() {
        return new LayerSkipModelProvider(settings, columns, sessionTimeout);
    }
}
