package io.layerskip.sql;

import java.util.Collection;
import java.util.concurrent.CompletableFuture;
import org.apache.flink.annotation.Internal;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.functions.AsyncPredictFunction;
import org.apache.flink.table.functions.FunctionContext;

/** Completes many rows at a time: those in flight share the model's passes. */
@Internal
public final class AsyncCompletion extends AsyncPredictFunction {

    private static final long serialVersionUID = 1;

    private final RowCompletion completion;

    AsyncCompletion(RowCompletion completion) {
        this.completion = completion;
    }

    @Override
    public void open(FunctionContext context) throws Exception {
        completion.open(context);
    }

    @Override
    public CompletableFuture<Collection<RowData>> asyncPredict(RowData row) {
        return completion.complete(row);
    }

    @Override
    public void close() throws Exception {
        completion.close();
    }
}
