package io.layerskip.sql;

import io.layerskip.engine.GenerationFailure;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.engine.GenerationRequest;
import io.layerskip.engine.GenerationResult;
import io.layerskip.flink.SharedEngine;
import io.layerskip.model.Sha256;
import java.io.IOException;
import java.io.Serializable;
import java.time.Instant;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.table.api.TableException;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.functions.FunctionContext;
import org.apache.flink.util.IOUtils;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Completes the prompts of rows, as a model says that they should be. */
final class RowCompletion implements Serializable, AutoCloseable {

    private static final long serialVersionUID = 1;

    private static final Logger LOG = LoggerFactory.getLogger(RowCompletion.class);

    private final ModelSettings settings;
    private final ModelColumns columns;
    private final RowTimeout timeout;

    private transient GenerationParameters parameters;
    private transient SharedEngine engine;
    private transient Optional<PromptLimit> limit;

    RowCompletion(ModelSettings settings, ModelColumns columns, RowTimeout timeout) {
        this.settings = settings;
        this.columns = columns;
        this.timeout = timeout;
    }

    /**
     * Loads the model, or waits while another subtask in this process does; takes seconds, and
     * minutes for a large one.
     *
     * @throws IOException if the checkpoint is missing or cannot be served
     * @throws ValidationException if the model has no such layer to exit after, or renders no chats
     *     and rows are chats
     */
    void open(FunctionContext context) throws IOException {
        UserCodeRelease.cleanUpAfter(context);
        parameters = settings.parameters(columns.takeConfidence());
        engine = openEngine(context);
        limit =
                settings.maxContextSize()
                        .map(
                                size ->
                                        new PromptLimit(
                                                engine.checkpoint().tokenizer(),
                                                size,
                                                settings.contextOverflowAction()));
    }

    private SharedEngine openEngine(FunctionContext context) throws IOException {
        try {
            settings.checkChats(context.getUserCodeClassLoader());
            return SharedEngine.open(
                    settings.configuration(),
                    context.getUserCodeClassLoader(),
                    context.getMetricGroup());
        } catch (IllegalConfigurationException e) {
            // Found out here if the model could not be read where the query was planned.
            throw new ValidationException(LayerSkipModelOptions.named(e.getMessage()), e);
        }
    }

    /**
     * Completes a row; never waits for its text.
     *
     * @param row one string, the prompt
     * @return one row, or none if this one is to be left out; exceptionally if it fails the job
     */
    CompletableFuture<Collection<RowData>> complete(RowData row) {
        if (row.isNullAt(0)) {
            return CompletableFuture.completedFuture(List.of(columns.nothing()));
        }
        String prompt = row.getString(0).toString();
        Optional<String> fitting = limit.map(l -> l.apply(prompt)).orElse(Optional.of(prompt));
        if (fitting.isEmpty()) {
            return CompletableFuture.completedFuture(List.of());
        }
        // A seed that is not given follows from the id, which thus follows from the prompt alone.
        String id = new Sha256().update(fitting.get()).hex();
        return engine.generate(request(id, fitting.get()), timeout.after(), timeout.setting())
                .thenApply(this::rows);
    }

    private GenerationRequest request(String id, String prompt) {
        return settings.chat(prompt, Instant.now())
                .map(chat -> GenerationRequest.ofChat(id, chat, parameters, new byte[0]))
                .orElseGet(() -> new GenerationRequest(id, prompt, parameters));
    }

    private Collection<RowData> rows(GenerationResult result) {
        Optional<String> reason =
                result.failure().map(RowCompletion::reason).or(() -> unusable(result));
        if (reason.isEmpty()) {
            return List.of(columns.completion(result));
        }
        if (columns.takeErrors()) {
            return List.of(columns.failure(reason.get()));
        }
        return switch (settings.errorHandlingStrategy()) {
            case FAILOVER ->
                    throw new TableException(
                            "A prompt has no completion: %s. With an output column error STRING, or with '%s' = '%s', the job would go on."
                                    .formatted(
                                            reason.get(),
                                            LayerSkipModelOptions.ERROR_HANDLING_STRATEGY.key(),
                                            ErrorHandlingStrategy.IGNORE));
            case IGNORE -> {
                LOG.warn("Left out a row whose prompt has no completion: {}", reason.get());
                yield List.of();
            }
        };
    }

    private Optional<String> unusable(GenerationResult result) {
        return settings.responseFormat()
                .refusal(result.text())
                .map(refusal -> "UNUSABLE_COMPLETION: " + refusal);
    }

    private static String reason(GenerationFailure failure) {
        return LayerSkipModelOptions.named(failure.kind() + ": " + failure.message());
    }

    /** Ends what is under way; also after an open that failed. Idempotent. */
    @Override
    public void close() {
        IOUtils.closeQuietly(engine);
    }
}
