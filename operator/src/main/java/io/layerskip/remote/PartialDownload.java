package io.layerskip.remote;

import io.layerskip.forward.TrustedFolder;
import io.layerskip.model.FileBytes;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongConsumer;

/**
 * The files of a checkpoint that are being fetched. Beside their folder lies a note of how far each
 * has come: so many bytes are on the disk whatever happens, and one that is still the same at its
 * address is gone on with there, after a failure, the process's end or the machine's.
 */
final class PartialDownload {

    /** What may have to be fetched twice, in bytes. */
    private static final long STEP = 8 << 20;

    private final TrustedFolder folder;
    private final Path note;
    private final Map<String, Part> parts = new HashMap<>();

    /**
     * How far a file has come.
     *
     * @param done bytes that are on the disk
     */
    private record Part(RemoteFile file, long done) {}

    /** What the note holds. */
    private record Note(List<Part> parts) {}

    private PartialDownload(TrustedFolder folder, Path note) {
        this.folder = folder;
        this.note = note;
    }

    /**
     * Opens what was left, or begins.
     *
     * @param folder made if it is missing
     * @param note beside it
     */
    static PartialDownload open(Path folder, Path note) throws IOException {
        PartialDownload opened = new PartialDownload(TrustedFolder.open(folder), note);
        Notes.read(note, Note.class)
                .ifPresent(left -> left.parts().forEach(p -> opened.parts.put(p.file().name(), p)));
        return opened;
    }

    Path folder() {
        return folder.path();
    }

    /** Frees what nothing of these can be made of. */
    void keep(List<RemoteFile> files) throws IOException {
        Map<String, Long> done = new HashMap<>();
        files.forEach(file -> done.put(file.name(), done(file)));
        try (DirectoryStream<Path> there = Files.newDirectoryStream(folder.path())) {
            for (Path file : there) {
                truncate(file, done.getOrDefault(file.getFileName().toString(), 0L));
            }
        }
        parts.keySet().retainAll(done.keySet());
    }

    private void truncate(Path file, long size) throws IOException {
        if (size == 0) {
            Files.delete(file);
            return;
        }
        try (FileChannel channel = folder.openToWrite(file)) {
            channel.truncate(size);
        }
    }

    /** How many bytes of them are still to be fetched. */
    long missing(List<RemoteFile> files) {
        return files.stream().mapToLong(file -> file.size() - done(file)).sum();
    }

    private long done(RemoteFile file) {
        Part part = parts.get(file.name());
        return part != null && part.file().equals(file) ? part.done() : 0;
    }

    /**
     * Fetches a file, or what is missing of it.
     *
     * @param progress takes how many bytes more there are
     * @throws io.layerskip.model.CheckpointException if it cannot be read
     * @throws InterruptedIOException if the thread is interrupted
     * @throws IOException if it cannot be written
     */
    void fetch(RemoteFolder remote, RemoteFile file, LongConsumer progress) throws IOException {
        Path path = folder.path().resolve(file.name());
        try (FileChannel channel = folder.openToWrite(path)) {
            long from = channel.size() < done(file) ? 0 : done(file);
            channel.truncate(from);
            if (from < file.size() || file.size() == 0) {
                FileWriter writer = new FileWriter(file, path, channel, from, progress);
                remote.read(file, from, writer::write);
                writer.save();
            }
        }
    }

    /** Appends to a file, and takes note of what is on the disk. */
    private final class FileWriter {

        private final RemoteFile file;
        private final Path path;
        private final FileChannel channel;
        private final LongConsumer progress;
        private long written;
        private long saved;

        private FileWriter(
                RemoteFile file,
                Path path,
                FileChannel channel,
                long written,
                LongConsumer progress) {
            this.file = file;
            this.path = path;
            this.channel = channel;
            this.written = written;
            this.saved = written;
            this.progress = progress;
        }

        private void write(ByteBuffer bytes) throws IOException {
            int count = bytes.remaining();
            try {
                FileBytes.write(channel, bytes, written);
            } catch (IOException e) {
                throw failure(e);
            }
            written += count;
            progress.accept(count);
            if (written - saved >= STEP) {
                save();
            }
        }

        private void save() throws IOException {
            try {
                channel.force(false);
                parts.put(file.name(), new Part(file, written));
                Notes.write(note, new Note(new ArrayList<>(parts.values())));
                saved = written;
            } catch (IOException e) {
                throw failure(e);
            }
        }

        private IOException failure(IOException e) {
            IOException failure =
                    e instanceof ClosedByInterruptException
                            ? new InterruptedIOException("interrupted while a model was fetched")
                            : new IOException(
                                    "%s cannot be written, %d of %d bytes are there: %s"
                                            .formatted(path, saved, file.size(), e.getMessage()));
            failure.initCause(e);
            return failure;
        }
    }
}
