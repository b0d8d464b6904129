package io.layerskip.tests;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** The folder of the model that the project ships. */
public final class BundledModel {

    public static final Path FOLDER =
            Path.of("..", "jobs", "src", "main", "resources", "models", "layerskip-intents-9M");

    private BundledModel() {}

    /** Copies its files into a folder. */
    public static void copyTo(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(FOLDER)) {
            for (Path file : files.toList()) {
                Files.copy(file, folder.resolve(file.getFileName().toString()));
            }
        }
    }
}
