package io.layerskip.model;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.flink.annotation.Internal;

/**
 * The files of a checkpoint's folder as the file system tells them apart: equal for as long as none
 * of them is written, replaced or removed.
 *
 * @param folder without symbolic links
 * @param files those that a checkpoint may be read from, by their names
 */
@Internal
public record FolderStamp(Path folder, List<File> files) {

    private static final List<String> SUFFIXES = List.of(".json", ".safetensors");

    public FolderStamp {
        files = List.copyOf(files);
    }

    /**
     * A file, or what a symbolic link leads to.
     *
     * @param key the file system's own, such as device and inode, where it has one
     */
    public record File(String name, long size, FileTime modified, Optional<Object> key) {

        private static File of(Path path) throws IOException {
            BasicFileAttributes found = Files.readAttributes(path, BasicFileAttributes.class);
            return new File(
                    path.getFileName().toString(),
                    found.size(),
                    found.lastModifiedTime(),
                    Optional.ofNullable(found.fileKey()));
        }
    }

    /**
     * Looks at a folder's files without reading them.
     *
     * @throws IOException if there is no such folder, or a file in it cannot be looked at
     */
    public static FolderStamp of(Path folder) throws IOException {
        List<File> files = new ArrayList<>();
        try (Stream<Path> found = Files.list(folder)) {
            for (Path path : found.sorted().toList()) {
                String name = path.getFileName().toString();
                // Others are no part of it, and may change while it is in use.
                if (SUFFIXES.stream().anyMatch(name::endsWith) && Files.exists(path)) {
                    files.add(File.of(path));
                }
            }
        }
        return new FolderStamp(folder.toRealPath(), files);
    }
}
