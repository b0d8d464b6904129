package io.layerskip.engine;

import java.util.Map;

/** What all threads of the process are doing, for the log. */
final class ThreadDump {

    private ThreadDump() {}

    /** A paragraph for each thread, with all of its stack. */
    static String ofProcess() {
        StringBuilder dump = new StringBuilder();
        for (Map.Entry<Thread, StackTraceElement[]> entry : Thread.getAllStackTraces().entrySet()) {
            Thread thread = entry.getKey();
            dump.append("\n\"%s\" %s".formatted(thread.getName(), thread.getState()));
            for (StackTraceElement frame : entry.getValue()) {
                dump.append("\n    at ").append(frame);
            }
        }
        return dump.toString();
    }
}
