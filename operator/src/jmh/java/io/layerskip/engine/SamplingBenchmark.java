package io.layerskip.engine;

import io.layerskip.forward.TokenRows;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** From a row of logits to a token, on one thread. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 3, time = 1)
public class SamplingBenchmark {

    /** Rows that take turns, so that no branch is learnt by heart. */
    private static final int ROWS = 16;

    /** How requests sample. */
    public enum Cut {
        NONE(0.7, 0, 1),
        TOP_K(0.7, 50, 1),
        TOP_P(0.7, 0, 0.9),
        TOP_K_TOP_P(1, 50, 0.9);

        private final Sampling sampling;

        Cut(double temperature, int topK, double topP) {
            this.sampling = new Sampling(temperature, topK, topP);
        }
    }

    /** A standard normal distribution, or one twice as wide with twenty logits far above it. */
    public enum Shape {
        FLAT,
        PEAKED
    }

    /** The head's results. */
    @State(Scope.Benchmark)
    public static class Logits {

        @Param({"4096", "128256"})
        public int vocab;

        @Param public Shape shape;

        private TokenRows rows;
        private TokenDistribution distribution;
        private int calls;

        @Setup
        public void open() {
            rows = new TokenRows(ROWS, vocab);
            distribution = new TokenDistribution(vocab);
            Random random = new Random(vocab);
            for (int row = 0; row < ROWS; row++) {
                float[] logits = new float[vocab];
                for (int token = 0; token < vocab; token++) {
                    logits[token] = (float) random.nextGaussian() * (shape == Shape.FLAT ? 1 : 2);
                }
                for (int i = 0; shape == Shape.PEAKED && i < 20; i++) {
                    logits[random.nextInt(vocab)] += 8 + (float) random.nextGaussian();
                }
                rows.write(row, logits, 0);
            }
        }

        @TearDown
        public void close() {
            rows.close();
        }

        private int nextRow() {
            return calls++ % ROWS;
        }
    }

    /** What a request asks for. */
    @State(Scope.Benchmark)
    public static class Request {
        @Param public Cut cut;
    }

    /** A token of a sampled completion. */
    @Benchmark
    public int draw(Logits logits, Request request) {
        logits.distribution.set(logits.rows, logits.nextRow(), request.cut.sampling);
        return logits.distribution.sample(7, logits.calls);
    }

    /** A draft of a sampled completion: a token and how sure the early layers are of it. */
    @Benchmark
    public double drawDraft(Logits logits, Request request) {
        return draw(logits, request) + logits.distribution.confidence();
    }

    /** A token of a greedy completion. */
    @Benchmark
    public int greatest(Logits logits) {
        return logits.rows.argmax(logits.nextRow()).orElseThrow();
    }

    /** A draft of a greedy completion. */
    @Benchmark
    public double greatestDraft(Logits logits) {
        int row = logits.nextRow();
        logits.distribution.set(logits.rows, row);
        return logits.rows.argmax(row).orElseThrow() + logits.distribution.confidence();
    }
}
