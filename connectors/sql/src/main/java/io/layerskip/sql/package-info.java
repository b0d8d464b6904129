/**
 * The engine as a model of Flink SQL: what stands in {@code CREATE MODEL ... WITH ('provider' =
 * 'layerskip')}, and what {@code ML_PREDICT} calls.
 *
 * <pre>
 *  CREATE MODEL ... WITH (...)
 *     |  LayerSkipModelProviderFactory        checked when a query is planned:
 *     |                                       ModelSettings, ModelColumns
 *     v
 *  LayerSkipModelProvider
 *     |  ML_PREDICT                           one function a subtask
 *     v
 *  AsyncCompletion or BlockingCompletion ---&gt; RowCompletion: row -&gt; prompt -&gt; result -&gt; row
 *                                                |
 *                                                v
 *                                             SharedEngine: one a TaskManager and configuration
 * </pre>
 *
 * <p>A row in flight is Flink's to keep: {@code ML_PREDICT} gives a function no state, so after a
 * failure such rows are computed again from their beginning, with the same text.
 */
package io.layerskip.sql;
