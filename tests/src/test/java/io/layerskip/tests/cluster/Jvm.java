package io.layerskip.tests.cluster;

import java.io.File;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Class paths and options of JVMs. */
public final class Jvm {

    /** What of the tests' class path a Flink distribution has too. */
    private static final List<String> FLINK =
            List.of(
                    "/org/apache/flink/flink-",
                    "/org/apache/logging/",
                    "/org/slf4j/",
                    "/org/apache/commons/commons-",
                    "/commons-",
                    "/com/esotericsoftware/",
                    "/org/objenesis/",
                    "/org/snakeyaml/",
                    "/org/javassist/",
                    "/tools/profiler/",
                    "/org/xerial/snappy/",
                    "/at/yawk/lz4/",
                    "/org/lz4/");

    private Jvm() {}

    /** A program of this JDK, such as java. */
    public static String program(String name) {
        return Path.of(System.getProperty("java.home"), "bin", name).toString();
    }

    /** The class path of the tests. */
    public static String testClassPath() {
        return System.getProperty(
                "surefire.test.class.path", System.getProperty("java.class.path"));
    }

    /** The class path of a Flink distribution: no connector, nothing of this project. */
    public static String flinkClassPath() {
        return Stream.of(testClassPath().split(File.pathSeparator))
                .filter(jar -> FLINK.stream().anyMatch(jar.replace('\\', '/')::contains))
                .filter(
                        jar ->
                                !jar.contains("flink-connector-kafka")
                                        && !jar.contains("flink-connector-base"))
                .collect(Collectors.joining(File.pathSeparator));
    }

    /** A Flink distribution that has the tests' classes too. */
    public static String flinkClassPathWithTests() {
        return flinkClassPath()
                + File.pathSeparator
                + Jvm.class.getProtectionDomain().getCodeSource().getLocation().getPath();
    }

    /** What Flink's own scripts open, as far as it is needed. */
    public static List<String> flinkOptions() {
        return Stream.of("java.util", "java.lang", "java.net", "java.time")
                .map(opened -> "--add-opens=java.base/" + opened + "=ALL-UNNAMED")
                .toList();
    }
}
