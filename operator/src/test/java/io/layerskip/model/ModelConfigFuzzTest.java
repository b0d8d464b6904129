package io.layerskip.model;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.io.IOException;

/** A config.json of any bytes is read or refused, with little memory. */
class ModelConfigFuzzTest {

    @FuzzTest(maxExecutions = 10_000)
    void readsOrRefuses(byte[] content) throws IOException {
        fuzzerTestOneInput(content);
    }

    /** For runs of any length, from the command line. */
    public static void fuzzerTestOneInput(byte[] content) throws IOException {
        FuzzedFile.read("config.json", content, file -> ModelConfigReader.read(file.getParent()));
    }
}
