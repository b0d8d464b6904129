package io.layerskip.forward;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipal;
import java.util.Collections;
import java.util.Optional;
import java.util.Set;
import org.apache.flink.annotation.Internal;

/**
 * A folder whose files nobody but this process's user, and root, can have written.
 *
 * <p>What lies in it is used as a model's weights, so whoever could write there could change what
 * the model says. Only POSIX systems are asked who that is.
 *
 * @param path real
 * @param user whom this process runs as; empty where that is not asked
 */
@Internal
public record TrustedFolder(Path path, Optional<UserPrincipal> user) {

    /** How names end of files that are being written. */
    public static final String UNFINISHED = ".tmp";

    private static final int ROOT = 0;
    private static final Set<PosixFilePermission> OTHERS_WRITE =
            Set.of(PosixFilePermission.GROUP_WRITE, PosixFilePermission.OTHERS_WRITE);
    private static final Set<PosixFilePermission> MADE =
            PosixFilePermissions.fromString("rwxr-xr-x");
    private static final Set<PosixFilePermission> WRITTEN =
            PosixFilePermissions.fromString("rw-r--r--");

    /** Writes a file's content. */
    @FunctionalInterface
    public interface Writer {
        /**
         * @param file empty
         */
        void write(Path file) throws IOException;
    }

    /**
     * Opens a folder, which is made where there is none.
     *
     * @throws IOException if it belongs to neither this user nor root, or others may write there
     */
    public static TrustedFolder open(Path folder) throws IOException {
        boolean posix = folder.getFileSystem().supportedFileAttributeViews().contains("posix");
        // Of a link to a folder, createDirectories says that it exists already.
        if (!Files.isDirectory(folder)) {
            Files.createDirectories(folder, attributes(posix, MADE));
        }
        Path path = folder.toRealPath();
        if (!posix) {
            return new TrustedFolder(path, Optional.empty());
        }
        TrustedFolder trusted = new TrustedFolder(path, Optional.of(currentUser()));
        if (!trusted.holds(path)) {
            PosixFileAttributes attributes = attributes(path);
            throw new IOException(
                    ("cache folder %s belongs to %s with permissions %s; allowed: a folder of %s or"
                                    + " root that only its owner may write, such as a new one in it")
                            .formatted(
                                    path,
                                    attributes.owner().getName(),
                                    PosixFilePermissions.toString(attributes.permissions()),
                                    trusted.user().orElseThrow().getName()));
        }
        return trusted;
    }

    private static FileAttribute<?>[] attributes(
            boolean posix, Set<PosixFilePermission> permissions) {
        return posix
                ? new FileAttribute<?>[] {PosixFilePermissions.asFileAttribute(permissions)}
                : new FileAttribute<?>[0];
    }

    /** Opens a file to write it; one that is missing is made, for others only to read. */
    public FileChannel openToWrite(Path file) throws IOException {
        return FileChannel.open(
                file,
                Set.of(StandardOpenOption.CREATE, StandardOpenOption.WRITE),
                attributes(user.isPresent(), WRITTEN));
    }

    /** The owner of what this process makes; names need not be known to the system. */
    private static UserPrincipal currentUser() throws IOException {
        Path probe = Files.createTempFile("layerskip-", ".owner");
        try {
            return Files.getOwner(probe);
        } finally {
            Files.delete(probe);
        }
    }

    /**
     * Whether a file, or the folder, belongs to this user or root, and nobody else may write it.
     */
    public boolean holds(Path file) throws IOException {
        if (user.isEmpty()) {
            return true;
        }
        PosixFileAttributes attributes = attributes(file);
        boolean ours =
                attributes.owner().equals(user.get())
                        || Integer.valueOf(ROOT)
                                .equals(
                                        Files.getAttribute(
                                                file, "unix:uid", LinkOption.NOFOLLOW_LINKS));
        return ours
                && !attributes.isSymbolicLink()
                && Collections.disjoint(attributes.permissions(), OTHERS_WRITE);
    }

    private static PosixFileAttributes attributes(Path file) throws IOException {
        return Files.getFileAttributeView(
                        file, PosixFileAttributeView.class, LinkOption.NOFOLLOW_LINKS)
                .readAttributes();
    }

    /** Writes a file whole or not at all: another process may look for it right now. */
    public static void replace(Path file, Writer writer) throws IOException {
        Path unfinished =
                Files.createTempFile(file.getParent(), file.getFileName() + "-", UNFINISHED);
        try {
            writer.write(unfinished);
            Files.move(unfinished, file, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(unfinished);
        }
    }
}
