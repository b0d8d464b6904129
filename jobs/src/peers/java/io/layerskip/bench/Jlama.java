package io.layerskip.bench;

import com.github.tjake.jlama.model.AbstractModel;
import com.github.tjake.jlama.model.ModelSupport;
import com.github.tjake.jlama.safetensors.DType;
import com.github.tjake.jlama.safetensors.prompt.PromptContext;
import com.github.tjake.jlama.tensor.AbstractTensor;
import com.github.tjake.jlama.tensor.KvBufferCache;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * Jlama on the checkpoint's folder, in float32. Its calls queue: side by side, two of one model end
 * the process (a layer keeps its results in a field).
 */
final class Jlama implements Contender, AutoCloseable {

    private static final float GREEDY = 0;

    private final int threads;
    private final int maxTokens;
    private final AbstractModel model;
    private final KvBufferCache caches;
    private final ExecutorService caller = Executors.newSingleThreadExecutor();

    /**
     * @param threads the first one's hold for the whole process
     */
    Jlama(Path folder, int threads, int maxTokens) {
        this.threads = threads;
        this.maxTokens = maxTokens;
        this.model =
                ModelSupport.loadModel(
                        folder.toFile(),
                        null,
                        DType.F32,
                        DType.F32,
                        Optional.empty(),
                        Optional.of(threads));
        // Else it leaves out spaces and line feeds: it does not know this pre-tokenizer.
        model.getTokenizer().getModel().setLegacy(true);
        this.caches = new KvBufferCache(model);
    }

    @Override
    public String name() {
        return "Jlama F32, %d thread(s)".formatted(threads);
    }

    @Override
    public CompletableFuture<Completed> complete(String prompt) {
        long start = System.nanoTime();
        return CompletableFuture.supplyAsync(() -> complete(prompt, start), caller);
    }

    // The tensors' type parameter is a class of a module that a compiler for Java 17 cannot see.
    @SuppressWarnings("rawtypes")
    private Completed complete(String prompt, long start) {
        int[] ids = model.encodePrompt(PromptContext.of(prompt));
        long[] written = new long[maxTokens];
        int count = 0;
        boolean ended;
        try (KvBufferCache.KvBuffer cache = caches.getEphemeralKvBuffer();
                AbstractTensor logits =
                        model.makeDenseTensor(model.getConfig().vocabularySize)) {
            AbstractTensor states = model.batchForward(ids, 0, cache);
            int next =
                    model.sample(
                            states.slice(states.shape().first() - 1), GREEDY, GREEDY, logits);
            states.close();
            while (true) {
                written[count++] = next;
                ended = model.getConfig().eosTokens.contains(next);
                if (ended || count == maxTokens) {
                    break;
                }
                AbstractTensor state =
                        model.forward(next, ids.length + count - 1, cache, Optional.empty());
                next = model.sample(state, GREEDY, GREEDY, logits);
                state.close();
            }
        }
        long[] text = Arrays.copyOf(written, ended ? count - 1 : count);
        String decoded = model.getTokenizer().decode(text);
        return new Completed(decoded, count, 0, System.nanoTime() - start, 0, 0);
    }

    @Override
    public void close() {
        caller.shutdown();
        model.close();
    }
}
