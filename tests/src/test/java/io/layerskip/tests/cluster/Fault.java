package io.layerskip.tests.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import io.layerskip.tests.BundledModel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.random.RandomGenerator;

/** What can go wrong with a job that runs, and what an operator does to one. */
enum Fault {
    TASK_MANAGER_KILLED {
        @Override
        void happen(RunningJob job, RandomGenerator random) throws Exception {
            job.cluster().replaceTaskManager(random.nextInt(FlinkCluster.TASK_MANAGERS));
        }
    },

    LEADING_JOB_MANAGER_KILLED {
        @Override
        void happen(RunningJob job, RandomGenerator random) throws Exception {
            job.cluster().replaceLeadingJobManager();
        }
    },

    BROKER_KILLED {
        @Override
        void happen(RunningJob job, RandomGenerator random) throws Exception {
            job.broker().kill();
            Thread.sleep(BROKER_DOWN.toMillis());
            job.broker().restart();
        }
    },

    /** It comes back when nobody counts on it any more, and goes on with what it was doing. */
    TASK_MANAGER_STOPPED_PAST_ITS_HEARTBEAT {
        @Override
        void happen(RunningJob job, RandomGenerator random) throws Exception {
            JvmProcess stopped =
                    job.cluster().taskManager(random.nextInt(FlinkCluster.TASK_MANAGERS));
            stopped.signal("STOP");
            Thread.sleep(SILENCE.toMillis());
            stopped.signal("CONT");
        }
    },

    /** A file stands where the folder was, so that nobody, root included, can write into it. */
    CHECKPOINTS_REFUSED {
        @Override
        void happen(RunningJob job, RandomGenerator random) throws Exception {
            Path folder = job.cluster().checkpoints(job.id());
            Path aside = folder.resolveSibling(folder.getFileName() + ".aside");
            Files.move(folder, aside);
            Files.createFile(folder);
            Thread.sleep(REFUSAL.toMillis());
            Files.delete(folder);
            Files.move(aside, folder);
        }
    },

    /**
     * The JobManagers' disk is full: a checkpoint fails when every task has done its part, and the
     * transactions that wait for it would be aborted before the disk has room again.
     */
    CHECKPOINTS_FAIL_LONGER_THAN_A_TRANSACTION_MAY_STAY_OPEN {
        @Override
        void happen(RunningJob job, RandomGenerator random) throws Exception {
            FlinkCluster cluster = job.cluster();
            job.restart(cluster.stop(job.id()), job.parallelism(), SHORT_TRANSACTIONS);
            awaitCheckpoint(job);
            cluster.forbidJobManagersToWrite();
            Thread.sleep(PAST_THE_TRANSACTION_TIMEOUT.toMillis());
            cluster.allowJobManagersToWrite();
            awaitCheckpoint(job);
            job.restart(cluster.stop(job.id()), job.parallelism());
        }
    },

    /**
     * A TaskManager stands still for longer than a checkpoint may take, and no longer than it may
     * itself.
     */
    CHECKPOINTS_TIME_OUT {
        @Override
        void happen(RunningJob job, RandomGenerator random) throws Exception {
            FlinkCluster cluster = job.cluster();
            job.restart(cluster.stop(job.id()), job.parallelism(), SHORT_CHECKPOINTS);
            awaitCheckpoint(job);
            int failed = cluster.checkpointsOf(job.id()).failed();
            for (int i = 0; i < FlinkCluster.TASK_MANAGERS; i++) {
                JvmProcess process = cluster.taskManager(i);
                process.signal("STOP");
                Thread.sleep(PAST_THE_CHECKPOINT_TIMEOUT.toMillis());
                process.signal("CONT");
            }
            assertThat(cluster.checkpointsOf(job.id()).failed()).isGreaterThan(failed);
            awaitCheckpoint(job);
            job.restart(cluster.stop(job.id()), job.parallelism());
        }
    },

    /** The job finds it by itself, and what stands in it is answered like the rest. */
    PARTITION_ADDED {
        @Override
        void happen(RunningJob job, RandomGenerator random) throws Exception {
            job.broker().addPartition(Traffic.PROMPTS);
            job.traffic().usePartitionAdded();
        }
    },

    /** Another model to the job, which writes the same: what is in flight starts over, twice. */
    MODEL_CHANGED {
        @Override
        void happen(RunningJob job, RandomGenerator random) throws Exception {
            job.restart(
                    job.cluster().stop(job.id()),
                    job.parallelism(),
                    List.of("-Dlayerskip.model.path=" + otherModel()));
            job.cluster().awaitRunning(job.id());
            assertThat(job.traffic().awaitNumber(job.traffic().sent(), ANSWERED)).isTrue();
            job.restart(job.cluster().stop(job.id()), job.parallelism());
        }
    },

    CANCELED_WITH_SAVEPOINT {
        @Override
        void happen(RunningJob job, RandomGenerator random) throws Exception {
            job.restart(job.cluster().cancelWithSavepoint(job.id()), job.parallelism());
        }
    },

    STOPPED_WITH_SAVEPOINT {
        @Override
        void happen(RunningJob job, RandomGenerator random) throws Exception {
            job.restart(job.cluster().stop(job.id()), job.parallelism());
        }
    },

