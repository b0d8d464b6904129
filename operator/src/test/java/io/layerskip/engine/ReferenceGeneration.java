package io.layerskip.engine;

import io.layerskip.forward.KeyValueCache;
import io.layerskip.forward.KeyValueCacheType;
import io.layerskip.forward.KeyValueMemory;
import io.layerskip.forward.LayerSkipModel;
import io.layerskip.forward.Precision;
import io.layerskip.forward.RaggedBatch;
import io.layerskip.model.Checkpoint;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * What a request has to give, the plain way: for each token, all that come before go through the
 * whole model from the start, and the field's definitions are applied to all logits one by one.
 */
final class ReferenceGeneration implements AutoCloseable {

    private final Checkpoint checkpoint;
    private final LayerSkipModel model;
    private final KeyValueMemory memory;

    ReferenceGeneration(Checkpoint checkpoint, Precision precision) throws IOException {
        this.checkpoint = checkpoint;
        this.model = new LayerSkipModel(checkpoint, List.of(2), precision, Optional.empty(), 1);
        this.memory = new KeyValueMemory(checkpoint.config(), KeyValueCacheType.FLOAT32, 1L << 26);
    }

    /** The tokens that the request gets; its temperature and its max_tokens have to be set. */
    List<Integer> tokens(String prompt, GenerationParameters asked) {
        int[] ids = checkpoint.tokenizer().encode(prompt);
        List<Integer> before = new ArrayList<>();
        for (int id : ids) {
            before.add(id);
        }
        List<Integer> written = new ArrayList<>();
        Set<Integer> ends =
                asked.ignoreEos() ? Set.of() : Set.copyOf(checkpoint.config().eosTokenIds());
        while (written.size() < asked.maxTokens().orElseThrow()
                && (written.isEmpty() || !ends.contains(written.get(written.size() - 1)))) {
            List<Integer> all = new ArrayList<>(before);
            all.addAll(written);
            float[] changed = changed(logits(all), before, written, ends, asked);
            written.add(choose(changed, all.size(), asked));
        }
        return written;
    }

    /** The model's logits after some tokens. */
    float[] logits(List<Integer> tokens) {
        try (KeyValueCache cache = new KeyValueCache(memory)) {
            cache.reserve(tokens.size());
            RaggedBatch span = new RaggedBatch();
            for (int row = 0; row < tokens.size(); row++) {
                model.embed(tokens.get(row), row);
            }
            span.add(cache, 0, tokens.size());
            for (int segment = 0; segment < model.segments(); segment++) {
                model.forward(segment, span);
            }
            model.headInput().write(0, model.states(model.segments()), tokens.size() - 1);
            float[] logits = new float[checkpoint.config().vocabSize()];
            model.logits(1).read(0, logits, 0);
            return logits;
        }
    }

    /** The logarithms of their softmax. */
    static double[] logprobs(float[] logits) {
        double sum = 0;
        for (float logit : logits) {
            sum += Math.exp(logit);
        }
        double[] logprobs = new double[logits.length];
        for (int token = 0; token < logits.length; token++) {
            logprobs[token] = Math.log(Math.exp(logits[token]) / sum);
        }
        return logprobs;
    }

    private static float[] changed(
            float[] logits,
            List<Integer> prompt,
            List<Integer> written,
            Set<Integer> ends,
            GenerationParameters asked) {
        float[] changed = logits.clone();
        if (written.size() < asked.minTokens().orElse(0)) {
            ends.forEach(end -> changed[end] = Float.NEGATIVE_INFINITY);
        }
        asked.logitBias().forEach((token, bias) -> changed[token] += bias);
        Map<Integer, Integer> counts = new HashMap<>();
        written.forEach(token -> counts.merge(token, 1, Integer::sum));
        Set<Integer> seen = new LinkedHashSet<>(prompt);
        seen.addAll(written);
        double repetition = asked.repetitionPenalty().orElse(1);
        for (int token : seen) {
            double logit = changed[token];
            logit = logit < 0 ? logit * repetition : logit / repetition;
            int count = counts.getOrDefault(token, 0);
            logit -= count * asked.frequencyPenalty().orElse(0);
            if (count >= 1) {
                logit -= asked.presencePenalty().orElse(0);
            }
            changed[token] = (float) logit;
        }
        return changed;
    }

    private static int choose(float[] logits, int position, GenerationParameters asked) {
        double temperature = asked.temperature().orElseThrow();
        if (temperature > 0) {
            Sampling sampling =
                    new Sampling(
                            temperature,
                            asked.topK().orElse(0),
                            asked.topP().orElse(1),
                            asked.minP().orElse(0),
                            LogitsAdjustment.NONE);
            return new ReferenceTokenDistribution(logits, sampling)
                    .sample(asked.seed().orElseThrow(), position);
        }
        int best = 0;
        for (int token = 0; token < logits.length; token++) {
            best = logits[token] > logits[best] ? token : best;
        }
        return best;
    }

    @Override
    public void close() {
        model.close();
    }
}
