package io.layerskip.forward;

import io.layerskip.model.Checkpoint;
import io.layerskip.model.LlamaTensors;
import io.layerskip.model.Sha256;
import io.layerskip.model.Weight;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A hash of a checkpoint's architecture and of all of its weights, wherever they lie.
 *
 * <p>Reading all weights takes seconds, so a cache folder remembers the hash of each checkpoint
 * folder in a file of two lines: an identity, and the hash that was computed for it. The identity
 * is a hash of each file's path, number (inode), size and times, and of the beginning of each
 * tensor. One of the times is that of the file's last change of any kind, which the system sets and
 * nobody else: whoever writes into a file, or puts another in its place, gives it another identity.
 * Where the system keeps no such time, and for files that were just written, nothing is remembered.
 */
final class CheckpointHash {

    private static final Logger LOG = LoggerFactory.getLogger(CheckpointHash.class);

    private static final String UNIX = "unix";
    private static final int PART = 64 << 20;
    private static final int MAX_THREADS = 16;

    /** File systems count time in steps, the coarsest of 2 s: a later write might not show. */
    private static final Duration STEP = Duration.ofSeconds(2);

    private CheckpointHash() {}

    /**
     * The hash, as hexadecimal digits: the remembered one if the files are the same.
     *
     * @param trusted the cache folder, which only this user can write
     * @throws java.io.InterruptedIOException if the thread is interrupted
     * @throws IOException if a file cannot be read
     */
    static String of(Checkpoint checkpoint, TrustedFolder trusted, LoadListener listener)
            throws IOException {
        Instant start = Instant.now();
        Optional<String> identity = identity(checkpoint, start);
        if (identity.isEmpty()) {
            return compute(checkpoint, listener);
        }
        Path folder = checkpoint.folder().toRealPath();
        Path file =
                trusted.path()
                        .resolve(new Sha256().update(folder.toString()).hex() + ".checkpoint");
        Optional<String> remembered = read(file, trusted, identity.get());
        if (remembered.isPresent()) {
            return remembered.get();
        }
        String hash = compute(checkpoint, listener);
        if (identity.equals(identity(checkpoint, start))) {
            remember(file, identity.get(), hash);
        }
        return hash;
    }

    /** Empty if the files may have changed in a way that cannot be seen. */
    private static Optional<String> identity(Checkpoint checkpoint, Instant now)
            throws IOException {
        Sha256 identity = new Sha256().update(checkpoint.fingerprint());
        for (Path file : weights(checkpoint).stream().map(Weight::file).distinct().toList()) {
            if (!file.getFileSystem().supportedFileAttributeViews().contains(UNIX)) {
                return Optional.empty();
            }
            Map<String, Object> attributes =
                    new TreeMap<>(
                            Files.readAttributes(
                                    file, UNIX + ":dev,ino,size,lastModifiedTime,ctime"));
            FileTime changed = (FileTime) attributes.get("ctime");
            if (changed.toInstant().plus(STEP).isAfter(now)) {
                return Optional.empty();
            }
            identity.update(file.toString()).update(attributes.toString());
        }
        return Optional.of(identity.hex());
    }

    private static Optional<String> read(Path file, TrustedFolder trusted, String identity)
            throws IOException {
        if (!Files.exists(file) || !trusted.holds(file)) {
            return Optional.empty();
        }
        List<String> lines = Files.readAllLines(file, StandardCharsets.ISO_8859_1);
        return lines.size() == 2 && lines.get(0).equals(identity) && isHash(lines.get(1))
                ? Optional.of(lines.get(1))
                : Optional.empty();
    }

    private static boolean isHash(String line) {
        return line.matches("[0-9a-f]{64}");
    }

    private static void remember(Path file, String identity, String hash) {
        try {
            TrustedFolder.replace(
                    file, unfinished -> Files.write(unfinished, List.of(identity, hash)));
        } catch (IOException e) {
            LOG.info("Could not remember a checkpoint's hash in {}", file, e);
        }
    }

    private static String compute(Checkpoint checkpoint, LoadListener listener) throws IOException {
        List<Weight> weights = weights(checkpoint);
        LoadProgress progress =
                new LoadProgress(
                        listener,
                        LoadListener.Stage.HASHING,
                        weights.stream().mapToLong(Weight::length).sum());
        List<String[]> parts = new ArrayList<>();
        List<ParallelTasks.Task> tasks = new ArrayList<>();
        for (Weight weight : weights) {
            String[] hashes = new String[Math.toIntExact((weight.length() + PART - 1) / PART)];
            parts.add(hashes);
            for (int i = 0; i < hashes.length; i++) {
                int part = i;
                tasks.add(
                        () -> {
                            long from = (long) part * PART;
                            long count = Math.min(PART, weight.length() - from);
                            hashes[part] =
                                    new Sha256()
                                            .update(weight.file(), weight.offset() + from, count)
                                            .hex();
                            progress.add(count);
                        });
            }
        }
        ParallelTasks.runOnCores(MAX_THREADS, tasks);
        Sha256 hash = new Sha256().update(checkpoint.config().toString());
        for (int i = 0; i < parts.size(); i++) {
            hash.update(weights.get(i).name()).update(weights.get(i).type().name());
            Arrays.stream(parts.get(i)).forEach(hash::update);
        }
        return hash.hex();
    }

    private static List<Weight> weights(Checkpoint checkpoint) {
        return LlamaTensors.shapes(checkpoint.config()).keySet().stream()
                .map(checkpoint::weight)
                .toList();
    }
}
