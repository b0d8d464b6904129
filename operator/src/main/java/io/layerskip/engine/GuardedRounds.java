package io.layerskip.engine;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * Takes rounds through the model. A round that breaks is taken again, its turns one by one: of
 * several requests, the one that breaks alone fails, and the others write what they always write,
 * for keys and values of a round that did not end are written again by the next.
 *
 * <p>If each of several breaks alone, or a {@link Probe} breaks too, it is not the request that is
 * broken but the model. The same holds where the process as a whole is in trouble: its memory is
 * exhausted, or a file that it maps is not what it was.
 */
final class GuardedRounds {

    private final Consumer<List<Turn>> round;
    private final Function<Consumer<List<Turn>>, Optional<Throwable>> probe;
    private final BiConsumer<String, Throwable> log;

    /**
     * @param round see {@link SelfSpeculation#round}
     * @param probe takes a sequence known to work through such rounds; returns what went wrong
     * @param log takes what broke and the exception, as {@link InternalErrors#log} does
     */
    GuardedRounds(
            Consumer<List<Turn>> round,
            Function<Consumer<List<Turn>>, Optional<Throwable>> probe,
            BiConsumer<String, Throwable> log) {
        this.round = round;
        this.probe = probe;
        this.log = log;
    }

    /**
     * Takes a round. The turn of a request that breaks it has failed afterwards.
     *
     * @return whether all went through the model together, as they mostly do
     * @throws EngineFailedException if the model is broken
     */
    boolean take(List<Turn> turns) {
        try {
            round.accept(turns);
            return true;
        } catch (RuntimeException | Error e) {
            rethrowIfOfProcess(e);
            takeOneByOne(turns, e);
            return false;
        }
    }

    private void takeOneByOne(List<Turn> turns, Throwable together) {
        Map<Turn, Throwable> broken = new LinkedHashMap<>();
        for (Turn turn : turns) {
            turn.beginAgain();
            try {
                round.accept(List.of(turn));
            } catch (RuntimeException | Error e) {
                rethrowIfOfProcess(e);
                broken.put(turn, e);
            }
        }
        if (broken.isEmpty()) {
            log.accept(
                    "A round of %d requests broke, and none of them breaks alone"
                            .formatted(turns.size()),
                    together);
            return;
        }
        Optional<Throwable> ofModel = probe.apply(round);
        if (ofModel.isPresent()) {
            throw new EngineFailedException("the model broke: " + together, ofModel.get());
        }
        if (turns.size() > 1 && broken.size() == turns.size()) {
            throw EngineFailedException.underWay(
                    "the model broke, for each of %d requests alone: %s"
                            .formatted(turns.size(), together),
                    together);
        }
        broken.forEach(
                (turn, e) -> {
                    log.accept("A request broke a round alone", e);
                    turn.fail(
                            new GenerationFailure(
                                    GenerationFailure.Kind.POISON_REQUEST,
                                    "the model breaks on this request alone: " + e));
                });
    }

    /** An overflown stack is a request's own doing, and all right again when it is unwound. */
    private static void rethrowIfOfProcess(Throwable failure) {
        for (Throwable e = failure; e != null; e = e.getCause()) {
            if (e instanceof VirtualMachineError fatal && !(e instanceof StackOverflowError)) {
                throw fatal;
            }
        }
    }
}
