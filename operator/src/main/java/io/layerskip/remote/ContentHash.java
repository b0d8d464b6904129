package io.layerskip.remote;

import io.layerskip.forward.LoadListener;
import io.layerskip.forward.LoadProgress;
import io.layerskip.forward.ParallelTasks;
import io.layerskip.model.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.TreeSet;

/** A hash of files' names and contents, whose parts are read side by side. */
final class ContentHash {

    private static final int PART = 64 << 20;
    private static final int MAX_THREADS = 16;

    private ContentHash() {}

    private record Part(Path file, long from, long count) {}

    /**
     * The hash, as hexadecimal digits.
     *
     * @param names of the folder's files, in any order
     * @throws java.io.InterruptedIOException if the thread is interrupted
     * @throws IOException if a file cannot be read
     */
    static String of(Path folder, Collection<String> names, LoadListener listener)
            throws IOException {
        List<Part> parts = new ArrayList<>();
        Sha256 hash = new Sha256();
        long total = 0;
        for (String name : new TreeSet<>(names)) {
            Path file = folder.resolve(name);
            long size = Files.size(file);
            hash.update(name).update(Long.toString(size));
            for (long from = 0; from < size; from += PART) {
                parts.add(new Part(file, from, Math.min(PART, size - from)));
            }
            total += size;
        }
        String[] hashes = new String[parts.size()];
        LoadProgress progress = new LoadProgress(listener, LoadListener.Stage.HASHING, total);
        List<ParallelTasks.Task> tasks = new ArrayList<>();
        for (int i = 0; i < hashes.length; i++) {
            int index = i;
            Part part = parts.get(i);
            tasks.add(
                    () -> {
                        hashes[index] =
                                new Sha256().update(part.file(), part.from(), part.count()).hex();
                        progress.add(part.count());
                    });
        }
        ParallelTasks.runOnCores(MAX_THREADS, tasks);
        for (String part : hashes) {
            hash.update(part);
        }
        return hash.hex();
    }
}
