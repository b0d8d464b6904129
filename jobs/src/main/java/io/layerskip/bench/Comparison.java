package io.layerskip.bench;

import io.layerskip.bench.Contender.Completed;
import io.layerskip.bench.Measurement.Round;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;

/**
 * Runs contenders on the same prompts. They take turns, one stream prompt by prompt and several
 * streams round by round, each time another one first, so that whatever else the machine does hits
 * all alike. After one round to warm up, every round gives a ratio to the first contender.
 */
public final class Comparison {

    private final List<String> prompts;
    private final int rounds;

    /**
     * @param prompts at least one
     * @param rounds that are timed, at least 1
     */
    public Comparison(List<String> prompts, int rounds) {
        this.prompts = List.copyOf(prompts);
        this.rounds = rounds;
    }

    /**
     * Measures.
     *
     * @param contenders the first is what the others are compared with
     * @param concurrency requests in flight at once: when one ends, the next one starts
     * @return in the order of the contenders
     * @throws ExecutionException if a contender has no completion for a prompt
     */
    public List<Measurement> run(List<? extends Contender> contenders, int concurrency)
            throws ExecutionException, InterruptedException {
        List<Measurement> measurements = new ArrayList<>();
        contenders.forEach(contender -> measurements.add(new Measurement(contender.name())));
        round(contenders, concurrency, 0);
        for (int round = 0; round < rounds; round++) {
            List<Round> results = round(contenders, concurrency, round);
            for (int i = 0; i < results.size(); i++) {
                measurements.get(i).add(results.get(i), results.get(0));
            }
        }
        return measurements;
    }

    private List<Round> round(List<? extends Contender> contenders, int concurrency, int first)
            throws ExecutionException, InterruptedException {
        List<Round> results = new ArrayList<>();
        contenders.forEach(contender -> results.add(new Round()));
        int turn = concurrency == 1 ? 1 : prompts.size();
        for (int from = 0; from < prompts.size(); from += turn) {
            List<String> some = prompts.subList(from, from + turn);
            for (int i = 0; i < contenders.size(); i++) {
                int next = (i + first + from) % contenders.size();
                complete(contenders.get(next), some, concurrency, results.get(next));
            }
        }
        return results;
    }

    /** Completes prompts, so many at once, and adds what it took to a round. */
    static void complete(Contender contender, List<String> prompts, int concurrency, Round round)
            throws ExecutionException, InterruptedException {
        Semaphore free = new Semaphore(concurrency);
        List<CompletableFuture<Completed>> completions = new ArrayList<>();
        long start = System.nanoTime();
        for (String prompt : prompts) {
            free.acquire();
            completions.add(
                    contender
                            .complete(prompt)
                            .whenComplete((completed, failure) -> free.release()));
        }
        for (CompletableFuture<Completed> completion : completions) {
            round.add(completion.get());
        }
        round.addTime(System.nanoTime() - start);
    }
}
