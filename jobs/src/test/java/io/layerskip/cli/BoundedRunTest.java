package io.layerskip.cli;

import static org.assertj.core.api.Assertions.assertThatCode;

import java.util.concurrent.TimeUnit;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.junit.jupiter.api.Test;

class BoundedRunTest {

    /** Flink closes a job's cluster a moment before it says that the job has ended. */
    @Test
    void looksAtAJobWhoseClusterIsGone() throws Exception {
        StreamExecutionEnvironment environment =
                StreamExecutionEnvironment.createLocalEnvironment(1);
        environment.fromSequence(1, 10).sinkTo(new DiscardingSink<>());
        JobClient job = environment.executeAsync();

        while (!job.getJobExecutionResult().isDone()) {
            assertThatCode(() -> BoundedRun.accumulators(job)).doesNotThrowAnyException();
            TimeUnit.MILLISECONDS.sleep(1);
        }
    }
}
