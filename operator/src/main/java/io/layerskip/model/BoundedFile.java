package io.layerskip.model;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** Reads the small files of a checkpoint whole, up to a limit. */
final class BoundedFile {

    private BoundedFile() {}

    /**
     * The bytes of the file.
     *
     * @param maxBytes the most that is read
     * @throws CheckpointException if the file is missing, longer or cannot be read
     */
    static byte[] read(Path file, int maxBytes) throws CheckpointException {
        try (InputStream in = Files.newInputStream(file)) {
            return read(file.getFileName().toString(), in, maxBytes);
        } catch (CheckpointException e) {
            throw e;
        } catch (NoSuchFileException e) {
            throw new CheckpointException(
                    "%s is missing from %s".formatted(file.getFileName(), file.getParent()), e);
        } catch (IOException e) {
            throw new CheckpointException("%s cannot be read: %s".formatted(file, e), e);
        }
    }

    /**
     * The bytes of a stream.
     *
     * @param name the file's, for messages
     * @throws CheckpointException if there are more
     * @throws IOException if it cannot be read
     */
    static byte[] read(String name, InputStream in, int maxBytes) throws IOException {
        byte[] bytes = in.readNBytes(maxBytes + 1);
        if (bytes.length > maxBytes) {
            throw new CheckpointException(
                    "%s has more than %d bytes, the most that is read".formatted(name, maxBytes));
        }
        return bytes;
    }
}
