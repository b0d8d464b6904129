package io.layerskip.forward;

import org.apache.flink.annotation.PublicEvolving;

/** Is told how far the loading of a model has come, by one thread at a time. */
@PublicEvolving
@FunctionalInterface
public interface LoadListener {

    /** Listens to nothing. */
    LoadListener NONE = (stage, done, total) -> {};

    /** What is being done; most loadings skip some of these. */
    enum Stage {
        /** The checkpoint is fetched from its address. */
        FETCHING("fetching the checkpoint"),
        /** The checkpoint is hashed, to find what was made of it, or fetched, before. */
        HASHING("hashing the checkpoint"),
        /** Somebody else fills the cache folder. Ends without reaching its total. */
        WAITING("waiting for another user of the cache folder"),
        /** Weights are rounded to fewer bits and written. */
        CONVERTING("converting weights"),
        /** The checksums of written weights are made, or compared. */
        CHECKING("checking weights"),
        /** Weights are packed for the processor. */
        BUILDING("building sessions");

        private final String text;

        Stage(String text) {
            this.text = text;
        }

        /** As it stands in a log, such as "converting weights". */
        public String text() {
            return text;
        }
    }

    /**
     * Weights are going to be loaded, as nobody else in this process has them; what this throws
     * ends the opening.
     */
    default void beforeLoading() {}

    /**
     * A part of a stage is done.
     *
     * @param done bytes of {@code total}; 0 when the stage begins
     * @param total bytes; 0 while somebody else does what nobody here knows the size of
     */
    void onProgress(Stage stage, long done, long total);
}
