package io.layerskip.tests.cluster;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * What a JVM takes, its garbage collected.
 *
 * @param userClassLoaders of jobs, each with all of their classes
 * @param metaspaceKb in KiB, as the others
 * @param residentKb memory that the process has, heap included
 * @param outsideHeapKb of that, what is not the Java heap
 * @param threads Java's and native ones
 * @param files open descriptors: files, jars, sockets
 */
record Footprint(
        long userClassLoaders,
        long metaspaceKb,
        long residentKb,
        long outsideHeapKb,
        long threads,
        long files) {

    static final String COLUMNS =
            "user class loaders, metaspace MB, resident MB, outside the heap MB, threads, files";

    private static final Pattern USER_CLASS_LOADERS =
            Pattern.compile(
                    "(?m)^\\s*\\d+:\\s+(\\d+)\\s+\\d+\\s+org\\.apache\\.flink\\.util\\.ChildFirstClassLoader");
    private static final Pattern METASPACE_KB = Pattern.compile("Metaspace\\s+used (\\d+)K");
    private static final Pattern HEAP =
            Pattern.compile("heap\\s+total .*\\[0x(\\p{XDigit}+), 0x(\\p{XDigit}+)\\)");
    private static final Pattern MAPPING = Pattern.compile("(\\p{XDigit}+)-\\p{XDigit}+ .*");
    private static final Pattern MAPPED_KB = Pattern.compile("Rss:\\s+(\\d+) kB");
    private static final Pattern RESIDENT_KB = Pattern.compile("VmRSS:\\s+(\\d+) kB");
    private static final Pattern THREADS = Pattern.compile("Threads:\\s+(\\d+)");

    static Footprint of(JvmProcess process) throws Exception {
        String answer = process.ask("GC.class_histogram\nGC.heap_info");
        Path about = Path.of("/proc", Long.toString(process.pid()));
        String status = Files.readString(about.resolve("status"));
        long resident = number(RESIDENT_KB, status);
        try (Stream<Path> files = Files.list(about.resolve("fd"))) {
            return new Footprint(
                    number(USER_CLASS_LOADERS, answer),
                    number(METASPACE_KB, answer),
                    resident,
                    resident - residentHeapKb(about, answer),
                    number(THREADS, status),
                    files.count());
        }
    }

    /** Of the addresses that the JVM says are its heap, what is in memory. */
    private static long residentHeapKb(Path about, String answer) throws IOException {
        Matcher heap = HEAP.matcher(answer);
        if (!heap.find()) {
            throw new IOException("no heap in " + answer);
        }
        long from = Long.parseUnsignedLong(heap.group(1), 16);
        long to = Long.parseUnsignedLong(heap.group(2), 16);
        boolean inside = false;
        long kb = 0;
        for (String line : Files.readAllLines(about.resolve("smaps"))) {
            Matcher mapping = MAPPING.matcher(line);
            if (mapping.matches()) {
                long start = Long.parseUnsignedLong(mapping.group(1), 16);
                inside = start - from >= 0 && start - to < 0;
            } else if (inside) {
                kb += number(MAPPED_KB, line);
            }
        }
        return kb;
    }

    private static long number(Pattern pattern, String text) {
        Matcher matcher = pattern.matcher(text);
        return matcher.find() ? Long.parseLong(matcher.group(1)) : 0;
    }

    @Override
    public String toString() {
        return "%d, %d, %d, %d, %d, %d"
                .formatted(
                        userClassLoaders,
                        metaspaceKb / 1024,
                        residentKb / 1024,
                        outsideHeapKb / 1024,
                        threads,
                        files);
    }
}
