package io.layerskip.bench;

/** Something to find out about an engine. */
interface Experiment {

    /** Its name on the command line. */
    String name();

    /** What it asks. */
    String title();

    /** Finds out. */
    Section run(ExperimentSetup setup) throws Exception;
}
