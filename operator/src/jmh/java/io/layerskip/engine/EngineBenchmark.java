package io.layerskip.engine;

import io.layerskip.forward.KeyValueCache;
import io.layerskip.forward.KeyValueCacheType;
import io.layerskip.forward.KeyValueMemory;
import io.layerskip.forward.LayerSkipModel;
import io.layerskip.forward.LoadListener;
import io.layerskip.forward.RaggedBatch;
import io.layerskip.forward.TokenRows;

import io.layerskip.model.BundledModel;
import io.layerskip.model.Checkpoint;
import io.layerskip.forward.Precision;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
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

/** The inner steps of generation on one thread, with the bundled model cut after its first layer. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class EngineBenchmark {

    private static final int EXIT = 1;
    private static final int CONTEXT = 64;
    private static final int COMPLETION_TOKENS = 400;

    @Param({"FP32", "INT8"})
    public Precision precision;

    /** Rows of a pass, or sequences of a round. */
    @Param({"1", "4", "16"})
    public int rows;

    private Checkpoint checkpoint;
    private LayerSkipModel model;
    private KeyValueMemory memory;
    private DraftPolicy policy;
    private SelfSpeculation decoding;
    private TokenDistribution distribution;
    private final RaggedBatch batch = new RaggedBatch();
    private final List<Turn> turns = new ArrayList<>();

    @Setup
    public void open() throws Exception {
        checkpoint = Checkpoint.open(BundledModel.folder());
        model =
                new LayerSkipModel(checkpoint, List.of(EXIT), precision, Optional.empty(), 1);
        memory = new KeyValueMemory(checkpoint.config(), KeyValueCacheType.FLOAT32, 1L << 30);
        try (KeyValueCache cache = new KeyValueCache(memory)) {
            policy = new DraftPolicy(PassCosts.measure(model, cache), rows);
        }
        decoding = new SelfSpeculation(model, policy);
        distribution = new TokenDistribution(checkpoint.config().vocabSize());
        for (int row = 0; row < rows; row++) {
            KeyValueCache cache = new KeyValueCache(memory);
            cache.reserve(CONTEXT);
            batch.add(cache, CONTEXT / 2, 1);
            model.embed(100 + row, row);
            model.headInput().write(row, model.states(0), row);
        }
        model.logits(rows);
    }

    @TearDown
    public void close() {
        model.close();
        checkpoint.close();
    }

    /** The layers before the exit. */
    @Benchmark
    public void front() throws Exception {
        model.forward(0, batch);
    }

    /** The layers after the exit. */
    @Benchmark
    public void rest() throws Exception {
        model.forward(1, batch);
    }

    @Benchmark
    public TokenRows head() throws Exception {
        return model.logits(rows);
    }

    /** Temperature, top-k, top-p and a draw, for one row of logits. */
    @Benchmark
    public int sampling() throws Exception {
        distribution.set(model.logits(1), 0, new Sampling(0.7, 50, 0.9));
        return distribution.sample(7, 3);
    }

    /** A round of all sequences, drafts and verification; now and then it is their prompt's. */
    @Benchmark
    public void round() {
        if (turns.isEmpty()) {
            for (int i = 0; i < rows; i++) {
                turns.add(new Turn(sequence(BundledModel.goldenCases().get(i).promptIds())));
            }
        }
        int most = LayerSkipModel.MAX_ROWS / 2 / rows;
        for (Turn turn : turns) {
            turn.begin(most, most);
            turn.cache().reserve(turn.positionsNeeded());
        }
        decoding.round(turns);
        for (Turn turn : turns) {
            for (int i = 0; i < turn.written(); i++) {
                turn.sequence().write(turn.choice(i));
            }
            turn.end(turn.written());
        }
        turns.removeIf(EngineBenchmark::endIfDone);
    }

    private static boolean endIfDone(Turn turn) {
        Sequence sequence = turn.sequence();
        if (sequence.prefilled() && sequence.ended()) {
            sequence.close();
            return true;
        }
        return false;
    }

    private Sequence sequence(int[] prompt) {
        return new Sequence(
                prompt,
                COMPLETION_TOKENS,
                new Sequence.Drafting(OptionalInt.of(EXIT), OptionalInt.empty(), 0),
                Set.of(),
                new Sampling(0, 0, 1),
                0,
                new KeyValueCache(memory));
    }
}
