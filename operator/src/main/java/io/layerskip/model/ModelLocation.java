package io.layerskip.model;

import java.io.IOException;
import java.io.InputStream;
import java.net.JarURLConnection;
import java.net.URI;
import java.net.URL;
import java.net.URLConnection;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.Optional;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flink.annotation.PublicEvolving;

/**
 * Where a checkpoint folder is: on disk, among the resources of a class path, or elsewhere, from
 * where it is fetched before it can be opened.
 *
 * @param name a path of the local file system or its URI (file:///models/NAME); {@value
 *     #CLASSPATH_PREFIX} and the folder's name on the class path, such as {@code
 *     classpath:models/layerskip-intents-9M}; or the URI of another file system, such as {@code
 *     s3://bucket/models/NAME}
 */
@PublicEvolving
public record ModelLocation(String name) {

    /** Marks a folder on the class path. */
    public static final String CLASSPATH_PREFIX = "classpath:";

    private static final String CONFIG = "config.json";
    private static final String FILE_SCHEME = "file";

    /** What has one letter before the colon is a drive of Windows. */
    private static final Pattern ADDRESS =
            Pattern.compile("([A-Za-z][A-Za-z0-9+.-]+):/(/([^/]*))?.*", Pattern.DOTALL);

    private static final int AUTHORITY = 3;

    /** The model's name: that of its folder, such as {@code layerskip-intents-9M}. */
    public String modelName() {
        String path =
                name.startsWith(CLASSPATH_PREFIX)
                        ? name.substring(CLASSPATH_PREFIX.length())
                        : scheme().map(scheme -> name.substring(scheme.length() + 1)).orElse(name);
        return Optional.ofNullable(Path.of(path).toAbsolutePath().normalize().getFileName())
                .map(Path::toString)
                .orElse(path);
    }

    /** Whether it is in another file system than this machine's, to be fetched from there. */
    public boolean isRemote() {
        return scheme().filter(scheme -> !scheme.equalsIgnoreCase(FILE_SCHEME)).isPresent();
    }

    /** Whether it is an address that holds a password: {@code s3://user:password@bucket}. */
    public boolean holdsPassword() {
        Matcher address = ADDRESS.matcher(name);
        return scheme().isPresent()
                && address.matches()
                && address.group(AUTHORITY) != null
                && address.group(AUTHORITY).matches("[^@]*:.*@.*");
    }

    private Optional<String> scheme() {
        Matcher address = ADDRESS.matcher(name);
        return address.matches() && !name.startsWith(CLASSPATH_PREFIX)
                ? Optional.of(address.group(1))
                : Optional.empty();
    }

    /**
     * Makes the checkpoint a folder of the local file system: the folder itself where it is one, a
     * temporary copy where it lies in a jar.
     *
     * @param loader looks for a location on the class path
     * @return the folder; closing it deletes what was copied
     * @throws CheckpointException if there is no such folder
     * @throws IOException if it cannot be copied
     */
    public ModelFolder open(ClassLoader loader) throws IOException {
        URL config = locate(CONFIG, loader);
        Optional<Path> folder = folder(config);
        if (folder.isPresent()) {
            return ModelFolder.existing(folder.get());
        }
        if (config.openConnection() instanceof JarURLConnection connection) {
            return copy(connection);
        }
        throw new CheckpointException(
                name + " is at " + config + ", neither a folder nor in a jar");
    }

    /**
     * Its files as they are now, where it is a folder; empty where it lies in a jar, which stays as
     * it is.
     *
     * @throws CheckpointException if there is no such folder
     * @throws IOException if it cannot be looked at
     */
    public Optional<FolderStamp> stamp(ClassLoader loader) throws IOException {
        Optional<Path> folder = folder(locate(CONFIG, loader));
        return folder.isPresent() ? Optional.of(FolderStamp.of(folder.get())) : Optional.empty();
    }

    private static Optional<Path> folder(URL config) {
        return config.getProtocol().equals("file")
                ? Optional.of(Path.of(URI.create(config.toString())).getParent())
                : Optional.empty();
    }

    /**
     * Opens one file of the checkpoint.
     *
     * @throws CheckpointException if there is no such file
     * @throws IOException if it cannot be opened
     */
    public InputStream openFile(String file, ClassLoader loader) throws IOException {
        URLConnection connection = locate(file, loader).openConnection();
        // A cached JarFile is never closed: the JVM keeps the jar open, deleted or not.
        connection.setUseCaches(false);
        return connection.getInputStream();
    }

    private URL locate(String file, ClassLoader loader) throws IOException {
        if (name.startsWith(CLASSPATH_PREFIX)) {
            String resource = name.substring(CLASSPATH_PREFIX.length()) + "/" + file;
            URL url = loader.getResource(resource);
            if (url == null) {
                throw new CheckpointException("no " + resource + " on the class path");
            }
            return url;
        }
        Path path = path().toAbsolutePath().resolve(file);
        if (!Files.isReadable(path)) {
            throw new CheckpointException(path + " is missing or not readable");
        }
        return path.toUri().toURL();
    }

    private Path path() throws CheckpointException {
        if (isRemote()) {
            throw new CheckpointException(name + " is elsewhere, and was not fetched");
        }
        try {
            return scheme().isPresent() ? Path.of(URI.create(name)) : Path.of(name);
        } catch (IllegalArgumentException e) {
            throw new CheckpointException(
                    "%s is no path of this machine, such as file:///models/NAME: %s"
                            .formatted(name, e.getMessage()),
                    e);
        }
    }

    private static ModelFolder copy(JarURLConnection connection) throws IOException {
        // A cached JarFile is shared with the class loader; closing it would break that.
        connection.setUseCaches(false);
        String entry = connection.getEntryName();
        String prefix = entry.substring(0, entry.lastIndexOf('/') + 1);
        ModelFolder folder = ModelFolder.temporary();
        try (JarFile jar = connection.getJarFile()) {
            for (Iterator<JarEntry> entries = jar.entries().asIterator(); entries.hasNext(); ) {
                JarEntry candidate = entries.next();
                if (isFileIn(prefix, candidate.getName())) {
                    Path target =
                            folder.path().resolve(candidate.getName().substring(prefix.length()));
                    try (InputStream content = jar.getInputStream(candidate)) {
                        Files.copy(content, target);
                    }
                }
            }
            return folder;
        } catch (IOException | RuntimeException e) {
            folder.close();
            throw e;
        }
    }

    private static boolean isFileIn(String prefix, String entry) {
        return entry.startsWith(prefix)
                && entry.length() > prefix.length()
                && entry.indexOf('/', prefix.length()) < 0;
    }

    @Override
    public String toString() {
        return name;
    }
}
