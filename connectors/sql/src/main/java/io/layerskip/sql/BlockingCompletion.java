package io.layerskip.sql;

import io.layerskip.engine.EngineFailedException;
import java.util.Collection;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.functions.FunctionContext;
import org.apache.flink.table.functions.PredictFunction;

/** Completes one row after the other, for {@code 'async' = 'false'}. */
@Internal
public final class BlockingCompletion extends PredictFunction {

    private static final long serialVersionUID = 1;

    private final RowCompletion completion;

    BlockingCompletion(RowCompletion completion) {
        this.completion = completion;
    }

    @Override
    public void open(FunctionContext context) throws Exception {
        completion.open(context);
    }

    /**
     * @throws CompletionException if the row fails the job
     * @throws EngineFailedException if the task is cancelled meanwhile
     */
    @Override
    public Collection<RowData> predict(RowData row) {
        try {
            return completion.complete(row).get();
        } catch (ExecutionException e) {
            throw new CompletionException(e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new EngineFailedException("interrupted while a row is completed", e);
        }
    }

    @Override
    public void close() throws Exception {
        completion.close();
    }
}
