package io.layerskip.forward;

/** Listens to the beginning of a loading. */
public final class BeforeLoading {

    private BeforeLoading() {}

    /** A listener that does nothing but that, before weights are loaded. */
    public static LoadListener run(Runnable action) {
        return new LoadListener() {
            @Override
            public void beforeLoading() {
                action.run();
            }

            @Override
            public void onProgress(Stage stage, long done, long total) {}
        };
    }
}
