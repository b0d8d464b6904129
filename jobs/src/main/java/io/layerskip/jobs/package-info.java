/**
 * The job and what it takes to submit it.
 *
 * <pre>
 *   flink run flink-layerskip-job.jar ...    java -jar flink-layerskip.jar run ...
 *                     |                                     |
 *               GenerationJob.main                      io.layerskip.cli
 *                     +---------- OptionArguments ----------+
 *                                       |
 *   prompts ---&gt; parse ---&gt; LayerSkipAsyncFunction ---&gt; format ---+---&gt; one transaction:
 *                  +-------------- dead letters ------------------+     completions, dead letters
 * </pre>
 */
package io.layerskip.jobs;
