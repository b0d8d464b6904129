package io.layerskip.engine;

import org.apache.flink.annotation.PublicEvolving;

/**
 * Told when an engine begins to work on a request and when it has ended, so that one that takes the
 * process with it can be known by those that come after.
 */
@PublicEvolving
public interface RequestWatch {

    /** Of a request that nobody suspects or asks about. */
    RequestWatch NONE =
            new RequestWatch() {
                @Override
                public boolean alone() {
                    return false;
                }

                @Override
                public void begun() {}

                @Override
                public void ended() {}
            };

    /** Whether no other request may be computed in this process while this one is. */
    boolean alone();

    /**
     * The engine is about to tokenise the request's prompt. Called on one of its threads; must
     * neither block nor throw.
     */
    void begun();

    /**
     * The request has its result. Not called if the engine broke or was closed before. Called on
     * one of the engine's threads; must neither block nor throw.
     */
    void ended();
}
