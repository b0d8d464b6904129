package io.layerskip.flink;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What stands against a request in earlier notes. Not thread-safe. */
final class Suspicion {

    private static final Logger LOG = LoggerFactory.getLogger(Suspicion.class);

    private static final int TIMES_UNTIL_ALONE = 2;
    private static final int TIMES_UNTIL_POISON = 3;

    private final List<Place> places = new ArrayList<>();
    private int times;
    private boolean wasAlone;

    /** Where a note stands. */
    private record Place(Path file, int slot) {}

    /** Adds a note that goes when the request is forgiven. */
    void foundIn(Path file, int slot) {
        places.add(new Place(file, slot));
    }

    /**
     * Counts that it was under way when a process ended or an engine broke.
     *
     * @param alone whether no other request was
     */
    void count(boolean alone) {
        times++;
        wasAlone |= alone;
    }

    /** How often that was. */
    int times() {
        return times;
    }

    /** Whether it has to run alone, so that whatever happens then is its own doing. */
    boolean mustBeAlone() {
        return times >= TIMES_UNTIL_ALONE;
    }

    /** Whether it has been tried often enough: that takes a time when it was alone. */
    boolean isPoison() {
        return times >= TIMES_UNTIL_POISON && wasAlone;
    }

    /** Takes all notes back: the request has ended, so that what happened was others' doing. */
    void forgive() {
        for (Place place : places) {
            try {
                NotesFile.remove(place.file(), place.slot());
            } catch (IOException e) {
                LOG.debug("A note in {} stays until it is old", place.file(), e);
            }
        }
    }
}
