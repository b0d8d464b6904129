package io.layerskip.sql;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.util.CloseableIterator;

/** What a query or a job gives. */
final class Results {

    private Results() {}

    /** All of it, once it has ended. */
    @SuppressWarnings("try") // The iterator declares that close() throws any exception.
    static <T> List<T> all(CloseableIterator<T> results) throws Exception {
        try (results) {
            List<T> all = new ArrayList<>();
            results.forEachRemaining(all::add);
            return all;
        }
    }
}