    /** Among others to more subtasks than the topic has partitions. */
    RESCALED {
        @Override
        void happen(RunningJob job, RandomGenerator random) throws Exception {
            for (int parallelism : RESCALED_TO) {
                job.restart(job.cluster().stop(job.id()), parallelism);
                job.cluster().awaitRunning(job.id());
            }
        }
    },

    /** Subtasks fail alone, often before there is a checkpoint in the new parallelism. */
    TASK_MANAGER_KILLED_AS_SOON_AS_RESCALED {
        @Override
        void happen(RunningJob job, RandomGenerator random) throws Exception {
            job.restart(job.cluster().stop(job.id()), job.parallelism() == 2 ? 4 : 2);
            job.cluster().awaitRunning(job.id());
            job.cluster().replaceTaskManager(random.nextInt(FlinkCluster.TASK_MANAGERS));
        }
    },

    /** A prompt kills every process that is given it, and nobody knows which of many it is. */
    POISON_PROMPT {
        @Override
        void happen(RunningJob job, RandomGenerator random) throws Exception {
            int poison = job.traffic().send(PoisonAgent.KILLS);
            int deaths = 0;
            long deadline = System.nanoTime() + ANSWERED.toNanos();
            while (!job.traffic().awaitNumber(poison, LOOK) && System.nanoTime() < deadline) {
                deaths += job.cluster().replaceDeadTaskManagers();
            }
            assertThat(job.traffic().reason(poison)).contains(POISON);
            assertThat(deaths).as("processes killed").isBetween(1, 3);
        }
    },

    /** A prompt that no pass gets over, in a process that is none the worse for it otherwise. */
    HUNG_PASS {
        @Override
        void happen(RunningJob job, RandomGenerator random) throws Exception {
            int poison = job.traffic().send(PoisonAgent.HANGS);
            assertThat(job.traffic().awaitNumber(poison, ANSWERED)).isTrue();
            assertThat(job.traffic().reason(poison)).contains(POISON);
            assertThat(job.cluster().logged())
                    .contains("a pass has taken more than", "\"layerskip-engine\"");
        }
    },

    /** The address space may not grow any more, so the next allocation outside the heap fails. */
    NATIVE_MEMORY_EXHAUSTED {
        @Override
        void happen(RunningJob job, RandomGenerator random) throws Exception {
            int index = random.nextInt(FlinkCluster.TASK_MANAGERS);
            JvmProcess process = job.cluster().taskManager(index);
            JvmProcess.run("prlimit", "--pid", Long.toString(process.pid()), "--as=1000000");
            Thread.sleep(REFUSAL.toMillis());
            // What is left of it cannot be trusted; a resource manager would replace it too.
            job.cluster().replaceTaskManager(index);
        }
    };

    private static final String POISON = "POISON_REQUEST";
    private static final Duration ANSWERED = Duration.ofMinutes(3);
    private static final Duration LOOK = Duration.ofMillis(500);
    private static final List<Integer> RESCALED_TO = List.of(1, 4, 2);
    private static final Duration BROKER_DOWN = Duration.ofSeconds(10);
    private static final Duration SILENCE = Duration.ofSeconds(12);
    private static final Duration REFUSAL = Duration.ofSeconds(4);

    private static final List<String> SHORT_TRANSACTIONS =
            List.of(
                    "-Dexecution.checkpointing.interval=2 s",
                    "-Dexecution.checkpointing.timeout=10 s",
                    "-Dexecution.checkpointing.tolerable-failed-checkpoints=1000",
                    "-Dkafka.sink.transaction.timeout.ms=13 s");

    private static final List<String> SHORT_CHECKPOINTS =
            List.of(
                    "-Dexecution.checkpointing.interval=1 s",
                    "-Dexecution.checkpointing.timeout=4 s",
                    "-Dexecution.checkpointing.tolerable-failed-checkpoints=1000");

    /** With an interval to spare, and less than a heartbeat may take. */
    private static final Duration PAST_THE_CHECKPOINT_TIMEOUT = Duration.ofSeconds(6);

    /** The first one is open for up to an interval before; the broker looks every second. */
    private static final Duration PAST_THE_TRANSACTION_TIMEOUT = Duration.ofSeconds(20);

    /** Lets it happen; returns when it is over, not when the job has recovered. */
    abstract void happen(RunningJob job, RandomGenerator random) throws Exception;

    /** The bundled model with white space in its tokenizer's file, and so with another hash. */
    private static Path otherModel() throws Exception {
        Path copy = TestBed.folder("other-model");
        BundledModel.copyTo(copy);
        Files.writeString(copy.resolve("tokenizer.json"), "\n", StandardOpenOption.APPEND);
        return copy;
    }

    /** Waits for a checkpoint that completes from now on. */
    private static void awaitCheckpoint(RunningJob job) throws Exception {
        FlinkCluster cluster = job.cluster();
        int before = cluster.checkpointsOf(job.id()).completed();
        FlinkCluster.await(
                "a checkpoint of job " + job.id(),
                () -> cluster.checkpointsOf(job.id()).completed() > before);
        cluster.awaitRunning(job.id());
    }
}
