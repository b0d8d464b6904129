package io.layerskip.bench;

import java.util.List;

/**
 * What one experiment found.
 *
 * @param name the experiment's, as on the command line
 * @param title what was asked
 * @param note how it was measured
 * @param table the figures
 * @param charts pictures of them
 */
record Section(String name, String title, String note, Table table, List<Chart> charts) {

    Section(Experiment experiment, String note, Table table, Chart... charts) {
        this(experiment.name(), experiment.title(), note, table, List.of(charts));
    }

    String toMarkdown() {
        return "## %s%n%n%s%n%n%s".formatted(title, note, table.toMarkdown());
    }
}
