/**
 * The engine as a Flink function.
 *
 * <p>A subtask holds one model; those of a process share its weights. The operator, which is
 * Flink's for asynchronous functions and more, keeps what is in flight within bounds of number and
 * memory, snapshots it with every checkpoint and submits it again after a restart; the engine has a
 * thread of its own and hands results back to the task's mailbox.
 *
 * <pre>
 *                    task thread                            engine's thread
 *   GenerationRequest ---&gt; LayerSkipAsyncFunction --submit--&gt; GenerationEngine
 *                            in flight, timeouts                 draft, verify, accept
 *   GenerationResult  &lt;--- mailbox of the operator &lt;--complete-- result or failure
 * </pre>
 *
 * <p>{@code RequestNotes} keeps in a local folder what is under way, so that a request that takes
 * its process with it is not tried for ever.
 *
 * <p>Where Flink gives a function neither state nor the mailbox, as in Flink SQL, {@link
 * io.layerskip.flink.SharedEngine} is one engine for all subtasks in a process.
 *
 * <p>{@link io.layerskip.flink.LayerSkipOptions} lists what can be set, {@link
 * io.layerskip.flink.LayerSkipConfiguration} checks it before the job starts. Nothing here knows
 * where requests come from.
 */
package io.layerskip.flink;
